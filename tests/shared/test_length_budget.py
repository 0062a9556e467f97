"""The words that ask for a length are those that the papers' models were trained on."""

import pytest

from plaudit.errors import ConfigError
from plaudit.length_budget import BudgetForm, BudgetStyle, with_length_budget
from plaudit.schemas.common import Message

SYSTEM = Message(role="system", content="Be right.")
USER = Message(role="user", content="What is 2 + 2?")
ANSWER = Message(role="assistant", content="4")
AGAIN = Message(role="user", content=r"Again, within \boxed{}.")


@pytest.mark.parametrize(
    ("style", "form", "system", "user"),
    [
        ("l1", "exact", "Be right.", r"Again, within \boxed{}. Think for 512 tokens."),
        ("l1", "max", "Be right.", r"Again, within \boxed{}. Think for maximum 512 tokens."),
        ("r1", "exact", "Be right. Think for 512 tokens.", AGAIN.content),
        ("r1", "max", "Be right. Think for a maximum of 512 tokens.", AGAIN.content),
    ],
)
def test_the_length_is_asked_for_once(
    style: BudgetStyle, form: BudgetForm, system: str, user: str
) -> None:
    asking = with_length_budget([SYSTEM, USER, ANSWER, AGAIN], 512, form, style)
    assert [message.content for message in asking] == [system, USER.content, "4", user]
    assert [message.role for message in asking] == ["system", "user", "assistant", "user"]


def test_space_and_full_stops_are_not_doubled() -> None:
    [tags] = with_length_budget([Message(role="system", content="</answer>\n")], 9, "exact", "r1")
    assert tags.content == "</answer>. Think for 9 tokens."
    [question] = with_length_budget([Message(role="user", content="Why?\n")], 9, "exact")
    assert question.content == "Why? Think for 9 tokens."


def test_the_prompt_itself_stays_as_it_is() -> None:
    prompt = [USER]
    with_length_budget(prompt, 512, "max")
    assert prompt == [USER]


@pytest.mark.parametrize(
    ("prompt", "num_tokens", "style", "problem"),
    [
        ([USER], 512, "r1", "the prompt has no system message"),
        ([SYSTEM], 512, "l1", "the prompt has no user message"),
        ([USER], 0, "l1", "num_tokens = 0 is not positive"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    prompt: list[Message], num_tokens: int, style: BudgetStyle, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        with_length_budget(prompt, num_tokens, "exact", style)
