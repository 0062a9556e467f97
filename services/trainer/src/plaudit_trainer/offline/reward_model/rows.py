"""Pairs as token ids, chat template and EOS as in the reward service."""

from collections.abc import Sequence
from typing import Any

from plaudit.errors import ConfigError
from plaudit.reward_text import answered, joined, with_eos
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference


def encode_text(tokenizer: Any, prompt: Sequence[Message], answer: str, place: str) -> list[int]:
    """The conversation, with EOS at its end. Raises ConfigError naming `place`."""
    check_answer(tokenizer, answer, place)
    messages = answered(prompt, answer)
    if tokenizer.chat_template is None:
        return _ids(tokenizer, with_eos(joined(messages), tokenizer.eos_token), special=True)
    text = rendered(tokenizer, messages, place)
    return _ids(tokenizer, with_eos(text, tokenizer.eos_token), special=False)


def encode_prompt(tokenizer: Any, prompt: Sequence[Message], place: str) -> list[int]:
    """What the policy goes on from. Raises ConfigError naming `place`."""
    messages = [message.model_dump() for message in prompt]
    if tokenizer.chat_template is None:
        return _ids(tokenizer, joined(answered(prompt, "")), special=True)
    goes_on = prompt[-1].role == "assistant"
    options = {"add_generation_prompt": not goes_on, "continue_final_message": goes_on}
    return _ids(tokenizer, rendered(tokenizer, messages, place, **options), special=False)


def rendered(tokenizer: Any, messages: list[dict[str, str]], place: str, **options: bool) -> str:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, **options))
    except (TemplateError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{place}: the model's chat template does not take it ({first}).",
            fix="change the roles of that row, or give a model with another template",
        ) from error


def check_answer(tokenizer: Any, answer: str, place: str) -> None:
    """The reward service gives no reward to a text that has a special token written out."""
    added = tokenizer.added_tokens_decoder.values()
    found = next((one.content for one in added if one.special and one.content in answer), None)
    if found is not None:
        raise ConfigError(
            f"{place}: an answer holds the model's control token {found!r}.",
            fix="take it out, or drop that row",
        )


def check_length(ids: Sequence[int], limit: int, place: str) -> None:
    if len(ids) > limit:
        raise ConfigError(
            f"model.max_model_tokens = {limit}; {place} has {len(ids)} tokens.",
            fix="raise it, or drop that row",
        )


def check_eos(tokenizer: Any, path: str) -> None:
    """Rewards are read at EOS. Raises ConfigError where there is none."""
    if tokenizer.eos_token is None:
        raise ConfigError(
            f"model.path = {path!r}: its tokenizer has no EOS token, where rewards are read.",
            fix="set eos_token in its tokenizer_config.json",
        )


def margin_of(pair: Preference, use_margin: bool, place: str) -> float:
    """0 unless margins are used. Raises ConfigError where one is missing."""
    if not use_margin:
        return 0.0
    if pair.margin is None:
        raise ConfigError(f"{place} has no margin.", fix="add it, or set method.use_margin = false")
    return pair.margin


def _ids(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    """A chat template brings its own special tokens."""
    return list(tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"])
