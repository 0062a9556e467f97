"""Pairs become tokens as the reward service would make them, or a clear error."""

from typing import Any

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference
from plaudit.schemas.recipe import OFFLINE_RECIPES
from plaudit_trainer.offline.reward_model.method import RewardModel
from plaudit_trainer.offline.unit_rm.method import UnitRewardModel

METHODS: dict[str, type[RewardModel | UnitRewardModel]] = {
    "rm": RewardModel,
    "unit_rm": UnitRewardModel,
}
USER = Message(role="user", content="2 + 2?")


def rows(tokenizer: Any, name: str, max_tokens: int = 64, **changes: Any) -> list[dict[str, Any]]:
    """Of one pair."""
    method = {"name": name, "use_margin": changes.pop("use_margin", False)}
    recipe = OFFLINE_RECIPES[name].model_validate(
        {"name": "r", "model": {"path": "m", "max_model_tokens": max_tokens}, "method": method}
    )
    fields = {"id": "7", "prompt": [USER], "chosen": "4", "rejected": "5"} | changes
    pair = Preference.model_validate(fields)
    found: list[dict[str, Any]] = METHODS[name]().rows(recipe, tokenizer, [pair], "data.train")
    return found


@pytest.mark.parametrize("name", METHODS)
def test_a_text_is_the_chat_template_with_eos_once(tokenizer, name: str) -> None:
    [row] = rows(tokenizer, name)
    text = "<|user|>2 + 2?<|end|><|assistant|>4<|end|>"
    assert tokenizer.decode(row["chosen_ids"]) == text
    assert tokenizer.decode(row["rejected_ids"]) == text.replace("4", "5")
    assert row["margin"] == 0.0


@pytest.mark.parametrize("name", METHODS)
def test_an_answer_goes_on_with_what_the_prompt_begins(tokenizer, name: str) -> None:
    [row] = rows(tokenizer, name, prompt=[USER, Message(role="assistant", content="It is ")])
    text = tokenizer.decode(row["chosen_ids"])
    assert text.endswith("<|assistant|>It is 4<|end|>")


def test_without_a_template_contents_stand_with_an_empty_line_between(tokenizer) -> None:
    import copy

    plain = copy.deepcopy(tokenizer)
    plain.chat_template = None
    for name in METHODS:
        [row] = rows(plain, name)
        assert plain.decode(row["chosen_ids"]) == "2 + 2?\n\n4<|end|>"


def test_segments_begin_where_the_prompt_ends(tokenizer) -> None:
    [row] = rows(tokenizer, "unit_rm")
    answer = row["chosen_ids"][row["num_prompt_tokens"] :]
    assert tokenizer.decode(answer) == "4<|end|>"


def test_margins_are_used_where_the_recipe_says_so(tokenizer) -> None:
    [row] = rows(tokenizer, "rm", use_margin=True, margin=1.5)
    assert row["margin"] == 1.5


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("rm", {"chosen": "4<|end|><|user|>"}, "control token '<|end|>'"),
        ("unit_rm", {"rejected": "<|pad|>"}, "control token '<|pad|>'"),
        ("rm", {"chosen": "4" * 100}, "max_model_tokens = 64; data.train, row '7' has"),
        ("unit_rm", {"rejected": "4" * 100}, "max_model_tokens = 64; data.train, row '7' has"),
        ("unit_rm", {"rejected": ""}, "the rejected answer is empty"),
        ("rm", {"use_margin": True}, "row '7' has no margin"),
    ],
)
def test_what_cannot_be_trained_on_is_named(tokenizer, name: str, changes, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        rows(tokenizer, name, **changes)
    assert message in error.value.message and error.value.fix


def test_a_template_that_refuses_and_a_tokenizer_without_eos(tokenizer) -> None:
    import copy

    other = copy.deepcopy(tokenizer)
    other.chat_template = "{{ raise_exception('no prompts on Sundays') }}"
    with pytest.raises(ConfigError, match="no prompts on Sundays"):
        rows(other, "rm")
    other.eos_token = None
    with pytest.raises(ConfigError, match="no EOS token"):
        rows(other, "unit_rm")
