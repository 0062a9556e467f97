"""`c++17` and `cf_python3`: a program, and perhaps a checker."""

import httpx
import pytest

from tests.sandbox.dialects.conftest import needs, piston
from tests.sandbox.dialects.open_r1.tasks import as_codeforces_sends

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
texts = [open(name, newline="").read() for name in sys.argv[1:]]
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
