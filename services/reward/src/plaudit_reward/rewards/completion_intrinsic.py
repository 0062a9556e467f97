"""Completion intrinsic: right completions that reason unlike the right ones so far get more."""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from plaudit.errors import PlauditError
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.archive.archives import Archives
from plaudit_reward.archive.entry import Entry, member_of, prompt_of
from plaudit_reward.embedding.embedder import Embedding
from plaudit_reward.intrinsic import (
    IntrinsicParams,
    embedded,
    filled,
    missing,
    novelty,
    right_ones,
)
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy


class CompletionIntrinsicParams(IntrinsicParams):
    archive: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """Name of the archive. Runs that name the same one, on the same Redis, share it."""
    per_prompt: bool = False
    """Look only among completions of the same prompt."""
    num_neighbours: int = Field(default=10, ge=1, le=1000)
    """How many of the nearest count; all where there are fewer."""


_ADD = r"<reasoning>I add.</reasoning> \boxed{4}"
_COUNT = r"<reasoning>Count them!</reasoning> \boxed{4}"
_SILENT = r"<reasoning></reasoning> \boxed{4}"
_FOUR = {"answer": "4"}


@reward(
    source="tienanh28122000/R1, its report §1.2, after Memory-R+, arXiv 2504.02273",
    vectors=[
        Vector([_ADD, _ADD, "5"], [1.0, 1.0, 0.0], _FOUR, {"archive": "a"}),
        # The archive has two of the first, and nothing of the group itself.
        Vector([_COUNT, _COUNT, _SILENT, "5"], [4.0, 4.0, 1.0, 0.0], _FOUR, {"archive": "a"}),
        Vector([_ADD + "."], [1.0], _FOUR, {"archive": "a", "num_neighbours": 2}),
        # Three of one sort and two of the other, then four and two: cos = 3/sqrt(13), 2/sqrt(20).
        Vector([f"{_ADD} "], [1.503849], _FOUR, {"archive": "a"}),
        Vector([f"{_COUNT} "], [2.658359], _FOUR, {"archive": "a"}),
        Vector(["5", ""], [0.0, 0.0], _FOUR, {"archive": "a"}),
        Vector([_ADD], [None]),
    ],
)
async def completion_intrinsic(
    group: RewardGroup, params: CompletionIntrinsicParams, context: Context
) -> list[Score]:
    """base + scale · (1 - clamp(cos(e, m), 0, 1)) if it is right, where e is the embedding of its
    reasoning and m the mean of its nearest neighbours in an archive of right completions; else 0.0.

    Right means that `accuracy` gives 1.0. The right ones join the archive after all of the group
    are scored, once each. Only `base` while the archive is empty, and where there is no reasoning.
    Null: where `accuracy` is, and for all right ones when the embedder or the archive fails, or
    the embedder follows the policy.
    """
    verdicts = await context.score(accuracy)
    right = right_ones(group, verdicts)
    embeddings = await embedded(list(right.values()), params, context, fixed=True)
    if isinstance(embeddings, Missing):
        return filled(verdicts, dict.fromkeys(right, embeddings))
    pairs = zip(right, embeddings, strict=True)
    directed = {index: one for index, one in pairs if one is not None}
    values: dict[int, Score] = dict.fromkeys(right, params.base)
    try:
        novelties = await _novelties(group, directed, params, context.use(Archives))
    except PlauditError as error:
        return filled(verdicts, dict.fromkeys(right, missing(error)))
    values |= {index: params.base + params.scale * one for index, one in novelties.items()}
    return filled(verdicts, values)


async def _novelties(
    group: RewardGroup,
    embeddings: Mapping[int, Embedding],
    params: CompletionIntrinsicParams,
    archives: Archives,
) -> dict[int, float]:
    """Of each against its neighbours; then they are appended."""
    if not embeddings:
        return {}
    matrix, prompt = np.stack(list(embeddings.values())), prompt_of(group.prompt)
    entries = [
        Entry(member_of(group.group_id, index, group.completions[index].text), prompt, one)
        for index, one in embeddings.items()
    ]
    archive = archives.get(params.archive, params.embedder, matrix.shape[1])
    # A second attempt at the same group must not find what the first has appended.
    means = await archive.nearest(
        matrix,
        params.num_neighbours,
        prompt if params.per_prompt else None,
        without=[entry.member for entry in entries],
    )
    await archive.append(entries)
    if means is None:
        return dict.fromkeys(embeddings, 0.0)
    pairs = zip(matrix, means, strict=True)
    return dict(zip(embeddings, (novelty(one, mean) for one, mean in pairs), strict=True))
