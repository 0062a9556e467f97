"""Tasks of IOI in which the task's manager talks with the submission through two pipes.

Both are in one sandbox, as they have to be. What keeps the score out of the submission's reach: the
manager alone has the run's input and output, and the submission starts when the manager already
runs, so that replacing its file is too late. A submission of several processes could talk around
the manager, and is refused.
"""

from collections.abc import Mapping
from dataclasses import replace

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import RunResult
from plaudit_sandbox.languages import BUILD, TOOLSETS, Toolset

MANAGER = "graders/manager.cpp"
_NO_MANAGER = 100
"""Exit code of the compile step."""
# Opening a pipe waits for its other end. `cat` is there so that a manager may open its two in
# either order, and so that the submission starts when it has opened both.
_USERS = {
    "std_io": f"exec <to_user >sent; exec {BUILD}/main",
    "fifo_io": f"exec 8<to_user 9>sent; exec {BUILD}/main to_user sent </dev/null >/dev/null",
}
_RUN = """
mkfifo to_user from_user sent || exit 1
cat >from_user <sent 2>/dev/null &
({user}) 2>/dev/null &
{build}/manager from_user to_user "$@"
"""


def communication_toolset(
    submission: Toolset, files: Mapping[str, str], num_processes: int, user_io: str
) -> Toolset:
    """The manager beside the submission. Raises Rejected."""
    if MANAGER not in files:
        raise Rejected(f"files: there is no {MANAGER}.")
    if num_processes != 1 or user_io not in _USERS:
        raise Rejected(
            f"a task of {num_processes} processes with {user_io[:40]!r} cannot be judged here, "
            f"only of 1 with {' or '.join(_USERS)}."
        )
    command = " ".join(submission.compile or ())
    manager = f"{{g++}} -std=gnu++17 -O2 -o {BUILD}/manager {MANAGER} || exit {_NO_MANAGER}"
    script = _RUN.format(user=_USERS[user_io], build=BUILD)
    return replace(
        submission,
        compile=("/bin/bash", "-c", f"{manager}; {command}"),
        run=("/bin/bash", "-c", script, "manager"),
        run_env=TOOLSETS["bash"].run_env,
        forks=True,
    )


def check_manager(result: RunResult) -> None:
    """Raises Rejected where the task's manager did not compile, for which no submission can."""
    if result.compile is not None and result.compile.exit_code == _NO_MANAGER:
        raise Rejected(f"{MANAGER} does not compile: {result.compile.stderr.strip()[:500]}")
