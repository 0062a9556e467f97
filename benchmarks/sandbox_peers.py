"""What the sandbox is compared with: a plain subprocess, bubblewrap, SandboxFusion itself."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from plaudit.testing import free_port

CODE = "print(int(input()) * 3 + 1)"
STDIN, STDOUT = "4\n", "13\n"
FUSION_SERVER = Path(__file__).with_name("sandbox_fusion.py")

Reason = str
"""Why something is not measured here."""


@contextmanager
def clean_python() -> Iterator[str]:
    """An interpreter without packages, since some load code of theirs at every start."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
        yield f"{directory}/bin/python"


def plain(python: str) -> list[str]:
    return [python, "-I", "-c", CODE]


def bubblewrap(python: str) -> list[str] | Reason:
    """The command that runs the same in a sandbox as the service makes one."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return "there is no bwrap on the PATH"
    needed = ["/usr", "/lib", "/lib64", "/bin", sys.base_prefix, str(Path(python).parents[1])]
    shown = [path for path in dict.fromkeys(needed) if os.path.exists(path)]
    binds = [word for path in shown for word in ("--ro-bind", path, path)]
    command = [
        bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv",
        "--tmpfs", "/tmp", *binds, "--chdir", "/tmp", *plain(python),
    ]  # fmt: skip
    done = subprocess.run(command, input=STDIN, capture_output=True, text=True)
    return command if done.stdout == STDOUT else f"bwrap does not run here: {done.stderr.strip()}"


def subprocesses(command: list[str], concurrency: int, seconds: float) -> list[float]:
    """So many threads, each of which starts one after the other; the time of each."""

    def run(_: int) -> list[float]:
        took_s, end = [], time.perf_counter() + seconds
        with tempfile.TemporaryDirectory() as directory:
            while (started := time.perf_counter()) < end:
                done = subprocess.run(
                    command, input=STDIN, capture_output=True, text=True, cwd=directory
                )
                assert done.stdout == STDOUT, done.stderr
                took_s.append(time.perf_counter() - started)
        return took_s

    with ThreadPoolExecutor(concurrency) as threads:
        return [one for part in threads.map(run, range(concurrency)) for one in part]


@contextmanager
def service(command: list[str], env: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(command, env=os.environ | env, stdout=quiet)
    try:
        yield
    finally:
        started.terminate()
        started.wait()


@contextmanager
def sandbox() -> Iterator[str]:
    port = free_port()
    env = {"PLAUDIT_SANDBOX_PORT": str(port), "PLAUDIT_SANDBOX_LOG_LEVEL": "error"}
    with service([sys.executable, "-m", "plaudit_sandbox", "api"], env):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def fusion(checkout: str, python: str) -> Iterator[str]:
    """SandboxFusion from its source tree, without isolation; `python` has what it imports."""
    port = free_port()
    with service([python, str(FUSION_SERVER), checkout, str(port)], {}):
        yield f"http://127.0.0.1:{port}"
