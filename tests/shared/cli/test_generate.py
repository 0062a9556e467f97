"""`plaudit generate` as a user runs it: killed, run again, refused."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PLAUDIT = [sys.executable, "-m", "plaudit.cli", "generate"]


class Endpoint(ThreadingHTTPServer):
    """Echoes the prompt, slowly; refuses `bad`."""

    daemon_threads = True
    asked: list[str]
    keys: set[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self.answer(200, {"data": [{"id": "m"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = body["messages"][0]["content"]
        self.server.asked.append(prompt)
        self.server.keys.add(self.headers["authorization"])
        time.sleep(0.01)
        if prompt == "bad":
            self.answer(400, {"error": {"message": "too long"}})
            return
        message = {"content": prompt}
        self.answer(200, {"choices": [{"message": message, "finish_reason": "length"}]})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint(("127.0.0.1", 0), Handler)
    server.asked, server.keys = [], set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def options(endpoint: Endpoint) -> list[str]:
    url = f"http://127.0.0.1:{endpoint.server_address[1]}/v1"
    return ["in.jsonl", "out.jsonl", "--endpoint", url, "--model", "m", "--api-key-env", "KEY"]


def environment() -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    return own | {"KEY": "very-secret"}


def test_a_killed_job_goes_on_and_a_failed_row_is_asked_again(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    prompts = [*(f"p{number}" for number in range(200)), "bad"]
    lines = "".join(json.dumps({"id": p, "prompt": p}) + "\n" for p in prompts)
    (tmp_path / "in.jsonl").write_text(lines)
    out = tmp_path / "out.jsonl"
    command = [*PLAUDIT, *options(endpoint), "--concurrency", "4"]
    first = subprocess.Popen(command, cwd=tmp_path, env=environment())
    while not out.exists() or len(out.read_bytes().splitlines()) < 5:
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()

    done = subprocess.run(
        [*command, "--json"], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert "1 items failed, e.g. bad: " in done.stderr and "very-secret" not in done.stderr
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["failed"], summary["cut_off"]) == (201, 1, 200)
    assert summary["answered_earlier"] >= 5
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == prompts[:-1]
    assert len(endpoint.asked) <= 201 + 4, "only what was under way was asked twice"
    assert endpoint.keys == {"Bearer very-secret"}
    [failure] = (tmp_path / "out.failures.jsonl").read_text().splitlines()
    assert "too long" in json.loads(failure)["error"]


def test_what_cannot_work_is_told_before_anything_is_asked(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text('{"prompt": "x"}\n')
    for wrong, said in [
        (["in.jsonl", "out.jsonl", "--model", "m"], "--endpoint and --model go together"),
        ([*options(endpoint), "--prompt-column", "q"], "no column 'q'; there are prompt"),
    ]:
        done = subprocess.run(
            [*PLAUDIT, *wrong], cwd=tmp_path, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 2 and said in done.stderr
    assert endpoint.asked == []
