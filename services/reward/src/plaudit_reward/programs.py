"""What all code rewards share: the program in a completion, its limits, each judged once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from plaudit.schemas.common import Contract
from plaudit.schemas.sandbox import Language, Limits
from plaudit_reward.reward import Missing, Score

_CLOSING = "```"

Program = TypeVar("Program")
Checked = TypeVar("Checked")


class RunParams(Contract):
    """Limits of one run of a program."""

    timeout_s: float = Field(default=5.0, gt=0.0, le=60.0)
    """Wall and CPU time of one run."""
    memory_bytes: int = Field(default=256 * 2**20, ge=16 * 2**20, le=4 * 2**30)

    def limits(self, output_bytes: int) -> Limits:
        return Limits(
            wall_s=self.timeout_s,
            cpu_s=self.timeout_s,
            memory_bytes=self.memory_bytes,
            output_bytes=output_bytes,
        )


class ProgramParams(RunParams):
    """What is taken for the program, and limits of one run of it."""

    language: Language = "python"
    """Of the program, and the word behind the three backticks of its block."""


def last_block(text: str, language: Language = "python") -> str | None:
    """The content of the last closed block of the language, found in linear time."""
    opening = f"```{language}\n"
    found, start = None, text.find(opening)
    while start >= 0:
        end = text.find(_CLOSING, start + len(opening))
        if end < 0:
            break
        found = text[start + len(opening) : end]
        start = text.find(opening, end + len(_CLOSING))
    return found


async def judge_each(
    programs: Sequence[Program | None],
    judge: Callable[[Program], Awaitable[Score]],
    without: Score = 0.0,
) -> list[Score]:
    """`judge` of every program, all at once, equal ones together; `without` where there is none."""
    distinct = list(dict.fromkeys(program for program in programs if program is not None))
    scores: dict[Program | None, Score] = {None: without}
    found = await asyncio.gather(*(judge(program) for program in distinct))
    scores |= zip(distinct, found, strict=True)
    return [scores[program] for program in programs]


def checked(adapter: TypeAdapter[Checked], value: Any, name: str) -> Checked | Missing:
    """`value` as the adapter's type, or what is wrong with the reference."""
    if not value:
        return Missing(f"{name} is missing")
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Missing(f"{name}.{where}: {first['msg']}")
