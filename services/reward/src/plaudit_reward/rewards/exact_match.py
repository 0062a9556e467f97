"""Exact match: is the answer the reference, word for word?"""

import re
import string
from typing import Literal

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.layout import tagged_answer
from plaudit_reward.reference import answers_of
from plaudit_reward.reward import Context, Missing, Score, Vector, reward

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


class ExactMatchParams(Contract):
    extract: Literal["answer", "text"] = "answer"
    """What is compared. answer: what stands in the last `<answer>`, the whole text where there is
    no such tag; text: always the whole text."""
    normalize: Literal["none", "squad"] = "none"
    """squad: regardless of case, punctuation, articles, and how wide blanks are."""


_PARIS = {"answer": "Paris"}
_TOWER = {"answer": "The Eiffel-Tower!"}


@reward(
    source="exact match of HELM and, with `normalize` squad, of SQuAD, arXiv 1606.05250",
    vectors=[
        Vector(["Paris", " Paris\n", "<answer>Paris</answer> or so"], [1, 1, 1], _PARIS),
        Vector(["paris", "Paris.", "It is Paris", ""], [0, 0, 0, 0], _PARIS),
        Vector(["<answer>Rome</answer><answer>Paris"], [1], _PARIS),
        Vector(["<answer>Paris</answer>", "Paris"], [0, 1], _PARIS, {"extract": "text"}),
        Vector(["eiffeltower", "a  EiffelTower"], [1, 1], _TOWER, {"normalize": "squad"}),
        Vector(["18", "18.0"], [1, 0], {"answer": 18}),
        Vector(["NYC", "New York", "York"], [1, 1, 0], {"answer": ["New York", "NYC"]}),
        Vector(["", "Paris"], [None, None]),
        Vector(["", "Paris"], [None, None], {"answer": []}),
    ],
)
def exact_match(group: RewardGroup, params: ExactMatchParams, context: Context) -> list[Score]:
    """1.0 if the answer is `reference.answer`, or one of them where that is a list, else 0.0.

    Blanks around it do not count; with `normalize` squad, neither do case, punctuation and
    articles. Null: the reference is missing.
    """
    golds = answers_of(group)
    if isinstance(golds, Missing):
        return [golds] * len(group.completions)
    normalized = {_normalized(gold, params) for gold in golds}
    return [float(_answer(one.text, params) in normalized) for one in group.completions]


def _answer(text: str, params: ExactMatchParams) -> str:
    tagged = tagged_answer(text) if params.extract == "answer" else None
    return _normalized(text if tagged is None else tagged, params)


def _normalized(text: str, params: ExactMatchParams) -> str:
    if params.normalize == "none":
        return text.strip()
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())
