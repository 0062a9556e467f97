"""The `Context` of a reward in a child process: the worker does what it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from plaudit.errors import Unavailable
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit.schemas.sandbox import RunRequest, RunResult
from plaudit_reward import rewards
from plaudit_reward.reward import Reward, Score
from plaudit_reward.user_code.messages import Answer, Call, from_wire

T = TypeVar("T")

Ask = Callable[[Call], Answer]


class ChildContext:
    """Calls block, since the child has nothing else to do."""

    def __init__(self, group: RewardGroup, ask: Ask) -> None:
        self._group = group
        self._ask = ask

    async def score(self, reward: Reward, params: Contract | None = None) -> list[Score]:
        """A reward of Plaudit's is computed by the worker, any other here."""
        params = params or reward.params()
        if not reward.function.__module__.startswith(rewards.__name__):
            return await reward(self._group, params, self)
        asked = {"name": reward.name, "params": params.model_dump(mode="json")}
        return from_wire(self._answer("score", asked).scores or [])

    async def verify(self, gold: str, answers: Sequence[str], extract: str) -> list[Score]:
        asked = {"gold": gold, "answers": list(answers), "extract": extract}
        return from_wire(self._answer("verify", asked).scores or [])

    async def run(self, request: RunRequest) -> RunResult:
        answer = self._answer("run", {"request": request.model_dump(mode="json")})
        return RunResult.model_validate(answer.result)

    def use(self, kind: type[T]) -> T:
        raise Unavailable(f"Rewards of users have no {kind.__name__}: it is the worker's.")

    def _answer(self, method: str, arguments: Mapping[str, object]) -> Answer:
        answer = self._ask(Call.model_validate({"method": method, "arguments": arguments}))
        if answer.error is not None:
            raise Unavailable(answer.error)
        return answer
