"""What becomes of rows that are too long for the model."""

from dataclasses import dataclass
from typing import Generic

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import Recipe, RunRecipe
from plaudit_trainer.data.counts import DataCounts
from plaudit_trainer.data.formats import Example, Kind
from plaudit_trainer.data.rendering import Tokenizer, num_tokens, render, token_ids
from plaudit_trainer.data.row import Row

_MAX_CUTS = 4
"""A text that is cut may tokenize into a few tokens more than were left of it."""


def max_tokens(recipe: RunRecipe) -> int:
    """Of a prompt for rollouts, which leaves room for a completion; of a whole row offline."""
    if isinstance(recipe, Recipe):
        return recipe.model.max_model_tokens - recipe.method.max_completion_tokens
    return recipe.model.max_model_tokens


@dataclass(frozen=True)
class LengthPolicy(Generic[Example]):
    """`data.too_long` and `data.max_prompt_fraction`."""

    recipe: RunRecipe
    kind: Kind[Example]
    tokenizer: Tokenizer

    def applied(self, example: Example, counts: DataCounts) -> Example | None:
        """The row as it is trained on, or None where it is dropped; both are counted."""
        if self._has_long_prompt(example):
            counts.dropped.add("long_prompt", _place(example))
            return None
        if self.recipe.data.too_long == "error" or self._excess(example) <= 0:
            return example
        shorter = self._truncated(example) if self.recipe.data.too_long == "truncate" else None
        if shorter is None:
            counts.dropped.add("too_long", _place(example))
        else:
            counts.truncated += 1
        return shorter

    def _has_long_prompt(self, example: Example) -> bool:
        fraction = self.recipe.data.max_prompt_fraction
        if fraction is None:
            return False
        text = render(self.tokenizer, _prompt(example), _place(example), is_prompt=True)
        limit = fraction * self.recipe.model.max_model_tokens
        return len(token_ids(self.tokenizer, text)) > limit

    def _excess(self, example: Example) -> int:
        return num_tokens(self.tokenizer, example, _place(example)) - max_tokens(self.recipe)

    def _truncated(self, example: Example) -> Example | None:
        """Its longest user message loses its beginning; None: that is not enough."""
        for _ in range(_MAX_CUTS):
            excess = self._excess(example)
            if excess <= 0:
                return example
            messages: list[Message] = list(getattr(example, self.kind.messages))
            users = [i for i, message in enumerate(messages) if message.role == "user"]
            if not users:
                return None
            at = max(users, key=lambda i: len(messages[i].content))
            rest = self._without_beginning(messages[at].content, excess)
            if not rest.strip():
                return None
            messages[at] = Message(role="user", content=rest)
            example = example.model_copy(update={self.kind.messages: messages})
        return None

    def _without_beginning(self, text: str, num_cut: int) -> str:
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        return text[offsets[num_cut][0] :] if num_cut < len(offsets) else ""


def _prompt(example: Row | Conversation | Preference | Labelled) -> list[Message]:
    """Of a conversation, what comes before its first answer."""
    if not isinstance(example, Conversation):
        return example.prompt
    roles = [message.role for message in example.messages]
    return example.messages[: roles.index("assistant")]


def _place(example: Example) -> str:
    return f"row {example.id!r}"
