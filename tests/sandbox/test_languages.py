"""What every language promises: input, output, exit codes, limits, compilers, and no way out."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.sandbox import Case, CompileLimits, Language, Limits
from tests.sandbox.programs import (
    COMPILED,
    GREETS,
    PRINTS_ON,
    SPINS,
    TAKES_ALL_MEMORY,
    USES_THREADS,
)

strict_and_basic = pytest.mark.parametrize("_sandbox_process", ["self", "container"], indirect=True)
basic = pytest.mark.parametrize("_sandbox_process", ["container"], indirect=True)
MEBIBYTE = 2**20
MARK = "86423"
"""Seconds that only the sleepers of these tests sleep."""


@strict_and_basic
@pytest.mark.parametrize("language", GREETS)
async def test_a_program_reads_prints_and_ends(sandbox: Any, language: Language) -> None:
    await sandbox.needs(language)
    cases = [Case(stdin="41\n", args=["Zürich", "a b"]), Case(stdin="41\n")]
    told = await sandbox.call(GREETS[language], language=language, cases=cases)
    assert (told.compile is not None) == (language in COMPILED)
    greeted, alone = told.cases
    assert (greeted.status, greeted.exit_code) == ("ok", 0)
    assert (greeted.stdout, greeted.stderr) == ("42 Zürich a b\n", "note")
    assert (alone.status, alone.exit_code, alone.stdout) == ("error", 3, "42\n")


@basic
@pytest.mark.parametrize("language", PRINTS_ON)
async def test_too_much_output_is_cut_as_it_comes(sandbox: Any, language: Language) -> None:
    await sandbox.needs(language)
    told = await sandbox.call(
        PRINTS_ON[language], language=language, limits=Limits(wall_s=20, output_bytes=10_000)
    )
    assert (told.status, len(told.stdout)) == ("output", 10_000)
    assert told.peak_memory_bytes < 256 * MEBIBYTE


@basic
@pytest.mark.parametrize("language", TAKES_ALL_MEMORY)
async def test_a_program_that_takes_all_memory_gets_its_limit(
    sandbox: Any, language: Language
) -> None:
    await sandbox.needs(language)
    limits = Limits(wall_s=30, cpu_s=30, memory_bytes=128 * MEBIBYTE)
    told = await sandbox.call(TAKES_ALL_MEMORY[language], language=language, limits=limits)
    assert told.status == "memory", told.stderr
    assert told.peak_memory_bytes < 1024 * MEBIBYTE


@basic
async def test_memory_is_watched_while_a_program_prints(sandbox: Any) -> None:
    await sandbox.needs("go")
    code = """
