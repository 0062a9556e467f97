"""Pairs as the tokens that a policy makes of them: prompt, answer, EOS."""

from typing import Any

from plaudit.errors import ConfigError
from plaudit.schemas.examples import Preference
from plaudit_trainer.offline.method import Row
from plaudit_trainer.offline.reward_model.rows import check_answer, check_length, encode_prompt


def encode_pair(tokenizer: Any, pair: Preference, place: str, max_tokens: int) -> Row:
    """Without a margin. Raises ConfigError naming `place`."""
    prompt_ids = encode_prompt(tokenizer, pair.prompt, place)
    row: Row = {"id": pair.id, "num_prompt_tokens": len(prompt_ids)}
    for side, answer in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        check_answer(tokenizer, answer, place)
        answer_ids = tokenizer(answer, add_special_tokens=False, verbose=False)["input_ids"]
        if not answer_ids:
            raise ConfigError(
                f"{place}: the {side} answer is empty and has no segment.", fix="drop that row"
            )
        row[f"{side}_ids"] = [*prompt_ids, *answer_ids, tokenizer.eos_token_id]
        check_length(row[f"{side}_ids"], max_tokens, place)
    return row
