"""The supervisor with real child processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.local.process import ProcessSpec
from plaudit.local.supervisor import ProcessFailed, Supervisor, SupervisorOptions

QUICK = SupervisorOptions(stop_timeout_s=3.0, max_failures=3, backoff_first_s=0.05)
FOREVER = "import time\nwhile True: time.sleep(0.05)"


def python(name: str, code: str, **options: object) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition: object, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[Supervisor]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        supervisor.request_stop()
        await asyncio.wait_for(task, 10)


def pid_of(supervisor: Supervisor, name: str) -> int:
    child = supervisor.processes[name].child
    assert child is not None
    return child.pid


async def test_a_killed_process_is_started_again_and_counted(tmp_path: Path) -> None:
    events: list[str] = []
    supervisor = Supervisor(
        [python("sleeper", FOREVER)], log_dir=tmp_path, on_event=events.append, options=QUICK
    )
    async with running(supervisor):
        await supervisor.wait_ready()
        first = pid_of(supervisor, "sleeper")
        os.kill(first, signal.SIGKILL)
        await until(lambda: pid_of(supervisor, "sleeper") != first)
        assert supervisor.restarts == {"sleeper": 1}
    assert any("was killed by signal 9" in event for event in events)
    assert not is_running(pid_of(supervisor, "sleeper"))


async def test_a_process_that_ends_well_is_not_started_again_on_failure_only(
    tmp_path: Path,
) -> None:
    spec = python("once", "print('done')", restart="on_failure")
    supervisor = Supervisor([spec], log_dir=tmp_path, options=QUICK)
    await asyncio.wait_for(supervisor.run(), 10)
    assert supervisor.processes["once"].state == "done"
    assert supervisor.restarts == {}


async def test_a_process_that_keeps_failing_ends_everything_with_its_last_words(
    tmp_path: Path,
) -> None:
    specs = [python("sleeper", FOREVER), python("broken", "print('no disk'); raise SystemExit(1)")]
    supervisor = Supervisor(specs, log_dir=tmp_path, options=QUICK)
    with pytest.raises(ProcessFailed, match="broken failed 4 times in a row") as failure:
        await asyncio.wait_for(supervisor.run(), 20)
    assert "no disk" in failure.value.message
    assert str(tmp_path / "broken.log") in str(failure.value)
    assert not is_running(pid_of(supervisor, "sleeper"))


async def test_exit_code_2_stops_everything_at_once_and_shows_the_message(tmp_path: Path) -> None:
    wrong = "import sys; print('reward.port = 99999 is not a port', file=sys.stderr); sys.exit(2)"
    specs = [python("sleeper", FOREVER), python("wrong", wrong, depends_on=("sleeper",))]
    supervisor = Supervisor(specs, log_dir=tmp_path, options=QUICK)
    with pytest.raises(ConfigError, match=r"reward\.port = 99999"):
        await asyncio.wait_for(supervisor.run(), 10)
    assert supervisor.restarts == {}
    assert not is_running(pid_of(supervisor, "sleeper"))


async def test_a_process_for_which_there_is_no_room_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refusals = asyncio.create_subprocess_exec, [BlockingIOError(11, "no room")]

    async def start_when_there_is_room(*argv: str, **options: object) -> object:
        if refusals:
            raise refusals.pop()
        return await start(*argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_when_there_is_room)
    events: list[str] = []
    supervisor = Supervisor(
        [python("sleeper", FOREVER)], log_dir=tmp_path, on_event=events.append, options=QUICK
    )
    async with running(supervisor):
        await supervisor.wait_ready()
    assert any("could not be started: no room for another process" in event for event in events)


async def test_a_missing_program_is_a_configuration_error(tmp_path: Path) -> None:
    spec = ProcessSpec("ghost", ("/nowhere/plaudit-ghost",))
    supervisor = Supervisor([spec], log_dir=tmp_path, options=QUICK)
    with pytest.raises(ConfigError, match="ghost: cannot start /nowhere/plaudit-ghost"):
        await asyncio.wait_for(supervisor.run(), 10)


async def test_dependents_start_after_and_stop_before_what_they_need(tmp_path: Path) -> None:
    say_goodbye = (
        "import signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.2); open({log!r}, 'a').write({name!r} + ' '); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n" + FOREVER
    )
    log = str(tmp_path / "order")
    up: list[str] = []

    async def base_is_up() -> str | None:
        return None if "base" in up else "base is not up"

    specs = [
        python("base", say_goodbye.format(log=log, name="base"), ready=base_is_up),
        python("top", say_goodbye.format(log=log, name="top"), depends_on=("base",)),
    ]
    supervisor = Supervisor(
        specs, log_dir=tmp_path, options=QUICK, on_line=lambda name, line: up.append(name)
    )
    async with running(supervisor):
        await until(lambda: up == ["base", "top"])
    assert Path(log).read_text() == "top base "


async def test_a_process_that_is_not_ready_in_time_is_a_failure_with_the_reason(
    tmp_path: Path,
) -> None:
    async def never() -> str | None:
        return "the model is still loading"

    spec = python("slow", FOREVER, ready=never, ready_timeout_s=0.3)
    options = SupervisorOptions(max_failures=1, backoff_first_s=0.05)
    supervisor = Supervisor([spec], log_dir=tmp_path, options=options)
    with pytest.raises(ProcessFailed, match="the model is still loading"):
        await asyncio.wait_for(supervisor.run(), 15)


async def test_a_process_that_ignores_sigterm_is_killed_in_time(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
    heard: list[str] = []
    specs = [python("base", deaf + FOREVER), python("top", deaf + FOREVER, depends_on=("base",))]
    options = SupervisorOptions(stop_timeout_s=4.0)
    supervisor = Supervisor(
        specs, log_dir=tmp_path, options=options, on_line=lambda name, line: heard.append(name)
    )
    async with running(supervisor):
        await until(lambda: len(heard) == 2)
        pids = [pid_of(supervisor, name) for name in ("base", "top")]
        started = time.monotonic()
    assert time.monotonic() - started < 4.0 + 4.0
    assert not any(is_running(pid) for pid in pids)


async def test_asking_twice_kills_at_once(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
    heard: list[str] = []
    options = SupervisorOptions(stop_timeout_s=30.0)
    spec = python("deaf", deaf + FOREVER, stop_timeout_s=30.0)
    supervisor = Supervisor(
        [spec], log_dir=tmp_path, options=options, on_line=lambda name, line: heard.append(name)
    )
    async with running(supervisor):
        await until(lambda: bool(heard))
        started = time.monotonic()
        supervisor.request_stop()
        await asyncio.sleep(0.2)
    assert time.monotonic() - started < 15


async def test_descendants_that_detached_themselves_do_not_outlive_a_process(
    tmp_path: Path,
) -> None:
    grandchild = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-c', {FOREVER!r}], start_new_session=True)\n"
        "print(p.pid, flush=True)\n"
    )
    pids: list[int] = []
    supervisor = Supervisor(
        [python("parent", grandchild + FOREVER)],
        log_dir=tmp_path,
        options=QUICK,
        on_line=lambda name, line: pids.append(int(line)),
    )
    async with running(supervisor):
        await until(lambda: len(pids) == 1)
        os.kill(pid_of(supervisor, "parent"), signal.SIGKILL)
        await until(lambda: len(pids) == 2)
        assert not is_running(pids[0])
    assert not is_running(pids[1])


SUPERVISE = """
import asyncio, signal, sys
from pathlib import Path
from plaudit.local.process import ProcessSpec
from plaudit.local.supervisor import Supervisor

