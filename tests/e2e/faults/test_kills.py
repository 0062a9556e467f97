"""Every process of a run is killed while it trains, one after the other; the run finishes."""

import os
import signal
import time
from collections import Counter

import httpx
import pytest

from plaudit.schemas.run import RunStatus

STEPS = 200
GROUPS_PER_STEP = 8
MAX_STALENESS = 2
RECIPE = (
    f"budget.steps={STEPS}",
    "budget.checkpoint_every_steps=5",
    f"pipeline.groups_per_step={GROUPS_PER_STEP}",
    f"pipeline.max_staleness={MAX_STALENESS}",
    "pipeline.stall_timeout_s=120",
    "method.num_generations=4",
    "eval.num_prompts=8",
    "eval.samples=2",
    "eval.num_sample_rows=3",
)
VICTIMS = (
    "reward", "reward-rules", "reward-code", "sandbox", "judge", "judge-self", "rollout",
    "rollout-0", "conductor", "learner", "redis", "vllm",
)  # fmt: skip
FLUSHED_STEPS = 2 * (MAX_STALENESS + 1)
"""More steps than can be trained on groups that were past the dead process when it died."""
BACK_TIMEOUT_S = 240.0
PROGRESS_TIMEOUT_S = 180.0
"""The issue says 20 s on an idle machine; CI is not one. The test prints what it took."""

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1500)]


def test_a_run_survives_the_death_of_each_of_its_processes(live, capsys):
    live.start(*RECIPE)
    live.wait("the first steps are trained", lambda s: s.step >= 3, timeout_s=400.0)
    took_s = {victim: kill_and_wait(live, victim) for victim in VICTIMS}
    summary = live.finish()
    with capsys.disabled():
        print("\nseconds from being back to progress:", took_s)
    check_ledger(live, summary)
    check_metrics(live)
    for victim in VICTIMS:
        if victim != "vllm":  # which `plaudit-rollout engine` starts again itself
            assert summary["restarts"].get(victim, 0) >= 1, (victim, summary["restarts"])


def kill_and_wait(live, victim: str) -> float:
    """Seconds between the victim being back and the run having made progress since."""
    before = live.wait("a status", lambda s: s.state == "training")
    pid = live.vllm_pid() if victim == "vllm" else live.pid(victim)
    os.kill(pid, signal.SIGKILL)
    wait_until_back(live, victim, pid)
    back_s = time.monotonic()
    live.wait(
        f"progress after the death of {victim}",
        lambda status: status.step >= before.step + FLUSHED_STEPS and is_in_step(status),
        PROGRESS_TIMEOUT_S,
    )
    return round(time.monotonic() - back_s, 1)


def is_in_step(status: RunStatus) -> bool:
    """At every moment each admitted group is trained, dropped or in flight."""
    ledger = status.ledger
    assert ledger.admitted == ledger.trained + sum(ledger.dropped.values()) + ledger.in_flight
    assert ledger.in_flight <= (MAX_STALENESS + 1) * GROUPS_PER_STEP
    return True


def wait_until_back(live, victim: str, old_pid: int) -> None:
    deadline_s = time.monotonic() + BACK_TIMEOUT_S
    while not is_back(live, victim, old_pid):
        assert time.monotonic() < deadline_s, f"{victim} does not come back:\n{live.output()}"
        time.sleep(0.05)


def is_back(live, victim: str, old_pid: int) -> bool:
    if victim == "vllm":
        url = f"http://127.0.0.1:{live.installation.engine_port}/health"
    elif victim in live.installation.ports or victim == "conductor":
        port = live.installation.ports["trainer" if victim == "conductor" else victim]
        url = f"http://127.0.0.1:{port}/livez"
    else:
        return live.pid(victim) != old_pid
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def check_ledger(live, summary: dict) -> None:
    """Closed, and every group has exactly one final state."""
    ledger = summary["ledger"]
    assert ledger["in_flight"] == 0
    assert ledger["trained"] == STEPS * GROUPS_PER_STEP
    assert ledger["admitted"] == ledger["trained"] + sum(ledger["dropped"].values())
    events = live.lines("ledger.jsonl")
    states = {event["group_id"]: event["state"] for event in events}
    assert len(states) == len(events) == ledger["admitted"], "one final state for each group"
    counted = Counter(state.partition(":")[0] for state in states.values())
    assert counted["trained"] == ledger["trained"]
    per_step = Counter(state for state in states.values() if state.startswith("trained:"))
    assert set(per_step.values()) == {GROUPS_PER_STEP}
    assert len(per_step) == STEPS


def check_metrics(live) -> None:
    steps = live.lines("metrics.jsonl")
    assert [step["step"] for step in steps] == list(range(1, STEPS + 1))
    versions = [step["version"] for step in steps]
    assert versions == sorted(set(versions)), "no version number is used twice"
