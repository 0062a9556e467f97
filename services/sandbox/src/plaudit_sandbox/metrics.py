"""What /metrics says about runs."""

from plaudit.schemas.sandbox import StepResult
from plaudit.telemetry import counter, gauge, histogram
from plaudit_sandbox.protections import PROTECTIONS

RUNS = counter("plaudit_sandbox_runs_total", "Programs that were run, by outcome.", ["status"])
WALL = histogram("plaudit_sandbox_run_seconds", "Wall time of a program, from start to end.")
CPU = counter("plaudit_sandbox_cpu_seconds_total", "CPU time of programs.")
RUNNING = gauge("plaudit_sandbox_running", "Programs that run now.")
WAITING = gauge("plaudit_sandbox_waiting", "Requests that wait for a place.")
PROTECTION = gauge(
    "plaudit_sandbox_protection", "1 when this protection is in force.", ["protection"]
)


def observe_run(result: StepResult) -> None:
    RUNS.labels(result.status).inc()
    WALL.observe(result.wall_s)
    CPU.inc(result.cpu_s)


def observe_queue(num_running: int, num_waiting: int) -> None:
    RUNNING.set(num_running)
    WAITING.set(num_waiting)


def observe_protections(active: tuple[str, ...]) -> None:
    for name in PROTECTIONS:
        PROTECTION.labels(name).set(name in active)
