"""Settings of the judge service: environment PLAUDIT_JUDGE_*, plaudit.toml [judge]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from plaudit.config import ServiceSettings
from plaudit.config.keys import NamedKey
from plaudit.config.names import check_table_names
from plaudit.queue import QueueOptions
from plaudit.queue.model import LANES
from plaudit.schemas.common import Lane
from plaudit_judge.judges.claude import ClaudeSpec
from plaudit_judge.judges.human import HumanSpec
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.nemotron import NemotronSpec
from plaudit_judge.judges.nemotron_genrm import NemotronGenrmSpec
from plaudit_judge.judges.openai import OpenAISpec
from plaudit_judge.judges.reward_model import RewardModelSpec
from plaudit_judge.judges.rule import RuleSpec
from plaudit_judge.judges.self_judge import SelfSpec
from plaudit_judge.ledger.prices import Price
from plaudit_judge.ledger.retention import CostRetention, VerdictRetention

JUDGE_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
SELF = "self"


JudgeSpec = Annotated[
    SelfSpec
    | OpenAISpec
    | ClaudeSpec
    | NemotronSpec
    | NemotronGenrmSpec
    | RewardModelSpec
    | RuleSpec
    | HumanSpec
    | JurySpec,
    Field(discriminator="kind"),
]
"""One judge: a table [judge.judges.NAME]."""


class JudgeKey(NamedKey):
    lanes: Annotated[list[Lane], Field(min_length=1)] | None = None
    """Lanes it may ask for. None: both."""
    judges: Annotated[list[str], Field(min_length=1)] | None = None
    """Judges it may ask for. None: all."""
    max_items: int | None = Field(default=None, ge=1)
    """More `responses` in one request are answered 413."""
    budget_usd: float | None = Field(default=None, gt=0.0)
    """What the calls made for it may cost."""


class JudgeSettings(ServiceSettings):
    keys: Mapping[str, JudgeKey] = {}
    """Named API keys."""
    port: int = Field(default=8103, ge=0, le=65535)
    rollout_url: str = "http://127.0.0.1:8101"
    """Asked which policy version the engines serve. For all services: PLAUDIT_ROLLOUT_URL."""
    reward_url: str = "http://127.0.0.1:8102"
    """The reward service, for reward_model judges. For all services: PLAUDIT_REWARD_URL."""
    engine_urls: list[str] = Field(default=["http://127.0.0.1:8201"], min_length=1, max_length=64)
    """vLLM servers of the rollout service, for self judges; in the environment a JSON list."""
    judges: dict[str, JudgeSpec] = Field(default={}, max_length=64)
    """Judges by name; `self` is there without being named."""
    prices: dict[str, Price] = Field(default={}, max_length=256)
    """What models cost, by the model's name."""
    run_budget_usd: Annotated[float, Field(gt=0.0)] | None = None
    """What may be spent on one run of one key. None: as much as it takes."""
    budgets: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default={}, max_length=1000)
    """The same for single runs, by run_id, instead of `run_budget_usd`."""
    verdicts: VerdictRetention = VerdictRetention()
    costs: CostRetention = CostRetention()
    rubric_dir: Path | None = None
    """Directory with rubrics of your own (*.toml); they may replace shipped ones."""
    deadline_s: float = Field(default=120.0, gt=0.0)
    """A request that is not judged after this long fails as retryable."""
    worker_concurrency: int = Field(default=64, ge=1, le=4096)
    """Requests (pairs or tournaments) of one lane that a worker process works on at once."""
    cache: bool = True
    """Verdicts are remembered, and equal questions at the same time asked once."""
    cache_ttl_s: float = Field(default=86_400.0, gt=0.0, le=31_536_000.0)
    """How long a verdict is remembered."""
    cache_max_entries: int = Field(default=20_000, ge=1)
    """Verdicts remembered per judge; those not used for longest are dropped."""
    max_queued: int = Field(default=10_000, ge=1)
    """Unfinished requests per judge and lane; more are answered 429."""
    lease_s: float = Field(default=10.0, gt=0.0)
    """A worker that dies is found out after this long and its requests run elsewhere."""
    result_ttl_s: float = Field(default=3600.0, gt=0.0)
    """How long the result of a finished request is kept."""

    @field_validator("judges", mode="after")
    @classmethod
    def names_are_usable(cls, value: dict[str, JudgeSpec]) -> dict[str, JudgeSpec]:
        check_table_names(value, JUDGE_NAME_PATTERN)
        return {SELF: SelfSpec(), **value}

    @model_validator(mode="after")
    def juries_have_members(self) -> Self:
        for name, spec in self.judges.items():
            for member in spec.judges if isinstance(spec, JurySpec) else ():
                if member not in self.judges:
                    known = ", ".join(sorted(self.judges))
                    raise ValueError(f"judges.{name}: there is no {member!r}; there are {known}")
                if isinstance(self.judges[member], JurySpec):
                    raise ValueError(f"judges.{name}: its member {member!r} is a jury itself")
                if self.judges[member].answers_later:
                    raise ValueError(f"judges.{name}: its member {member!r} has batch = true")
        return self

    @model_validator(mode="after")
    def judges_of_keys_exist(self) -> Self:
        for name, key in self.keys.items():
            for judge in key.judges or ():
                if judge not in self.judges:
                    known = ", ".join(sorted(self.judges))
                    raise ValueError(f"keys.{name}.judges: no {judge!r}; there are {known}")
        return self

    def deadline_of(self, judge: str) -> float:
        """Seconds that one request to this judge may take."""
        return self.judges[judge].deadline_s(self.deadline_s)

    def queue_options(self) -> QueueOptions:
        """The same in the API and in every worker."""
        return QueueOptions(
            max_jobs=self.max_queued, lease_s=self.lease_s, result_ttl_s=self.result_ttl_s
        )


def queue_name(judge: str, lane: Lane) -> str:
    """Each lane has its own, so that neither fills the other's queue or keeps its workers busy."""
    return f"judge-{judge}.{lane}"


def queue_names(judge: str) -> list[str]:
    return [queue_name(judge, lane) for lane in LANES]
