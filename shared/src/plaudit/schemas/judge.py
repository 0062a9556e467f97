"""Contracts of the judge service. An unparsed verdict is null and excluded, never a loss."""

from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.schemas.common import Contract, Lane, Message, RunId

Winner = Literal["a", "b", "tie"]
Schedule = Literal["all_pairs", "round_robin_sampled", "circular", "swiss", "anchor", "adaptive"]
Rating = Literal["elo", "bradley_terry", "bt_weighted", "win_rate"]
RewardForm = Literal["min_max", "z_score", "rank"]
Mode = Literal["pairwise", "pointwise", "listwise"]
Goal = Literal["order", "top", "advantage_sign"]


class Usage(Contract):
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """The part of `prompt_tokens` that came from the endpoint's cache."""
    cache_write_tokens: int = 0
    """The part of `prompt_tokens` that was put into it."""
    unparsed: int = 0
    first_position_wins: int = 0
    """Verdicts won by the answer shown first: the judge's position bias."""
    cache_hits: int = 0
    """Verdicts that Plaudit remembered: no call, no tokens, no cost."""
    cost_usd: float = 0.0
    """Of the calls whose model has a price in the settings."""
    unpriced_calls: int = 0
    """Calls whose model has none: their cost is unknown, not 0."""


class RubricStamp(Contract):
    """Which text the judge judged by."""

    name: str
    version: int
    sha256: str


class AskingRequest(Contract):
    """What all requests to a judge have."""

    judge: str = "self"
    lane: Lane = "train"
    run_id: RunId | None = None
    """Verdicts are stored, and costs are counted, under this name."""


class JudgedRequest(AskingRequest):
    """Those about one prompt."""

    prompt: list[Message]


class VerdictRequest(JudgedRequest):
    """What all requests for verdicts have."""

    cache: bool = True
    """Take verdicts that were given before. False: ask anew; what is said is not kept either."""


class PanelVote(Contract):
    """One member of a jury. Without a `winner`, `reason` says why it has no say."""

    judge: str
    winner: Winner | None
    reason: str | None = None


class Vote(Contract):
    """One call of the judge. `swapped` means that b was shown first."""

    winner: Winner | None
    swapped: bool
    text: str
    policy_version: int | None = None
    disagreement: float | None = None
    """Of a jury: the share of its parsed members that are not of the most frequent opinion."""
    panel: list[PanelVote] = []


class PairwiseRequest(VerdictRequest):
    a: str
    b: str
    reference: str | None = None
    rubric: str = "sr_r1"
    swap: bool = True
    """Ask in both orders; disagreement is a tie. False: one order, drawn by `seed`."""
    votes: int = Field(default=1, ge=1, le=32)
    seed: int = 0


class PairwiseResponse(Contract):
    winner: Winner | None
    p_a: float | None
    """Share of the parsed votes that a won, ties counting one half."""
    votes: list[Vote]
    rubric: RubricStamp | None = None
    """Null for a judge that reads none."""
    usage: Usage


_BELONGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pair_ratio": ("schedule", ("round_robin_sampled",)),
    "swiss_rounds": ("schedule", ("swiss",)),
    "goal": ("schedule", ("adaptive",)),
    "confidence": ("schedule", ("adaptive",)),
    "max_comparisons": ("schedule", ("adaptive",)),
    "max_rounds": ("schedule", ("adaptive",)),
    "elo_order": ("rating", ("elo",)),
    "elo_iterations": ("rating", ("elo",)),
    "elo_k": ("rating", ("elo",)),
    "bt_prior": ("rating", ("bradley_terry", "bt_weighted")),
    "reward_min": ("reward_form", ("min_max", "rank")),
    "reward_max": ("reward_form", ("min_max", "rank")),
}
"""Which choice each parameter belongs to; it has no effect under another one."""


