"""What a model really sees of a recipe's data: `plaudit data show`."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from plaudit.schemas.common import Message
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import OfflineRecipe, RunRecipe
from plaudit_trainer.data import Row, Which, load
from plaudit_trainer.data.formats import CONVERSATIONS, LABELLED, PREFERENCES, ROWS, Kind
from plaudit_trainer.data.lengths import max_tokens
from plaudit_trainer.data.rendering import Tokenizer, load_tokenizer, render, token_ids
from plaudit_trainer.offline.reward_model.rows import encode_text
from plaudit_trainer.offline.tokens import Encoded, encode_answer, encode_conversation

AnyExample = Row | Conversation | Preference | Labelled

_KINDS: dict[str, Kind[Any]] = {
    "sft": CONVERSATIONS,
    "dpo": PREFERENCES,
    "kto": LABELLED,
    "rm": PREFERENCES,
    "unit_rm": PREFERENCES,
}


def shown(recipe: RunRecipe, which: Which, num_rows: int) -> dict[str, Any]:
    """The first rows as text and token ids, and what became of all. Raises ConfigError."""
    method = recipe.method.name if isinstance(recipe, OfflineRecipe) else None
    loaded = load(ROWS if method is None else _KINDS[method], recipe, which)
    view = View(load_tokenizer(recipe.model.path), method, recipe.model.max_model_tokens)
    return {
        "split": which,
        "max_tokens": max_tokens(recipe),
        "counts": loaded.counts.as_json(),
        "rows": [view.row(example) for example in loaded.rows[:num_rows]],
    }


class View:
    """Examples as one method's trainer tokenizes them; no method: as prompts of rollouts."""

    def __init__(self, tokenizer: Tokenizer, method: str | None, limit: int) -> None:
        self._tokenizer = tokenizer
        self._method = method
        self._limit = limit

    def row(self, example: AnyExample) -> dict[str, Any]:
        """Raises ConfigError for one that the trainer would refuse."""
        place = f"row {example.id!r}"
        facts: dict[str, Any] = {}
        match example:
            case Row():
                facts = {"kind": example.kind, "reference": example.reference}
                sequences = {"prompt": self._prompt(example.prompt, place)}
            case Conversation():
                sequences = self._conversation(example, place)
            case Preference():
                facts = {"margin": example.margin}
                answers = {"chosen": example.chosen, "rejected": example.rejected}
                sequences = {
                    name: self._answer(example.prompt, answer, f"{place}, {name}")
                    for name, answer in answers.items()
                }
            case Labelled():
                facts = {"label": example.label}
                answer = self._answer(example.prompt, example.completion, place)
                sequences = {"completion": answer}
        told = [self._sequence(name, one) for name, one in sequences.items()]
        return {"id": example.id, **facts, "sequences": told}

    def _prompt(self, messages: Sequence[Message], place: str) -> Encoded:
        ids = token_ids(self._tokenizer, render(self._tokenizer, messages, place, is_prompt=True))
        return Encoded(ids, [False] * len(ids))

    def _conversation(self, example: Conversation, place: str) -> dict[str, Encoded]:
        """One sequence, or one for each turn where the chat template rewrites past turns."""
        found = encode_conversation(self._tokenizer, example.messages, place, self._limit)
        return {f"conversation {i}" if i else "conversation": one for i, one in enumerate(found)}

    def _answer(self, prompt: Sequence[Message], answer: str, place: str) -> Encoded:
        if self._method in ("rm", "unit_rm"):
            ids = encode_text(self._tokenizer, prompt, answer, place)
            return Encoded(ids, [False] * len(ids))
        return encode_answer(self._tokenizer, prompt, answer, place, self._limit)

    def _sequence(self, name: str, encoded: Encoded) -> dict[str, Any]:
        """`pieces`: its text, cut where learned tokens begin and end."""
        tokens = zip(encoded.ids, encoded.learned, strict=True)
        pieces = [
            {"learned": learned, "text": self._tokenizer.decode([one for one, _ in run])}
            for learned, run in groupby(tokens, key=lambda token: token[1])
        ]
        return {
            "name": name,
            "num_tokens": len(encoded.ids),
            "num_learned": sum(encoded.learned),
            "pieces": pieces,
            "token_ids": encoded.ids,
        }
