"""`voting`: the majority of one group, and nothing where there is none."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.reward import Missing, Score
from plaudit_reward.rewards.voting import VotingParams, voting

HOSTILE = r"\boxed{10^{10^{10}}}"


async def test_equal_answers_vote_together(score: Any, group: Any) -> None:
    asked = group("3", "3", r"\boxed{\frac{1}{2}}", "0.5", "It is 1/2")
    assert await score("voting", asked) == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert await score("voting", asked, equality="text") == [1.0, 1.0, 0.0, 0.0, 0.0]


async def test_the_reference_has_no_say(score: Any, group: Any) -> None:
    assert await score("voting", group("5", "5", "4", answer="4")) == [1.0, 1.0, 0.0]


async def test_the_first_of_a_tie_is_the_one_given_first(score: Any, group: Any) -> None:
    asked = group("0.5", "3", "3.0", "1/2", "3", "0.50")
    assert await score("voting", asked) == [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]


async def test_a_tie_of_none_is_null(score: Any, group: Any) -> None:
    reason = "2 answers have the most votes, 2 each"
    asked = group("4", "5", "4", "5", "6")
    assert await score("voting", asked, tie="none") == [reason] * 5


async def test_a_draw_depends_on_seed_and_group_only(score: Any) -> None:
    answers = [Answer(text="4"), Answer(text="5")]
    drawn = Counter[float]()
    for number in range(20):
        asked = RewardGroup(group_id=str(number), prompt=[], completions=answers)
        values = await score("voting", asked, tie="random", seed=1)
        assert values == await score("voting", asked, tie="random", seed=1)
        assert sorted(values) == [0.0, 1.0]
        drawn[values[0]] += 1
    assert min(drawn[0.0], drawn[1.0]) > 2


async def test_what_cannot_be_compared_is_null_and_costs_the_others_nothing(
    score: Any, group: Any
) -> None:
    *others, undecided = await score("voting", group("4", "4.0", "5", HOSTILE))
    assert others == [1.0, 1.0, 0.0]
    assert "exponent" in undecided


async def test_a_majority_that_cannot_be_compared_is_one_of_texts(score: Any, group: Any) -> None:
    same, again, other, name = await score("voting", group(HOSTILE, HOSTILE, "5", "<answer>me"))
    assert (same, again, name) == (1.0, 1.0, 0.0)
    assert other.startswith("not compared with the majority's '10^{10^{10}}': ")


async def test_names_are_not_products_of_letters(score: Any, group: Any) -> None:
    assert await score("voting", group(r"\boxed{acts}", r"\boxed{cats}", r"\boxed{Acts}")) == [
        1,
        0,
        1,
    ]


async def test_nobody_to_vote_with_or_for_is_null(score: Any, group: Any) -> None:
    assert await score("voting", group("4")) == ["one completion alone has no majority"]
    assert await score("voting", group("", "?")) == ["no completion of the group has an answer"] * 2


class Modulo:
    """Stands in for Math-Verify: numbers are equal when they are the same modulo 3."""

    async def verify(self, gold: str, answers: Sequence[str], extract: str) -> list[Score]:
        numbers = [int(answer.removeprefix("\\boxed{").removesuffix("}")) for answer in answers]
        return [float((number - int(gold)) % 3 == 0) for number in numbers]


@given(st.lists(st.integers(0, 12), min_size=2, max_size=16))
async def test_wins_what_a_full_count_finds(numbers: list[int]) -> None:
    votes = Counter(number % 3 for number in numbers)
    majority = max(votes, key=lambda one: votes[one])
    completions = [Answer(text=str(number)) for number in numbers]
    asked = RewardGroup(group_id="g", prompt=[], completions=completions)
    values = await voting(asked, VotingParams(), Modulo())  # type: ignore[arg-type]
    assert values == [float(number % 3 == majority) for number in numbers]


class Away:
    """Stands in for a verifier that is down."""

    async def verify(self, gold: str, answers: Sequence[str], extract: str) -> list[Score]:
        return [Missing("the verifier process died", retryable=True)] * len(answers)


async def test_a_verifier_that_is_down_is_null_and_retryable(group: Any) -> None:
    values = await voting(group("4", "5", "<answer>me"), VotingParams(), Away())  # type: ignore[arg-type]
    assert values == [Missing("the verifier process died", retryable=True)] * 3
