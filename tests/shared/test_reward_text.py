"""What a reward model reads."""

import pytest

from plaudit.reward_text import answered, joined, with_eos
from plaudit.schemas.common import Message

QUESTION = Message(role="user", content="2 + 2?")


def test_an_answer_is_the_assistants_message() -> None:
    found = answered([QUESTION], "4")
    assert found == [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "4"},
    ]
    assert joined(found) == "2 + 2?\n\n4"


def test_an_answer_goes_on_with_what_the_prompt_has_begun() -> None:
    begun = Message(role="assistant", content="It is ")
    assert answered([QUESTION, begun], "4")[1:] == [{"role": "assistant", "content": "It is 4"}]


@pytest.mark.parametrize(
    ("text", "ended"),
    [("4", "4<e>"), ("4<e>", "4<e>"), ("4<e>\n", "4<e>"), ("4\n\n", "4<e>"), ("", "<e>")],
)
def test_a_text_ends_with_eos_once(text: str, ended: str) -> None:
    assert with_eos(text, "<e>") == ended
