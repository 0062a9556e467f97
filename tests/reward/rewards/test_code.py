"""`code` and `binary_code`: whole outputs, every test, never a 0 for a sandbox that is away."""

from typing import Any

import httpx
import pytest

from plaudit.client import ClientOptions, SandboxClient
from plaudit.schemas.reward import RewardSpec, ScoreRequest
from plaudit.testing import free_port
from plaudit_reward.programs import last_block
from plaudit_reward.registry import load_registry
from plaudit_reward.scoring import Resources, Scorer
from plaudit_reward.stdio import normalised

RUNS = "plaudit_sandbox_runs_total{"


def block(code: str) -> str:
    return f"Here:\n```python\n{code}\n```\nDone."


@pytest.mark.parametrize(
    ("printed", "expected", "value"),
    [
        ("1\\n2\\n3", "1\n2\n3\n", 1.0), ("1\\n2", "1\n2\n3\n", 0.0), ("1\\n2", "1", 0.0),
        ("1  \\n2\\t", "1\n2", 1.0), ("1\\n2\\n\\n\\n", "1\n2", 1.0), (" 1", "1", 0.0),
        ("1\\n\\n2", "1\n2", 0.0),
        ("", "", 1.0), ("", "1", 0.0), ("1\\r\\n2", "1\n2", 1.0), ("1.0", "1", 0.0),
    ],
)  # fmt: skip
async def test_the_whole_output_is_compared(
    score: Any, group: Any, printed: str, expected: str, value: float
) -> None:
    text = block(f'print("{printed}")')
    assert await score("code", group(text, tests=[{"stdin": "", "stdout": expected}])) == [value]


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "import os; os._exit(0)", "raise SystemExit(0)", "print(4); exit(1)",
     "print(4, flush=True); import os; os.kill(os.getpid(), 9)", "x = [0] * 10**10", "print(4"],
    ids=["endless", "_exit", "exit 0", "exit 1", "killed", "memory", "syntax"],
)  # fmt: skip
async def test_a_programs_own_failure_is_a_failed_test(score: Any, group: Any, code: str) -> None:
    tests = [{"stdin": "", "stdout": "4"}]
    assert await score("code", group(block(code), tests=tests), timeout_s=0.5) == [0.0]


async def test_each_test_counts_the_same(score: Any, group: Any) -> None:
    tests = [{"stdin": f"{n}\n", "stdout": f"{n * n}\n"} for n in range(4)]
    texts = [
        block("n = int(input()); print(n * n)"),
        block("print(int(input()))"),
        block("print(7)"),
    ]
    assert await score("code", group(*texts, tests=tests)) == [1.0, 0.5, 0.0]


async def test_equal_programs_and_inputs_are_run_once(
    score: Any, group: Any, sandbox_url: str
) -> None:
    tests = [
        {"stdin": "", "stdout": "0"},
        {"stdin": "", "stdout": "1"},
        {"stdin": "x", "stdout": "0"},
    ]
    before = num_runs(sandbox_url)
    values = await score("code", group(*[block("print(0)")] * 20, tests=tests))
    assert values == [pytest.approx(2 / 3)] * 20
    assert num_runs(sandbox_url) - before == 2


async def test_binary_is_all_tests_or_nothing(score: Any, group: Any) -> None:
    tests = [{"stdin": f"{n}\n", "stdout": f"{n}\n"} for n in range(101)]
    texts = block("print(input())"), block("print(input().replace('100', ''))"), "no code"
    assert await score("code", group(*texts, tests=tests)) == [1.0, pytest.approx(100 / 101), 0.0]
    assert await score("binary_code", group(*texts, tests=tests)) == [1.0, 0.0, 0.0]


async def test_binary_and_fraction_share_their_runs(
    sandbox: SandboxClient, group: Any, sandbox_url: str
) -> None:
    scorer = Scorer(load_registry(), "code", Resources(sandbox=sandbox), 2**20)
    specs = [RewardSpec(name=name) for name in ("code", "binary_code")]
    asked = group(block("print(input())"), tests=[{"stdin": "1", "stdout": "1"}])
    before = num_runs(sandbox_url)
    found = await scorer.score(ScoreRequest(groups=[asked], rewards=specs))
    assert found.groups[0] == {"code": [1.0], "binary_code": [1.0]}
    assert num_runs(sandbox_url) - before == 1


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ([], "reference.tests is missing"), (None, "reference.tests is missing"),
        ([{"stdin": "1"}], "reference.tests.0.stdout: Field required"),
        ("all", "reference.tests.: Input should be a valid list"),
    ],
)  # fmt: skip
async def test_tests_that_are_none_are_null_with_the_reason(
    score: Any, group: Any, tests: Any, reason: str
) -> None:
    assert await score("code", group(block("print(1)"), tests=tests)) == [reason]


async def test_a_sandbox_that_is_down_is_null_and_retryable(group: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with SandboxClient(url, ClientOptions(timeout_s=0.5)) as nobody:
        scorer = Scorer(load_registry(), "code", Resources(sandbox=nobody), 2**20)
        asked = group(block("print(1)"), "no code", tests=[{"stdin": "", "stdout": "1"}])
        request = ScoreRequest(groups=[asked], rewards=[RewardSpec(name="code")])
        found = await scorer.score(request)
    reason, without_code = found.groups[0]["code"]
    assert isinstance(reason, str)
    assert reason.startswith("the sandbox could not run the tests: sandbox at http://127.0.0.1")
    assert (without_code, found.retryable) == (0.0, True)


async def test_a_program_may_be_in_another_language(
    score: Any, group: Any, sandbox: SandboxClient
) -> None:
    cpp = (await sandbox.languages()).languages["cpp"]
    if not cpp.available:
        pytest.skip(f"cpp: {cpp.reason}")
    tests = [{"stdin": f"{n}\n", "stdout": f"{n + 1}\n"} for n in range(3)]
    right = "#include <iostream>\nint main() { int x; std::cin >> x; std::cout << x + 1; }"
    texts = [f"```cpp\n{right}\n```", "```cpp\nno\n```", block("print(int(input()) + 1)")]
    asked = group(*texts, tests=tests)
    assert await score("code", asked, language="cpp") == [1.0, 0.0, 0.0]
    assert await score("codeforces", asked, language="cpp") == [1.1, -0.1, -1.0]
    assert await score("code", asked) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\na\n```", "a\n"), ("```python\na\n``` ```python\nb\n```", "b\n"),
        ("```python\na\n```\n```python\nb", "a\n"), ("```\na\n```", None), ("```py\na\n```", None),
        ("```python a\n```", None), ("", None), ("```python\n```", ""),
    ],
)  # fmt: skip
def test_the_last_closed_block_is_taken(text: str, code: str | None) -> None:
    assert last_block(text) == code


def num_runs(sandbox_url: str) -> float:
    """Programs that this sandbox has run."""
    lines = httpx.get(f"{sandbox_url}/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(RUNS))


def test_only_space_at_line_ends_and_final_newlines_are_ignored() -> None:
    assert normalised("a \t\n\n b\r\n\n\n") == "a\n\n b"
