"""Which budgets a request is under, and what it is told when there is no room."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from plaudit.errors import BudgetExceeded, Rejected
from plaudit.schemas.common import Message
from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit_judge.ledger.budgets import Budgets, budgets_of, paid_models
from plaudit_judge.rubric_files import load_rubrics
from plaudit_judge.settings import JudgeSettings

from .calls import ENDPOINT, RULE, settings

PRICES = {"m": {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0}}
RUBRICS = load_rubrics()
PAIR: dict[str, Any] = {"prompt": [Message(role="user", content="q")], "a": "1", "b": "2"}


def pair(judge: str = "local", run_id: str | None = "r") -> PairwiseRequest:
    return PairwiseRequest(judge=judge, run_id=run_id, **PAIR)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "acme").write_text("the-key-of-acme")
    return {"acme": {"api_key_file": str(tmp_path / "acme"), "budget_usd": 3.0}}


def names(settings: JudgeSettings, run_id: str | None, caller: str | None) -> list[str]:
    return [budget.setting for budget in budgets_of(settings, run_id, caller)]


def test_a_run_has_its_own_budget_or_that_of_every_run(keys: dict[str, Any]) -> None:
    both = settings(run_budget_usd=1.0, budgets={"r": 2.0}, keys=keys)
    assert names(both, "r", None) == ["budgets.r"]
    assert names(both, "other", None) == ["run_budget_usd"]
    assert names(both, "r", "acme") == ["budgets.r", "keys.acme.budget_usd"]
    assert names(both, None, "acme") == ["keys.acme.budget_usd"]
    assert names(both, None, None) == []
    assert names(settings(), "r", None) == []


def test_one_key_cannot_use_up_the_budget_of_anothers_run() -> None:
    of_run = settings(run_budget_usd=1.0)
    costs = [budgets_of(of_run, "r", caller)[0].costs for caller in (None, "acme", "zeta")]
    assert len(set(costs)) == 3


async def test_a_refusal_names_the_budget_what_is_spent_and_what_to_do(redis: Redis) -> None:
    budgets = Budgets(settings(run_budget_usd=0.01, prices=PRICES), redis, RUBRICS)
    hold = budgets.hold_for("1", pair(), None)
    assert hold is not None
    with pytest.raises(BudgetExceeded) as caught:
        await budgets.take(hold)
    assert "run_budget_usd = 0.01, spent 0, held for requests in progress 0" in str(caught.value)
    assert "raise run_budget_usd" in str(caught.value)
    assert (caught.value.status, caught.value.retryable) == (402, False)


def test_under_a_budget_a_model_without_a_price_is_refused(redis: Redis) -> None:
    budgets = Budgets(settings(run_budget_usd=1.0), redis, RUBRICS)
    with pytest.raises(Rejected, match=r'a table \[judge\.prices\."m"\]'):
        budgets.hold_for("1", pair(), None)
    assert budgets.hold_for("1", pair(run_id=None), None) is None


@pytest.mark.parametrize("judge", ["rule", "self"])
def test_a_judge_that_costs_nothing_is_under_no_budget(redis: Redis, judge: str) -> None:
    budgets = Budgets(settings(run_budget_usd=0.001), redis, RUBRICS)
    assert budgets.hold_for("1", pair(judge), None) is None


def test_a_jury_costs_what_its_paid_members_cost() -> None:
    panel = {"kind": "jury", "judges": ["local", "rule", "other"]}
    judges = {"local": ENDPOINT, "other": ENDPOINT | {"model": "n"}, "rule": RULE, "panel": panel}
    assert paid_models(settings(judges=judges), "panel") == [("local", "m"), ("other", "n")]


def test_a_group_of_one_costs_nothing(redis: Redis) -> None:
    budgets = Budgets(settings(run_budget_usd=0.001, prices=PRICES), redis, RUBRICS)
    request = TournamentRequest(prompt=PAIR["prompt"], responses=["1"], judge="local", run_id="r")
    assert budgets.hold_for("1", request, None) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"run_budget_usd": 0.0},
        {"run_budget_usd": float("nan")},
        {"budgets": {"r": -1.0}},
        {"prices": {"m": {"input_usd_per_mtok": 1.0}}},
        {"prices": {"m": {"input_usd_per_mtok": -1.0, "output_usd_per_mtok": 1.0}}},
        {"prices": {"m": {"input_usd_per_mtok": float("inf"), "output_usd_per_mtok": 1.0}}},
        {"verdicts": {"max_bytes": 100}},
        {"costs": {"max_runs": 0}},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**fields)
