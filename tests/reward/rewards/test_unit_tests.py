"""The reward `unit_tests`: nothing but right answers to the calls makes tests pass."""

import textwrap
import time
from typing import Any

import pytest

from plaudit.client import ClientOptions, SandboxClient
from plaudit.schemas.reward import RewardSpec, ScoreRequest
from plaudit.testing import free_port
from plaudit_reward.registry import load_registry
from plaudit_reward.scoring import Resources, Scorer

PROMPT = '''
import math

def double(x: int) -> int:
    return 2 * x

def solve(x):
    """What the tests want to know."""
'''
SECRET = "the answer that only the tests know"


def reference(test: str, prompt: str = PROMPT) -> dict[str, str]:
    return {"prompt": prompt, "test": textwrap.dedent(test), "entry_point": "solve"}


def check(*asserts: str) -> dict[str, str]:
    return reference("def check(candidate):\n" + "".join(f"    {line}\n" for line in asserts))


DOUBLES = check("assert candidate(2) == 4", "assert candidate(-7) == -14")
KNOWS = check(f"assert candidate(1) == {SECRET!r}")


def block(code: str) -> str:
    return f"So:\n```python\n{textwrap.dedent(code)}\n```\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("    return 2 * x", 1.0),
        ("    return double(x)", 1.0),
        ("    return int(math.copysign(2 * abs(x), x))\n\nprint('done')", 1.0),
        (block("def solve(x):\n    return 2 * x"), 1.0),
        (block("from __future__ import annotations\ndef solve(x: No): return 2 * x"), 1.0),
        ("```python\n    return 2 * x\n```", 1.0),
        (block("solve = lambda x: 2 * x") + block("def solve(x): return 3"), 0.0),
        ("    pass", 0.0),
        ("    return 4", 0.0),
        ("", 0.0),
        ("I do not know.", 0.0),
        ("    return 2 *", 0.0),
        ("    return 2.0 * x + 1e-9", 0.0),
        (block("x = 1"), 0.0),
    ],
)  # fmt: skip
async def test_a_body_or_a_block_is_tested(score: Any, group: Any, text: str, value: float) -> None:
    assert await score("unit_tests", group(text, **DOUBLES)) == [value]


@pytest.mark.parametrize(
    "hack",
    [
        "import os; os._exit(0)",
        "exit(0)",
        "import sys; sys.exit(0)",
        "raise SystemExit(0)",
        "import os; os.kill(os.getpid(), 9)",
        "while True: pass",
        "import sys; sys.modules['__main__'].check = lambda *_: None",
        "import builtins; builtins.AssertionError = type('Never', (Exception,), {})",
        "import sys, json; json.dumps = lambda *_: '[0, [\"returned\", true]]'",
        "import unittest; unittest.TestCase.assertEqual = lambda *_: None",
        "import atexit, os; atexit.register(os._exit, 0)",
        "import os; os.write(1, b'{\"outcome\": \"passed\"}'); exit(0)",
        "import sys; sys.setprofile(lambda *_: None); sys.settrace(lambda *_: exit(0))",
        "check = lambda candidate: None",
    ],
)  # fmt: skip
@pytest.mark.parametrize("when", ["loaded", "called"])
async def test_an_early_end_or_a_changed_interpreter_does_not_pass(
    score: Any, group: Any, hack: str, when: str
) -> None:
    if when == "loaded":
        text = block(f"def solve(x): pass\n{hack}")
    else:
        text = block(f"def solve(x):\n    {hack}")
    assert await score("unit_tests", group(text, **DOUBLES), timeout_s=1.0) == [0.0]


async def test_answers_that_claim_to_equal_everything_do_not_pass(score: Any, group: Any) -> None:
    texts = [
        block(
            f"""
            class Equal({base}):
                def __eq__(self, other): return True
                def __ne__(self, other): return False
                def __bool__(self): return True
                def __sub__(self, other): return 0
                __hash__ = {base}.__hash__
            def solve(x): return Equal()
            """
        )
        for base in ("object", "int", "str", "float")
    ]
    assert await score("unit_tests", group(*texts, **DOUBLES)) == [0.0] * 4


async def test_the_tests_are_nowhere_where_the_candidate_could_look(score: Any, group: Any) -> None:
    """It looks at its files, its input, every object and every frame."""
    text = block(
        """
        import gc, os, re, sys

        def places():
            for folder, _, names in os.walk("."):
                for name in names:
                    yield open(os.path.join(folder, name), errors="replace").read()
            os.lseek(0, 0, 0)
            yield os.read(0, 1 << 24).decode()
            frame = sys._getframe()
            while frame:
                yield repr(frame.f_locals) + repr(frame.f_globals)
                frame = frame.f_back
            for one in gc.get_objects():
                if isinstance(one, dict):
                    yield from (v for v in list(one.values()) if isinstance(v, str))
            for path in ("/proc/self/maps", "/proc/self/cmdline", "/proc/1/environ"):
                try:
                    yield open(path).read()
                except OSError:
                    pass

        def solve(x):
            for place in places():
                found = re.search("the answer " + "that only the [a-z]+ know", place)
                if found:
                    return found[0]
        """
    )
    assert await score("unit_tests", group(text, **KNOWS)) == [0.0]
    # With the words in its own program it would have found them: the search works.
    assert await score(
        "unit_tests", group(text + block(f"# {SECRET}\n{_code(text)}"), **KNOWS)
    ) == [1.0]


