"""In the sandbox: load a candidate and answer calls of it. No test is in this process.

The candidate shares it and may do to it what it likes: all that leaves are answers to calls, which
are the candidate's to give.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any, NoReturn

from plaudit_reward.harness.plain_data import decode, encode
from plaudit_reward.harness.streams import take_job


def main() -> NoReturn:
    """One line per answered call: [its index, answer]. A candidate that ends the process ends them.

    An answer is ["returned", value] or ["raised", name of the exception].
    """
    job, answers = take_job()
    candidate = _load(job["programs"], job["entry_point"])
    for index, call in enumerate(job["calls"]):
        # A line of its own, whatever the candidate has written past sys.stdout.
        answers.write(f"\n{json.dumps([index, _answer(candidate, call)])}\n")
        answers.flush()
    os._exit(0)


def _load(programs: Sequence[str], entry_point: str) -> Callable[..., object]:
    """From the first program that is Python; the last one's error is the candidate's failure."""
    module = ModuleType("candidate")
    sys.modules["candidate"] = module
    # Behind every protection of the sandbox, as the program itself.
    exec(_compiled(programs), module.__dict__)  # noqa: S102
    found: Callable[..., object] = module.__dict__[entry_point]
    return found


def _compiled(programs: Sequence[str]) -> CodeType:
    *earlier, last = programs
    for program in earlier:
        try:
            return compile(program, "candidate.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
    return compile(last, "candidate.py", "exec", dont_inherit=True)


def _answer(candidate: Callable[..., object], call: str) -> list[Any]:
    args, kwargs = (decode(one) for one in json.loads(call))
    try:
        return ["returned", encode(candidate(*args, **kwargs))]
    except BaseException as error:  # why: whatever it raises, SystemExit too, is its answer
        return ["raised", type(error).__name__]
