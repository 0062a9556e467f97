"""Rubrics: how a judge is asked. A rubric is a TOML file that a user can add.

    name = "brief"            # the file's name without .toml
    version = 1
    description = "..."

    [[criteria]]
    name = "brevity"
    description = "..."

That is enough: the texts of all modes are made from the criteria. A table [pairwise], [pointwise]
or [listwise] replaces one, by `system` (may be empty) and `user`. Places are filled literally and
once: braces inside an answer stay what they are.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import get_args

from pydantic import Field, model_validator

from plaudit.errors import Rejected
from plaudit.schemas.common import Contract
from plaudit.schemas.judge import Mode, RubricInfo, RubricStamp, Scale
from plaudit_judge.rubric_texts import GENERATED, REFERENCE, Text, list_criteria
from plaudit_judge.scores.criteria import Criteria, Criterion

_REQUIRED_PLACES: dict[Mode, tuple[str, ...]] = {
    "pairwise": ("{prompt}", "{a}", "{b}"),
    "pointwise": ("{prompt}", "{response}"),
    "listwise": ("{prompt}", "{responses}"),
}


class Rubric(Contract):
    """See the module's docstring."""

    name: str = Field(pattern=r"^[a-z0-9_]{1,64}$")
    version: int = Field(ge=1)
    description: str
    criteria: list[Criterion] = Field(default=[], max_length=20)
    scale: Scale | None = None
    """Of each criterion that has no points; 1 to 5 by default."""
    reference: str = REFERENCE
    """What fills {reference} when the request has one; has {reference} itself. Empty: none."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    max_tokens: int = Field(default=1000, ge=1, le=32_768)
    """Of a reply; those with scores may be longer by what the scores need."""
    pairwise: Text | None = None
    pointwise: Text | None = None
    listwise: Text | None = None

    @model_validator(mode="after")
    def is_usable(self) -> "Rubric":
        self.scoring  # noqa: B018 (raises ValueError)
        if not self.texts:
            raise ValueError("give criteria, or the table [pairwise]")
        for mode, text in self.texts.items():
            for place in _REQUIRED_PLACES[mode]:
                if place not in text.user:
                    raise ValueError(f"{mode}.user: the place {place} is missing")
            if mode != "pairwise" and not self.criteria:
                raise ValueError(f"{mode}: there are no criteria to be scored")
        has_place = any("{reference}" in text.user for text in self.texts.values())
        if "reference" in self.model_fields_set and self.reference and not has_place:
            raise ValueError("reference: no text has the place {reference}")
        return self

    @cached_property
    def scoring(self) -> Criteria:
        return Criteria(self.criteria, self.scale)

    @cached_property
    def texts(self) -> dict[Mode, Text]:
        """Of the modes that this rubric can be used for."""
        own = {"pairwise": self.pairwise, "pointwise": self.pointwise, "listwise": self.listwise}
        generated = GENERATED if self.criteria else {}
        found = {mode: own[mode] or generated.get(mode) for mode in get_args(Mode)}
        return {mode: text for mode, text in found.items() if text is not None}

    def stamp(self) -> RubricStamp:
        return RubricStamp(name=self.name, version=self.version, sha256=self.sha256)

    @cached_property
    def sha256(self) -> str:
        """Of all that the judge is told, so that an edited rubric is another one."""
        texts = {
            mode: [text.system, text.user, list_criteria(self.scoring, mode)]
            for mode, text in self.texts.items()
        }
        content = [self.model_dump(mode="json"), texts]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def info(self) -> RubricInfo:
        return RubricInfo(
            name=self.name,
            version=self.version,
            description=self.description,
            sha256=self.sha256,
            modes=list(self.texts),
            takes_reference=any(self.takes_reference(mode) for mode in self.texts),
            criteria=self.scoring.info(),
            scale=self.scoring.total if self.criteria else None,
        )

    def takes_reference(self, mode: Mode) -> bool:
        return bool(self.reference) and "{reference}" in self.texts[mode].user

    def check_reference(self, mode: Mode, reference: str | None) -> None:
        """Raises Rejected: a reference is given that this rubric has no place for."""
        if reference is not None and not self.takes_reference(mode):
            raise Rejected(
                f"reference: the rubric {self.name!r} has no place for one.",
                fix="Leave `reference` out, or choose a rubric that compares with a reference.",
            )


def check_mode(rubrics: Mapping[str, Rubric], name: str, mode: Mode) -> None:
    """Raises Rejected: this rubric has no text for it."""
    if mode in rubrics[name].texts:
        return
    able = ", ".join(sorted(one.name for one in rubrics.values() if mode in one.texts))
    raise Rejected(
        f"rubric: {name!r} cannot be used {mode}; those that can: {able}.",
        fix="Name one of them, or give the rubric criteria.",
    )
