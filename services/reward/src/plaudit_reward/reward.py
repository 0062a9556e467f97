"""What a reward is: a function over a group, its parameters, its documentation, its proof.

A reward is one file in `plaudit_reward/rewards/`; docs/adding-a-reward.md shows one.
"""

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, TypeVar, get_type_hints

from plaudit.errors import PlauditError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import Answer, RewardGroup
from plaudit.schemas.sandbox import RunRequest, RunResult

Pool = Literal["rules", "code", "model"]


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a completion has no value. `retryable`: asking again may give one."""

    reason: str
    retryable: bool = False

    @classmethod
    def of(cls, error: PlauditError) -> Self:
        """What an error says, and whether it may pass."""
        return cls(str(error), retryable=error.retryable)


@dataclass(frozen=True, slots=True)
class PerToken:
    """One value for each token of the completion, in the order of its `token_ids`.

    `value` is what the completion as a whole gets; the sum of the tokens' when None.
    """

    tokens: tuple[float, ...]
    value: float | None = None

    def total(self) -> float:
        return math.fsum(self.tokens) if self.value is None else self.value


Score = float | PerToken | Missing

T = TypeVar("T")


class NoParams(Contract):
    """For rewards without parameters."""


class Context(Protocol):
    """What a reward may use besides the group and its parameters."""

    async def score(self, reward: "Reward", params: Contract | None = None) -> list[Score]:
        """Another reward of the same group, computed once however often it is asked for."""
        ...

    async def verify(self, gold: str, answers: Sequence[str], extract: str) -> list[Score]:
        """Math-Verify on every answer: 1.0 equal to `gold`, 0.0 different or none found."""
        ...

    async def run(self, request: RunRequest) -> RunResult:
        """Run a program in the sandbox. Raises PlauditError when the sandbox cannot."""
        ...

    def use(self, kind: type[T]) -> T:
        """What this pool's worker has opened under this type. Raises Unavailable if nothing."""
        ...


Function = Callable[[RewardGroup, Any, Context], Sequence[Score] | Awaitable[Sequence[Score]]]


@dataclass(frozen=True)
class Vector:
    """A published or hand-computed example: one group and the values it must get."""

    texts: Sequence[str]
    expected: Sequence[float | None]
    reference: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    num_tokens: Sequence[int | None] = ()
    token_ids: Sequence[Sequence[int]] = ()
    expected_tokens: Sequence[Sequence[float]] = ()
    """Of a reward per token, in which case `expected` is each completion's as a whole."""

    def group(self) -> RewardGroup:
        counts = self.num_tokens or [None] * len(self.texts)
        tokens: Sequence[Sequence[int] | None] = self.token_ids or [None] * len(self.texts)
        completions = [
            Answer(text=text, num_tokens=count, token_ids=None if ids is None else list(ids))
            for text, count, ids in zip(self.texts, counts, tokens, strict=True)
        ]
        return RewardGroup(
            group_id="vector", prompt=[], completions=completions, reference=self.reference
        )


@dataclass(frozen=True)
class Reward:
    """One entry of the registry. `description` is the function's docstring."""

    name: str
    pool: Pool
    description: str
    source: str
    params: type[Contract]
    vectors: Sequence[Vector]
    function: Function
    label: str | None = None
    """What metrics call it where its name is any text; None: its name."""

    async def __call__(self, group: RewardGroup, params: Contract, context: Context) -> list[Score]:
        """One score per completion, in order."""
        result = self.function(group, params, context)
        scores = list(await result if isinstance(result, Awaitable) else result)
        if len(scores) != len(group.completions):
            raise ValueError(f"{len(scores)} scores for {len(group.completions)} completions")
        return scores


def reward(
    *, source: str, vectors: Sequence[Vector], pool: Pool = "rules", name: str | None = None
) -> Callable[[Function], Reward]:
    """Make a reward of `function(group, params, context)`, plain or async.

    Its name is the reward's name unless `name` gives another, its docstring the description, and
    the annotation of `params` the model of its parameters. A test checks every one of `vectors`.
    """

    def decorate(function: Function) -> Reward:
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"reward {function.__name__} needs a docstring: it is its description")
        return Reward(
            name=name or function.__name__,
            pool=pool,
            description=description,
            source=source,
            params=get_type_hints(function)["params"],
            vectors=vectors,
            function=function,
        )

    return decorate
