"""What Piston's clients may name as a language, and what runs then."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Language, LanguageInfo, RunResult
from plaudit_sandbox.dialects.open_r1 import PACKAGES, VERSION, Execute, Run
from plaudit_sandbox.dialects.piston_request import run_request
from plaudit_sandbox.dialects.piston_wire import ExecuteRequest, Runtime

Languages = Callable[[], Awaitable[Mapping[Language, LanguageInfo]]]

ALIASES: dict[Language, tuple[str, ...]] = {
    "python": ("py", "py3", "python3"),
    "javascript": ("node-javascript", "node-js", "js"),
    "c": ("gcc",),
    "cpp": ("c++", "g++"),
    "java": (),
    "bash": ("sh",),
    "go": ("golang",),
    "rust": ("rs",),
}
"""Names that Piston's packages answer to, beside our own."""
_NAMES: dict[Language, str] = {"cpp": "c++"}
"""What Piston calls a language where it is not what we do."""
_ANY = ("*", "x", "X", "latest")


@dataclass(frozen=True)
class Served:
    runtime: Runtime
    execute: Execute


def served_here(languages: Mapping[Language, LanguageInfo]) -> list[Served]:
    """Languages that work here, and the packages that need no other ones."""
    programs = [
        Served(_runtime(name, info.version), _program_in(name))
        for name, info in languages.items()
        if info.available and info.version is not None
    ]
    packages = [
        Served(Runtime(language=one.language, version=VERSION, aliases=[*one.aliases]), one.execute)
        for one in PACKAGES
        if languages[one.needs].available
    ]
    return programs + packages


def find(served: list[Served], asked: ExecuteRequest) -> Served:
    """Raises Rejected: there is none of that name and version."""
    for one in served:
        known = asked.language in (one.runtime.language, *one.runtime.aliases)
        if known and _version_matches(asked.version, one.runtime.version):
            return one
    raise Rejected(f"{asked.language[:40]}-{asked.version[:40]} runtime is unknown")


def _program_in(language: Language) -> Execute:
    async def execute(asked: ExecuteRequest, run: Run) -> RunResult:
        return await run(run_request(asked, language))

    return execute


def _runtime(name: Language, version: str) -> Runtime:
    aliases = [name, *ALIASES[name]] if name in _NAMES else [*ALIASES[name]]
    return Runtime(language=_NAMES.get(name, name), version=version, aliases=aliases)


def _version_matches(selector: str, version: str) -> bool:
    """Exact, a prefix of whole numbers, or a wildcard: `3.11.2`, `3.11`, `3.x`, `*`."""
    if selector in _ANY:
        return True
    wanted = [part for part in selector.strip().removeprefix("v").split(".") if part not in _ANY]
    return version.split(".")[: len(wanted)] == wanted
