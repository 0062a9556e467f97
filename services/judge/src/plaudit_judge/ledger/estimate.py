"""What a request may cost, before it is judged: a rough guess, on the high side."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb

from plaudit.schemas.judge import PairwiseRequest, TournamentRequest
from plaudit.schemas.judge_calibrate import CalibrateRequest
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit.schemas.judge_scores import ListwiseRequest, PointwiseRequest
from plaudit_judge.judges.base import Reply
from plaudit_judge.ledger.prices import Price
from plaudit_judge.questions import questions_of

_OnePrompt = (
    PairwiseRequest | TournamentRequest | PointwiseRequest | ListwiseRequest | JudgeRewardRequest
)
JudgedRequest = _OnePrompt | CalibrateRequest
_CHARS_PER_TOKEN = 3
_RUBRIC_TOKENS = 1000
"""Of the text around a question."""


@dataclass(frozen=True)
class Size:
    """`chars` are shown in each of the calls."""

    calls: int
    chars: int


def estimate_usd(request: JudgedRequest, prices: Sequence[Price], completion_tokens: int) -> float:
    """`prices` of all models that are asked in each call."""
    size = size_of(request)
    prompt_tokens = _RUBRIC_TOKENS + size.chars // _CHARS_PER_TOKEN
    call = Reply("", prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    return size.calls * sum(price.cost_usd(call) for price in prices)


def size_of(request: JudgedRequest) -> Size:
    match request:
        case PairwiseRequest():
            calls = request.votes * (2 if request.swap else 1)
            return Size(calls, _chars(request, request.a, request.b, request.reference))
        case TournamentRequest():
            longest = max(request.responses, key=len)
            return Size(comparisons(request), _chars(request, longest, longest))
        case PointwiseRequest():
            return Size(request.votes, _chars(request, request.response, request.reference))
        case ListwiseRequest():
            return Size(request.votes, _chars(request, *request.responses, request.reference))
        case JudgeRewardRequest():
            longest = max(request.responses, key=len)
            return Size(len(request.responses), _chars(request, longest, request.reference))
        case CalibrateRequest():
            sizes = list(map(size_of, questions_of(request)))
            calls = sum(size.calls for size in sizes)
            return Size(calls, ceil(sum(size.calls * size.chars for size in sizes) / calls))


def _chars(request: _OnePrompt, *texts: str | None) -> int:
    prompt = sum(len(message.content) for message in request.prompt)
    return prompt + sum(len(text or "") for text in texts)


def comparisons(request: TournamentRequest) -> int:
    """Calls, at most."""
    num = len(request.responses)
    pairs = comb(num, 2)
    match request.schedule:
        case "adaptive":
            return min(2 * pairs, request.max_comparisons or pairs)
        case "anchor" | "circular":
            pairs = num
        case "round_robin_sampled":
            pairs = max(ceil(num / 2), ceil(request.pair_ratio * pairs))
        case "swiss":
            pairs = num // 2 * (request.swiss_rounds or max(2, (num - 1).bit_length()))
    return pairs * (2 if request.swap else 1)
