"""Several test cases in one call: compiled once, each clean, each with a result of its own."""

import time
from typing import Any

import httpx
import pytest

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Case, Limits, RunRequest
from tests.sandbox.conftest import SECRET
from tests.sandbox.programs import GREETS

pytestmark = pytest.mark.parametrize("_sandbox_process", ["self", "container"], indirect=True)
ADDS_ONE = "print(int(input()) + 1)"


def inputs(*numbers: object) -> list[Case]:
    return [Case(stdin=f"{number}\n") for number in numbers]


async def test_each_case_has_its_result_in_order(sandbox: Any) -> None:
    told = await sandbox.call(ADDS_ONE, cases=inputs(1, "x", 3))
    assert [case.status for case in told.cases] == ["ok", "error", "ok"]
    assert [case.stdout for case in told.cases] == ["2\n", "", "4\n"]
    assert "ValueError" in told.cases[1].stderr
    assert (told.status, told.exit_code, told.stdout, told.compile) == ("error", 1, "", None)
    assert told.wall_s == pytest.approx(sum(case.wall_s for case in told.cases))


async def test_all_that_succeed_are_a_success(sandbox: Any) -> None:
    told = await sandbox.call(ADDS_ONE, cases=inputs(1, 2))
    assert (told.status, told.exit_code) == ("ok", 0)


async def test_a_program_is_compiled_once_for_all_cases(sandbox: Any) -> None:
    await sandbox.needs("c")
    cases = [Case(stdin=f"{number}", args=["it"]) for number in range(20)]
    told = await sandbox.call(GREETS["c"], language="c", cases=cases)
    assert [case.stdout for case in told.cases] == [f"{number + 1} it\n" for number in range(20)]
    assert told.compile.status == "ok"
    assert told.compile.cpu_s < 1


async def test_what_does_not_compile_runs_on_no_case(sandbox: Any) -> None:
    await sandbox.needs("c")
    told = await sandbox.call("no program", language="c", cases=inputs(1, 2))
    assert [case.status for case in told.cases] == ["compile_error", "compile_error"]
    assert (told.status, told.compile.status) == ("compile_error", "error")


async def test_a_case_has_arguments_and_files_of_its_own(sandbox: Any) -> None:
    code = "import sys; print(sys.argv[1:], open('a').read(), open('b').read())"
    cases = [Case(args=["x"]), Case(files={"b": "hers"}), Case(args=["y", "z"])]
    told = await sandbox.call(code, files={"a": "all", "b": "all"}, cases=cases)
    assert [case.stdout for case in told.cases] == [
        "['x'] all all\n",
        "[] all hers\n",
        "['y', 'z'] all all\n",
    ]


async def test_no_case_finds_anything_of_the_one_before(sandbox: Any) -> None:
    code = """
import builtins, os
print(sorted(os.listdir()), hasattr(builtins, "mark"))
builtins.mark = 1
open("left", "w").write("x")
open("main.py", "w").write("print('replaced')")
"""
    told = await sandbox.call(code, cases=inputs(1, 2, 3))
    assert [case.stdout for case in told.cases] == ["['main.py'] False\n"] * 3


async def test_no_case_changes_what_the_next_one_runs(sandbox: Any) -> None:
    await sandbox.needs("bash")
    await sandbox.needs("c")
    code = """
#include <stdio.h>
#include <unistd.h>
int main(void) { unlink(".build/main"); puts(fopen(".build/main", "w") ? "mine" : "no"); }
"""
    told = await sandbox.call(code, language="c", cases=inputs(1, 2))
    assert [case.stdout for case in told.cases] == ["mine\n", "mine\n"]


async def test_each_case_has_the_whole_limits(sandbox: Any) -> None:
    code = "import time; time.sleep(float(input()))"
    limits = Limits(wall_s=0.6)
    told = await sandbox.call(code, cases=inputs(0.3, 0.3, 0.3, 5, 0), limits=limits)
    assert [case.status for case in told.cases] == ["ok", "ok", "ok", "timeout", "ok"]


async def test_stops_at_the_first_failure_when_asked_to(sandbox: Any) -> None:
    told = await sandbox.call(ADDS_ONE, cases=inputs(1, "x", 3, 4), stop_at_first_failure=True)
    assert [case.status for case in told.cases] == ["ok", "error", "skipped", "skipped"]
    assert "stop_at_first_failure" in told.cases[3].reason
    assert told.status == "error"


async def test_what_no_longer_fits_into_the_callers_time_is_skipped(sandbox: Any) -> None:
    request = RunRequest(
        code="import time; time.sleep(0.4)", cases=inputs(*range(8)), limits=Limits(wall_s=1)
    )
    started_s = time.monotonic()
    told = await sandbox.client.run(request, timeout_s=2.5)
    assert time.monotonic() - started_s < 2.5
    statuses = [case.status for case in told.cases]
    assert 1 <= statuses.count("ok") < 8
    assert statuses == sorted(statuses)
    assert "send this case again" in told.cases[-1].reason


async def test_the_first_case_runs_however_little_time_there_is(sandbox: Any) -> None:
    request = RunRequest(code=ADDS_ONE, cases=inputs(1, 2), limits=Limits(wall_s=60))
    told = await sandbox.client.run(request, timeout_s=10)
    assert [case.status for case in told.cases] == ["ok", "skipped"]


async def test_an_answer_has_an_end(sandbox: Any) -> None:
    limits = Limits(output_bytes=4 * 2**20, wall_s=10)
    cases = inputs(*range(10))
    told = await sandbox.call("print('x' * 3_000_000)", cases=cases, limits=limits)
    assert [case.status for case in told.cases] == ["ok"] * 3 + ["skipped"] * 7
    assert "filled the answer" in told.cases[3].reason


async def test_input_is_in_the_cases_or_beside_them(sandbox: Any) -> None:
    body = {"code": "", "stdin": "x", "cases": [{"stdin": "y"}]}
    headers = {"authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(headers=headers) as http:
        answer = await http.post(f"{sandbox.url}/v1/run", json=body)
    assert answer.status_code == 422
    assert "stdin and args belong into each of the cases" in answer.text


@pytest.mark.parametrize("args", [["a\0b"], ["x" * 4097], ["x"] * 65])
async def test_arguments_that_no_program_can_have_are_refused(
    sandbox: Any, args: list[str]
) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(headers=headers) as http:
        for body in ({"code": "", "args": args}, {"code": "", "cases": [{"args": args}]}):
            answer = await http.post(f"{sandbox.url}/v1/run", json=body)
            assert answer.status_code == 422
            assert "args" in answer.text


async def test_too_many_cases_are_refused(sandbox: Any) -> None:
    with pytest.raises(Rejected, match=r"257 of them, at most 256 \(max_cases\)"):
        await sandbox.call("", cases=inputs(*range(257)))
