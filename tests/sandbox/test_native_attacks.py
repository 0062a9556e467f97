"""Attackers who need no interpreter: raw system calls from C, and what a shell can reach."""

import os
import platform
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.sandbox import Limits
from tests.sandbox.conftest import SECRET

pytestmark = pytest.mark.usefixtures("leaves_nothing")
ATTACK = Path(__file__).with_name("attack.c").read_text()
LIMITS = Limits(wall_s=10, cpu_s=10)


async def test_raw_system_calls_get_nothing(sandbox: Any) -> None:
    await sandbox.needs("c")
    args = [str(sandbox.pid)]
    told = await sandbox.call(ATTACK, language="c", args=args, stdin="x", limits=LIMITS)
    assert (told.status, told.stdout) == ("ok", "contained\n"), told.compile or told.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 has this door")
async def test_the_32_bit_door_is_death(sandbox: Any) -> None:
    """System calls have other numbers there, which the filter does not know."""
    await sandbox.needs("c")
    code = """
#include <stdio.h>
int main() {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(24) : "memory");
    printf("user %ld\\n", result);
}
"""
    told = await sandbox.call(code, language="c")
    assert (told.status, told.exit_code, told.stdout) == ("killed", -signal.SIGSYS, "")


@pytest.mark.parametrize(
    "code",
    [
        ":(){ :|:& };:; sleep 60",
        "bomb() { bomb | bomb & }; bomb; wait; sleep 60",
        "while :; do sleep 60 & done",
    ],
)
async def test_a_fork_bomb_of_a_shell_ends(sandbox: Any, code: str) -> None:
    await sandbox.needs("bash")
    started = time.monotonic()
    told = await sandbox.call(code, language="bash", limits=Limits(wall_s=1, cpu_s=5))
    assert told.status in ("timeout", "error", "killed"), told
    assert told.status != "killed" or "passed max_processes" in told.stderr
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "code",
    [
        "cat /proc/1/environ",
        "cat /proc/self/environ",
        "cat /etc/passwd",
        "ln -s /etc/passwd x && cat x",
        "ls / /tmp /proc /home",
        "exec 3<>/dev/tcp/127.0.0.1/{port}",
        "echo x > /dev/udp/169.254.169.254/80",
        "echo x > /tmp/plaudit-escape",
        "echo x > /dev/tty",
        "su -c id",
        "unshare -Ur id",
        "mount -t tmpfs none .",
        "kill -0 {service}",
        "kill -9 -1",
        "chmod u+s /bin/sh",
        "nsenter -t {service} -m -n -p id",
        "cp /bin/sh s && chown 0 s",
    ],
)
async def test_a_shell_reaches_nothing(sandbox: Any, redis_url: str, code: str) -> None:
    await sandbox.needs("bash")
    port = redis_url.rpartition(":")[2].partition("/")[0]
    line = code.replace("{port}", port).replace("{service}", str(sandbox.pid))
    told = await sandbox.call(f"{line} && echo ESCAPED", language="bash", limits=LIMITS)
    assert "ESCAPED" not in told.stdout, told
    assert not Path("/tmp/plaudit-escape").exists()


async def test_no_key_is_in_the_environment_of_any_language(sandbox: Any) -> None:
    await sandbox.needs("bash")
    told = await sandbox.call("export; compgen -v; declare -p", language="bash", limits=LIMITS)
    assert SECRET not in told.stdout + told.stderr
    assert "PLAUDIT" not in told.stdout


@pytest.mark.parametrize(
    "code",
    [
        "(setsid sleep 1000 &) ; echo done",
        "nohup sleep 1000 > /dev/null 2>&1 & disown; echo done",
        "( ( (trap '' TERM HUP INT; exec setsid sleep 1000) & ) & ); echo done",
    ],
)
async def test_daemons_of_a_shell_die_with_it(sandbox: Any, code: str) -> None:
    await sandbox.needs("bash")
    told = await sandbox.call(code, language="bash", limits=LIMITS)
    assert (told.status, told.stdout) == ("ok", "done\n"), told.stderr
    assert told.wall_s < 5


async def test_a_compiler_does_not_read_what_the_program_may_not(
    sandbox: Any, tmp_path: Path
) -> None:
    """`#include` of a key, `.incbin` of the environment."""
    await sandbox.needs("c")
    key = tmp_path / "key"
    key.write_text("#error KEY-3141592\n")
    os.chmod(key, 0o644)
    for line in (
        f'#include "{key}"',
        '__asm__(".incbin \\"/proc/self/environ\\"");',
        '#include "/etc/passwd"',
        f'__asm__(".incbin \\"{key}\\"");',
    ):
        told = await sandbox.call(f"{line}\nint main() {{ return 0; }}", language="c")
        assert told.status == "compile_error"
        assert told.compile is not None
        assert "KEY" not in told.compile.stderr
        assert "root:" not in told.compile.stderr
