"""Two answers to one prompt, as TRL and UltraFeedback write them, and answers with a label."""

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import DataRecipe
from plaudit_trainer.data.formats.chat import known_messages, text_or_messages
from plaudit_trainer.data.formats.convert import Dropped, make, row, user
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row


def preference(record: Record, recipe: DataRecipe) -> Preference | Dropped:
    """TRL's columns chosen and rejected, with a column prompt or with the prompt in both."""
    if isinstance(record.column("chosen"), str):
        return _of_texts(record)
    return _of_messages(record)


def ultrafeedback_preference(record: Record, recipe: DataRecipe) -> Preference | Dropped:
    """Columns of HuggingFaceH4/ultrafeedback_binarized; the margin is of the two scores.

    `chosen` and `rejected` begin with the prompt, which is there once more as a text.
    """
    chosen, rejected = known_messages(record, "chosen"), known_messages(record, "rejected")
    if isinstance(chosen, Dropped) or isinstance(rejected, Dropped):
        return Dropped("unknown_role")
    if not _answers_end(chosen, rejected):
        return Dropped("no_answer")
    if chosen[:-1] != rejected[:-1]:
        return Dropped("prompts_differ")
    if chosen[-1] == rejected[-1]:
        return Dropped("equal_answers")
    sides = {"chosen": chosen[-1].content, "rejected": rejected[-1].content}
    return make(Preference, record, prompt=chosen[:-1], margin=_margin(record), **sides)


def ultrafeedback_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    return row(record, "free", user(record.text("prompt")), {})


def ultrafeedback_conversation(record: Record, recipe: DataRecipe) -> Conversation | Dropped:
    """The chosen answer."""
    chosen = known_messages(record, "chosen")
    if isinstance(chosen, Dropped):
        return chosen
    if not _answers_end(chosen):
        return Dropped("no_answer")
    return make(Conversation, record, messages=chosen)


def labelled(record: Record, recipe: DataRecipe) -> Labelled | Dropped:
    """TRL's columns prompt, completion (texts or messages) and label."""
    prompt, completion = text_or_messages(record, "prompt"), record.column("completion")
    if not isinstance(completion, str):
        completion = _answer(record, "completion", record.messages("completion"))
    label = record.column("label")
    return make(Labelled, record, prompt=prompt, completion=completion, label=label)


def _of_texts(record: Record) -> Preference:
    chosen, rejected = record.text("chosen"), record.text("rejected")
    if "prompt" in record.values:
        prompt = text_or_messages(record, "prompt")
    else:
        start = _common_text(chosen, rejected)
        prompt, chosen, rejected = user(chosen[:start]), chosen[start:], rejected[start:]
    return _pair(record, prompt, chosen, rejected)


def _of_messages(record: Record) -> Preference:
    chosen, rejected = record.messages("chosen"), record.messages("rejected")
    if "prompt" in record.values:
        prompt = text_or_messages(record, "prompt")
    else:
        both = zip(chosen, rejected, strict=False)
        same = [a == b for a, b in both]
        prompt = chosen[: same.index(False) if False in same else max(len(same) - 1, 0)]
    sides = [("chosen", chosen), ("rejected", rejected)]
    texts = [_answer(record, name, _after(prompt, messages)) for name, messages in sides]
    return _pair(record, prompt, *texts)


def _pair(record: Record, prompt: list[Message], chosen: str, rejected: str) -> Preference:
    margin = record.values.get("margin", _margin(record))
    sides = {"chosen": chosen, "rejected": rejected}
    return make(Preference, record, prompt=prompt, margin=margin, **sides)


def _common_text(chosen: str, rejected: str) -> int:
    """Where the answers begin, as TRL's `extract_prompt` finds it: a space before stays theirs."""
    same = (a == b for a, b in zip(chosen, rejected, strict=False))
    end = next(
        (i for i, is_same in enumerate(same) if not is_same), min(len(chosen), len(rejected))
    )
    return end - 1 if end and chosen[end - 1] == " " else end


def _after(prompt: list[Message], messages: list[Message]) -> list[Message]:
    has_prompt = messages[: len(prompt)] == prompt
    return messages[len(prompt) :] if has_prompt else messages


def _answer(record: Record, name: str, messages: list[Message]) -> str:
    if [message.role for message in messages] != ["assistant"]:
        record.refuse(name, "after the prompt there must be one message of the assistant")
    return messages[0].content


def _answers_end(*sides: list[Message]) -> bool:
    return all(len(side) > 1 and side[-1].role == "assistant" for side in sides)


def _margin(record: Record) -> float | None:
    chosen, rejected = record.values.get("score_chosen"), record.values.get("score_rejected")
    if not isinstance(chosen, int | float) or not isinstance(rejected, int | float):
        return None
    return float(chosen) - float(rejected)