CHILD = '''
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
p = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(p.pid, flush=True)
time.sleep(600)
'''

async def main():
    spec = ProcessSpec("child", (sys.executable, "-c", CHILD))
    supervisor = Supervisor(
        [spec],
        log_dir=Path(sys.argv[1]),
        on_line=lambda name, line: print(supervisor.processes["child"].child.pid, line, flush=True),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, supervisor.request_stop)
    await supervisor.run()

asyncio.run(main())
"""


@pytest.mark.parametrize(("number", "limit_s"), [(signal.SIGKILL, 5.0), (signal.SIGINT, 10.0)])
def test_when_the_supervisor_is_killed_or_interrupted_nothing_is_left(
    tmp_path: Path, number: signal.Signals, limit_s: float
) -> None:
    argv = [sys.executable, "-c", SUPERVISE, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(pids) == 2 and all(is_running(pid) for pid in pids)
        supervisor.send_signal(number)
        deadline = time.monotonic() + limit_s
        while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        supervisor.wait(timeout=limit_s)
    assert not any(is_running(pid) for pid in pids)


async def test_output_goes_to_the_log_and_to_the_listener_without_escape_sequences(
    tmp_path: Path,
) -> None:
    code = "print('\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07end'); print('x' * 40000)"
    lines: list[tuple[str, str]] = []
    supervisor = Supervisor(
        [python("talker", code, restart="never")],
        log_dir=tmp_path,
        on_line=lambda name, line: lines.append((name, line)),
        options=QUICK,
    )
    await asyncio.wait_for(supervisor.run(), 10)
    assert lines[0] == ("talker", "red end")
    assert lines[1][1].endswith("[... 23616 bytes cut]")
    assert "\x1b[31mred" in (tmp_path / "talker.log").read_text()


async def test_a_variable_that_is_withheld_does_not_reach_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WITHHELD", "1")
    monkeypatch.setenv("INHERITED", "1")
    names = ("WITHHELD", "INHERITED", "ADDED")
    spec = python(
        "child",
        f"import os; print([name for name in {names} if name in os.environ])",
        restart="never",
        env={"ADDED": "1"},
        without_env=("WITHHELD",),
    )
    lines: list[str] = []
    supervisor = Supervisor(
        [spec], log_dir=tmp_path, on_line=lambda name, line: lines.append(line), options=QUICK
    )
    await asyncio.wait_for(supervisor.run(), 10)
    assert lines == ["['INHERITED', 'ADDED']"]
