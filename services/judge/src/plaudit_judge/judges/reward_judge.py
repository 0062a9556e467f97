"""Judges that give each answer a number: the higher one wins."""

from collections.abc import Sequence

from plaudit.schemas.common import Message
from plaudit.schemas.judge_scores import Grade
from plaudit_judge import metrics
from plaudit_judge.judges.base import Case, Opinion, Reply, Reward, ScoreCase, Scores
from plaudit_judge.parse import Seat


class RewardJudge:
    """Base of those judges: `rewards` is theirs. An answer without a reward has no verdict."""

    name: str
    reads_rubric = False
    is_symmetric = True
    tie_margin = 0.0
    """Rewards that differ by no more than this are a tie."""

    async def rewards(
        self,
        prompt: list[Message],
        responses: Sequence[str],
        reference: str | None,
        timeout_s: float,
    ) -> list[Reward]:
        raise NotImplementedError

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        both = await self.rewards(case.prompt, [case.first, case.second], case.reference, timeout_s)
        seat = higher(both[0].value, both[1].value, self.tie_margin)
        metrics.count_verdict(self.name, seat)
        reply = _reply(case.prompt, [case.first, case.second], both)
        return Opinion(seat, reply, calls=sum(one.calls for one in both))

    async def grade(self, case: ScoreCase, timeout_s: float) -> Scores:
        """The rewards as they are: there is no scale, and no rubric is read."""
        found = await self.rewards(case.prompt, case.responses, case.reference, timeout_s)
        grades = [Grade(score=one.value, fraction=None, reason=one.reason or "") for one in found]
        metrics.count_scores(self.name, grades)
        reply = _reply(case.prompt, case.responses, found)
        return Scores(grades, reply, calls=sum(one.calls for one in found))


def higher(first: float | None, second: float | None, tie_margin: float) -> Seat | None:
    if first is None or second is None:
        return None
    if abs(first - second) <= tie_margin:
        return "tie"
    return "A" if first > second else "B"


def shown(prompt: list[Message], responses: Sequence[str]) -> list[Message]:
    """What a judge that reads no rubric is shown of them."""
    return [*prompt, *(Message(role="assistant", content=response) for response in responses)]


def _reply(prompt: list[Message], responses: Sequence[str], found: Sequence[Reward]) -> Reply:
    texts = [
        f"{one.value:.6g}" if one.value is not None else f"null ({one.reason})" for one in found
    ]
    return Reply(
        text=f"rewards: {', '.join(texts)}",
        sent=shown(prompt, responses) if any(one.calls for one in found) else [],
        prompt_tokens=sum(one.prompt_tokens for one in found),
        completion_tokens=sum(one.completion_tokens for one in found),
        cost_usd=sum(one.cost_usd for one in found),
        unpriced_calls=sum(one.unpriced_calls for one in found),
    )
