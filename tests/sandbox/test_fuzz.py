"""No request makes the sandbox fail, whatever is in it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plaudit.schemas.sandbox import Language
from tests.sandbox.conftest import SECRET, sandbox_process

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip
HEADERS = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sandbox_process("self") as (address, _):
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport, timeout=30) as client:
            assert client.get(f"{address}/readyz").status_code == 200
        yield address


def test_the_openapi_document_is_kept_and_nothing_is_a_500(url: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json",
        "--checks", ",".join(CHECKS), "--max-examples", "10", "--request-timeout", "80",
        "--suppress-health-check", "all", "--seed", "1", "--no-color",
        "--header", f"Authorization: Bearer {SECRET}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-6000:]


texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["print(open('x').read())", "cat x; exit 3", "\0", "\ud800", "#" * 5000, "(" * 5000]
)
names = st.sampled_from(
    ["x", "a/b", "a", "main.py", ".build", "..", "/x", "é" * 120, "a/b/c/d", "x" * 241, ""]
) | st.text(max_size=9)
files = st.dictionaries(
    names, texts | st.fixed_dictionaries({"base64": st.sampled_from(["", "/w==", "x"])}), max_size=4
)
cases = st.fixed_dictionaries(
    {}, optional={"stdin": texts, "args": st.lists(texts, max_size=3), "files": files}
)
runs = st.fixed_dictionaries(
    {"code": texts, "language": st.sampled_from(get_args(Language))},
    optional={
        "stdin": texts,
        "args": st.lists(texts, max_size=3),
        "files": files,
        "files_out": st.lists(names, max_size=4),
        "cases": st.lists(cases, max_size=3),
        "limits": st.fixed_dictionaries({"output_bytes": st.integers(0, 9)}),
        "cases_wall_s": st.floats(allow_nan=False),
        "stop_at_first_failure": st.booleans(),
    },
)


@settings(max_examples=80, deadline=None, phases=[Phase.generate])  # shrinking takes minutes
@given(run=runs)
def test_any_program_with_any_files_is_run_or_refused(url: str, run: dict[str, Any]) -> None:
    answer = httpx.post(f"{url}/v1/run", content=json.dumps(run), headers=HEADERS, timeout=90)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        told = answer.json()
        assert len(told["cases"]) == len(run.get("cases", []))
        assert told["status"] not in ("sandbox_error", "skipped")
        for one in told["cases"] or [told]:
            ran = one["status"] not in ("compile_error", "skipped")
            named = {*one["files"], *one["files_missing"]}
            assert named == (set(run.get("files_out", [])) if ran else set())
