"""Which languages work here: each is asked to compile and run a program before it is offered."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import (
    CompileLimits,
    Language,
    LanguageInfo,
    Limits,
    RunRequest,
    RunResult,
)
from plaudit.telemetry import get_logger
from plaudit_sandbox.languages import HELLO, TOOLSETS
from plaudit_sandbox.toolchains import NoToolchain, Toolchain

AGAIN_S = 60.0
"""A language that failed is tried again after this, when it is asked for."""
_LIMITS = Limits(wall_s=20.0, cpu_s=20.0)
_COMPILE_LIMITS = CompileLimits(wall_s=60.0, cpu_s=60.0)
_VERSION = re.compile(r"\d+(?:\.\d+)+")

log = get_logger(__name__)

Try = Callable[[RunRequest, Toolchain], Awaitable[tuple[RunResult, str]]]
"""Runs a program; gives its result, and what the tools say of their version."""


@dataclass(frozen=True)
class _Found:
    info: LanguageInfo
    at_s: float

    @property
    def stands(self) -> bool:
        return self.info.available or time.monotonic() - self.at_s < AGAIN_S


class Probes:
    """Every language is tried once, when it is first asked for; one after the other.

    So a probe needs no place among the programs: at most one runs beside them.
    """

    def __init__(
        self, toolchains: Mapping[Language, Toolchain | NoToolchain], attempt: Try
    ) -> None:
        self._toolchains = toolchains
        self._attempt = attempt
        self._found: dict[Language, _Found] = {}
        self._lock = asyncio.Lock()

    async def toolchain(self, language: Language) -> Toolchain:
        """
        Raises:
            Rejected: programs in it do not run here; says why, and what does.
            Unavailable: that could not be found out.
        """
        info = await self.info(language)
        toolchain = self._toolchains[language]
        if info.available and isinstance(toolchain, Toolchain):
            return toolchain
        every = await self.all()
        available = ", ".join(name for name, one in every.items() if one.available)
        raise Rejected(
            f"language = {language!r} is not available here: {info.reason}.",
            fix=f"use {available}, or install it where the sandbox runs.",
        )

    async def all(self) -> dict[Language, LanguageInfo]:
        found = await asyncio.gather(*map(self.info, TOOLSETS))
        return dict(zip(TOOLSETS, found, strict=True))

    async def info(self, language: Language) -> LanguageInfo:
        if (found := self._found.get(language)) and found.stands:
            return found.info
        async with self._lock:
            found = self._found.get(language)
            if found is None or not found.stands:
                found = _Found(await self._probe(language), time.monotonic())
                self._found[language] = found
                log.info("language_probed", language=language, **found.info.model_dump())
        return found.info

    async def _probe(self, language: Language) -> LanguageInfo:
        toolchain = self._toolchains[language]
        if isinstance(toolchain, NoToolchain):
            return LanguageInfo(available=False, reason=str(toolchain))
        hello = TOOLSETS[language].hello
        request = RunRequest(
            language=language, code=hello, limits=_LIMITS, compile_limits=_COMPILE_LIMITS
        )
        try:
            result, version = await self._attempt(request, toolchain)
        except Rejected as error:
            return LanguageInfo(available=False, reason=str(error))
        if result.status != "ok" or result.stdout != f"{HELLO}\n":
            return LanguageInfo(available=False, reason=_reason(result))
        number = _VERSION.search(version)
        return LanguageInfo(available=True, version=number and number[0])


def _reason(result: RunResult) -> str:
    step = result.compile if result.status == "compile_error" and result.compile else result
    what = "compiling" if step is result.compile else "running"
    said = step.stderr.strip()[-500:]
    return f"{what} a program ended with {step.status} (exit code {step.exit_code}): {said}"
