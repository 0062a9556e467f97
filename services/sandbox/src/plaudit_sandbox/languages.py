"""Languages: one table of what compiles and runs each, and what it needs for that.

In commands `{name}` is the path of the tool `name`, and `{memory_mib}` the memory limit. Compilers
put what they make into BUILD; a program runs in a fresh directory that has its files and that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plaudit.schemas.sandbox import Language

BUILD = ".build"
_BINARY = f"{BUILD}/main"
_MIB = 2**20
_PATH = {"PATH": "/usr/bin:/bin"}
_HOME = {"HOME": "{directory}", "TMPDIR": "{directory}"}
_JAVA = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:-UseContainerSupport", "-Djava.io.tmpdir=.")
# Half of the time of a short program: only C1, from the archive of the JDK's own classes.
_JAVA_FAST = ("-XX:TieredStopAtLevel=1", "-Xshare:auto")


@dataclass(frozen=True)
class Toolset:
    """How programs of one language are compiled and run."""

    source: str
    """The name of the file that holds the program."""
    tools: tuple[str, ...]
    """Programs that must be on the service's PATH."""
    run: tuple[str, ...] | None
    """None: a fork of the launcher's own interpreter, which is warm."""
    compile: tuple[str, ...] | None = None
    version: tuple[str, ...] = ()
    """A command whose output has the version in it."""
    run_env: Mapping[str, str] = field(default_factory=dict)
    compile_env: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[str, ...] = ()
    """Patterns of paths outside /usr that the tools read."""
    forks: bool = False
    """A program in it is nothing without processes."""
    limit_address_space: bool = True
    """False: the runtime reserves more than it uses, so only used memory is limited."""
    runtime_memory_bytes: int = 0
    """What the runtime itself uses; a program's limit comes on top."""
    out_of_memory: str = r"\b\B"
    """In stderr of a program that got no more memory; the default matches nothing."""
    deep_stack: bool = False
    """Recursion may go as deep as the memory allows, as at competitions."""
    hello: str = ""
    """A program that prints HELLO."""


HELLO = "hello from plaudit"

TOOLSETS: Mapping[Language, Toolset] = {
    "python": Toolset(
        source="main.py",
        tools=(),
        run=None,
        out_of_memory=r"(?:^|\n)MemoryError[^\n]*\s*$",
        hello=f"import sys\nprint({HELLO!r})\nsys.stderr.write(sys.version)",
    ),
    "javascript": Toolset(
        source="main.js",
        tools=("node",),
        # Above its young generation, which grows with it, the heap is all that a program uses.
        run=("{node}", "--max-old-space-size={memory_mib}", "main.js"),
        version=("{node}", "--version"),
        run_env=_HOME | {"UV_USE_IO_URING": "0", "OPENSSL_CONF": "/dev/null"},
        limit_address_space=False,
        runtime_memory_bytes=64 * _MIB,
        out_of_memory=r"JavaScript heap out of memory|Array buffer allocation failed",
        hello=f"console.log({HELLO!r})",
    ),
    "c": Toolset(
        source="main.c",
        tools=("gcc",),
        compile=("{gcc}", "-O2", "-o", _BINARY, "main.c", "-lm"),
        run=(_BINARY,),
        version=("{gcc}", "--version"),
        compile_env=_PATH | _HOME,
        hello=f'#include <math.h>\n#include <stdio.h>\nint main(void) {{ puts("{HELLO}"); }}',
    ),
    "cpp": Toolset(
        source="main.cpp",
        tools=("g++",),
        compile=("{g++}", "-std=gnu++17", "-O2", "-o", _BINARY, "main.cpp"),
        run=(_BINARY,),
        version=("{g++}", "--version"),
        compile_env=_PATH | _HOME,
        out_of_memory=r"std::bad_alloc",
        hello=f'#include <iostream>\nint main() {{ std::cout << "{HELLO}\\n"; }}',
    ),
    "java": Toolset(
        source="Main.java",
        tools=("javac", "java"),
        compile=(
            "{javac}", *(f"-J{flag}" for flag in (*_JAVA, *_JAVA_FAST)),
            "-J-Xmx{memory_mib}m", "-encoding", "UTF-8", "-d", BUILD, "Main.java",
        ),
        run=("{java}", *_JAVA, *_JAVA_FAST, "-Xmx{memory_mib}m", "-cp", BUILD, "Main"),
        version=("{javac}", "-version"),
        compile_env=_HOME | {"LC_ALL": "C.UTF-8"},
        run_env=_HOME | {"LC_ALL": "C.UTF-8"},
        readable=("/etc/java-*",),
        limit_address_space=False,
        runtime_memory_bytes=96 * _MIB,
        out_of_memory=r"java\.lang\.OutOfMemoryError",
        hello=(
            "public class Main { public static void main(String[] args) "
            f'{{ System.out.println("{HELLO}"); }} }}'
        ),
    ),
    "bash": Toolset(
        source="main.sh",
        tools=("bash",),
        run=("{bash}", "main.sh"),
        version=("{bash}", "--version"),
        run_env=_PATH | _HOME,
        forks=True,
        out_of_memory=r"cannot allocate \d+ bytes",
        hello=f"echo $(echo {HELLO})",
    ),
    "go": Toolset(
        source="main.go",
        tools=("go",),
        compile=("{go}", "build", "-ldflags=-s -w", "-o", _BINARY, "main.go"),
        run=(_BINARY,),
        version=("{go}", "version"),
        compile_env=_PATH | _HOME | {
            "GOCACHE": "{directory}/.cache", "GOPATH": "{directory}/.go", "GOENV": "off",
            "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOTELEMETRY": "off", "CGO_ENABLED": "0",
        },
        limit_address_space=False,
        runtime_memory_bytes=16 * _MIB,
        out_of_memory=r"fatal error: runtime: (?:out of memory|cannot allocate memory)",
        hello=f'package main\nimport "fmt"\nfunc main() {{ fmt.Println("{HELLO}") }}',
    ),
    "rust": Toolset(
        source="main.rs",
        tools=("rustc", "cc"),
        compile=(
            "{rustc}", "--edition=2021", "-O", "-Cstrip=symbols", "-Clinker={cc}",
            "-o", _BINARY, "main.rs",
        ),
        run=(_BINARY,),
        version=("{rustc}", "--version"),
        compile_env=_PATH | _HOME,
        out_of_memory=r"memory allocation of \d+ bytes failed",
        hello=f'fn main() {{ println!("{HELLO}"); }}',
    ),
}  # fmt: skip
