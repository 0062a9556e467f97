"""What every judge is: something that says which of two answers is better."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Protocol, Self

from pydantic import Field

from plaudit.config.api_key import WithApiKey
from plaudit.errors import ConfigError, Rejected
from plaudit.schemas.common import Contract, Message
from plaudit.schemas.judge import JudgeInfo, PanelVote
from plaudit.schemas.judge_scores import Grade
from plaudit_judge.limits.rate import Limit, estimate_tokens
from plaudit_judge.parse import Seat
from plaudit_judge.rubric import Rubric


class SpecBase(Contract):
    """What every table [judge.judges.NAME] has, besides `kind`."""

    reads_rubric: ClassVar[bool] = True
    gives_rewards: ClassVar[bool] = False
    only_compares: ClassVar[bool] = False
    is_cached: ClassVar[bool] = True
    """Its verdicts may be remembered: they cost something, and depend on nothing that changes."""
    max_concurrency: int = Field(default=64, ge=1, le=4096)
    """Calls at once, per worker process."""
    timeout_s: float = Field(default=60.0, gt=0.0)
    """Of one attempt; what takes longer is tried again."""

    def model_name(self) -> str | None:
        """As it is listed; None where there is none to be named."""
        return None

    @property
    def answers_later(self) -> bool:
        """Only jobs can wait for it."""
        return False

    def deadline_s(self, default_s: float) -> float:
        """Of one request; `default_s` is the service's."""
        return default_s

    def draws(self, rubric: Rubric) -> bool:
        """What it says depends on the seed."""
        return self.reads_rubric and rubric.temperature > 0.0

    def missing(self) -> str | None:
        """Why such a judge cannot be asked on this machine, or None: key, package, file."""
        return None


class LimitedSpec(SpecBase):
    """Of a judge behind an endpoint that takes only so much."""

    requests_per_minute: int | None = Field(default=None, ge=1)
    """Calls that all workers of this judge make together. None: no limit."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Tokens, read and written, of these calls. None: no limit."""

    def rate_limits(self) -> tuple[Limit | None, Limit | None]:
        """Of requests and of tokens."""
        requests, tokens = self.requests_per_minute, self.tokens_per_minute
        return (Limit(requests) if requests else None, Limit(tokens) if tokens else None)


class KeyedSpec(WithApiKey, LimitedSpec):
    """Of a judge behind an endpoint that may want a key."""

    def missing(self) -> str | None:
        try:
            self.read_api_key()
        except ConfigError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class Ask:
    """One question to a judge. Equal asks with equal seeds are the same draw."""

    messages: list[Message]
    temperature: float
    max_tokens: int
    seed: int
    schema: dict[str, Any] | None = None
    """JSON schema of the reply, for endpoints that can hold the judge to one."""
    system_is_constant: bool = False
    """The system message is the same in all asks of this rubric, so that it can be cached."""

    def num_tokens(self) -> int:
        """Read and written, at most and roughly."""
        return estimate_tokens(self.messages, self.max_tokens)


@dataclass(frozen=True)
class Reply:
    """The judge's own text and what it cost. `policy_version` is None for other models."""

    text: str
    prompt_tokens: int = 0
    """All that was read, cached or not."""
    completion_tokens: int = 0
    policy_version: int | None = None
    cached_tokens: int = 0
    """The part of `prompt_tokens` that came from the endpoint's cache."""
    cache_write_tokens: int = 0
    """The part of `prompt_tokens` that was put into it."""
    structured: bool = False
    """The endpoint was held to the ask's schema."""
    # Of the call that was made, and so not kept with a remembered verdict:
    sent: Annotated[list[Message], Field(exclude=True)] = field(default_factory=list)
    """The conversation."""
    cost_usd: Annotated[float, Field(exclude=True)] = 0.0
    unpriced_calls: Annotated[int, Field(exclude=True)] = 0
    """Calls of a model that has no price: what they cost is not in `cost_usd`."""

    def without_cost(self) -> "Reply":
        """For those who did not make the call."""
        return replace(
            self,
            sent=[],
            prompt_tokens=0,
            completion_tokens=0,
            cached_tokens=0,
            cache_write_tokens=0,
            cost_usd=0.0,
            unpriced_calls=0,
        )


