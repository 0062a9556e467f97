"""The demo is trained to its end while containers are stopped and killed; after test_stack."""

import pytest

from .stack import SCALED, Stack, wait_until

pytestmark = pytest.mark.timeout(3600)
WORKERS = ("rollout-worker", "reward-rules", "reward-code", "judge-self")


def test_workers_that_are_stopped_hold_no_lease_any_more(stack: Stack) -> None:
    lapsed = stack.queue_total("lapsed")
    took_s = stack.stop(*WORKERS)
    assert (stack.queue_total("running"), stack.queue_total("lapsed")) == (0, lapsed)
    assert [stack.exit_code(service) for service in WORKERS] == [0] * len(WORKERS)
    print(f"\nworkers stopped in {took_s:.0f} s")
    stack.up(*SCALED)
    wait_for_a_step(stack)


def wait_for_a_step(stack: Stack) -> None:
    step = stack.step()
    wait_until(lambda: stack.has_ended("trainer") or stack.step() > step, "one more step", 300)


def test_a_stopped_trainer_writes_a_checkpoint_and_goes_on_from_it(stack: Stack) -> None:
    # One is written every 10 steps anyway.
    wait_until(lambda: stack.step() % 10 in range(2, 6), "a step between two checkpoints", 120)
    step = stack.step()
    took_s = stack.stop("trainer")
    newest = stack.checkpoints()[-1]
    assert newest >= step
    assert newest % 10
    print(f"\ntrainer stopped in {took_s:.0f} s, at step {newest}")
    stack.up(*SCALED)
    wait_until(lambda: stack.step() >= 0, "the run's page answers", 120)
    assert stack.step() >= newest
    wait_for_a_step(stack)


def test_the_run_goes_on_after_a_kill_and_a_restart_of_redis(stack: Stack) -> None:
    for service in ("reward", "rollout-worker", "judge-self"):
        stack.kill(service)
        stack.wait_healthy(service)
    stack.compose("restart", "redis")
    wait_for_a_step(stack)


def test_the_demo_is_trained_to_the_end_and_its_ledger_is_closed(stack: Stack) -> None:
    wait_until(lambda: stack.has_ended("trainer"), "the end of the run", 1800)
    assert stack.exit_code("trainer") == 0
    summary = stack.summary()
    assert summary.ledger.is_closed()
    assert summary.accuracy_gain_ci95[0] > 0
    print(
        f"\ndemo: {summary.steps} steps in {summary.wall_s:.0f} s, accuracy "
        f"{summary.accuracy_before:.2f} to {summary.accuracy_after:.2f}, {summary.ledger}"
    )


def test_a_finished_run_is_not_trained_again(stack: Stack) -> None:
    stack.compose("start", "trainer")
    wait_until(lambda: stack.has_ended("trainer"), "its end", 120)
    assert stack.exit_code("trainer") == 0
    said = stack.compose("logs", "--no-color", "--tail", "5", "trainer")
    assert "nothing to go on with" in said
