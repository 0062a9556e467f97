"""Preferences as TRL's DPOTrainer reads them."""

from collections.abc import Sequence
from typing import Any

from trl.data_utils import common_prefix_length

from plaudit.schemas.examples import Preference
from plaudit_trainer.offline.method import Row
from plaudit_trainer.offline.tokens import Encoded, encode_answer


def pair_rows(
    tokenizer: Any, pairs: Sequence[Preference], setting: str, max_tokens: int
) -> list[Row]:
    """Raises ConfigError naming the row."""
    rows = []
    for pair in pairs:
        place = f"{setting}, row {pair.id!r}"
        chosen, rejected = (
            encode_answer(tokenizer, pair.prompt, answer, place, max_tokens)
            for answer in (pair.chosen, pair.rejected)
        )
        start = common_prefix_length(_prompt(chosen), _prompt(rejected))
        rows.append(
            {
                "id": pair.id,
                "prompt_ids": chosen.ids[:start],
                "chosen_ids": chosen.ids[start:],
                "rejected_ids": rejected.ids[start:],
            }
        )
    return rows


def _prompt(encoded: Encoded) -> list[int]:
    return encoded.ids[: encoded.learned.index(True)]
