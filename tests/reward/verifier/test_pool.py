"""Hostile answers and dying processes cost their own deadline and never turn into a 0."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from plaudit_reward.reward import Missing
from plaudit_reward.verifier.guards import refusal
from plaudit_reward.verifier.nursery import Nursery
from plaudit_reward.verifier.pool import MAX_ATTEMPTS, VerifierLimits, VerifierPool
from plaudit_reward.verifier.verifier import Verifier

GIANT = r"\boxed{10^{10^{10}}}"


async def test_a_hostile_answer_is_null_after_its_deadline(pool: VerifierPool) -> None:
    """Asked of Math-Verify itself, past the guards."""
    started = time.monotonic()
    [score] = await pool.ask("5", [GIANT], "any")
    assert score == Missing("not decided within 1.5 s")
    assert time.monotonic() - started > 1.4


async def test_the_rest_of_the_batch_is_unaffected(pool: VerifierPool) -> None:
    texts = [GIANT, *(rf"\boxed{{\frac{{{n}}}{{2}}}}" for n in range(30))]
    hostile, *scores = await pool.ask("7/2", texts, "any")
    assert isinstance(hostile, Missing)
    assert scores == [float(n == 7) for n in range(30)]


async def test_what_comes_before_a_hostile_answer_is_known_long_before_its_deadline() -> None:
    """All in one batch of one child."""
    async with VerifierPool(1, VerifierLimits(timeout_s=30)) as pool:
        await pool.ask("1/2", ["$0.5$"], "any")
        first = asyncio.create_task(pool.ask("1/2", [r"$\frac{2}{4}$", "$2$"], "any"))
        hostile = asyncio.create_task(pool.ask("5", [GIANT], "any"))
        async with asyncio.timeout(3.0):
            assert await first == [1.0, 0.0]
        assert not hostile.done()
        hostile.cancel()


async def test_a_reason_before_a_hostile_answer_is_asked_for_again() -> None:
    async with VerifierPool(1, VerifierLimits(timeout_s=0.5)) as pool:
        await pool.ask("1/2", ["$0.5$"], "any")
        unparsed = asyncio.create_task(pool.ask("hello", ["$2$"], "any"))
        await asyncio.sleep(0)
        scores = await pool.ask("1/2", [GIANT, r"$\frac{2}{4}$"], "any")
        assert scores == [Missing("not decided within 0.5 s"), 1.0]
        assert await unparsed == [Missing("reference.answer cannot be parsed")]


async def test_of_a_batch_whose_process_dies_only_the_question_it_was_at_is_guilty() -> None:
    async with VerifierPool(1, VerifierLimits(timeout_s=30)) as pool:
        await pool.ask("1/2", ["$0.5$"], "any")
        asking = asyncio.create_task(pool.ask("5", ["$5$", GIANT, "$6$"], "any"))
        for _ in range(MAX_ATTEMPTS):
            await kill_one_that_computes()
        died = Missing("the verifier process died", retryable=True)
        assert await asking == [1.0, died, 0.0]


async def test_a_batch_that_nobody_waits_for_is_not_asked(pool: VerifierPool) -> None:
    for _ in range(3):
        asking = asyncio.create_task(pool.ask("5", ["$5$"] * 40, "any"))
        await asyncio.sleep(0)
        asking.cancel()
    assert await pool.ask("5", ["$5$"], "any") == [1.0]


async def test_a_hostile_answer_holds_one_place_only() -> None:
    async with VerifierPool(2, VerifierLimits(timeout_s=6)) as pool:
        slow = asyncio.create_task(pool.ask("5", [GIANT], "any"))
        await asyncio.sleep(1.0)
        assert await pool.ask("1/2", [r"$\frac{2}{4}$"], "any") == [1.0]
        assert not slow.done()
        slow.cancel()


async def test_a_killed_child_is_replaced_and_its_question_asked_again() -> None:
    async with VerifierPool(1, VerifierLimits(timeout_s=30)) as pool:
        await pool.ask("1/2", ["$0.5$"], "any")
        [child] = verifier_children()
        os.kill(child, signal.SIGSTOP)
        asking = asyncio.create_task(pool.ask("1/2", [r"$\frac{2}{4}$", "$2$"], "any"))
        await asyncio.sleep(0.2)
        os.kill(child, signal.SIGKILL)
        assert await asking == [1.0, 0.0]
        assert child not in verifier_children()


async def test_an_answer_whose_process_dies_twice_is_null_and_retryable() -> None:
    async with VerifierPool(1, VerifierLimits(timeout_s=30)) as pool:
        await pool.ask("1/2", ["$0.5$"], "any")
        asking = asyncio.create_task(pool.ask("5", [GIANT], "any"))
        for _ in range(MAX_ATTEMPTS):
            await kill_one_that_computes()
        assert await asking == [Missing("the verifier process died", retryable=True)]
        assert await pool.ask("1/2", ["$0.5$"], "any") == [1.0]


async def test_a_killed_zygote_is_replaced(pool: VerifierPool) -> None:
    await pool.ask("1/2", ["$0.5$"], "any")
    os.kill(zygote(), signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await pool.ask("1/3", [r"$\frac{2}{6}$", "$1$"], "any") == [1.0, 0.0]


async def test_too_much_memory_is_null() -> None:
    """A limit below what Python itself takes stands for an answer that takes more."""
    async with VerifierPool(1, VerifierLimits(timeout_s=20, memory_bytes=2**20)) as pool:
        [score] = await pool.ask("5", [GIANT], "any")
        assert isinstance(score, Missing)
        assert "bytes" in score.reason


async def test_a_child_is_replaced_after_its_share_of_answers() -> None:
    async with VerifierPool(1, VerifierLimits(max_answers=3)) as pool:
        seen = set()
        for number in range(8):
            await pool.ask("1/2", [f"${number}$"], "any")
            seen |= set(verifier_children())
        assert len(seen) == 3


async def test_children_end_with_the_pool() -> None:
    async with VerifierPool(2) as pool:
        await pool.ask("1/2", ["$1$", "$2$", "$3$"], "any")
        family = [zygote(), *verifier_children()]
        assert len(family) >= 2
    await asyncio.sleep(0.2)
    assert [pid for pid in family if state(pid) not in "ZX"] == []


async def test_children_of_a_killed_worker_end_even_while_they_compute() -> None:
    nursery = Nursery()
    child = await nursery.start()
    child.writer.write(b'[["5", "\\\\boxed{10^{10^{10}}}", "any"]]\n')
    await asyncio.sleep(0.3)
    os.kill(zygote(), signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert state(child.pid) in "ZX"
    child.writer.close()
    await nursery.__aexit__()


async def test_the_same_question_is_asked_once(pool: VerifierPool) -> None:
    verifier = Verifier(pool)
    texts = [r"$\frac{1}{2}$", r"$\frac{1}{2}$", r"$\frac{1}{3}$"]
    assert await verifier.verify("1/2", texts, "any") == [1.0, 1.0, 0.0]
    for child in verifier_children():
        os.kill(child, signal.SIGSTOP)
    async with asyncio.timeout(0.5):
        assert await verifier.verify("1/2", texts, "any") == [1.0, 1.0, 0.0]
    for child in verifier_children():
        os.kill(child, signal.SIGCONT)


async def test_what_may_pass_is_not_cached(pool: VerifierPool) -> None:
    verifier = Verifier(pool)
    await pool.ask("1/2", ["$0.5$"], "any")
    verifier._remember(b"key", Missing("the verifier process died", retryable=True))
    verifier._remember(b"other", Missing("reference.answer cannot be parsed"))
    assert list(verifier._cache) == [b"other"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x" * 50_001, "50001 characters"),
        (r"\boxed{" + "1" * 300 + "}", "256 digits"),
        (r"\boxed{10^{10^{10}}}", "exponent"), (r"\boxed{9^{9^{9^9}}}", "exponent"),
        ("9**9**9", "exponent"), (r"\boxed{2^{100001}}", "exponent"),
        (r"\boxed{\left(3\right)^{\left(7\right)^{9}}}", None),
        (r"\boxed{99999!}", "factorial"), (r"\boxed{" + "{" * 80 + "}" * 81, "nested"),
        ("(" * 100, "nested"), (r"\boxed{2^{3^2}}", None), (r"\boxed{x^{2^n}}", None),
        ("1" * 300 + r" then \boxed{5}", None), ("f(x) (a) (b) " * 100, None), ("", None),
        (r"\boxed{10!}", None), ("wow!!!", None),
    ],
)  # fmt: skip
def test_guards_refuse_what_would_only_use_up_the_deadline(text: str, reason: str | None) -> None:
    found = refusal(text)
    assert (found is None) if reason is None else (found is not None and reason in found)


@pytest.mark.parametrize("piece", ["{", "^", "9^", "((1)^", "1", "(\\left", "1 "])
def test_guards_are_quick_themselves(piece: str) -> None:
    started = time.process_time()
    refusal(piece * (50_000 // len(piece)))
    assert time.process_time() - started < 1


ANSWERS = [
    ("1/2", r"$\frac{1}{2}$", 1.0), ("1/2", "0.5", 1.0), ("$x+1$", "$1+x$", 1.0),
    (r"$\frac{1}{2}$ or so", r"\boxed{\frac12}", 1.0), ("$1<x<2$", "$1<x<2$", 1.0),
    ("5", r"first \boxed{4}, no: \boxed{5}", 0.0), ("$(1,2)$", "$(1,2)$", 1.0),
    ("5", "5 of 6", 0.0), (r"\boxed{5}", "5", 1.0), ("72%", "72%", 1.0), ("72%", "0.72", 1.0),
    ("1234", "1,234", 1.0), ("hello", "5", "reference.answer cannot be parsed"),
]  # fmt: skip


async def test_answers_are_compared_as_mathematics(pool: VerifierPool) -> None:
    verifier = Verifier(pool)
    for gold, text, value in ANSWERS:
        [score] = await verifier.verify(gold, [text], "any")
        expected = Missing(value) if isinstance(value, str) else value
        assert (gold, text, score) == (gold, text, expected)


async def kill_one_that_computes() -> None:
    """For longer than any but a hostile answer takes."""
    while True:
        before = {child: cpu_ticks(child) for child in verifier_children()}
        await asyncio.sleep(0.2)
        for child, ticks in before.items():
            if cpu_ticks(child) - ticks > 5:
                os.kill(child, signal.SIGKILL)
                return


def zygote() -> int:
    return next(pid for pid in children(os.getpid()) if "verifier.zygote" in command(pid))


def verifier_children() -> list[int]:
    return [pid for pid in children(zygote()) if state(pid) not in "ZX"]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def cpu_ticks(pid: int) -> int:
    """0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
