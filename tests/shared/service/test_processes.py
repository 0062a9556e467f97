"""Real processes, real signals."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from plaudit.testing import free_port

# why: without `verify=False` every call loads the certificates again, 45 ms of CPU.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)

PROGRAMS = Path(__file__).with_name("programs.py")


class Process:
    def __init__(self, name: str, **settings: object) -> None:
        self.port = free_port()
        variables = {f"PLAUDIT_TEST_{key.upper()}": str(value) for key, value in settings.items()}
        self.popen = subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAMS), name],
            env={**os.environ, "PLAUDIT_TEST_PORT": str(self.port), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self.err = ""
        self.reader = threading.Thread(target=self._read_err, daemon=True)
        self.reader.start()

    def _read_err(self) -> None:
        assert self.popen.stderr is not None
        self.err = self.popen.stderr.read()

    def line(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def until_alive(self, port: int | None = None) -> None:
        for _ in range(200):
            try:
                get(f"http://127.0.0.1:{port or self.port}/livez")
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(self.err)

    def end(self, timeout_s: float = 15) -> tuple[int, str]:
        """Exit code and the rest of standard output."""
        code = self.popen.wait(timeout_s)
        self.reader.join()
        assert self.popen.stdout is not None
        return code, self.popen.stdout.read()


class Starter:
    def __init__(self) -> None:
        self.processes: list[Process] = []

    def __call__(self, name: str, **settings: object) -> Process:
        self.processes.append(Process(name, **settings))
        return self.processes[-1]


@pytest.fixture
def start() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    for process in starter.processes:
        process.popen.kill()
        process.popen.wait()
        process.reader.join()
        for pipe in (process.popen.stdout, process.popen.stderr):
            assert pipe is not None
            pipe.close()


def test_on_sigterm_requests_in_progress_are_answered_and_no_new_ones_taken(
    start: Starter,
) -> None:
    process = start("api")
    process.until_alive()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(post, f"{process.url}/sleep/1", timeout=30)
        assert [process.line(), process.line()] == ["opened", "sleeping"]
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(httpx.ConnectError):
            get(f"{process.url}/readyz")
        assert answer.result().json() == "slept"
        assert answer.result().headers["connection"] == "close"
    assert process.end() == (0, "closed\n")
    assert "Traceback" not in process.err


def test_what_outlasts_the_drain_timeout_is_answered_503(start: Starter) -> None:
    process = start("api", drain_timeout_s=1)
    process.until_alive()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(post, f"{process.url}/sleep/600", timeout=20)
        assert [process.line(), process.line()] == ["opened", "sleeping"]
        asked = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        response = answer.result()
    assert response.status_code == 503
    assert response.json()["retryable"] is True
    assert process.end() == (0, "closed\n")
    assert 0.9 < time.monotonic() - asked < 15


@pytest.mark.parametrize("name", ["api", "stuck_worker"])
def test_a_second_signal_ends_the_process_at_once(start: Starter, name: str) -> None:
    process = start(name, drain_timeout_s=60)
    with ThreadPoolExecutor() as pool:
        if name == "api":
            process.until_alive()
            answer = pool.submit(post, f"{process.url}/sleep/600", timeout=20)
            process.line()
        process.line()
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.popen.poll() is None
        process.popen.send_signal(signal.SIGINT)
        assert process.end(2)[0] == 128 + signal.SIGINT
        if name == "api":
            with pytest.raises(httpx.TransportError):
                answer.result()


@pytest.mark.parametrize("setting", ["port", "worker_port"])
def test_a_port_in_use_is_named_with_the_fix_and_exit_code_2(start: Starter, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start("api" if setting == "port" else "worker", **{setting: port})
        code, out = process.end()
    assert (code, out) == (2, "")
    assert f"error: {setting} = {port}: 127.0.0.1:{port} is in use" in process.err
    assert "fix: stop that process" in process.err
    assert "Traceback" not in process.err


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("api", {"host": "0.0.0.0"}, "host = '0.0.0.0' is reachable from the network"),
        ("broken_api", {}, "model = 'nowhere': no such directory.\nfix: name a model."),
        ("failing_worker", {}, "pool = 'x': there is no such pool."),
    ],
)
def test_errors_that_people_can_mend_are_two_lines_and_exit_code_2(
    start: Starter, name: str, settings: dict[str, object], said: str
) -> None:
    process = start(name, **settings)
    assert process.end()[0] == 2
    assert said in process.err
    assert "error: " in process.err
    assert "Traceback" not in process.err


def test_debugging_shows_the_traceback(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_DEBUG", "1")
    process = start("failing_worker")
    assert process.end()[0] == 1
    assert "Traceback" in process.err


def test_keys_or_an_explicit_choice_let_a_service_bind_the_network(start: Starter) -> None:
    keyed = start("api", host="0.0.0.0", api_keys="a-key-of-ours")
    trusting = start("api", host="0.0.0.0", allow_unauthenticated="true")
    for process in (keyed, trusting):
        process.until_alive()
    assert post(f"{keyed.url}/sleep/0").status_code == 401
    assert post(f"{trusting.url}/sleep/0").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_hands_its_work_back_and_exits_0(start: Starter, number: signal.Signals) -> None:
    process = start("worker")
    assert process.line() == "working"
    process.popen.send_signal(number)
    assert process.end() == (0, "handed back\n")


def test_a_worker_that_does_not_stop_is_cancelled_by_a_bound(start: Starter) -> None:
    process = start("stuck_worker", drain_timeout_s=0)
    assert process.line() == "working"
    process.popen.send_signal(signal.SIGTERM)
    assert process.end(8)[0] == 3
    assert "had not stopped 3 s after it was asked to" in process.err


def test_a_worker_that_is_finished_ends(start: Starter) -> None:
    assert start("finished_worker").end()[0] == 0


def test_a_worker_has_health_and_metrics_on_its_port_and_nothing_else(start: Starter) -> None:
    port = free_port()
    process = start("worker", worker_port=port, api_keys="a-key-of-ours", host="127.0.0.1")
    process.until_alive(port)
    base = f"http://127.0.0.1:{port}"
    answers = [get(base + path).status_code for path in ("/livez", "/readyz", "/metrics")]
    assert answers == [200, 200, 200]
    assert get(f"{base}/openapi.json").status_code == 401
    process.popen.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0
