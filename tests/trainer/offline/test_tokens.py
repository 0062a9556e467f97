"""Which tokens are learned, whatever the chat template."""

import copy

import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit_trainer.offline.tokens import encode_answer, encode_conversation

TALK = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="2+2?"),
    Message(role="assistant", content="4, né?"),
    Message(role="user", content="3+3?"),
    Message(role="assistant", content="<think>hm</think>6"),
]
NEWLINES = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MARKED = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
DROPS_THOUGHTS = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{{ m.content if loop.last else m.content.split('</think>')[-1] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
HIDES_THE_PROMPT = (
    "{% if add_generation_prompt %}Q:{{ messages[-1].content }} A:{% else %}"
    "{{ messages[-1].content }}{% endif %}"
)


@pytest.fixture
def with_template(tokenizer):
    def make(template: str):
        changed = copy.deepcopy(tokenizer)
        changed.chat_template = template
        return changed

    return make


def learned_texts(tokenizer, encoded) -> list[str]:
    """The runs of learned tokens, as text."""
    texts: list[list[int]] = [[]]
    for token, is_learned in zip(encoded.ids, encoded.learned, strict=True):
        if is_learned:
            texts[-1].append(token)
        elif texts[-1]:
            texts.append([])
    return [tokenizer.decode(ids) for ids in texts if ids]


def test_every_turn_of_the_assistant_is_learned_up_to_the_token_that_ends_it(with_template):
    tokenizer = with_template(NEWLINES)
    (encoded,) = encode_conversation(tokenizer, TALK, "row 'a'", 200)
    assert learned_texts(tokenizer, encoded) == ["4, né?<|end|>", "<think>hm</think>6<|end|>"]
    assert encoded.learned[-1]


def test_what_is_learned_is_what_a_template_marks_where_it_marks_it(with_template):
    tokenizer = with_template(MARKED)
    (encoded,) = encode_conversation(tokenizer, TALK, "row 'a'", 200)
    marked = tokenizer.apply_chat_template(
        [m.model_dump() for m in TALK],
        tokenize=True, return_dict=True, return_assistant_tokens_mask=True,
    )  # fmt: skip
    length = len(encoded.ids)
    assert encoded.ids == marked["input_ids"][:length]
    assert encoded.learned == [bool(one) for one in marked["assistant_masks"][:length]]
    assert not any(marked["assistant_masks"][length:])


def test_what_follows_the_last_answer_is_left_out(tokenizer):
    whole = encode_conversation(tokenizer, TALK, "row 'a'", 200)
    longer = [*TALK, Message(role="user", content="Thanks.")]
    assert encode_conversation(tokenizer, longer, "row 'a'", 200) == whole


def test_a_template_that_renders_past_turns_otherwise_gives_one_sequence_for_each(with_template):
    tokenizer = with_template(DROPS_THOUGHTS)
    talk = [TALK[1], TALK[4], TALK[3], TALK[4]]
    first, second = encode_conversation(tokenizer, talk, "row 'a'", 200)
    assert learned_texts(tokenizer, first) == ["<think>hm</think>6<|end|>"]
    assert learned_texts(tokenizer, second) == ["<think>hm</think>6<|end|>"]
    assert "<|assistant|>6<|end|>" in tokenizer.decode(second.ids)


def test_an_answer_follows_just_what_the_model_is_given_when_it_answers(tokenizer):
    encoded = encode_answer(tokenizer, TALK[:2], "4", "row 'a'", 200)
    prompt = tokenizer.apply_chat_template(
        [m.model_dump() for m in TALK[:2]], tokenize=False, add_generation_prompt=True
    )
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert encoded.ids[: encoded.learned.index(True)] == prompt_ids
    assert learned_texts(tokenizer, encoded) == ["4<|end|>"]


def test_an_answer_that_cannot_be_told_from_its_prompt_is_refused(with_template):
    with pytest.raises(ConfigError, match="row 'a': the chat template renders the prompt"):
        encode_answer(with_template(HIDES_THE_PROMPT), TALK[:2], "4", "row 'a'", 200)


def test_a_row_that_is_too_long_is_refused_by_its_setting(tokenizer):
    with pytest.raises(ConfigError, match=r"model.max_model_tokens = 10; row 'a' has \d+ tokens"):
        encode_answer(tokenizer, TALK[:2], "4", "row 'a'", 10)
