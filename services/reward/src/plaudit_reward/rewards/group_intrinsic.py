"""Group intrinsic: right completions that reason unlike their right group-mates get more."""

from collections.abc import Sequence

import numpy as np

from plaudit.schemas.reward import RewardGroup
from plaudit_reward.embedding.embedder import Embedding
from plaudit_reward.intrinsic import IntrinsicParams, embedded, filled, novelty, right_ones
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy

_ADD = r"<reasoning>I add.</reasoning> \boxed{4}"
_COUNT = r"<reasoning>Count them!</reasoning> \boxed{4}"
_SILENT = r"<reasoning></reasoning> \boxed{4}"
_FOUR = {"answer": "4"}


@reward(
    source="tienanh28122000/R1, its report §1.2",
    vectors=[
        Vector([_ADD, _COUNT], [4.0, 4.0], _FOUR),
        Vector([_ADD, _COUNT], [1.5, 1.5], _FOUR, {"scale": 0.5}),
        # The others' mean of the first two is half their own embedding: cos = 1/sqrt(2).
        Vector([_ADD, _ADD, _COUNT], [1.87868, 1.87868, 4.0], _FOUR),
        Vector([_ADD, _ADD, "5"], [1.0, 1.0, 0.0], _FOUR),
        Vector([_ADD, _ADD.replace("I add.", "\n i ADD.")], [1.0, 1.0], _FOUR),
        Vector([_ADD, "5"], [2.0, 0.0], _FOUR, {"base": 2.0}),
        Vector([_SILENT, _SILENT, _ADD], [1.0, 1.0, 1.0], _FOUR),
        Vector(["5", ""], [0.0, 0.0], _FOUR),
        Vector([_ADD, _ADD], [None, None]),
        Vector([_ADD, "5", _COUNT], [None, 0.0, None], _FOUR, {"embedder": "nobody"}),
    ],
)
async def group_intrinsic(
    group: RewardGroup, params: IntrinsicParams, context: Context
) -> list[Score]:
    """base + scale · (1 - clamp(cos(e, m), 0, 1)) if it is right, where e is the embedding of its
    reasoning and m the mean of those of the group's other right completions; else 0.0.

    Right means that `accuracy` gives 1.0. Only `base` for the only right one, and where e or m has
    no direction (no reasoning). Null: where `accuracy` is, and for all right ones when the embedder
    fails or there is none of that name.
    """
    verdicts = await context.score(accuracy)
    right = right_ones(group, verdicts)
    if len(right) < 2:
        return filled(verdicts, dict.fromkeys(right, params.base))
    embeddings = await embedded(list(right.values()), params, context)
    if isinstance(embeddings, Missing):
        return filled(verdicts, dict.fromkeys(right, embeddings))
    bonuses = (params.base + params.scale * one for one in _novelties(embeddings))
    return filled(verdicts, dict(zip(right, bonuses, strict=True)))


def _novelties(embeddings: Sequence[Embedding | None]) -> list[float]:
    """Of each against the mean of the others, which the sum of the others is a multiple of."""
    directed = [np.asarray(one, np.float64) for one in embeddings if one is not None]
    total = np.sum(directed, axis=0)
    return [0.0 if one is None else novelty(one, total - one) for one in embeddings]
