"""Clients of SandboxFusion and Piston work here unchanged: what they send, and what they read."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import SECRET, connected, sandbox_process

HEADERS = {"authorization": f"Bearer {SECRET}"}


@pytest.fixture(scope="module")
def service_url() -> Iterator[str]:
    with sandbox_process("self") as (url, _):
        yield url


@pytest.fixture
async def http(service_url: str) -> AsyncIterator[httpx.AsyncClient]:
    await (await connected(service_url)).aclose()
    async with httpx.AsyncClient(base_url=service_url, headers=HEADERS, timeout=30) as client:
        yield client


def as_verl_sends(code: str, stdin: str | None = None, **changes: Any) -> dict[str, Any]:
    """The body of verl's `call_sandbox_api`."""
    return {
        "compile_timeout": 10,
        "run_timeout": 10,
        "code": code,
        "stdin": stdin,
        "memory_limit_MB": 1024,
        "language": "python",
        "files": {},
        "fetch_files": [],
    } | changes


def as_open_r1_sends(code: str, **changes: Any) -> dict[str, Any]:
    """The body of Open-R1's `PistonClient.send_execute`."""
    return {
        "files": [{"name": "main.py", "content": code}],
        "run_timeout": 5000,
        "language": "python",
        "version": "*",
    } | changes


async def fusion(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/run_code", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def piston(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/api/v2/execute", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_fusion_a_program_that_ends_well(http: httpx.AsyncClient) -> None:
    answer = await fusion(http, as_verl_sends("print(int(input()) + 1)", "41\n"))
    assert answer["run_result"].pop("execution_time") > 0
    assert answer == {
        "status": "Success",
        "message": "",
        "compile_result": None,
        "run_result": {"status": "Finished", "return_code": 0, "stdout": "42\n", "stderr": ""},
        "executor_pod_name": None,
        "files": {},
    }


@pytest.mark.parametrize(
    ("code", "status", "return_code", "message"),
    [
        ("1 / 0", "Finished", 1, ""),
        ("import sys; sys.exit(3)", "Finished", 3, ""),
        ("import os; os.abort()", "Finished", -6, "killed"),
        ("while True: print('x' * 10**6)", "Finished", -9, "output"),
        ("import time; time.sleep(60)", "TimeLimitExceeded", None, "timeout"),
    ],
)
async def test_fusion_a_program_that_fails(
    http: httpx.AsyncClient, code: str, status: str, return_code: int | None, message: str
) -> None:
    """verl: -3 for TimeLimitExceeded, -2 for a return code that is not 0."""
    answer = await fusion(http, as_verl_sends(code, run_timeout=1))
    assert (answer["status"], answer["message"]) == ("Failed", message)
    assert (answer["run_result"]["status"], answer["run_result"]["return_code"]) == (
        status,
        return_code,
    )


async def test_fusion_memory_is_limited_in_mebibytes(http: httpx.AsyncClient) -> None:
    code = "x = bytearray(200 * 2**20)"
    tight = await fusion(http, as_verl_sends(code, memory_limit_MB=64))
    assert tight["status"] == "Failed"
    assert "MemoryError" in tight["run_result"]["stderr"]
    for enough in (512, -1):
        assert (await fusion(http, as_verl_sends(code, memory_limit_MB=enough)))["message"] == ""


async def test_fusion_what_is_left_out_has_the_defaults_of_fusion(http: httpx.AsyncClient) -> None:
    answer = await fusion(http, {"code": "print(1)", "language": "python", "unknown": 1})
    assert answer["status"] == "Success"


async def test_fusion_files_are_base64_and_null_is_no_file(http: httpx.AsyncClient) -> None:
    text = base64.b64encode("Zürich\n".encode()).decode()
    files = {"in/data.txt": text, "nothing": None}
    code = "import os; print(open('in/data.txt').read(), os.path.exists('nothing'))"
    answer = await fusion(http, as_verl_sends(code, files=files))
    assert answer["run_result"]["stdout"] == "Zürich\n False\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"language": "lean"}, "language: 'lean' is not one of"),
        ({"run_timeout": 600}, "run_timeout cannot exceed the limit of 60; it is 600."),
        ({"compile_timeout": 61}, "compile_timeout cannot exceed the limit of 60"),
        ({"memory_limit_MB": 10**6}, "memory_limit_MB cannot exceed the limit of 4096"),
        ({"files": {"../../etc/cron.d/x": ""}}, "is not a plain relative path"),
        ({"files": {"a": "no base64!"}}, "files: 'a' is not encoded in base64."),
    ],
)
async def test_fusion_what_cannot_be_had_is_a_sandbox_error_with_the_reason(
    http: httpx.AsyncClient, change: dict[str, Any], message: str
) -> None:
    answer = await fusion(http, as_verl_sends("print(1)", **change))
    assert answer["status"] == "SandboxError"
    assert message in answer["message"]
    assert answer["run_result"] is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code": 1, "language": "python"}', b'{"code": ""}']
)
async def test_fusion_nonsense_is_answered_as_fastapi_does(
    http: httpx.AsyncClient, body: bytes
) -> None:
    answer = await http.post("/run_code", content=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


async def test_fusion_ping(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/ping")).json() == "pong"


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
        ({"language": "cms_ioi"}, "cms_ioi-* runtime is unknown"),
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


async def test_more_than_may_wait_here_wait_outside() -> None:
    """verl has 64 requests in flight and takes a refusal for a wrong answer."""
    with sandbox_process("self", max_concurrency="2", max_waiting="1") as (url, _):
        client = await connected(url)
        await client.aclose()
        async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as http:
            answers = await asyncio.gather(
                *(fusion(http, as_verl_sends("print(input())", f"{n}\n")) for n in range(32)),
                *(piston(http, as_open_r1_sends("print(input())", stdin="x")) for _ in range(32)),
            )
    outputs = [answer["run_result"]["stdout"] for answer in answers[:32]]
    assert outputs == [f"{number}\n" for number in range(32)]
    assert {answer["run"]["stdout"] for answer in answers[32:]} == {"x\n"}


async def needs(http: httpx.AsyncClient, language: str) -> None:
    found = (await http.get("/v1/languages")).json()["languages"][language]
    if not found["available"]:
        pytest.skip(f"{language}: {found['reason']}")


async def test_fusion_a_compiled_program(http: httpx.AsyncClient) -> None:
    """verl takes a compile_result that is not Finished with 0 for a compile error, -4."""
    await needs(http, "cpp")
    code = "#include <iostream>\nint main() { int x; std::cin >> x; std::cout << x + 1; }"
    good = await fusion(http, as_verl_sends(code, "41", language="cpp"))
    assert (good["status"], good["run_result"]["stdout"]) == ("Success", "42")
    assert (good["compile_result"]["status"], good["compile_result"]["return_code"]) == (
        "Finished",
        0,
    )
    bad = await fusion(http, as_verl_sends("int main() { return x; }", language="cpp"))
    assert (bad["status"], bad["run_result"]) == ("Failed", None)
    assert bad["compile_result"]["return_code"] > 0
    assert "error" in bad["compile_result"]["stderr"]


async def test_fusion_files_are_fetched_in_base64(http: httpx.AsyncClient) -> None:
    code = r"open('out.bin', 'wb').write(bytes(range(256))); open('t', 'w').write('text')"
    answer = await fusion(http, as_verl_sends(code, fetch_files=["out.bin", "t", "not there"]))
    files = {name: base64.b64decode(data) for name, data in answer["files"].items()}
    assert files == {"out.bin": bytes(range(256)), "t": b"text"}


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
