"""Scores of segments by a model of this worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plaudit.errors import ConfigError
from plaudit.schemas.reward import RewardGroup
from plaudit.segments import WHOLE_TEXT, LocationNorm, Spread
from plaudit_reward.models.engine import Engine
from plaudit_reward.models.spec import UnitSpec
from plaudit_reward.models.units import unit_score
from plaudit_reward.reward import Missing, Score

if TYPE_CHECKING:
    from plaudit_reward.models.local.unit import UnitInput, UnitModel


@dataclass(frozen=True)
class UnitRewardModel:
    name: str
    spec: UnitSpec
    engine: Engine

    async def scores(self, group: RewardGroup, spread: Spread, *, normalize: bool) -> list[Score]:
        """Raises PlauditError when the model cannot be loaded."""
        async with self.engine.using(self.name) as loaded:
            model: UnitModel = loaded
            if normalize and spread in WHOLE_TEXT and model.scale is None:
                raise ConfigError(
                    f"normalize: model {self.name!r} has no mean and std.",
                    fix="give them in its table [reward.models.NAME]",
                )
            inputs = await self.engine.tokenize(_encoded, model, group)
            usable = [one for one in inputs if not isinstance(one, Missing)]
            readings = iter(await self.engine.compute(model, usable))
        norm = model.norm if normalize else LocationNorm()
        scale = model.scale if normalize else None
        found: list[Score] = []
        for one in inputs:
            reading = one if isinstance(one, Missing) else next(readings)
            found.append(
                reading
                if isinstance(reading, Missing)
                else unit_score(reading, self.spec.c_ent, spread, norm, scale)
            )
        return found


def _encoded(model: "UnitModel", group: RewardGroup) -> "Sequence[UnitInput | Missing]":
    return [model.encode(group.prompt, answer) for answer in group.completions]
