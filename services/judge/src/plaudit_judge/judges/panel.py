"""The members of a jury: asked at once; who fails has no say."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from plaudit.errors import Rejected, Unavailable
from plaudit_judge.judges.base import Judge, Reply
from plaudit_judge.together import together

T = TypeVar("T")


@dataclass(frozen=True)
class Heard(Generic[T]):
    """What a member said, or why it did not."""

    judge: str
    said: T | None
    error: Rejected | Unavailable | None = None


async def hear_all(
    jury: str, members: Sequence[Judge], ask: Callable[[Judge], Awaitable[T]], quorum: int
) -> list[Heard[T]]:
    """Raises Unavailable, or Rejected where nobody may try again: fewer than `quorum` answered."""
    heard = await together((partial(_hear, member, ask) for member in members), len(members))
    num_answered = sum(one.said is not None for one in heard)
    if num_answered < quorum:
        _refuse(jury, f"{num_answered} of {len(heard)} members answered, quorum is {quorum}", heard)
    return heard


async def _hear(member: Judge, ask: Callable[[Judge], Awaitable[T]]) -> Heard[T]:
    try:
        return Heard(member.name, await ask(member))
    except (Rejected, Unavailable) as error:
        return Heard(member.name, None, error)


def _refuse(jury: str, problem: str, heard: Sequence[Heard[T]]) -> None:
    """A quorum that was not reached because members are away may be reached later."""
    errors = [one.error for one in heard if one.error is not None]
    message = f"judge {jury!r}: {problem}: {errors[0].message}"
    if any(error.retryable for error in errors):
        raise Unavailable(message)
    raise Rejected(message)


def sum_replies(text: str, replies: Sequence[Reply]) -> Reply:
    """`text` in place of theirs, at the cost of all of them."""
    versions = {r.policy_version for r in replies if r.policy_version is not None}
    return Reply(
        text=text,
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        cached_tokens=sum(reply.cached_tokens for reply in replies),
        cache_write_tokens=sum(reply.cache_write_tokens for reply in replies),
        cost_usd=sum(reply.cost_usd for reply in replies),
        unpriced_calls=sum(reply.unpriced_calls for reply in replies),
        policy_version=versions.pop() if len(versions) == 1 else None,
    )