@dataclass(frozen=True)
class Case:
    """Two answers in the order in which they are shown."""

    prompt: list[Message]
    first: str
    second: str
    reference: str | None
    rubric: Rubric
    seed: int
    number: int = 0
    """Of the vote: more votes on the same case are other draws."""


class Said(Protocol):
    """What a judge said, in whatever form."""

    @property
    def reply(self) -> Reply: ...

    @property
    def is_complete(self) -> bool:
        """There is nothing in it that could not be read, and so would be worth asking again."""
        ...

    def as_hit(self) -> Self:
        """The same for those who did not make the call."""
        ...


@dataclass(frozen=True)
class Opinion:
    """What one judge says of one case. `seat` is None when it says nothing that can be read."""

    seat: Seat | None
    reply: Reply
    calls: int = 1
    rewards: tuple[float, float] | None = None
    """Of the first and the second answer, where that is what the verdict comes from."""
    disagreement: float | None = None
    panel: list[PanelVote] = field(default_factory=list)
    """Of a jury: its members, seen from the first answer."""
    members: Annotated[dict[str, "Opinion"], Field(exclude=True)] = field(default_factory=dict)
    """Of a jury: what those who answered said themselves."""
    cache_hit: bool = False
    """It had been given before: no call, no tokens."""

    @property
    def is_complete(self) -> bool:
        """Everybody asked has an opinion that can be read; otherwise it is worth asking again."""
        return self.seat is not None and all(vote.winner is not None for vote in self.panel)

    def as_hit(self) -> Self:
        return replace(self, reply=self.reply.without_cost(), calls=0, members={}, cache_hit=True)


@dataclass(frozen=True)
class ScoreCase:
    """Answers to one prompt, in the order in which they are shown, to be scored in one call."""

    prompt: list[Message]
    responses: list[str]
    reference: str | None
    rubric: Rubric
    seed: int
    number: int = 0
    """Of the vote."""


@dataclass(frozen=True)
class Scores:
    """What one judge says of one ScoreCase: a grade for each answer, in the order shown."""

    grades: list[Grade]
    reply: Reply
    calls: int = 1
    members: Annotated[dict[str, "Scores"], Field(exclude=True)] = field(default_factory=dict)
    """Of a jury: what those who answered said themselves."""
    is_whole_panel: bool = True
    """Of a jury: every member has given every answer a score."""
    cache_hit: bool = False
    """They had been given before: no call, no tokens."""

    @property
    def is_complete(self) -> bool:
        """Every answer has a score; otherwise it is worth asking again."""
        return self.is_whole_panel and all(grade.score is not None for grade in self.grades)

    def as_hit(self) -> Self:
        return replace(self, reply=self.reply.without_cost(), calls=0, members={}, cache_hit=True)


class Judge(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def reads_rubric(self) -> bool: ...

    @property
    def is_symmetric(self) -> bool:
        """The verdict depends neither on the order nor on chance: asking once is enough."""
        ...

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        """Tries again within `timeout_s`.

        Raises Rejected: this case can never be judged; Unavailable: the judge did not answer.
        """
        ...

    async def grade(self, case: ScoreCase, timeout_s: float) -> Scores:
        """The same. Raises Rejected also when this judge only compares."""
        ...

    async def info(self) -> JudgeInfo: ...

    async def aclose(self) -> None: ...


class ComparesOnly:
    """Base of judges that give no scores."""

    name: str

    async def grade(self, case: ScoreCase, timeout_s: float) -> Scores:
        raise Rejected(f"judge: {self.name!r} only compares; it gives no scores.")


@dataclass(frozen=True)
class Reward:
    """Of one answer. `value` is None with the `reason` when there is none."""

    value: float | None
    reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 1
    cost_usd: float = 0.0
    unpriced_calls: int = 0


class Rewarder(Protocol):
    """A judge that gives each answer a number. Comparable only among answers to one prompt."""

    async def rewards(
        self,
        prompt: list[Message],
        responses: Sequence[str],
        reference: str | None,
        timeout_s: float,
    ) -> list[Reward]: ...
