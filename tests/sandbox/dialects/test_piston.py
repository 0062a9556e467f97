"""Clients of Piston work here unchanged: what they send, and what they read."""

from typing import Any

import httpx
import pytest

from tests.sandbox.dialects.conftest import as_open_r1_sends, needs, piston


async def test_piston_a_program_that_ends_well(http: httpx.AsyncClient) -> None:
    answer = await piston(http, as_open_r1_sends("print(input(), end='')", stdin="in"))
    run = answer["run"]
    assert run.pop("cpu_time") > 0
    assert 1 < run.pop("wall_time") < 5000
    assert run.pop("memory") > 2**20
    assert run == {
        "stdout": "in", "stderr": "", "output": "in", "code": 0, "signal": None, "status": None,
        "message": None,
    }  # fmt: skip
    assert answer["language"] == "python"
    # Open-R1 takes a `compile` that is there for one that has a code.
    assert "compile" not in answer
    assert "message" not in answer


@pytest.mark.parametrize(
    ("code", "exit_code", "signal", "status", "message"),
    [
        ("1 / 0", 1, None, "RE", "Exited with error status 1"),
        ("import os; os.abort()", None, "SIGABRT", "SG", "Caught fatal signal 6"),
        ("import time; time.sleep(60)", None, "SIGKILL", "TO", "Time limit exceeded"),
        ("while True: print('x' * 10**6)", None, "SIGKILL", "OL", "stdout length exceeded"),
        (
            "import sys\nwhile True: sys.stderr.write('x' * 10**6)",
            None, "SIGKILL", "EL", "stderr length exceeded",
        ),
        ("x = bytearray(10**9)", 1, None, "RE", "Exited with error status 1"),
    ],
)  # fmt: skip
async def test_piston_a_program_that_fails(
    http: httpx.AsyncClient,
    code: str,
    exit_code: int | None,
    signal: str | None,
    status: str,
    message: str,
) -> None:
    body = as_open_r1_sends(code, run_timeout=1000, run_memory_limit=64 * 2**20)
    run = (await piston(http, body))["run"]
    found = run["code"], run["signal"], run["status"], run["message"]
    assert found == (exit_code, signal, status, message)


async def test_piston_files_stand_beside_the_first_text(http: httpx.AsyncClient) -> None:
    files = [
        {"name": "data", "content": "AGE=", "encoding": "base64"},
        {
            "name": "solution.py",
            "content": "print(open('data', 'rb').read())",
        },
    ]
    answer = await piston(http, as_open_r1_sends("", files=files))
    assert answer["run"]["stdout"] == "b'\\x00a'\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"language": "lean"}, "lean-* runtime is unknown"),
        ({"version": "2.7"}, "python-2.7 runtime is unknown"),
        ({"run_timeout": 10**6}, "run_timeout cannot exceed the limit of 60000"),
        ({"run_timeout": -1}, "run_timeout must be non-negative"),
        ({"run_memory_limit": 10**12}, "run_memory_limit cannot exceed"),
        ({"files": []}, "files"),
        ({"files": [{"content": "AA==", "encoding": "base64"}]}, "at least one utf8"),
        ({"files": [{"content": ""}, {"name": "../x", "content": ""}]}, "plain relative path"),
        ({"files": [{"content": ""}, {"content": "z", "encoding": "hex"}]}, "not encoded in hex"),
        ({"version": None}, "version"),
    ],
)
async def test_piston_a_wrong_request_is_400_with_a_message(
    http: httpx.AsyncClient, change: dict[str, Any], message: str
) -> None:
    answer = await http.post("/api/v2/execute", json=as_open_r1_sends("print(1)", **change))
    assert answer.status_code == 400
    assert message in answer.json()["message"]


async def test_piston_takes_json_only(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/v2/execute", data={"language": "python"})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["message"]


async def test_piston_lists_runtimes_by_name_and_version(http: httpx.AsyncClient) -> None:
    runtimes = (await http.get("/api/v2/runtimes")).json()
    [python] = [runtime for runtime in runtimes if runtime["language"] == "python"]
    version = python["version"]
    assert "py" in python["aliases"]
    for selector in (version, version.rpartition(".")[0], "3.x", "3", "*"):
        answer = await piston(http, as_open_r1_sends("print(1)", version=selector, language="py"))
        assert (answer["version"], answer["run"]["stdout"]) == (version, "1\n")


async def test_piston_a_compiled_program_with_arguments(http: httpx.AsyncClient) -> None:
    """Without a run, `run` is the compiler's: Open-R1 reads both."""
    await needs(http, "cpp")
    code = '#include <cstdio>\nint main(int n, char **a) { printf("%d %s", n, a[1]); }'
    body = as_open_r1_sends("", files=[{"content": code}], language="c++", args=["one two"])
    good = await piston(http, body)
    assert (good["run"]["stdout"], good["compile"]["code"]) == ("2 one two", 0)
    bad = await piston(http, body | {"files": [{"content": "int main() { return x; }"}]})
    assert bad["compile"]["code"] > 0
    assert (bad["compile"]["status"], bad["run"]) == ("RE", bad["compile"])
