"""`cms_ioi`: a submission, the grader of its task, and perhaps a checker."""

import httpx
import pytest

from tests.sandbox.dialects.conftest import needs, piston
from tests.sandbox.dialects.open_r1.tasks import TALK, TALK_OF_TWO, as_ioi_sends

TOTAL = """
long long total(vector<int> v) {
    long long sum = 0;
    for (int x : v) sum += x;
    return sum;
}
"""
CHECKER = """
#include "lib.h"
#include <cstdio>
int main(int, char **names) {
    long long right = number(names[2]), found = number(names[3]);
    puts(found == right ? "1.0" : found == right + 1 ? "0.5" : "0.0");
    fputs(found > right + 1 ? "Output isn't correct" : "translate:success", stderr);
}
"""
LIB = """
#include <cstdio>
inline long long number(const char *name) {
    long long found = 0;
    fscanf(fopen(name, "r"), "%lld", &found);
    return found;
}
"""
WITH_CHECKER = {"checker/checker.cpp": CHECKER, "checker/lib.h": LIB}


@pytest.mark.parametrize(
    ("code", "stdout", "stderr"),
    [
        (TOTAL, "1\n", "Output is correct (diff)"),
        ("long long total(vector<int> v) { return 7; }", "0\n", "Output isn't correct (diff)"),
        (
            "long long total(vector<int> v) { for (volatile int i = 0;;) i = 1; }",
            "0\n", "Time limit exceeded (1s)",
        ),
        (
            "long long total(vector<int> v) { v.assign(1 << 28, 1); return v[9]; }",
            "0\n", "Memory limit exceeded (128MB)",
        ),
        (
            "long long total(vector<int> v) { exit(3); }",
            "0\n", "Runtime error with exit code 3",
        ),
        (
            "long long total(vector<int> v) { raise(SIGSEGV); return 6; }",
            "0\n", "Runtime error with exit code 139",
        ),
    ],
)  # fmt: skip
async def test_ioi_a_submission_is_linked_with_the_grader_and_judged(
    http: httpx.AsyncClient, code: str, stdout: str, stderr: str
) -> None:
    await needs(http, "cpp")
    answer = await piston(http, as_ioi_sends("#include <csignal>\n#include <cstdlib>\n" + code))
    assert (answer["language"], answer["compile"]["code"]) == ("cms_ioi", 0)
    run = answer["run"]
    found = run["stdout"], run["stderr"], run["code"], run["signal"]
    assert found == (stdout, stderr, 0, None)


async def test_ioi_what_does_not_compile_is_the_compilers_word(http: httpx.AsyncClient) -> None:
    await needs(http, "cpp")
    answer = await piston(http, as_ioi_sends("long long total(vector<int> v) { return x; }"))
    assert answer["compile"]["code"] == 1
    assert "'x' was not declared" in answer["compile"]["stderr"]
    assert answer["run"] == answer["compile"]


@pytest.mark.parametrize(
    ("more", "stdout", "stderr"),
    [
        (0, "1.0\n", "translate:success"),
        (1, "0.5\n", "translate:success"),
        (2, "0.0\n", "Output isn't correct"),
    ],
)
async def test_ioi_a_checker_gives_the_score_and_the_words(
    http: httpx.AsyncClient, more: int, stdout: str, stderr: str
) -> None:
    await needs(http, "cpp")
    code = f"long long total(vector<int> v) {{ return 6 + {more}; }}"
    run = (await piston(http, as_ioi_sends(code, **WITH_CHECKER)))["run"]
    assert (run["stdout"], run["stderr"], run["code"]) == (stdout, stderr, 0)


async def test_ioi_recursion_goes_deeper_than_eight_mebibytes(http: httpx.AsyncClient) -> None:
    await needs(http, "cpp")
    code = """
    int depth(int n) { volatile char b[200]; b[0] = 1; return n ? depth(n - 1) + b[0] : 0; }
    long long total(vector<int> v) { return depth(200000) - 199994; }
    """
    assert (await piston(http, as_ioi_sends(code)))["run"]["stdout"] == "1\n"


async def test_ioi_a_submission_reaches_neither_the_right_output_nor_the_checker(
    http: httpx.AsyncClient,
) -> None:
    """Both would work in Piston, where all run in one directory."""
    await needs(http, "cpp")
    code = """
    #include <fstream>
    #include <sys/stat.h>
    long long total(vector<int> v) {
        mkdir("checker", 0755);
        remove("checker/checker");
        ofstream("checker/checker") << "#!/bin/sh\\necho 1\\n";
        chmod("checker/checker", 0755);
        ofstream("correct_output.txt", ios::app) << "";
        long long right = -1;
        ifstream("correct_output.txt") >> right;
        return right;
    }
    """
    for more in ({}, WITH_CHECKER):
        run = (await piston(http, as_ioi_sends(code, **more)))["run"]
        assert float(run["stdout"]) == 0.0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"graders/grader_config.json": "{}"}, "task_type"),
        ({"graders/grader_config.json": '{"task_type": "OutputOnly"}'}, "task_type"),
        ({"graders/grader_config.json": TALK}, "there is no graders/manager.cpp"),
        (
            {"graders/grader_config.json": TALK, "graders/manager.cpp": "x"},
            "graders/manager.cpp does not compile",
        ),
        (
            {"graders/grader_config.json": TALK_OF_TWO, "graders/manager.cpp": ""},
            "a task of 2 processes with 'std_io' cannot be judged here",
        ),
        ({"checker/checker.cpp": "x"}, "checker/checker.cpp does not compile"),
        ({"checker/checker.cpp": "int main() {}"}, "checker/checker.cpp ended with ok"),
    ],
)
async def test_ioi_a_task_that_cannot_be_judged_is_no_score(
    http: httpx.AsyncClient, more: dict[str, str], message: str
) -> None:
    await needs(http, "cpp")
    answer = await http.post("/api/v2/execute", json=as_ioi_sends(TOTAL, **more))
    assert (answer.status_code, message in answer.json()["message"]) == (400, True), answer.text


async def test_ioi_no_name_of_a_file_is_an_option_of_the_compiler(http: httpx.AsyncClient) -> None:
    await needs(http, "cpp")
    for name in (
        "-fplugin=x.cpp",
        "graders/-o.cpp",
        "graders/{memory_mib}.cpp",
        "../graders/x.cpp",
    ):
        body = as_ioi_sends(TOTAL)
        body["files"][0]["name"] = name
        answer = await http.post("/api/v2/execute", json=body)
        assert answer.status_code == 400
        assert "not graders/<problem>.cpp" in answer.json()["message"]
