"""Clients of SandboxFusion work here unchanged: what they send, and what they read."""

import base64
from typing import Any

import httpx
import pytest

from tests.sandbox.dialects.conftest import as_verl_sends, fusion, needs


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
