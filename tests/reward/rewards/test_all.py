"""What holds for every reward of the registry, those that are yet to be written included."""

import json
from typing import Any

import pytest

from plaudit.schemas.reward import TOKEN_REWARDS, Answer, RewardGroup
from plaudit_reward.registry import load_registry
from plaudit_reward.wire import TokenValues

NAMES = sorted(load_registry().rewards)


@pytest.mark.parametrize("name", NAMES)
async def test_gives_the_published_values(score: Any, name: str) -> None:
    vectors = load_registry().rewards[name].vectors
    assert vectors, "a reward needs at least one vector"
    for vector in vectors:
        values = await score(name, vector.group(), **vector.params)
        found = [
            None if isinstance(value, str) else pytest.approx(_number(value)) for value in values
        ]
        assert list(vector.expected) == found, vector
        tokens = [value.tokens for value in values if isinstance(value, TokenValues)]
        assert tokens == [pytest.approx(list(one)) for one in vector.expected_tokens]


def test_trainers_know_which_rewards_look_at_tokens() -> None:
    rewards = load_registry().rewards.values()
    assert {
        one.name for one in rewards if any(vector.token_ids for vector in one.vectors)
    } == TOKEN_REWARDS


@pytest.mark.parametrize("name", NAMES)
def test_is_documented(name: str) -> None:
    reward = load_registry().rewards[name]
    assert len(reward.description) > 60
    assert len(reward.source) > 10
    schema = json.dumps(reward.params.model_json_schema())
    for field in reward.params.model_fields:
        assert field in schema


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    ["", "\0", "\ud800", "{" * 100_000, "a " * 200_000, "```python\n" * 9999],
    ids=["empty", "nul", "surrogate", "braces", "words", "fences"],
)
async def test_strange_texts_get_a_value_or_a_reason(score: Any, name: str, text: str) -> None:
    reference = {"answer": "4", "tests": [{"stdin": "", "stdout": "4"}]}
    group = RewardGroup.model_construct(
        group_id="g",
        prompt=[],
        completions=[_answer(text), _answer("4")],
        reference=reference,
    )
    values = await score(name, group)
    assert len(values) == 2
    assert all(value for value in values if not isinstance(value, float))


@pytest.mark.parametrize(
    "name",
    ["accuracy", "choice", "code", "correctness", "exact_match", "extractive_match", "length"],
)
async def test_a_missing_reference_is_null_with_that_reason(
    score: Any, group: Any, name: str
) -> None:
    what = "reference.tests" if name == "code" else "reference.answer"
    values = await score(name, group("4", "5", tokens=[1, 2]))
    assert values == [f"{what} is missing"] * 2


async def test_a_text_over_the_limit_is_null_for_every_reward(score: Any, group: Any) -> None:
    for name in NAMES:
        [value] = await score(name, group("x" * (2**20 + 1), answer="4"))
        assert "over max_text_chars" in value


@pytest.mark.parametrize("answer", [18, 18.0, " 18 ", "18"])
async def test_a_numeric_reference_counts(score: Any, group: Any, answer: Any) -> None:
    assert await score("accuracy", group("18", "19", answer=answer)) == [1.0, 0.0]


@pytest.mark.parametrize("answer", ["", "  ", None, True, [], {}])
async def test_a_reference_that_is_none_is_missing(score: Any, group: Any, answer: Any) -> None:
    assert await score("accuracy", group("18", answer=answer)) == ["reference.answer is missing"]


def _answer(text: str) -> Any:
    tokens = [7] * 5
    return Answer.model_construct(text=text, num_tokens=5, token_ids=tokens, finish_reason="stop")


def _number(value: float | TokenValues) -> float:
    return value.value if isinstance(value, TokenValues) else value