class TournamentRules(Contract):
    """Who meets whom, and what comes of it: the same in a request and in a recipe (SR-R1's)."""

    schedule: Schedule = "all_pairs"
    pair_ratio: float = Field(default=1.0, gt=0.0, le=1.0)
    """round_robin_sampled: share of the pairs that are judged; every response keeps one."""
    swiss_rounds: int | None = Field(default=None, ge=1, le=63)
    """swiss: null is ceil(log2 G), at least 2."""
    goal: Goal = "order"
    """adaptive: what is to be settled. advantage_sign: who is above the mean of the group."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """adaptive: stops when this share of the order, or of the signs, is expected to be right."""
    max_comparisons: int | None = Field(default=None, ge=1, le=4032)
    """adaptive: null is C(G, 2), half the calls of all_pairs in both orders."""
    max_rounds: int = Field(default=5, ge=1, le=64)
    """adaptive: rounds of comparisons asked at once; the latency is this many calls."""
    swap: bool = False
    """Ask in both orders; disagreement is a tie."""
    rating: Rating = "elo"
    elo_order: Literal["sequential", "shuffled", "batch"] = "sequential"
    elo_iterations: int = Field(default=10, ge=1, le=1000)
    elo_k: float = Field(default=16.0, gt=0.0)
    bt_prior: float = Field(default=0.5, ge=0.001, le=1000.0)
    """bradley_terry and bt_weighted: virtual ties between every two responses."""
    reward_form: RewardForm = "min_max"
    reward_min: float = 0.0
    reward_max: float = 3.0

    @model_validator(mode="after")
    def parameters_belong(self) -> Self:
        for name, (choice, values) in _BELONGS.items():
            chosen, default = getattr(self, choice), type(self).model_fields[name].default
            if chosen not in values and getattr(self, name) != default:
                raise ValueError(
                    f"{name} = {getattr(self, name)} has no effect with {choice} = {chosen!r}; "
                    f"leave it out, or choose {choice} = {' or '.join(map(repr, values))}"
                )
        if self.schedule == "adaptive" and self.swap:
            raise ValueError(
                "swap = true does not go with schedule = 'adaptive', which asks one order at a "
                "time and balances them itself; leave swap out"
            )
        if self.schedule == "adaptive" and self.rating == "win_rate":
            raise ValueError(
                "rating = 'win_rate' does not go with schedule = 'adaptive', in which equals meet "
                "equals and everybody wins about half; choose rating = 'bradley_terry'"
            )
        return self


class TournamentRequest(VerdictRequest, TournamentRules):
    responses: list[str] = Field(min_length=1, max_length=64)
    rubric: str = "sr_r1"
    anchor: str | None = None
    """Schedule anchor: a baseline answer; its index in `comparisons` is the number of responses."""
    anchor_index: int | None = Field(default=None, ge=0)
    """Schedule anchor: the response that is the baseline, instead of `anchor`."""
    bootstrap_resamples: int = Field(default=200, ge=10, le=1000)
    """Lane eval: draws of the comparisons that `intervals` come from."""
    seed: int = 0

    @model_validator(mode="after")
    def anchor_belongs(self) -> Self:
        given = [name for name in ("anchor", "anchor_index") if getattr(self, name) is not None]
        if self.schedule != "anchor" and given:
            raise ValueError(f"{given[0]}: only schedule = 'anchor' has one; leave it out")
        if self.schedule == "anchor" and len(given) != 1:
            raise ValueError("schedule = 'anchor' needs either anchor or anchor_index")
        if self.anchor_index is not None and self.anchor_index >= len(self.responses):
            raise ValueError(
                f"anchor_index = {self.anchor_index}: there are {len(self.responses)} responses, "
                "counted from 0"
            )
        return self


class Comparison(Contract):
    a: int
    b: int
    winner: Winner | None
    p_a: float | None


class Interval(Contract):
    low: float
    high: float


class TournamentResponse(Contract):
    ratings: list[float | None]
    """Null without a parsed comparison. elo: 400 / ln 10 points per nat; Bradley-Terry: nats."""
    rewards: list[float | None]
    """Null for every response when no verdict could be parsed."""
    intervals: list[Interval | None] | None = None
    """95 % bootstrap intervals of the ratings in lane eval; null in lane train."""
    comparisons: list[Comparison]
    rubric: RubricStamp | None = None
    """Null for a judge that reads none."""
    usage: Usage


class JudgeInfo(Contract):
    name: str
    kind: str
    model: str | None = None
    available: bool
    reason: str | None = None


class JudgeList(Contract):
    judges: list[JudgeInfo]


class Scale(Contract):
    min: float = Field(ge=-1e6, le=1e6, allow_inf_nan=False)
    max: float = Field(ge=-1e6, le=1e6, allow_inf_nan=False)


class CriterionInfo(Contract):
    name: str
    description: str
    weight: float
    scale: Scale


class RubricInfo(Contract):
    name: str
    version: int
    description: str
    sha256: str
    modes: list[Mode]
    """What it can be used for."""
    takes_reference: bool
    criteria: list[CriterionInfo]
    scale: Scale | None
    """Of the whole score; null for a rubric without criteria."""


class RubricList(Contract):
    rubrics: list[RubricInfo]
