"""Verdicts that people gave, read from a file: what other judges are calibrated against."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract
from plaudit.schemas.judge import JudgeInfo, Winner
from plaudit_judge import metrics
from plaudit_judge.chance import digest
from plaudit_judge.judges.base import Case, ComparesOnly, Opinion, Reply, SpecBase
from plaudit_judge.parse import Seat
from plaudit_judge.prompt import extract_prompt_text

MAX_LINES = 1_000_000
_SEATS: dict[Winner, Seat] = {"a": "A", "b": "B", "tie": "tie"}
_SWAPPED: dict[Seat, Seat] = {"A": "B", "B": "A", "tie": "tie"}


class HumanSpec(SpecBase):
    reads_rubric = False
    only_compares = True
    is_cached = False
    kind: Literal["human"] = "human"
    path: Path
    """JSONL: {"winner": "a"|"b"|"tie"} with `key`, or with `prompt`, `a` and `b` themselves."""

    def missing(self) -> str | None:
        try:
            load_verdicts(self.path)
        except ConfigError as error:
            return str(error)
        return None


class HumanVerdict(Contract):
    """One line. `prompt` is what a judge would see of it: the first user message."""

    winner: Winner
    key: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """`pair_key(prompt, a, b)`."""
    prompt: str | None = None
    a: str | None = None
    b: str | None = None

    @model_validator(mode="after")
    def names_its_pair(self) -> Self:
        given = [text is not None for text in (self.prompt, self.a, self.b)]
        if not (all(given) and self.key is None) and not (self.key and not any(given)):
            raise ValueError("give either key, or prompt, a and b")
        return self

    def pair(self) -> str:
        return self.key or pair_key(self.prompt or "", self.a or "", self.b or "")


class HumanJudge(ComparesOnly):
    reads_rubric = False
    is_symmetric = True

    def __init__(self, name: str, spec: HumanSpec) -> None:
        """Raises ConfigError: the file cannot be read or a line of it is wrong."""
        self.name = name
        self._verdicts = load_verdicts(spec.path)

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        prompt = extract_prompt_text(case.prompt)
        seat = self._verdicts.get(pair_key(prompt, case.first, case.second))
        if seat is None:
            other = self._verdicts.get(pair_key(prompt, case.second, case.first))
            seat = _SWAPPED[other] if other else None
        metrics.count_verdict(self.name, seat)
        text = f"verdict of the file: {seat}" if seat else "the file has no verdict on this pair"
        return Opinion(seat, Reply(text), calls=0)

    async def info(self) -> JudgeInfo:
        return JudgeInfo(name=self.name, kind="human", available=True)

    async def aclose(self) -> None:
        pass


def pair_key(prompt: str, a: str, b: str) -> str:
    """SHA-256 of the three texts in UTF-8, each after its length in bytes as 8 bytes."""
    return digest(prompt, a, b)


def load_verdicts(path: Path) -> Mapping[str, Seat]:
    """Raises ConfigError: the file cannot be read, is too long, or a line of it is wrong."""
    verdicts: dict[str, Seat] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if number > MAX_LINES:
                    raise ConfigError(f"{path} has more than {MAX_LINES} lines.")
                if line.strip():
                    verdict = _parse(path, number, line)
                    verdicts[verdict.pair()] = _SEATS[verdict.winner]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"path = {str(path)!r} cannot be read: {type(error).__name__}.",
            fix="name a readable JSONL file of verdicts",
        ) from error
    return verdicts


def _parse(path: Path, number: int, line: str) -> HumanVerdict:
    try:
        return HumanVerdict.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        raise ConfigError(f"{path}:{number}: {where}: {first['msg']}.") from None