package main
import "os"
func main() {
    go func() { for { os.Stdout.Write([]byte("x")) } }()
    var all [][]byte
    for { one := make([]byte, 1<<16); for i := range one { one[i] = 1 }; all = append(all, one) }
}
"""
    limits = Limits(wall_s=20, cpu_s=20, output_bytes=4 * MEBIBYTE)
    told = await sandbox.call(code, language="go", limits=limits)
    assert told.status == "memory"
    assert told.peak_memory_bytes < 900 * MEBIBYTE


@basic
async def test_a_pipe_that_closes_ends_its_writer(sandbox: Any) -> None:
    await sandbox.needs("bash")
    told = await sandbox.call("yes | head -1", language="bash")
    assert (told.status, told.stdout, told.stderr) == ("ok", "y\n", "")


@basic
@pytest.mark.parametrize("language", SPINS)
async def test_a_program_that_never_ends_is_ended(sandbox: Any, language: Language) -> None:
    await sandbox.needs(language)
    told = await sandbox.call(SPINS[language], language=language, limits=Limits(wall_s=0.5))
    assert (told.status, told.exit_code) == ("timeout", None)
    assert told.wall_s < 5


@strict_and_basic
@pytest.mark.parametrize("language", USES_THREADS)
async def test_a_program_may_have_threads(sandbox: Any, language: Language) -> None:
    await sandbox.needs(language)
    told = await sandbox.call(USES_THREADS[language], language=language)
    assert (told.status, told.stdout) == ("ok", "4 done\n"), told


@basic
@pytest.mark.parametrize("language", COMPILED)
async def test_what_is_no_program_is_a_compile_error(sandbox: Any, language: Language) -> None:
    await sandbox.needs(language)
    told = await sandbox.call("this is no program", language=language)
    assert (told.status, told.exit_code, told.stdout) == ("compile_error", None, "")
    assert told.compile.status == "error"
    assert told.compile.exit_code != 0
    assert told.compile.stderr


@basic
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ('#include "/dev/urandom"', "timeout"),
        ("char x[30 << 20] = {1}; int main() {}", "output"),
        ("#warning x\n" * 20_000, "output"),
    ],
)
async def test_a_compiler_has_limits_of_its_own(sandbox: Any, code: str, status: str) -> None:
    await sandbox.needs("cpp")
    limits = CompileLimits(wall_s=1, output_bytes=10_000)
    told = await sandbox.call(code, language="cpp", compile_limits=limits)
    assert told.status == "compile_error"
    assert told.compile.status == status, told.compile
    assert len(told.compile.stderr) <= 10_100
    assert told.compile.wall_s < 5


@basic
async def test_a_program_that_cannot_ask_for_memory_still_compiles(sandbox: Any) -> None:
    """The limits of the run are not those of the compiler."""
    await sandbox.needs("java")
    limits = Limits(memory_bytes=16 * MEBIBYTE, wall_s=10)
    told = await sandbox.call(GREETS["java"], language="java", stdin="1", args=["a"], limits=limits)
    assert (told.status, told.stdout) == ("ok", "2 a\n")


@strict_and_basic
@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", '#include "/etc/passwd"\nint main(void) {}'),
        ("c", '__asm__(".incbin \\"/etc/passwd\\""); int main(void) {}'),
        ("rust", 'fn main() { print!("{}", include_str!("/etc/passwd")); }'),
        ("rust", 'fn main() { print!("{}", include_str!("/proc/1/environ")); }'),
        ("go", 'package main\n//#include "/etc/passwd"\nimport "C"\nfunc main() {}'),
    ],
)
async def test_a_compiler_reads_nothing_for_the_program(
    sandbox: Any, language: Language, code: str
) -> None:
    await sandbox.needs(language)
    told = await sandbox.call(code, language=language)
    assert told.status == "compile_error"
    assert "root:" not in told.compile.stderr


ESCAPES: list[tuple[Language, str]] = [
    ("bash", "echo x > /dev/tcp/127.0.0.1/{redis} && echo ESCAPED"),
    ("bash", "cat /etc/passwd || cat /proc/1/environ || ls /root /tmp || exit 1; echo ESCAPED"),
    ("bash", "echo x > /tmp/plaudit-escape || exit 1; echo ESCAPED"),
    ("javascript", "require('net').connect({redis}, '127.0.0.1', () => console.log('ESCAPED'))"),
    ("javascript", "require('fs').readdirSync('/root'); console.log('ESCAPED')"),
    ("c", """
#include <stdio.h>
#include <sys/socket.h>
int main(void) {{ if (socket(AF_INET, SOCK_STREAM, 0) < 0) return 1; puts("ESCAPED"); }}
"""),
    ("c", """
#include <stdio.h>
int main(void) {{ if (!fopen("/etc/passwd", "r")) return 1; puts("ESCAPED"); }}
"""),
    ("java", """
import java.nio.file.*;
public class Main {{ public static void main(String[] args) throws Exception {{
    Files.readAllBytes(Path.of("/etc/passwd")); System.out.println("ESCAPED"); }} }}
"""),
    ("java", """
public class Main {{ public static void main(String[] args) throws Exception {{
    new java.net.Socket("127.0.0.1", {redis}); System.out.println("ESCAPED"); }} }}
"""),
    ("go", """
package main
import ("fmt"; "net")
func main() {{ if _, e := net.Dial("tcp", "127.0.0.1:{redis}"); e != nil {{ panic(e) }}
    fmt.Println("ESCAPED") }}
