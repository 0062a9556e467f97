"""The live view shows what the status says, and hostile text as text."""

from io import StringIO

from rich.console import Console, RenderableType

from plaudit.cli.live import LiveView, PlainView, render, status_line
from plaudit.cli.output import summary_table
from plaudit.schemas.policy import PolicyReplica
from plaudit.schemas.run import Ledger, RunStatus, StageStatus, Summary, Waiting


def status(what: str = "16 scored groups") -> RunStatus:
    replica = PolicyReplica(
        replica_id="engine-0",
        version=7,
        state="serving",
        error=what,
        pause_s=0.065,
        num_loads=7,
        updated_at=0.0,
    )
    return RunStatus(
        run_id="demo-1",
        state="training",
        step=12,
        max_steps=80,
        policy_version=8,
        stages=[StageStatus(name="rollout", queued=5, running=11, done=400, failed=3)],
        ledger=Ledger(admitted=500, trained=380, dropped={"stale": 9}, in_flight=111),
        groups_per_s=12.5,
        tokens_per_s=8200.0,
        reward=0.61,
        accuracy=None,
        staleness_mean=0.8,
        replicas=[replica],
        oldest_group_age_s=4.2,
        waiting=[Waiting(who="learner", what=what, since_s=1.5)],
    )


def text_of(renderable: RenderableType) -> str:
    console = Console(file=StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_every_figure_of_the_status_is_shown() -> None:
    shown = text_of(render(status(), {}))
    for part in ("step 12/80", "12.5", "8200", "0.61", "0.8", "4.2 s", "engine-0", "111", "380"):
        assert part in shown
    row = next(line for line in shown.splitlines() if line.startswith("rollout"))
    assert row.split() == ["rollout", "5", "11", "400", "3"]
    assert "learner waits for 16 scored groups, 1.5 s" in shown


def test_a_missing_figure_is_a_dash_and_not_zero() -> None:
    assert "accuracy -" in status_line(status(), {})


def test_hostile_text_can_neither_move_the_cursor_nor_inject_markup() -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07[bold red]not markup[/bold red] [/]"
    for shown in (text_of(render(status(hostile), {})), status_line(status(hostile), {})):
        assert "\x1b" not in shown and "owned" not in shown
        assert "[bold red]not markup[/bold red] [/]" in shown


def test_the_plain_view_prints_when_the_state_changes_and_not_each_time() -> None:
    console = Console(file=StringIO(), width=300)
    with PlainView(console, status_line) as view:
        view.update(None, {})
        view.update(status(), {})
        view.update(status(), {})
    assert isinstance(console.file, StringIO)
    assert len(console.file.getvalue().splitlines()) == 2


def test_a_ledger_that_does_not_close_is_told_loudly() -> None:
    summary = Summary(
        run_id="r",
        accuracy_before=None,
        accuracy_after=None,
        accuracy_gain=None,
        accuracy_gain_ci95=None,
        greedy_before=None,
        greedy_after=None,
        num_eval_prompts=0,
        steps=1,
        wall_s=1.0,
        groups_per_s=1.0,
        ledger=Ledger(admitted=3, trained=2, dropped={}, in_flight=0),
        staleness={},
        time_s={},
        weight_updates=1,
    )
    assert "NOT CLOSED" in text_of(summary_table(summary))


def test_the_live_view_draws_in_place_and_prints_events_above() -> None:
    console = Console(file=StringIO(), width=120, force_terminal=True, color_system=None)
    with LiveView(console, render) as view:
        view.update(None, {})
        view.update(status(), {})
        view.event("learner was killed by signal 9\x1b[2J")
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert "step 12/80" in shown and "learner was killed by signal 9" in shown
    assert "\x1b[2J" not in shown
