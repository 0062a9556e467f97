"""The process in which the reward of a user runs: it loads it once and answers until it is killed.

What it prints goes nowhere but into the reply, and there only the end of it, so that a flood
costs nobody else. Nothing here bounds time or memory: the parent does, with SIGKILL.
"""

import asyncio
import ctypes
import importlib.metadata
import io
import os
import signal
import socket
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, BinaryIO

from plaudit_reward.user_code.call import call_reward
from plaudit_reward.user_code.context import ChildContext
from plaudit_reward.user_code.messages import (
    Answer,
    Call,
    Loaded,
    Program,
    Question,
    Reply,
    line_of,
    to_wire,
)

MAX_TRACEBACK_CHARS = 4000
MAX_OUTPUT_CHARS = 2000
_PR_SET_PDEATHSIG = 1
_MODULE = "plaudit_user_code"


class Tail(io.TextIOBase):
    """Keeps the end of what is written."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> int:
        self._text = (self._text + text[-MAX_OUTPUT_CHARS:])[-MAX_OUTPUT_CHARS:]
        return len(text)

    def take(self) -> str:
        text, self._text = self._text, ""
        return text


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the worker's to handle
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):
        return
    with socket.socket(fileno=int(sys.argv[1])) as connection, asyncio.Runner() as runner:
        tail = Tail()
        sys.stdout = sys.stderr = tail
        incoming = connection.makefile("rb")
        found = load(Program.model_validate_json(incoming.readline()))
        error = found if isinstance(found, str) else None
        connection.sendall(line_of(Loaded(error=error)))
        if isinstance(found, str):
            return
        for line in incoming:
            question = Question.model_validate_json(line)
            reply = runner.run(answer(found, question, asker(connection, incoming)))
            connection.sendall(line_of(reply.model_copy(update={"output": tail.take()})))


def load(program: Program) -> Any:
    """The module of a file, what an entry point points to, or the traceback of the failure."""
    try:
        if program.source is None:
            return importlib.metadata.EntryPoint("", program.place, "").load()
        module = types.ModuleType(_MODULE)
        module.__file__ = program.place
        sys.modules[_MODULE] = module
        sys.path.insert(0, os.path.dirname(program.place))
        # The reward service runs what its settings allow: `user_code_dirs`.
        exec(compile(program.source, program.place, "exec"), module.__dict__)  # noqa: S102
        return module
    except BaseException as error:  # why: whatever it raises, SystemExit too, is its failure
        return text_of(error)


async def answer(found: Any, question: Question, ask: Callable[[Call], Answer]) -> Reply:
    try:
        target = found
        if isinstance(found, types.ModuleType) and found.__name__ == _MODULE:
            target = getattr(found, question.function)
        context = ChildContext(question.group, ask)
        scores = await call_reward(target, question.group, question.params, context)
        return Reply(scores=to_wire(scores))
    except BaseException as error:  # why: whatever it raises, SystemExit too, is its failure
        return Reply(error=text_of(error))


def asker(connection: socket.socket, incoming: BinaryIO) -> Callable[[Call], Answer]:
    def ask(call: Call) -> Answer:
        connection.sendall(line_of(call))
        return Answer.model_validate_json(incoming.readline())

    return ask


def text_of(error: BaseException) -> str:
    """The traceback, without our own frames at its top; of a long one, the end."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames)).strip()
    if len(text) <= MAX_TRACEBACK_CHARS:
        return text
    end = text[-MAX_TRACEBACK_CHARS:]
    return "...\n" + (end.partition("\n")[2] or end)


_OURS = os.path.dirname(__file__)

if __name__ == "__main__":
    main()
