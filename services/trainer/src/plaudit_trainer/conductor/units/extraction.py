"""The units of a completion: ranges of its tokens, in order, none of them empty."""

import re
from collections.abc import Iterator
from itertools import pairwise

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import DrcaRecipe
from plaudit.schemas.rollout import Completion
from plaudit_trainer.conductor.units.detokenizer import Decoded

_NO_THINKING = re.compile(r"\s*<think>\s*</think>\s*")
"""The empty block that Qwen3 begins an answer with when it does not think."""


def units_of(completion: Completion, decoded: Decoded, recipe: DrcaRecipe) -> list[range]:
    """The first `max_units`, the last of which extends to the end.

    What is before the first unit, and the token that ends the completion, are in none.
    """
    body = _body(completion, decoded)
    if recipe.units == "regex":
        starts = list(_starts_by_pattern(decoded, re.compile(recipe.pattern)))
    else:
        starts = _starts_by_entropy(completion, body, recipe.entropy_cutoff)
    within = [start for start in dict.fromkeys(starts) if start in body][: recipe.max_units]
    return [range(start, end) for start, end in pairwise([*within, body.stop])]


def _body(completion: Completion, decoded: Decoded) -> range:
    thinking = _NO_THINKING.match(decoded.text)
    start = decoded.token_at(thinking.end()) if thinking else 0
    end = decoded.num_tokens
    if completion.finish_reason == "stop" and end and _is_silent(decoded, end - 1):
        end -= 1
    return range(start, end)


def _is_silent(decoded: Decoded, token: int) -> bool:
    return decoded.offsets[token] == decoded.offsets[token + 1]


def _starts_by_pattern(decoded: Decoded, pattern: re.Pattern[str]) -> Iterator[int]:
    """Of the lines that match. A token over the end of a line belongs to the next one."""
    start = 0
    for line in decoded.text.split("\n"):
        if pattern.match(line):
            yield decoded.token_at(start)
        start += len(line) + 1


def _starts_by_entropy(completion: Completion, body: range, cutoff: float) -> list[int]:
    """The first token, and each that was drawn from a distribution of more entropy.

    Raises ConfigError when the rollout service gave no entropies.
    """
    if completion.entropies is None:
        raise ConfigError(
            "method.drca.units = 'entropy': the rollout service gave no entropies.",
            fix="bring its workers to the version of the trainer",
        )
    return [token for token in body if token == body.start or completion.entropies[token] > cutoff]
