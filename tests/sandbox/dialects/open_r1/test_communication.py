"""`cms_ioi`: a task whose manager talks with the submission."""

import httpx
import pytest

from tests.sandbox.dialects.conftest import needs, piston
from tests.sandbox.dialects.open_r1.tasks import as_ioi_talks

SEARCH = """
void find() {
    int guess = 0;
    for (int step = 512; step; step /= 2) guess += step * ask(guess);
    ask(guess);
}
"""


@pytest.mark.parametrize("user_io", ["std_io", "fifo_io"])
@pytest.mark.parametrize("from_first", [False, True])
async def test_ioi_a_manager_talks_with_the_submission(
    http: httpx.AsyncClient, user_io: str, from_first: bool
) -> None:
    await needs(http, "cpp")
    run = (await piston(http, as_ioi_talks(SEARCH, user_io, from_first)))["run"]
    assert (run["stdout"], run["stderr"], run["code"]) == ("1.0\n", "translate:success", 0)


@pytest.mark.parametrize(
    ("user_io", "code"),
    [
        (
            "std_io",
            '#include <fstream>\nvoid find() { int x = 0; ifstream("input.txt") >> x; ask(x); }',
        ),
        ("std_io", "#include <cstdlib>\nvoid find() { abort(); }"),
        (
            "fifo_io",
            """
        #include <cstdio>
        #include <fstream>
        #include <sys/stat.h>
        struct Early { Early() {
            remove(".build/manager");
            ofstream(".build/manager") << "#!/bin/sh\\necho 1.0\\n";
            chmod(".build/manager", 0755);
        } } early;
        void find() { puts("1.0"); }
        """,
        ),
    ],
)
async def test_ioi_what_does_not_find_out_has_no_points(
    http: httpx.AsyncClient, user_io: str, code: str
) -> None:
    """Nor one that reads the manager's input or takes its place."""
    await needs(http, "cpp")
    run = (await piston(http, as_ioi_talks(code, user_io)))["run"]
    assert float(run["stdout"]) == 0.0, run


async def test_ioi_talks_end_in_time(http: httpx.AsyncClient) -> None:
    await needs(http, "cpp")
    code = "#include <unistd.h>\nvoid find() { pause(); }"
    run = (await piston(http, as_ioi_talks(code) | {"run_timeout": 800}))["run"]
    assert (run["stdout"], run["stderr"]) == ("0\n", "Time limit exceeded (1s)")
