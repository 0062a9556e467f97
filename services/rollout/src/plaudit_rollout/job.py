"""What travels through the queue, and the names of things in Redis."""

from urllib.parse import quote

from pydantic import Field

from plaudit.errors import Rejected
from plaudit.queue.limits import MAX_ID_CHARS
from plaudit.schemas.common import Contract
from plaudit.schemas.rollout import RolloutPrompt


class RolloutJob(Contract):
    """`submitted_at` in seconds since the epoch, by the clock of the API."""

    run_id: str
    prompt: RolloutPrompt
    submitted_at: float = Field(ge=0.0)


def job_id(run_id: str, group_id: str) -> str:
    """Two groups share it only when run and group are the same.

    Raises:
        Rejected: the two are too long together.
    """
    found = f"{quote(run_id, safe=':')}/{group_id}"
    if len(found) > MAX_ID_CHARS:
        raise Rejected(
            f"run_id and group_id {group_id[:80]!r} have {len(found)} characters together; "
            f"at most {MAX_ID_CHARS}."
        )
    return found
