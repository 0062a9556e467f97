"""Any reward of the reward service as a judge."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from plaudit.client import ClientOptions, RewardClient
from plaudit.errors import Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.judge import JudgeInfo
from plaudit.schemas.reward import (
    Answer,
    CompletionScore,
    RewardGroup,
    RewardList,
    RewardSpec,
    ScoreRequest,
)
from plaudit_judge.judges.base import Reward, SpecBase
from plaudit_judge.judges.reward_judge import RewardJudge

_INFO_TIMEOUT_S = 2.0


class RewardModelSpec(SpecBase):
    reads_rubric = False
    gives_rewards = True
    is_cached = False  # rewards may learn
    kind: Literal["reward_model"] = "reward_model"
    reward: str = Field(min_length=1)
    """Its name in GET /v1/rewards of the reward service."""
    params: dict[str, Any] = {}
    reference_key: str = "answer"
    """Where the reward looks for the reference of a request."""
    tie_margin: float = Field(default=0.0, ge=0.0)
    """Rewards that differ by no more than this are a tie."""

    def model_name(self) -> str | None:
        return self.reward


class RewardModelJudge(RewardJudge):
    def __init__(
        self, name: str, spec: RewardModelSpec, reward_url: str, options: ClientOptions
    ) -> None:
        self.name = name
        self._spec = spec
        self.tie_margin = spec.tie_margin
        self._client = RewardClient(reward_url, options)

    async def rewards(
        self,
        prompt: list[Message],
        responses: Sequence[str],
        reference: str | None,
        timeout_s: float,
    ) -> list[Reward]:
        group = RewardGroup(
            group_id=self.name,
            prompt=prompt,
            completions=[Answer(text=response) for response in responses],
            reference={self._spec.reference_key: reference} if reference is not None else {},
        )
        reward = RewardSpec(name=self._spec.reward, params=self._spec.params)
        request = ScoreRequest(groups=[group], rewards=[reward])
        scored = await self._client.score(request, timeout_s=timeout_s)
        return [self._reward(score) for score in scored.groups[0].scores]

    def _reward(self, score: CompletionScore) -> Reward:
        reasons = ", ".join(score.errors.values()) or None
        return Reward(score.rewards.get(self._spec.reward), reasons)

    async def info(self) -> JudgeInfo:
        reason = await self._reason()
        return JudgeInfo(
            name=self.name,
            kind="reward_model",
            model=self._spec.reward,
            available=reason is None,
            reason=reason,
        )

    async def _reason(self) -> str | None:
        try:
            listed = await self._client.get("/v1/rewards", RewardList, timeout_s=_INFO_TIMEOUT_S)
        except (Unavailable, Rejected) as error:
            return error.message
        found = {reward.name: reward for reward in listed.rewards}.get(self._spec.reward)
        if found is None:
            return f"the reward service has no reward {self._spec.reward!r}"
        return None if found.available else found.reason

    async def aclose(self) -> None:
        await self._client.aclose()
