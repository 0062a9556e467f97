"""What a run, and what a named key, may cost.

A request is admitted while what was spent, what is held for others and its own estimate stay
within every budget that it is under; what was admitted is judged to its end.
"""

from collections.abc import Mapping

from redis.asyncio import Redis

from plaudit.errors import BudgetExceeded, Rejected
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit_judge.judges.base import KeyedSpec
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.ledger import keys
from plaudit_judge.ledger.costs import NANO, nano_usd
from plaudit_judge.ledger.estimate import JudgedRequest, estimate_usd
from plaudit_judge.ledger.holds import Budget, Full, Hold, let_go, take
from plaudit_judge.ledger.prices import Price
from plaudit_judge.rubric import Rubric
from plaudit_judge.settings import JudgeSettings

_QUEUED_S = 3600
"""What waits longer than this, besides the time it has for being judged, is held no more."""
_COMPLETION_TOKENS = 1000
"""Where no rubric bounds them."""


class Budgets:
    def __init__(
        self, settings: JudgeSettings, redis: Redis, rubrics: Mapping[str, Rubric]
    ) -> None:
        self._settings = settings
        self._redis = redis
        self._rubrics = rubrics

    def hold_for(self, job_id: str, request: JudgedRequest, caller: str | None) -> Hold | None:
        """None: there is no budget, or nothing to pay. Raises Rejected: a model has no price."""
        budgets = budgets_of(self._settings, request.run_id, caller)
        if not budgets:
            return None
        prices = [
            self._price(judge, model, budgets[0])
            for judge, model in paid_models(self._settings, request.judge)
        ]
        nano = nano_usd(estimate_usd(request, prices, self._completion_tokens(request)))
        ends_after_s = _QUEUED_S + round(self._settings.deadline_of(request.judge))
        return Hold(job_id, nano, budgets, ends_after_s) if nano else None

    async def take(self, hold: Hold) -> None:
        """The same hold twice is one. Raises BudgetExceeded."""
        if full := await take(self._redis, hold):
            raise _exceeded(full, hold)

    async def let_go(self, hold: Hold) -> None:
        async with self._redis.pipeline() as pipeline:
            let_go(pipeline, hold)
            await pipeline.execute()

    def _price(self, judge: str, model: str, budget: Budget) -> Price:
        price = self._settings.prices.get(model)
        if price is None:
            raise Rejected(
                f"judge: the model {model!r} of {judge!r} has no price, and what is judged here "
                f"is under a budget ({budget.setting} = {budget.usd:g}).",
                fix=f'add a table [judge.prices."{model}"] to plaudit.toml, with zeros for a '
                "model that costs nothing.",
            )
        return price

    def _completion_tokens(self, request: JudgedRequest) -> int:
        if isinstance(request, JudgeRewardRequest) or request.rubric not in self._rubrics:
            return _COMPLETION_TOKENS
        return self._rubrics[request.rubric].max_tokens


def budgets_of(settings: JudgeSettings, run_id: str | None, caller: str | None) -> list[Budget]:
    """A run of one key is not that of another, so that nobody uses up what is somebody else's."""
    found = []
    if run_id is not None and run_id in settings.budgets:
        costs = keys.run_costs(caller or "", run_id)
        found.append(Budget(f"budgets.{run_id}", settings.budgets[run_id], costs))
    elif run_id is not None and settings.run_budget_usd is not None:
        costs = keys.run_costs(caller or "", run_id)
        found.append(Budget("run_budget_usd", settings.run_budget_usd, costs))
    key = settings.keys.get(caller) if caller is not None else None
    if caller is not None and key is not None and key.budget_usd is not None:
        costs = keys.caller_costs(caller)
        found.append(Budget(f"keys.{caller}.budget_usd", key.budget_usd, costs))
    return found


def paid_models(settings: JudgeSettings, judge: str) -> list[tuple[str, str]]:
    """Judges with models that cost money, of all that a call of `judge` asks."""
    spec = settings.judges[judge]
    names = spec.judges if isinstance(spec, JurySpec) else [judge]
    asked = [(name, settings.judges[name]) for name in names]
    return [
        (name, model)
        for name, spec in asked
        if isinstance(spec, KeyedSpec) and (model := spec.model_name()) is not None
    ]


def _exceeded(full: Full, hold: Hold) -> BudgetExceeded:
    budget = full.budget
    spent, held, estimate = (
        nano / NANO for nano in (full.spent_nano_usd, full.held_nano_usd, hold.nano_usd)
    )
    return BudgetExceeded(
        f"No money is left for this request: {budget.setting} = {budget.usd:g}, spent "
        f"{spent:.6g}, held for requests in progress {held:.6g}, and this one may cost "
        f"{estimate:.6g} (all in USD).",
        fix=f"raise {budget.setting} in the settings of the judge service, or, if requests are in "
        "progress, send it again once they are done.",
    )
