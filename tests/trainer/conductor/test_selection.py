"""Solved and hopeless prompts are passed over, counted, and never forgotten."""

import asyncio

import pytest
from pydantic import ValidationError

from plaudit.schemas.recipe import EvalRecipe, Recipe, SelectionRecipe
from plaudit.schemas.reward import CompletionScore
from plaudit_trainer.conductor.admission import admit_forever, submit
from plaudit_trainer.conductor.selection import Selection, share_of_turns, success_rate

BY_KIND = {"math": "accuracy"}


def recipe_with(**selection: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "rewards": [{"name": "accuracy"}],
            "eval": {"reward_by_kind": BY_KIND},
            "pipeline": {"selection": selection},
        }
    )


def scores(*values: float | None) -> list[CompletionScore]:
    return [CompletionScore(total=value, rewards={"accuracy": value}) for value in values]


def turns(selection: Selection, row_id: str, num: int = 2000) -> float:
    return sum(selection.takes(f"0/{position}/0", row_id) for position in range(num)) / num


@pytest.mark.parametrize(
    ("rate", "by", "share"),
    [
        (0.0, "unsolved", 0.1),
        (0.01, "unsolved", 1.0),
        (0.99, "unsolved", 1.0),
        (1.0, "unsolved", 0.1),
        (0.0, "learnability", 0.1),
        (0.25, "learnability", 0.75),
        (0.5, "learnability", 1.0),
        (1.0, "learnability", 0.1),
    ],
)
def test_the_share_of_turns_follows_the_success_rate_and_keeps_the_floor(rate, by, share):
    assert share_of_turns(rate, SelectionRecipe(by=by)) == pytest.approx(share)


def test_success_is_the_share_of_correct_completions_among_the_known():
    recipe = EvalRecipe(reward_by_kind=BY_KIND, correct_at=1.0)
    assert success_rate("math", scores(1.0, 0.5, None, 1.0), recipe) == pytest.approx(2 / 3)
    assert success_rate("math", scores(None, None), recipe) is None
    assert success_rate("poem", scores(1.0), recipe) is None


def test_a_row_that_nobody_tried_and_one_of_another_kind_get_every_turn():
    selection = Selection(recipe_with(by="unsolved"))
    assert selection.learn("a", "poem", scores(0.0)) is None
    assert turns(selection, "a") == turns(selection, "new") == 1.0


def test_a_solved_prompt_gets_the_floor_and_a_later_failure_brings_it_back():
    selection = Selection(recipe_with(by="unsolved", floor=0.25))
    assert selection.learn("a", "math", scores(1.0, 1.0)) == 1.0
    assert turns(selection, "a") == pytest.approx(0.25, abs=0.03)
    assert selection.learn("a", "math", scores(1.0, 0.0)) == 0.5
    assert turns(selection, "a") == 1.0


def test_memory_averages_over_groups():
    selection = Selection(recipe_with(by="learnability", memory=0.5))
    rates = [selection.learn("a", "math", scores(value)) for value in (1.0, 0.0, 0.0)]
    assert rates == [1.0, 0.5, 0.25]


def test_counts_say_how_many_prompts_are_done():
    selection = Selection(recipe_with(by="unsolved"))
    for row_id, values in {"a": (1.0,), "b": (0.0,), "c": (0.0, 1.0), "d": (1.0, 1.0)}.items():
        selection.learn(row_id, "math", scores(*values))
    assert selection.counts() == {"solved": 2, "hopeless": 1, "between": 1}


def test_a_choice_is_the_same_after_a_restart():
    before, after = Selection(recipe_with(by="unsolved")), Selection(recipe_with(by="unsolved"))
    before.learn("a", "math", scores(1.0))
    after.restore({"a": 1.0})
    ids = [f"0/{position}/0" for position in range(200)]
    assert [before.takes(i, "a") for i in ids] == [after.takes(i, "a") for i in ids]


def test_selection_needs_to_know_what_is_correct():
    with pytest.raises(ValidationError, match=r"eval\.reward_by_kind"):
        Recipe.model_validate(
            {
                "name": "t",
                "rewards": [{"name": "accuracy"}],
                "pipeline": {"selection": {"by": "unsolved"}},
            }
        )


def test_thresholds_that_leave_nothing_between_are_refused():
    with pytest.raises(ValidationError, match="not under solved_at"):
        SelectionRecipe(solved_at=0.5, hopeless_at=0.5)


async def test_prompts_that_are_passed_over_are_in_the_ledger_and_others_take_their_room(
    conductors, rollouts, until
):
    context = conductors(
        pipeline={"max_staleness": 0, "selection": {"by": "unsolved", "floor": 1e-6}},
        eval={"reward_by_kind": {"k": "accuracy"}},
    )
    solved = {row.id for row in context.rows[1:]}
    for row_id in solved:
        await context.ledger.set_success_rate(row_id, 1.0)
    context.served_step = 0
    loop = asyncio.create_task(admit_forever(context))
    await until(lambda: len(rollouts.submitted) >= 2)
    context.stopping.set()
    await loop
    assert {context.row(group).id for group in rollouts.submitted} == {context.rows[0].id}
    counts = await context.ledger.counts()
    assert counts.dropped["passed_over"] >= len(solved)
    assert counts.admitted == counts.dropped["passed_over"] + counts.in_flight


async def test_a_scored_group_tells_how_often_its_prompt_is_solved(conductors, arrive, until):
    by_kind = {"reward_by_kind": {"math": "accuracy"}}
    context = conductors(pipeline={"selection": {"by": "unsolved"}}, eval=by_kind)
    groups = await context.ledger.admit(max_live=2, num_rows=5)
    await submit(context, groups)
    arrive(context)
    rows = {context.row(group).id: 1.0 for group in groups}

    async def known():
        return await context.ledger.success_rates() == rows

    await until(known)
    assert context.selection.counts() == {"solved": 2}
