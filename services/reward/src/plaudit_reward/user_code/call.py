"""Calling what a user wrote: a `Reward`, or a plain function of texts."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsFloat

from plaudit.schemas.reward import RewardGroup
from plaudit.user_code import GIVEN
from plaudit_reward.params import checked_params
from plaudit_reward.reward import Context, Missing, PerToken, Reward, Score


async def call_reward(
    target: Any, group: RewardGroup, params: Mapping[str, Any], context: Context
) -> list[Score]:
    """One score per completion. Raises whatever it raises."""
    if isinstance(target, Reward):
        scores = await target(group, checked_params("params", target, params), context)
        return [_score(score) for score in scores]
    if not callable(target):
        raise TypeError(f"{target!r:.80} is neither a function nor a @reward")
    values = await _call_plain(target, group, params)
    if len(values) != len(group.completions):
        raise ValueError(f"{len(values)} values for {len(group.completions)} completions")
    return [_score(value) for value in values]


async def _call_plain(
    function: Callable[..., Any], group: RewardGroup, params: Mapping[str, Any]
) -> Sequence[Any]:
    """`function(texts, prompt=..., reference=..., **params)`; only what it has parameters for."""
    completions = group.completions
    given = {
        "prompt": [message.model_dump() for message in group.prompt],
        "reference": group.reference,
        "num_tokens": [one.length_tokens() for one in completions],
        "token_ids": [one.token_ids for one in completions],
        "finish_reasons": [one.finish_reason for one in completions],
    }
    wanted = inspect.signature(function).parameters
    known = {name: given[name] for name in GIVEN if name in wanted}
    found = function([one.text for one in completions], **known, **params)
    return list(await found if inspect.isawaitable(found) else found)


def _score(value: Any) -> Score:
    """Whatever can be a float (of numpy, of torch) is one; a text is not."""
    if isinstance(value, Missing | PerToken):
        return value
    if value is None:
        return Missing("the reward gave None")
    if not isinstance(value, SupportsFloat):
        return Missing(f"the reward gave no number: {value!r:.80}")
    return float(value)
