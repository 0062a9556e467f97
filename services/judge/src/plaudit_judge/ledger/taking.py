"""What the ledger takes down of what a judge said: its own call, and those of a jury's members."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plaudit.schemas.common import Message
from plaudit.schemas.judge_reward import JudgeRewardRequest
from plaudit_judge.judges.base import Case, Opinion, Reply, Reward, ScoreCase, Scores
from plaudit_judge.judges.reward_judge import shown
from plaudit_judge.ledger.call import Call, winner_of
from plaudit_judge.origin import Origin


@dataclass(frozen=True)
class Taken:
    """`parts`: the calls that `whole` was made of. What they cost is in it."""

    whole: Call
    parts: Sequence[Call] = ()


def compared(judge: str, case: Case, origin: Origin, said: Opinion, latency_s: float) -> Taken:
    def call(name: str, one: Opinion) -> Call:
        return Call(
            origin=origin,
            judge=name,
            rubric=case.rubric.stamp(),
            prompt=case.prompt,
            answers=[case.first, case.second],
            reference=case.reference,
            seed=case.seed,
            reply=one.reply,
            latency_s=latency_s,
            winner=winner_of(one.seat),
            calls=one.calls,
            cached=one.cache_hit,
        )

    parts = [replace(call(name, one), member_of=judge) for name, one in said.members.items()]
    return Taken(call(judge, said), parts)


def graded(judge: str, case: ScoreCase, origin: Origin, said: Scores, latency_s: float) -> Taken:
    def call(name: str, one: Scores) -> Call:
        return Call(
            origin=origin,
            judge=name,
            rubric=case.rubric.stamp(),
            prompt=case.prompt,
            answers=case.responses,
            reference=case.reference,
            seed=case.seed,
            reply=one.reply,
            latency_s=latency_s,
            scores=[grade.score for grade in one.grades],
            calls=one.calls,
            cached=one.cache_hit,
        )

    parts = [replace(call(name, one), member_of=judge) for name, one in said.members.items()]
    return Taken(call(judge, said), parts)


def rewarded(
    request: JudgeRewardRequest, origin: Origin, response: str, reward: Reward, latency_s: float
) -> Taken:
    """`latency_s` of the whole request."""
    return Taken(
        Call(
            origin=origin,
            judge=request.judge,
            rubric=None,
            prompt=request.prompt,
            answers=[response],
            reference=request.reference,
            seed=None,
            reply=_reply(request.prompt, response, reward),
            latency_s=latency_s,
            scores=[reward.value],
            calls=reward.calls,
        )
    )


def _reply(prompt: list[Message], response: str, reward: Reward) -> Reply:
    return Reply(
        text=reward.reason or f"{reward.value}",
        sent=shown(prompt, [response]) if reward.calls else [],
        prompt_tokens=reward.prompt_tokens,
        completion_tokens=reward.completion_tokens,
        cost_usd=reward.cost_usd,
        unpriced_calls=reward.unpriced_calls,
    )
