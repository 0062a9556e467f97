"""Tasks as Open-R1's `ioi_scoring` and `cf_scoring` send them."""

import json
from typing import Any

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
SUBMISSION = '#include "shop.h"\nusing namespace std;\n'
TALK = '{"task_type": "Communication", "code": "shop", "time_limit": 1.0}'
TALK_OF_TWO = TALK.replace("}", ', "task_type_parameters_Communication_num_processes": 2}')


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


MANAGER = """
#include <cstdio>
int main(int, char **names) {
    FILE *from, *to;
    if (FROM_FIRST) from = fopen(names[1], "r"), to = fopen(names[2], "w");
    else to = fopen(names[2], "w"), from = fopen(names[1], "r");
    int secret, guess, left = 12;
    scanf("%d", &secret);
    while (left-- && fscanf(from, "%d", &guess) == 1 && guess != secret)
        fprintf(to, "%d\\n", guess < secret ? 1 : -1), fflush(to);
    puts(guess == secret ? "1.0" : "0.0");
    fputs(guess == secret ? "translate:success" : "Output isn't correct", stderr);
}
"""
STUB = """
#include "shop.h"
#include <cstdio>
FILE *from = stdin, *to = stdout;
int ask(int guess) {
    int found = 0;
    fprintf(to, "%d\\n", guess), fflush(to);
    fscanf(from, "%d", &found);
    return found;
}
int main(int n, char **names) {
    if (n > 1) from = fopen(names[1], "r"), to = fopen(names[2], "w");
    find();
}
"""


def as_ioi_talks(code: str, user_io: str = "std_io", from_first: bool = False) -> dict[str, Any]:
    """A task whose manager knows a number, which it alone reads."""
    config = json.loads(TALK) | {"task_type_parameters_Communication_user_io": user_io}
    files = {
        "graders/shop.cpp": SUBMISSION + code,
        "input.txt": "301\n",
        "graders/stub.cpp": STUB,
        "graders/shop.h": "int ask(int guess);\nvoid find();\n",
        "graders/manager.cpp": MANAGER.replace("FROM_FIRST", str(int(from_first))),
        "graders/grader_config.json": json.dumps(config),
    }
    return as_ioi_sends("") | {"files": _files(files)}


def _files(files: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "content": content} for name, content in files.items()]
