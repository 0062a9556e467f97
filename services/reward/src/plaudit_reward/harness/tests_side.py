"""In the sandbox: run unit tests against the answers that a candidate has given elsewhere.

The tests call a stand-in. As long as it lacks an answer the outcome is `unknown`, with all calls
that could be found: the tests are then run once more, past failures, for the sake of their calls.
"""

import ast
import builtins
import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from plaudit_reward.harness.plain_data import decode, encode
from plaudit_reward.harness.streams import take_job

Answers = Mapping[tuple[str, int], Any]
"""By call, and by how often the same call was made before. None: the candidate had ended."""

_STATEMENTS = (
    ast.Assert, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.While, ast.If,
    ast.With,
)  # fmt: skip


class Stop(BaseException):
    """No answer: the tests cannot go on here. Not theirs to catch."""


@dataclass
class StandIn:
    """What the tests call instead of the candidate."""

    answers: Answers
    calls: list[str] = field(default_factory=list)
    problem: str | None = None
    """`unknown`, `ended`, or why the tests cannot be run in this way."""
    _counts: Counter[str] = field(default_factory=Counter)

    def __call__(self, *args: object, **kwargs: object) -> object:
        try:
            call = json.dumps([encode(args), encode(kwargs)])
        except (TypeError, RecursionError) as error:
            self._stop(f"an argument is not plain data: {error}")
        key = call, self._counts[call]
        self._counts[call] += 1
        self.calls.append(call)
        if key not in self.answers:
            self._stop("unknown")
        if self.answers[key] is None:
            self._stop("ended")
        kind, value = self.answers[key]
        if kind == "returned":
            return decode(value)
        raise _exception(value)

    def _stop(self, problem: str) -> None:
        self.problem = self.problem or problem
        raise Stop


def main() -> None:
    """Answers {outcome, reason, calls}; outcome: passed, failed, unknown or unusable."""
    job, answers = take_job()
    outcome, reason, calls = _judge(job, _by_call(job["calls"], job["output"]))
    answers.write(json.dumps({"outcome": outcome, "reason": reason, "calls": calls}))
    answers.flush()


def _judge(job: Any, answers: Answers) -> tuple[str, str, list[str]]:
    stand_in, error = StandIn(answers), None
    try:
        _run(job, stand_in, ast.parse(job["test"]))
    except BaseException as raised:  # why: whatever ends the tests is a failure of them
        error = f"{type(raised).__name__}: {raised}"[:300]
    if stand_in.problem == "unknown":
        return "unknown", "", _all_calls(job, answers)
    if stand_in.problem == "ended":
        return "failed", "the candidate ended its process", []
    if stand_in.problem is not None:
        return "unusable", stand_in.problem, []
    if not stand_in.calls:
        return "unusable", f"the tests never call {job['entry_point']} ({error})", []
    return ("failed", error, []) if error else ("passed", "", [])


def _all_calls(job: Any, answers: Answers) -> list[str]:
    stand_in = StandIn(answers)
    tree = ast.fix_missing_locations(_Tolerant().visit(ast.parse(job["test"])))
    with suppress(BaseException):
        _run(job, stand_in, tree)
    return stand_in.calls


def _run(job: Any, stand_in: StandIn, tests: ast.Module) -> None:
    """The same every time: tests that draw numbers draw the same ones."""
    random.seed(0)
    module = ModuleType("unit_tests")
    sys.modules["unit_tests"] = module
    # The reference's own code; like all code it runs in the sandbox only.
    exec(_helpers(job["prompt"]), module.__dict__)  # noqa: S102
    module.__dict__[job["entry_point"]] = stand_in
    exec(compile(tests, "tests.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    if "check" in module.__dict__:
        module.__dict__["check"](stand_in)


def _helpers(prompt: str) -> Any:
    """What the prompt defines besides the candidate. It may break off after a `def` line."""
    try:
        return compile(prompt, "prompt.py", "exec", dont_inherit=True)
    except SyntaxError:
        return compile(f"{prompt}\n    pass\n", "prompt.py", "exec", dont_inherit=True)


class _Tolerant(ast.NodeTransformer):
    """Puts every statement into `try: ... except: pass`, so that one failure hides no calls.

    A `while` is one statement: past failures of its body it might never end.
    """

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, ast.While):
            self.generic_visit(node)
        if not isinstance(node, _STATEMENTS):
            return node
        handler = ast.ExceptHandler(type=None, name=None, body=[ast.Pass()])
        return ast.Try(body=[node], handlers=[handler], orelse=[], finalbody=[])


def _by_call(calls: Sequence[str], output: str) -> Answers:
    told: dict[Any, Any] = {}
    for line in output.split("\n"):
        # What is no answer is something that the candidate has printed.
        with suppress(ValueError, TypeError, RecursionError):
            index, (kind, value) = json.loads(line)
            told[index] = kind, value
    counts: Counter[str] = Counter()
    found = {}
    for index, call in enumerate(calls):
        found[call, counts[call]] = told.get(index)
        counts[call] += 1
    return found


def _exception(name: object) -> Exception:
    """The built-in exception of this name, else a RuntimeError."""
    found = getattr(builtins, str(name), None)
    if isinstance(found, type) and issubclass(found, Exception):
        with suppress(TypeError):
            return found("raised by the candidate")
    return RuntimeError(f"{name} raised by the candidate")