async def test_what_the_candidate_does_to_arguments_does_not_reach_the_tests(
    score: Any, group: Any
) -> None:
    test = check("x = [3, 1, 2]", "assert candidate(x) == sorted(x)")
    cheats, sorts = "    x.clear(); return []", "    x.sort(); return x"
    assert await score("unit_tests", group(cheats, sorts, **test)) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("test", "right", "wrong"),
    [
        ("assert solve(2) == 4\nassert solve(x=3) == 6", "return 2 * x", "return x + 2"),
        ("""
         def check(candidate):
             for n in range(50):
                 value = candidate(n)
                 assert value == double(n)
         """, "return 2 * x", "return x + 2"),
        ("""
         import random
         def check(candidate):
             for _ in range(20):
                 n = random.randint(0, 10**6)
                 assert candidate(n) == 2 * n
         """, "return 2 * x", "return x + 2"),
        ("""
         def check(candidate):
             assert candidate(candidate(candidate(3))) == 24
         """, "return 2 * x", "return x + 3"),
        ("""
         def check(candidate):
             x = 1
             while x < 10:
                 x = candidate(x)
             assert x == 16
         """, "return 2 * x", "return x + 5"),
        ("""
         def check(candidate):
             try:
                 candidate("a")
             except ValueError:
                 return
             assert False
         """, "return int(x)", "return x"),
        ("""
         def check(candidate):
             assert candidate(4) == 4 and candidate(4) == 5
         """, "solve.n = getattr(solve, 'n', 3) + 1; return solve.n", "return 4"),
        ("""
         def check(candidate):
             assert candidate({1, 2}) == {2, 4}
             assert candidate((1.5, b"a", None)) == (1.5, b"a", None)
         """, "return {2 * n for n in x} if type(x) is set else x", "return list(x)"),
        ("""
         def check(candidate):
             assert abs(candidate(float("inf")) - 0.3) < 1e-9 and candidate(2**5000) == -2**5000
         """, "return 0.1 + 0.2 if x == math.inf else -x", "return -x"),
    ],
    ids=["names", "loop", "random", "nested", "while", "raises", "state", "types", "numbers"],
)  # fmt: skip
async def test_tests_may_be_written_in_many_ways(
    score: Any, group: Any, test: str, right: str, wrong: str
) -> None:
    texts = f"    {right}\n", f"    {wrong}\n"
    assert await score("unit_tests", group(*texts, **reference(test))) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, "reference is missing"),
        ({"prompt": PROMPT, "entry_point": "solve"}, "reference.test: Field required"),
        ({"test": "x", "entry_point": "a b"}, "reference.entry_point: String should match pattern"),
        (check("pass"), "reference.test cannot be run: the tests never call solve"),
        (check("other(1)"), "reference.test cannot be run: the tests never call solve (Name"),
        (reference("def ("), "reference.test cannot be run: the tests never call solve (Syntax"),
        (check("candidate(print)"), "reference.test cannot be run: an argument is not plain data"),
        (check("while True: pass"), "reference.test comes to no end within"),
        (reference("assert solve(1)", "Please write:"), "reference.test cannot be run: the tests "),
    ],
)  # fmt: skip
async def test_tests_that_decide_nothing_are_null_with_the_reason(
    score: Any, group: Any, columns: Any, reason: str
) -> None:
    [value] = await score("unit_tests", group("    return 2 * x", **columns), timeout_s=1.0)
    assert isinstance(value, str)
    assert value.startswith(reason)


async def test_answers_that_never_settle_which_calls_there_are_is_null(
    score: Any, group: Any
) -> None:
    test = check("x = 1", "while x > 0:", "    x = candidate(x)")
    [endless] = await score("unit_tests", group("    return x + 1", **test))
    assert endless == "reference.test asks for more calls after each of 8 rounds"


@pytest.mark.parametrize(
    "body",
    ["return 'x' * 10**7", "return [0] * 10**6", "return eval('[' * 90 + ']' * 90)",
     "y = []; y.append(y); return y", "x = []\n    for _ in range(10**5): x = [x]\n    return x",
     "print('x' * 10**7)", "import os; os.write(1, b'[0, ' * 10**5)", "return 10**(10**6)",
     "return '\\ud800'", "return {k * (2**61 - 1) for k in range(10**4)}"],
)  # fmt: skip
async def test_an_answer_made_to_hurt_is_a_failure_in_bounded_time(
    score: Any, group: Any, body: str
) -> None:
    started_s = time.monotonic()
    texts = f"    {body}", "    return 2 * x"
    assert await score("unit_tests", group(*texts, **DOUBLES), timeout_s=2.0) == [0.0, 1.0]
    assert time.monotonic() - started_s < 40


async def test_a_sandbox_that_is_down_is_null_and_retryable(group: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with SandboxClient(url, ClientOptions(timeout_s=0.5)) as nobody:
        scorer = Scorer(load_registry(), "code", Resources(sandbox=nobody), 2**20)
        specs = [RewardSpec(name="unit_tests")]
        found = await scorer.score(ScoreRequest(groups=[group("a", **DOUBLES)], rewards=specs))
    [reason] = found.groups[0]["unit_tests"]
    assert isinstance(reason, str)
    assert reason.startswith("the sandbox could not run the tests: sandbox at http://127.0.0.1")
    assert found.retryable


def _code(text: str) -> str:
    return text.partition("```python\n")[2].partition("```")[0]
