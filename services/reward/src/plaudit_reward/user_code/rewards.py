"""Rewards of users as the registry has them: a name, and a function that asks a process."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict

from plaudit.errors import PlauditError
from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardGroup
from plaudit.schemas.sandbox import RunRequest
from plaudit.user_code import UserReward
from plaudit_reward.params import checked_params
from plaudit_reward.reward import Context, Missing, Reward, Score
from plaudit_reward.user_code.messages import Answer, Call, Program, Question, to_wire
from plaudit_reward.user_code.pool import UserCode
from plaudit_reward.user_code.process import Respond
from plaudit_reward.user_code.source import read_program

Rewards = Mapping[str, Reward]


class AnyParams(Contract):
    """Checked where the function is: in the worker's child process."""

    model_config = ConfigDict(extra="allow")


def reward_in_file(user: UserReward, rewards: Rewards) -> Reward:
    """`rewards`: those that it may ask for. Neither the file nor its directory is looked at."""

    async def score(group: RewardGroup, params: Contract, context: Context) -> list[Score]:
        code = context.use(UserCode)
        program = await read_program(user, code.dirs)
        if isinstance(program, Missing):
            return [program] * len(group.completions)
        question = Question(function=user.function, params=params.model_dump(), group=group)
        return await code.score(program, question, responder(context, rewards))

    return Reward(
        name=user.name,
        pool="rules",
        description=f"The function {user.function} of {user.path}.",
        source=str(user.path),
        params=AnyParams,
        vectors=(),
        function=score,
        label="user_code",
    )


def in_process(place: str, rewards: Rewards) -> Callable[..., Any]:
    """The function of a reward that an entry point gives: it asks a process that has loaded it."""

    async def score(group: RewardGroup, params: Contract, context: Context) -> list[Score]:
        question = Question(function="", params=params.model_dump(mode="json"), group=group)
        respond = responder(context, rewards)
        return await context.use(UserCode).score(Program(place=place), question, respond)

    return score


def responder(context: Context, rewards: Rewards) -> Respond:
    """Does what a child asks for, with what the worker has for the same group."""

    async def respond(call: Call) -> Answer:
        try:
            return await _respond(call, context, rewards)
        except Exception as error:  # why: it is the child's question, whatever it leads to
            reason = str(error) if isinstance(error, PlauditError) else repr(error)
            return Answer(error=reason[:500])

    return respond


async def _respond(call: Call, context: Context, rewards: Rewards) -> Answer:
    match call.method:
        case "verify":
            return Answer(scores=to_wire(await context.verify(**call.arguments)))
        case "run":
            result = await context.run(RunRequest.model_validate(call.arguments["request"]))
            return Answer(result=result.model_dump(mode="json"))
        case "score":
            reward = rewards[call.arguments["name"]]
            params = checked_params("params", reward, call.arguments["params"])
            return Answer(scores=to_wire(await context.score(reward, params)))
