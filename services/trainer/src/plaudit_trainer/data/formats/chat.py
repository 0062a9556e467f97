"""Lists of messages, as smol-smoltalk has them, and prompts alone."""

from typing import Any, get_args

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation
from plaudit.schemas.recipe import DataRecipe
from plaudit_trainer.data.formats.convert import Dropped, make, row, user
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row

_ROLES = get_args(Message.model_fields["role"].annotation)
_PLAIN = (str, int, float, bool, type(None))


def conversation(record: Record, recipe: DataRecipe) -> Conversation | Dropped:
    """Column messages."""
    messages = known_messages(record, "messages")
    if isinstance(messages, Dropped):
        return messages
    if recipe.single_turn and not _is_single_turn(messages):
        return Dropped("not_single_turn")
    if all(message.role != "assistant" for message in messages):
        return Dropped("no_answer")
    return make(Conversation, record, messages=messages)


def messages_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Column messages, without the answers at its end."""
    messages = known_messages(record, "messages")
    if isinstance(messages, Dropped):
        return messages
    if recipe.single_turn and not _is_single_turn(messages):
        return Dropped("not_single_turn")
    while messages and messages[-1].role == "assistant":
        messages.pop()
    return row(record, "free", messages, {}) if messages else Dropped("no_prompt")


def prompt_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Columns prompt (a text or messages), and what is there besides for the rewards."""
    taken = ("id", "kind", "prompt")
    reference = {name: value for name, value in record.values.items() if name not in taken}
    for name, value in reference.items():
        if not _is_plain(value):
            record.refuse(name, f"{type(value).__name__} cannot be sent to a reward")
    return row(record, "free", text_or_messages(record, "prompt"), reference)


def text_or_messages(record: Record, name: str) -> list[Message]:
    if isinstance(record.column(name), str):
        return user(record.text(name))
    return record.messages(name)


def known_messages(record: Record, name: str) -> list[Message] | Dropped:
    """Tools and what else a data set may know are left out as a whole row."""
    value = record.column(name)
    if isinstance(value, list):
        roles = [one.get("role") for one in value if isinstance(one, dict)]
        if any(role not in _ROLES for role in roles):
            return Dropped("unknown_role")
    return record.messages(name)


def _is_single_turn(messages: list[Message]) -> bool:
    return [message.role for message in messages] == ["user", "assistant"]


def _is_plain(value: Any) -> bool:
    """What JSON holds."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, _PLAIN)
