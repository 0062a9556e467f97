"""A reward for each answer to one prompt, from the judges that give numbers."""

from plaudit.errors import Rejected
from plaudit.schemas.judge import Usage
from plaudit.schemas.judge_reward import JudgeRewardRequest, JudgeRewardResponse
from plaudit_judge.calls import Calls
from plaudit_judge.origin import Origin
from plaudit_judge.settings import JudgeSettings


def check_gives_rewards(settings: JudgeSettings, name: str) -> None:
    """Raises Rejected: such a judge only compares."""
    if settings.judges[name].gives_rewards:
        return
    able = sorted(judge for judge, spec in settings.judges.items() if spec.gives_rewards)
    known = ", ".join(able) or "none is configured"
    known = ", ".join(able) or "none is configured"
    raise Rejected(
        f"judge: {name!r} gives no rewards; those that do: {known}.",
        fix="Name one of them, or ask POST /v1/tournament for ratings.",
    )


async def give_rewards(
    calls: Calls, request: JudgeRewardRequest, origin: Origin, timeout_s: float
) -> JudgeRewardResponse:
    """Raises Rejected: this judge only compares; Unavailable: it did not answer."""
    found = await calls.rewards(request, origin, timeout_s)
    return JudgeRewardResponse(
        rewards=[one.value for one in found],
        reasons=[one.reason if one.value is None else None for one in found],
        usage=Usage(
            calls=sum(one.calls for one in found),
            prompt_tokens=sum(one.prompt_tokens for one in found),
            completion_tokens=sum(one.completion_tokens for one in found),
            cost_usd=sum(one.cost_usd for one in found),
            unpriced_calls=sum(one.unpriced_calls for one in found),
            unparsed=sum(one.value is None for one in found),
        ),
    )
