"""What a function in a file may give, and what becomes of one that fails, hangs or dies."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from plaudit.errors import Rejected
from plaudit.schemas.common import Message
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec
from plaudit_reward.metrics import SCORES

BREVITY = """
def f(completions, *, limit=3):
    return [float(len(text) <= limit) for text in completions]
"""


async def test_a_function_of_texts_is_a_reward(files: Any, group: Any) -> None:
    assert await files.score(BREVITY, group("abc", "abcd", "")) == [1.0, 0.0, 1.0]
    assert await files.score(BREVITY, group("abc", "abcd"), limit=4) == [1.0, 1.0]


async def test_it_is_given_what_it_has_parameters_for(files: Any) -> None:
    source = """
    def f(completions, *, prompt, reference, num_tokens, token_ids, finish_reasons, **params):
        assert prompt == [{"role": "user", "content": "2 + 3?"}]
        assert (reference, params) == ({"answer": "5"}, {"weight": 7})
        assert (num_tokens, token_ids) == ([2, None], [[8, 9], None])
        return [float(reason == "length") for reason in finish_reasons]
    """
    answers = [Answer(text="5", token_ids=[8, 9], finish_reason="length"), Answer(text="6")]
    prompt = [Message(role="user", content="2 + 3?")]
    asked = RewardGroup(group_id="g", prompt=prompt, completions=answers, reference={"answer": "5"})
    assert await files.score(source, asked, weight=7) == [1.0, 0.0]


async def test_a_reward_of_the_full_form_has_params_tokens_and_the_context(files: Any) -> None:
    source = """
    from plaudit.schemas.common import Contract
    from plaudit_reward.reward import Missing, PerToken, reward
    from plaudit_reward.rewards.accuracy import accuracy

    class Params(Contract):
        bonus: float = 0.5

    @reward(source="this test", vectors=[])
    async def f(group, params: Params, context):
        \"\"\"A bonus for a right answer; nothing is known of an empty one.\"\"\"
        right = await context.score(accuracy)
        checked = await context.verify("18", [one.text for one in group.completions], "any")
        assert right == checked
        return [
            PerToken((0.25, 0.25)) if one.token_ids else params.bonus * value if one.text
            else Missing("it is empty")
            for one, value in zip(group.completions, right)
        ]
    """
    answers = [Answer(text="18"), Answer(text="19", token_ids=[1, 2]), Answer(text="")]
    asked = RewardGroup(group_id="g", prompt=[], completions=answers, reference={"answer": "18"})
    right, dense, empty = await files.score(source, asked, bonus=2.0)
    assert (right, dense.tokens, dense.value) == (2.0, [0.25, 0.25], 0.5)
    assert empty == "it is empty"
    values = await files.score(source, asked, bonsu=2.0)
    assert "params.bonsu: unknown; did you mean `bonus`?" in values[0]


async def test_an_async_function_and_numbers_of_other_libraries_are_fine(
    files: Any, group: Any
) -> None:
    source = """
    import asyncio
    from fractions import Fraction

    async def f(completions):
        await asyncio.sleep(0)
        return (Fraction(1, 2), True)
    """
    assert await files.score(source, group("a", "b")) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ("[1.0, None]", "the reward gave None"),
        ("[1.0, float('nan')]", "the reward gave nan"),
        ("[1.0, float('inf')]", "the reward gave inf"),
        ("[1.0, '1']", "the reward gave no number: '1'"),
        ("[1.0, 1j]", "the reward gave no number: 1j"),
    ],
)
async def test_one_value_that_is_no_number_is_null_alone(
    files: Any, group: Any, returned: str, reason: str
) -> None:
    values = await files.score(f"def f(completions): return {returned}", group("a", "b"))
    assert values == [1.0, reason]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return [1.0]", "1 values for 2 completions"),
        ("return None", "'NoneType' object is not iterable"),
        ("return [10**400, 1.0]", "OverflowError"),
        ("return [1.0 / len(texts[1]), 1.0]", "ZeroDivisionError: float division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise ValueError('why ' * 5000)", "why why"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
    ],
)
async def test_what_it_raises_is_a_traceback_and_costs_nothing_else(
    files: Any, group: Any, body: str, reason: str
) -> None:
    path = files.write(f"def f(texts):\n    {body}\ndef g(texts):\n    return [0.5] * len(texts)\n")
    scores = await files.ask(f"{path}:f", group("a", ""))
    first, second = scores.groups[0][f"{path}:f"]
    assert reason in first
    assert len(first) < 4200
    assert first.startswith("the reward failed: ")
    assert second == first or second.startswith("as the first of the group: ")
    assert len(second) <= 500
    assert not scores.retryable
    [pid] = files.pids()
    assert (await files.ask(f"{path}:g", group("a"))).groups[0][f"{path}:g"] == [0.5]
    assert files.pids() == [pid]


async def test_the_traceback_shows_the_users_lines_and_none_of_ours(files: Any, group: Any) -> None:
    source = "def f(texts):\n    return [g(text) for text in texts]\ndef g(text): return 1 / 0\n"
    [value] = await files.score(source, group("a"))
    assert "def g(text): return 1 / 0" in value
    assert value.endswith("ZeroDivisionError: division by zero")
    assert "plaudit_reward" not in value


@pytest.mark.parametrize(
    ("body", "reason", "retryable"),
    [
        ("while True: pass", "not done within 1 s; its process was killed", False),
        ("time.sleep(60)", "not done within 1 s; its process was killed", False),
        ("signal.pause()", "not done within 1 s; its process was killed", False),
        ("while True: print('flood ' * 1000)", "not done within 1 s", False),
        ("a = [bytearray(2**20) for _ in range(2**20)]", "more than 268435456 bytes", False),
        ("os._exit(0)", "its process ended with exit code 0", False),
        ("os.abort()", "its process ended with signal 6", False),
        ("os.kill(os.getpid(), 9)", "its process ended with signal 9", True),
        ("os.closerange(3, 99); time.sleep(60)", "it closed its connection", False),
    ],
)
async def test_a_hang_a_death_or_a_flood_costs_its_values_and_one_process(
    start: Any, group: Any, body: str, reason: str, retryable: bool
) -> None:
    files = await start(timeout_s=1.0, memory_bytes=256 * 2**20)
    path = files.write(f"""
    import os, signal, time
    def f(texts):
        {body}
    def g(texts):
        return [1.0] * len(texts)
    """)
    started_s = time.monotonic()
    scores = await files.ask(f"{path}:f", group("a", "b"))
    values = scores.groups[0][f"{path}:f"]
    assert reason in values[0]
    assert values[0] == values[1]
    assert scores.retryable == retryable
    assert time.monotonic() - started_s < 20
    assert files.pids() == []
    assert (await files.ask(f"{path}:g", group("a"))).groups[0][f"{path}:g"] == [1.0]


async def test_what_it_has_started_dies_with_it(start: Any, group: Any, tmp_path: Path) -> None:
    files = await start(timeout_s=1.0)
    note = tmp_path / "pid"
    source = f"""
    import pathlib, subprocess, time
    def f(texts):
        child = subprocess.Popen(["sleep", "60"])
        pathlib.Path({str(note)!r}).write_text(str(child.pid))
        time.sleep(60)
    """
    await files.score(source, group("a"))
    stat = Path(f"/proc/{note.read_text()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(texts) return 1", "SyntaxError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("raise SystemExit", "SystemExit"),
        ("import os; os._exit(7)", "its process ended with exit code 7"),
        ("f = 7", "TypeError: 7 is neither a function nor a @reward"),
        ("def g(texts): return []", "has no attribute 'f'"),
    ],
)
async def test_a_file_that_gives_no_reward_is_null_with_the_reason(
    files: Any, group: Any, source: str, reason: str
) -> None:
    [value] = await files.score(source, group("a"))
    assert reason in value


async def test_a_file_that_cannot_be_loaded_is_not_loaded_for_every_group(
    files: Any, group: Any, tmp_path: Path
) -> None:
    note = tmp_path / "loads"
    source = f"open({str(note)!r}, 'a').write('x')\nraise ValueError('no')"
    values = [await files.score(source, group("a")) for _ in range(4)]
    assert all("ValueError: no" in value for [value] in values)
    assert note.read_text() == "x"


async def test_a_file_that_changes_is_loaded_anew(start: Any, group: Any) -> None:
    files = await start(num_processes=2)
    assert await files.score("def f(texts): return [1.0]", group("a")) == [1.0]
    [before] = files.pids()
    assert await files.score("def f(texts): return [1.0]", group("a")) == [1.0]
    assert files.pids() == [before]
    assert await files.score("def f(texts): return [2.0]", group("a")) == [2.0]
    [after] = files.pids()
    assert before != after


async def test_modules_beside_the_file_can_be_imported(files: Any, group: Any) -> None:
    files.write("VALUE = 0.25", "constants_of_mine.py")
    source = "from constants_of_mine import VALUE\ndef f(texts): return [VALUE]"
    assert await files.score(source, group("a")) == [0.25]


async def test_processes_are_as_many_as_allowed_whatever_the_number_of_files(
    start: Any, group: Any
) -> None:
    files = await start(num_processes=2)
    slow = "import time\ndef f(texts):\n    time.sleep(0.2)\n    return [{n}.0]"
    names = [f"{files.write(slow.format(n=n), f'file_{n}.py')}:f" for n in range(4)]
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(files.pids()))
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    found = await asyncio.gather(*(files.ask(name, group("a")) for name in [*names, *names]))
    watching.cancel()
    assert [scores.groups[0][name] for name, scores in zip([*names, *names], found, strict=True)]
    assert [next(iter(one.groups[0].values())) for one in found] == [[0], [1], [2], [3]] * 2
    assert most == 2


async def test_a_request_that_is_given_up_leaves_no_process_in_the_middle(
    files: Any, group: Any
) -> None:
    path = files.write(
        "import time\ndef f(texts):\n    time.sleep(float(texts[0]))\n    return [1.0]"
    )
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await files.ask(f"{path}:f", group("60"))
    assert files.pids() == []
    assert (await files.ask(f"{path}:f", group("0"))).groups[0][f"{path}:f"] == [1.0]


async def test_only_files_below_allowed_directories_run(
    files: Any, group: Any, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    outside = tmp_path / "outside.py"
    outside.write_text(f"open({str(ran)!r}, 'w')\ndef f(texts): return [1.0]")
    inside = files.directory / "inside.py"
    inside.symlink_to(outside)
    secret = Path("/proc/1/environ.py")
    for path in (outside, inside, files.directory / ".." / "outside.py", secret):
        [value] = (await files.ask(f"{path}:f", group("a"))).groups[0][f"{path}:f"]
        assert "not below one of its user_code_dirs" in value
        assert "PLAUDIT_REWARD_USER_CODE_DIRS" in value
    assert not ran.exists()
    [value] = (await files.ask(f"{files.directory}/no.py:f", group("a"))).groups[0].popitem()[1]
    assert "No such file" in value


async def test_metrics_have_neither_paths_nor_names_of_functions(files: Any, group: Any) -> None:
    before = SCORES.labels("user_code", "scored")._value.get()
    await files.score("def f(texts): return [1.0]", group("a"))
    assert SCORES.labels("user_code", "scored")._value.get() == before + 1
    assert ".py" not in generate_latest().decode()


async def test_a_large_or_binary_file_is_refused(files: Any, group: Any) -> None:
    [value] = await files.score("#" * (2**20 + 1), group("a"))
    assert "has more than 1048576 bytes" in value
    path = files.write("")
    path.write_bytes(b"\xff\xfe")
    [value] = (await files.ask(f"{path}:f", group("a"))).groups[0][f"{path}:f"]
    assert "is not UTF-8 text" in value


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./mine.py:f", "write the file's absolute path"),
        ("/mine.py:f.g", "unknown"), ("/mine.py", "unknown"), ("/mine.txt:f", "unknown"),
        ("/mi\0ne.py:f", "unknown"), ("/" + "m" * 1100 + ".py:f", "unknown"),
    ],
)  # fmt: skip
def test_other_names_are_refused_by_the_api(registry: Any, name: str, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        registry.choose([RewardSpec(name=name)])
