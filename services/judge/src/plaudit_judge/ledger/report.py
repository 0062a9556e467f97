"""What judging cost, and what is left of the budgets."""

from collections.abc import Sequence

from redis.asyncio import Redis

from plaudit.schemas.judge_verdict import BudgetState, CostReport
from plaudit_judge.ledger.budgets import budgets_of
from plaudit_judge.ledger.costs import NANO, SPENT, costs_of, read_totals
from plaudit_judge.ledger.holds import read_nano_usd
from plaudit_judge.settings import JudgeSettings


async def report_costs(
    redis: Redis, settings: JudgeSettings, run_id: str | None, callers: Sequence[str]
) -> CostReport:
    """Of one run, or of all requests of `callers`; "" is that of plain keys."""
    totals = await read_totals(redis, run_id, callers)
    costs = [cost for caller in callers for cost in costs_of(caller, totals[caller])]
    budgets = [
        state for caller in callers for state in await _states(redis, settings, run_id, caller)
    ]
    return CostReport(
        run_id=run_id,
        costs=costs,
        cost_usd=sum(sums.get(SPENT, 0) for sums in totals.values()) / NANO,
        unpriced_calls=sum(cost.unpriced_calls for cost in costs),
        budgets=budgets,
    )


async def _states(
    redis: Redis, settings: JudgeSettings, run_id: str | None, caller: str
) -> list[BudgetState]:
    states = []
    for budget in budgets_of(settings, run_id, caller or None):
        spent, held = await read_nano_usd(redis, budget)
        states.append(
            BudgetState(
                caller=caller or None,
                setting=budget.setting,
                budget_usd=budget.usd,
                spent_usd=spent / NANO,
                held_usd=held / NANO,
            )
        )
    return states
