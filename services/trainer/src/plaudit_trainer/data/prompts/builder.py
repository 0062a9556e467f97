"""The prompt that a recipe asks for, from the one that a row has."""

import random
from collections.abc import Sequence

from jinja2 import Template

from plaudit.data_names import is_template_file
from plaudit.errors import ConfigError
from plaudit.length_budget import with_length_budget
from plaudit.schemas.common import Message
from plaudit.schemas.recipe import DataRecipe, LengthBudgetRecipe
from plaudit_trainer.data.prompts.templates import (
    compiled,
    read_file,
    render,
    shipped,
    shipped_names,
)
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row


class PromptBuilder:
    """Raises ConfigError for templates that cannot be read."""

    def __init__(self, recipe: DataRecipe) -> None:
        self._system = _system_template(recipe.system_prompt)
        self._last_system = Message(role="system", content="")
        self._template = _prompt_template(recipe.prompt_template)
        self._budget = recipe.length_budget

    def built(self, record: Record, messages: Sequence[Message]) -> list[Message]:
        """The user's message by the template, behind the system prompt.

        Of a conversation it is the first one, which begins it; of a prompt the last.
        """
        return self._with_system(record, self._with_template(record, list(messages)))

    def with_budget(self, row: Row, record: Record) -> Row:
        return row if self._budget is None else _with_budget(row, record, self._budget)

    def _with_template(self, record: Record, messages: list[Message]) -> list[Message]:
        if self._template is None:
            return messages
        users = [i for i, message in enumerate(messages) if message.role == "user"]
        if not users:
            raise ConfigError(
                f"{record.place}: data.prompt_template: the row has no user message.",
                fix="leave it out, or give rows that have one",
            )
        is_answered = any(message.role == "assistant" for message in messages)
        at = users[0 if is_answered else -1]
        values = record.values | {"prompt": messages[at].content}
        text = render(self._template, "data.prompt_template", record.place, values)
        messages[at] = Message(role="user", content=text)
        return messages

    def _with_system(self, record: Record, messages: list[Message]) -> list[Message]:
        if self._system is None or (messages and messages[0].role == "system"):
            return messages
        if isinstance(self._system, Message):
            return [self._system, *messages]
        text = render(self._system, "data.system_prompt", record.place, record.values)
        if text != self._last_system.content:  # most rows share one
            self._last_system = Message(role="system", content=text)
        return [self._last_system, *messages]


def _system_template(given: str | None) -> Template | Message | None:
    """A plain text is taken as it stands, braces and all."""
    if not given:
        return None
    if given in shipped_names("system"):
        return shipped(f"system/{given}")
    if is_template_file(given):
        return compiled("data.system_prompt", read_file("data.system_prompt", given))
    return Message(role="system", content=given)


def _prompt_template(given: str | None) -> Template | None:
    if not given:
        return None
    if given in shipped_names("prompt"):
        return shipped(f"prompt/{given}")
    text = read_file("data.prompt_template", given) if is_template_file(given) else given
    return compiled("data.prompt_template", text)


def _with_budget(row: Row, record: Record, budget: LengthBudgetRecipe) -> Row:
    """The row whose prompt says how long the answer should be."""
    place = record.place
    drawn = random.Random(f"{budget.seed} {row.id}").randint(budget.min_tokens, budget.max_tokens)
    num_tokens = row.reference.get("num_tokens", drawn)
    if type(num_tokens) is not int:  # no bool either
        raise ConfigError(
            f"{place}: reference.num_tokens = {num_tokens!r}.", fix="give a whole number, or none"
        )
    try:
        prompt = with_length_budget(row.prompt, num_tokens, budget.form, budget.style)
    except ConfigError as error:
        raise ConfigError(f"{place}, data.length_budget: {error.message}", fix=error.fix) from error
    reference = row.reference | {"num_tokens": num_tokens}
    return row.model_copy(update={"prompt": prompt, "reference": reference})
