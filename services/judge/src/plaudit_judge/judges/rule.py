"""Judges that follow a rule: for tests, and as baselines that a good judge must differ from."""

from collections.abc import Sequence
from typing import Literal

from plaudit.schemas.common import Message
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Reward, SpecBase
from plaudit_judge.judges.reward_judge import RewardJudge


class RuleSpec(SpecBase):
    reads_rubric = False
    gives_rewards = True
    is_cached = False
    kind: Literal["rule"] = "rule"
    rule: Literal["longer", "shorter", "exact_match"]
    """longer, shorter: by characters. exact_match: 1 where the answer is the reference but for
    white space, else 0; null without a reference."""


class RuleJudge(RewardJudge):
    def __init__(self, name: str, spec: RuleSpec) -> None:
        self.name = name
        self._spec = spec

    async def rewards(
        self,
        prompt: list[Message],
        responses: Sequence[str],
        reference: str | None,
        timeout_s: float,
    ) -> list[Reward]:
        return [self._reward(response, reference) for response in responses]

    def _reward(self, response: str, reference: str | None) -> Reward:
        match self._spec.rule:
            case "longer":
                return Reward(float(len(response)), calls=0)
            case "shorter":
                return Reward(-float(len(response)), calls=0)
            case "exact_match":
                if reference is None:
                    return Reward(None, "exact_match needs a reference", calls=0)
                return Reward(float(response.split() == reference.split()), calls=0)

    async def info(self) -> JudgeInfo:
        return JudgeInfo(name=self.name, kind="rule", model=self._spec.rule, available=True)

    async def aclose(self) -> None:
        pass
