"""What both intrinsic rewards share: right completions, what of them is embedded, and the bonus."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plaudit.errors import PlauditError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.embedding.embedder import MIN_NORM, Embedding
from plaudit_reward.embedding.embedders import Embedders
from plaudit_reward.embedding.spec import HASHED, NAME_PATTERN
from plaudit_reward.layout import reasoning_part
from plaudit_reward.reward import Context, Missing, Score


class IntrinsicParams(Contract):
    base: float = 1.0
    """What a right completion gets at least."""
    scale: float = Field(default=3.0, ge=0.0)
    """The largest bonus. That of R1's recipe; the default of its class was 0.5."""
    embedder: str = Field(default=HASHED, pattern=NAME_PATTERN)
    """A name of [reward.embedders]; `hashed` is always there, and sees words, not their sense."""
    span: Literal["reasoning", "text"] = "reasoning"
    """What is embedded. reasoning: the text in <reasoning>, else in <think>, else the whole; text:
    the whole completion."""


async def embedded(
    answers: Sequence[Answer], params: IntrinsicParams, context: Context, *, fixed: bool = False
) -> list[Embedding | None] | Missing:
    """Embeddings of length 1; None where there is nothing to embed. `fixed`: they are kept."""
    texts = [one.text if params.span == "text" else reasoning_part(one.text) for one in answers]
    try:
        return await context.use(Embedders).embed(params.embedder, texts, fixed=fixed)
    except PlauditError as error:
        return missing(error)


def missing(error: PlauditError) -> Missing:
    return Missing(str(error), error.retryable)


def filled(verdicts: Sequence[Score], values: Mapping[int, Score]) -> list[Score]:
    """The verdicts of `accuracy`, with the value of each right completion in its place."""
    return [values.get(index, verdict) for index, verdict in enumerate(verdicts)]


def novelty(embedding: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """1 - clamp(cos, 0, 1); 0 where one of them has no direction, and there is no cosine."""
    length = float(np.linalg.norm(embedding) * np.linalg.norm(others))
    if length < MIN_NORM:
        return 0.0
    return 1.0 - min(1.0, max(0.0, float(embedding @ others) / length))


def right_ones(group: RewardGroup, verdicts: Sequence[Score]) -> dict[int, Answer]:
    return {i: one for i, one in enumerate(group.completions) if verdicts[i] == 1.0}
