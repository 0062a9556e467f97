"""Messages as the model's chat template writes them, and how many tokens that is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit_trainer.data.row import Row

Tokenizer = Any
"""Of transformers, which has no types."""


def load_tokenizer(path: str) -> Tokenizer:
    from transformers import AutoTokenizer

    with loading(path, "tokenizer"):
        return AutoTokenizer.from_pretrained(path)


@contextmanager
def loading(path: str, what: str) -> Iterator[None]:
    """What transformers raises, as a ConfigError that names the setting."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {path!r}: the {what} cannot be loaded ({first_line(error)}).",
            fix="give a model directory, a hub id that can be reached, or 'seed'",
        ) from error


def render(
    tokenizer: Tokenizer, messages: Sequence[Message], place: str, *, is_prompt: bool
) -> str:
    """`is_prompt`: the assistant's turn begins at its end. Raises ConfigError naming `place`."""
    from jinja2 import TemplateError

    plain = [message.model_dump() for message in messages]
    try:
        return str(
            tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=is_prompt)
        )
    except (TemplateError, ValueError) as error:
        raise ConfigError(
            f"model.path = {tokenizer.name_or_path!r}: its chat template does not take the prompt "
            f"of {place} ({first_line(error)}).",
            fix="give a model with a chat template, or change the roles of that prompt "
            "(data.system_prompt puts one of the role 'system' first)",
        ) from error


def token_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Of a rendered text, which has its special tokens in it."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def sequences(example: Row | Conversation | Preference | Labelled) -> list[list[Message]]:
    """What the model is given: a prompt, a conversation, or a prompt with each of its answers."""
    match example:
        case Row():
            return [example.prompt]
        case Conversation():
            return [example.messages]
        case Preference():
            answers = [example.chosen, example.rejected]
        case Labelled():
            answers = [example.completion]
    return [[*example.prompt, Message(role="assistant", content=text)] for text in answers]


def num_tokens(
    tokenizer: Tokenizer, example: Row | Conversation | Preference | Labelled, place: str
) -> int:
    """Of its longest sequence."""
    is_prompt = isinstance(example, Row)
    texts = [render(tokenizer, one, place, is_prompt=is_prompt) for one in sequences(example)]
    return max(len(token_ids(tokenizer, text)) for text in texts)


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
