"""Messages to token ids, and which of them the assistant wrote, whatever the chat template.

A template need not mark its generations: the rendering up to a turn is compared with the whole.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit_trainer.data.rendering import render


class Encoded(NamedTuple):
    """`learned[i]`: whether the assistant wrote token i. It ends with what ends a turn."""

    ids: list[int]
    learned: list[bool]


class _TurnsDiffer(Exception):
    """A template renders a turn otherwise once others follow."""


def encode_conversation(
    tokenizer: Any, messages: Sequence[Message], place: str, max_tokens: int
) -> list[Encoded]:
    """Every turn of the assistant is learned.

    One sequence; where the template renders past turns otherwise (Qwen3 drops their thoughts), one
    for each turn, as the model sees it when it answers. Raises ConfigError naming `place`.
    """
    turns = [i for i, message in enumerate(messages) if message.role == "assistant"]
    try:
        encoded = [_encode(tokenizer, messages[: turns[-1] + 1], turns, place)]
    except _TurnsDiffer:
        encoded = [_encode_turn(tokenizer, messages[: i + 1], place) for i in turns]
    for one in encoded:
        _check_length(one, place, max_tokens)
    return encoded


def encode_answer(
    tokenizer: Any, prompt: Sequence[Message], answer: str, place: str, max_tokens: int
) -> Encoded:
    """A prompt with one answer, which alone is learned. Raises ConfigError naming `place`."""
    messages = [*prompt, Message(role="assistant", content=answer)]
    encoded = _encode_turn(tokenizer, messages, place)
    _check_length(encoded, place, max_tokens)
    return encoded


def _encode_turn(tokenizer: Any, messages: Sequence[Message], place: str) -> Encoded:
    try:
        return _encode(tokenizer, messages, [len(messages) - 1], place)
    except _TurnsDiffer as error:
        raise ConfigError(
            f"{place}: the chat template renders the prompt otherwise once it is answered, so that "
            "the answer cannot be told from it.",
            fix="give a model whose template renders a prompt the same with and without an answer",
        ) from error


def _encode(
    tokenizer: Any, messages: Sequence[Message], turns: Sequence[int], place: str
) -> Encoded:
    whole = render(tokenizer, messages, place, is_prompt=False)
    spans = [_span(tokenizer, messages, turn, whole, place) for turn in turns]
    tokens = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = tokens["input_ids"], tokens["offset_mapping"]
    learned = [False] * len(ids)
    for low, high in spans:
        for i, (start, _) in enumerate(offsets):
            if low <= start < high:
                learned[i] = True
                # A template may write a newline after this one; no model ever does.
                if ids[i] == tokenizer.eos_token_id:
                    break
    end = max((i + 1 for i, is_learned in enumerate(learned) if is_learned), default=0)
    return Encoded(ids[:end], learned[:end])


def _span(
    tokenizer: Any, messages: Sequence[Message], turn: int, whole: str, place: str
) -> tuple[int, int]:
    """Where in the text that turn is. Raises _TurnsDiffer."""
    before = render(tokenizer, messages[:turn], place, is_prompt=True)
    after = render(tokenizer, messages[: turn + 1], place, is_prompt=False)
    if not (after.startswith(before) and whole.startswith(after)):
        raise _TurnsDiffer
    return len(before), len(after)


def _check_length(encoded: Encoded, place: str, max_tokens: int) -> None:
    if len(encoded.ids) > max_tokens:
        raise ConfigError(
            f"model.max_model_tokens = {max_tokens}; {place} has {len(encoded.ids)} tokens.",
            fix="raise it, or drop that row",
        )
