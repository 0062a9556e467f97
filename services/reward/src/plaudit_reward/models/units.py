"""From what the models say of every token to the rewards of segments."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError
from plaudit.scale import Scale
from plaudit.segments import (
    NORMALIZATION_FILE,
    NORMALIZATION_KEY,
    WHOLE_TEXT,
    LocationNorm,
    Spread,
    normalized,
    segment_ends,
    spread_over_tokens,
    text_reward,
)
from plaudit_reward.models.spec import UnitSpec
from plaudit_reward.reward import Missing, PerToken


@dataclass(frozen=True)
class TokenReadings:
    """One value for each token of a completion."""

    entropies: Sequence[float]
    """Of the reference, for the token after this one; nats."""
    rewards: Sequence[float]
    """The head's value there."""
    ends_with_eos: bool


def unit_score(
    found: TokenReadings, c_ent: float, spread: Spread, norm: LocationNorm, scale: Scale | None
) -> PerToken | Missing:
    """`scale` is for the forms of a whole text, `norm` for the others."""
    ends = segment_ends(found.entropies, c_ent, ends_with_eos=found.ends_with_eos)
    if not ends:
        return Missing("the completion has no token but EOS")
    if not all(map(math.isfinite, found.entropies)):
        return Missing("the reference gave an entropy that is no number")
    rewards = [found.rewards[end] for end in ends]
    num_tokens = len(found.rewards)
    if spread in WHOLE_TEXT:
        reward = text_reward(rewards, spread)
        reward = reward if scale is None else scale(reward)
        return PerToken(spread_over_tokens([reward], ends, num_tokens, spread), reward)
    rewards = normalized(rewards, norm)
    return PerToken(
        spread_over_tokens(rewards, ends, num_tokens, spread), text_reward(rewards, spread)
    )


def location_norm(spec: UnitSpec) -> LocationNorm:
    """The settings', else what the training of the model left in its folder, else none.

    Raises ConfigError when the file does not have it.
    """
    if spec.normalization is not None:
        return LocationNorm(*spec.normalization)
    if spec.normalization_file is not None:
        return _from_file(spec.normalization_file, spec.normalization_key)
    own = Path(spec.path) / NORMALIZATION_FILE
    return _from_file(own, NORMALIZATION_KEY) if own.is_file() else LocationNorm()


def _from_file(path: Path, key: str) -> LocationNorm:
    where = f"normalization_file = {str(path)!r}"
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{where} cannot be read: {type(error).__name__}.", fix="name a JSON file"
        ) from error
    for name in filter(None, key.split("/")):
        if not isinstance(found, dict) or name not in found:
            raise ConfigError(
                f"normalization_key = {key!r}: {where} has no {name!r} there.",
                fix=f"there is {str(list(found))[:200] if isinstance(found, dict) else 'a list'}",
            )
        found = found[name]
    if not _are_parameters(found):
        raise ConfigError(
            f"{where} has no list of four or five numbers at normalization_key = {key!r}.",
            fix="lead to [w_mu, w_sigma, b_mu, b_sigma] or [w_mu, w_sigma, b_mu, b_sigma, p_min]",
        )
    return LocationNorm(*map(float, found))


def _are_parameters(found: Any) -> bool:
    return (
        isinstance(found, list)
        and len(found) in (4, 5)
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in found)
    )
