"""Open-R1's packages: what its `ioi_scoring` and `cf_scoring` send, and what they read."""

import json
from typing import Any

import httpx
import pytest

from tests.sandbox.dialects.conftest import needs, piston

HEADER = "#include <vector>\nlong long total(std::vector<int> numbers);\n"
GRADER = """
#include "shop.h"
#include <cstdio>
int main() {
    int n, x;
    scanf("%d", &n);
    std::vector<int> numbers;
    while (n--) { scanf("%d", &x); numbers.push_back(x); }
    printf("%lld\\n", total(numbers));
}
"""
SUBMISSION = '#include <fstream>\n#include <numeric>\n#include "shop.h"\nusing namespace std;\n'
TOTAL = "long long total(vector<int> v) { return accumulate(v.begin(), v.end(), 0LL); }"
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


def as_ioi_sends(code: str, correct: str = "6\n", **more: str) -> dict[str, Any]:
    """The body of `run_submission`. `more`: files of the task beside its grader."""
    config = {"task_type": "Batch", "code": "shop", "time_limit": 1.0, "memory_limit": 2**27}
    files = {
        "graders/shop.cpp": SUBMISSION + code,
        "input.txt": "3\n1 2 3\n",
        "correct_output.txt": correct,
        "graders/grader.cpp": GRADER,
        "graders/shop.h": HEADER,
        "graders/grader_config.json": json.dumps(config),
    }
    return {
        "files": _files(files | more),
        "run_timeout": 4000,
        "run_memory_limit": 2**27,
        "language": "cms_ioi",
        "version": "*",
    }


def as_codeforces_sends(
    code: str, language: str = "python", checker: str = "", input_mode: str = "stdio"
) -> dict[str, Any]:
    """The body of `score_single_test_case`."""
    config = f"TIME_LIMIT=1.0\nMEMORY_LIMIT=256.0\nINPUT_MODE={input_mode}"
    files = {
        f"main.{language}": code,
        **({"checker.py": checker} if checker else {}),
        "input.txt": "21\r\n",
        "correct_output.txt": "42 \r\n\r\nYes\r\n",
        "grader_config": config,
    }
    return {
        "files": _files(files),
        "run_timeout": 11000.0,
        "language": "cf_python3" if language == "python" else "c++17",
        "version": "*",
    }


def _files(files: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "content": content} for name, content in files.items()]


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
        (
            {"graders/grader_config.json": '{"task_type": "Communication"}'},
            "task_type 'Communication' cannot be judged here",
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


RIGHT = "print(int(input()) * 2, '\\n\\nYES')"


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "exit_code"),
    [
        (RIGHT, "1\n", "Output is correct (diff)", 0),
        ("print(42)", "0\n", "Output isn't correct (diff)", 0),
        ("print(", "0\n", "Runtime error with exit code 1", 1),
        ("while True: pass", "0\n", "Time limit exceeded (1s)", 124),
        ("x = bytearray(10**9)", "0\n", "Memory limit exceeded (256MB)", 134),
        ("print(open('correct_output.txt').read())", "0\n", "Runtime error with exit code 1", 1),
        (f"import sys; print('1', file=sys.stderr); {RIGHT}", "1\n", "Output is correct (diff)", 0),
    ],
)
async def test_codeforces_a_program_is_judged(
    http: httpx.AsyncClient, code: str, stdout: str, stderr: str, exit_code: int
) -> None:
    answer = await piston(http, as_codeforces_sends(code))
    run = answer["run"]
    assert (run["stdout"], run["stderr"], run["code"]) == (stdout, stderr, exit_code)
    # Open-R1 reads it of every program.
    assert answer["compile"]["code"] == 0


@pytest.mark.parametrize(
    ("code", "compiles", "stdout"),
    [
        ('int n; std::cin >> n; std::cout << n * 2 << " yes";', 0, "1\n"),
        ("std::cout << 7;", 0, "0\n"),
        ("return x;", 1, ""),
    ],
)
async def test_codeforces_a_program_in_cpp(
    http: httpx.AsyncClient, code: str, compiles: int, stdout: str
) -> None:
    await needs(http, "cpp")
    code = f"#include <iostream>\nint main() {{ {code} }}"
    answer = await piston(http, as_codeforces_sends(code, "cpp"))
    assert (answer["compile"]["code"], answer["run"]["stdout"]) == (compiles, stdout)


@pytest.mark.parametrize("verdict", [1, 100, 0])
async def test_codeforces_a_checker_reads_input_right_output_and_output(
    http: httpx.AsyncClient, verdict: int
) -> None:
    checker = f"""
import sys
texts = [open(name).read() for name in sys.argv[1:]]
print({verdict} if texts == ["21\\n", "42 \\nYes\\n", "5\\n"] else 0)
"""
    run = (await piston(http, as_codeforces_sends("print('\\n5')", checker=checker)))["run"]
    assert run["stdout"] == ("1\n" if verdict else "0\n")


async def test_codeforces_a_checker_that_fails_is_no_score(http: httpx.AsyncClient) -> None:
    body = as_codeforces_sends(RIGHT, checker="1 / 0")
    answer = await http.post("/api/v2/execute", json=body)
    assert answer.status_code == 400
    assert "checker.py ended with error (code 1)" in answer.json()["message"]


async def test_codeforces_old_problems_have_files(http: httpx.AsyncClient) -> None:
    code = "n = int(open('input.txt').read()); open('output.txt', 'w').write(f'{2 * n} YES')"
    for program, stdout in ((code, "1\n"), (RIGHT, "0\n"), ("", "0\n")):
        body = as_codeforces_sends(program, input_mode="file")
        assert (await piston(http, body))["run"]["stdout"] == stdout


async def test_what_the_packages_need_says_whether_they_are_there(http: httpx.AsyncClient) -> None:
    await needs(http, "cpp")
    runtimes = (await http.get("/api/v2/runtimes")).json()
    for language in ("cms_ioi", "c++17", "cf_python3"):
        [found] = [one for one in runtimes if one["language"] == language]
        assert found["version"] == "1.0.0"