"""),
    ("rust", 'fn main() {{ std::fs::read("/etc/passwd").unwrap(); println!("ESCAPED"); }}'),
]  # fmt: skip


@strict_and_basic
@pytest.mark.parametrize(("language", "code"), ESCAPES)
async def test_no_language_leads_outside(
    sandbox: Any, redis_url: str, language: Language, code: str
) -> None:
    await sandbox.needs(language)
    port = redis_url.rpartition(":")[2].partition("/")[0]
    told = await sandbox.call(code.format(redis=port), language=language)
    assert (told.status, told.stdout) == ("error", ""), told


@basic
@pytest.mark.parametrize("language", ["bash", "javascript"])
async def test_a_program_has_none_of_the_services_variables(
    sandbox: Any, language: Language
) -> None:
    await sandbox.needs(language)
    code = {"bash": "env", "javascript": "console.log(process.env)"}[language]
    told = await sandbox.call(code, language=language)
    assert told.status == "ok"
    assert "PLAUDIT" not in told.stdout


@strict_and_basic
@pytest.mark.parametrize(
    "code",
    [
        f"(setsid sleep {MARK} &) ; echo done",
        f"(setsid setsid sleep {MARK} <&- >&- 2>&- &); (trap '' TERM; sleep {MARK}) & disown",
        f"h() {{ (h & ) ; }}; h & sleep 0.2; (sleep {MARK} &)",
        f"f() {{ while :; do sleep {MARK} & (f) & done; }}; f",
        f"sleep {MARK} & while :; do :; done",
    ],
)
async def test_nothing_that_a_script_starts_outlives_it(sandbox: Any, code: str) -> None:
    await sandbox.needs("bash")
    await sandbox.call(code, language="bash", limits=Limits(wall_s=1))
    assert with_mark() == []
    assert (await sandbox.run("print('fine')")).stdout == "fine\n"


@strict_and_basic
async def test_a_script_cannot_signal_anybody_else(sandbox: Any) -> None:
    await sandbox.needs("bash")
    code = f"kill -9 {sandbox.pid}; kill -9 1; kill -9 -1; echo alive"
    told = await sandbox.call(code, language="bash")
    assert (told.status, told.stdout) == ("ok", "alive\n")
    assert (await sandbox.run("print('fine')")).stdout == "fine\n"


@strict_and_basic
@pytest.mark.parametrize("language", ["c", "javascript", "java"])
async def test_only_scripts_and_compilers_fork_where_no_namespace_ends_what_they_start(
    sandbox: Any, language: Language
) -> None:
    await sandbox.needs(language)
    code = {
        "c": f"""
#include <unistd.h>
int main(void) {{ int child = fork(); if (child < 0) return 1;
    if (!child) {{ setsid(); execl("/bin/sleep", "sleep", "{MARK}", (char *)0); }} }}
""",
        "javascript": f"""
const options = {{ detached: true, stdio: "ignore" }}
require("child_process").spawn("/bin/sleep", ["{MARK}"], options).unref()
""",
        "java": f"""
public class Main {{ public static void main(String[] args) throws Exception {{
    new ProcessBuilder("/bin/sleep", "{MARK}").start(); }} }}
""",
    }[language]
    told = await sandbox.call(code, language=language)
    assert told.status == ("ok" if await sandbox.has("pid_namespace") else "error"), told
    assert with_mark() == []


@strict_and_basic
async def test_the_languages_that_work_are_published(sandbox: Any) -> None:
    found = await sandbox.client.languages()
    info = await sandbox.client.info()
    assert (found.tier, found.protections) == (info["tier"], info["protections"])
    assert set(found.languages) == set(GREETS)
    python = found.languages["python"]
    assert (python.available, python.reason) == (True, None)
    assert python.version is not None
    for one in found.languages.values():
        assert one.available == (one.reason is None) == (one.version is not None)


def with_mark() -> list[str]:
    """Processes of these tests' scripts that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"sleep" in words[0] and MARK.encode() in words:
                found.append(path.parent.name)
    return found
