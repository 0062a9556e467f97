"""Repetition: a penalty for saying the same again."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.ngrams import ngram_ids
from plaudit_reward.reward import Context, Missing, Score, Vector, reward
from plaudit_reward.rewards.accuracy import accuracy


class RepetitionParams(Contract):
    ngram_size: int = Field(default=3, ge=1, le=64)
    """Words in a row that count as one phrase."""
    max_penalty: float = Field(default=-1.0, le=0.0, allow_inf_nan=False)
    """What a text that only repeats itself would get."""
    language: Literal["en", "zh"] = "en"
    """What a word is. en: what stands between spaces; zh: the same, but a Chinese character is a
    word of its own."""
    only_wrong: bool = False
    """Whether right answers go free, as in the paper's code."""


@reward(
    source="Yeo et al., arXiv 2502.03373, as in Open-R1 `get_repetition_penalty_reward`, whose "
    "Chinese words are those of jieba",
    vectors=[
        Vector(["a b a b a b"], [-0.6], params={"ngram_size": 2}),
        Vector(["a b a b a b"], [-0.3], params={"ngram_size": 2, "max_penalty": -0.5}),
        Vector(["one two", "one two three", ""], [0.0, 0.0, 0.0]),
        Vector(["A b C a B c"], [-0.25]),
        Vector(["我爱我爱我爱"], [-0.6], params={"ngram_size": 2, "language": "zh"}),
        Vector(["我爱我爱我爱"], [0.0], params={"ngram_size": 2}),
        Vector(["5 5 5 5", "4 4 4 4"], [-0.5, 0.0], {"answer": "4"}, {"only_wrong": True}),
        Vector(["5 5 5 5", "4 4 4 4"], [None, None], {}, {"only_wrong": True}),
        Vector(["答案是 18 答案是 18"], [-1 / 3], params={"ngram_size": 3, "language": "zh"}),
    ],
)
async def repetition(group: RewardGroup, params: RepetitionParams, context: Context) -> list[Score]:
    """max_penalty · (1 - unique / total) over the n-grams of lower-cased words; 0.0 for a text
    shorter than one n-gram.

    Words stand between spaces; with `language` zh a Chinese character is a word of its own. With
    `only_wrong`, 0.0 for what the reward `accuracy` gives 1.0, and null where that is null.
    """
    penalties: list[Score] = []
    for completion in group.completions:
        penalties.append(_penalty(completion.text, params))
        await asyncio.sleep(0)  # a text may take a second: the worker's other requests go on
    if not params.only_wrong:
        return penalties
    return [
        right if isinstance(right, Missing) else 0.0 if right == 1.0 else penalty
        for penalty, right in zip(penalties, await context.score(accuracy), strict=True)
    ]


def _penalty(text: str, params: RepetitionParams) -> float:
    words = _WORDS[params.language](text.lower())
    # Plus zero: a penalty of nothing is 0.0 and not -0.0.
    return params.max_penalty * _repeated(words, params.ngram_size) + 0.0


_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHINESE_WORD = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")
_WORDS: Mapping[str, Callable[[str], list[str]]] = {"en": str.split, "zh": _CHINESE_WORD.findall}


def _repeated(words: Sequence[str], size: int) -> float:
    total = len(words) - size + 1
    return 1.0 - _num_unique(words, size) / total if total > 0 else 0.0


def _num_unique(words: Sequence[str], size: int) -> int:
    ids = ngram_ids(words, size)
    return len(words) - size + 1 if ids is None else len(set(ids))
