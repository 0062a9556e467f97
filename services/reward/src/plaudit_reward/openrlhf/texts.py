"""Completions out of OpenRLHF's texts, and such texts out of completions."""

from collections.abc import Sequence

from plaudit.schemas.common import Message
from plaudit_reward.openrlhf.spec import RemoteSpec


def completion_in(query: str, prompt: str | None, stop_texts: Sequence[str]) -> str | None:
    """What follows the prompt, without stop tokens at the end; None where the prompt is not there.

    Decoding may put something before the prompt (a BOS), so it need not be the very beginning.
    """
    start = query.find(prompt) if prompt else 0
    if start < 0:
        return None
    start, end = start + len(prompt or ""), len(query)
    while stop := next((one for one in stop_texts if query.endswith(one, start, end)), None):
        end -= len(stop)
    return query[start:end]


def written_mark(spec: RemoteSpec, completion: str) -> str | None:
    """A special token of the formats that the completion writes out."""
    return next((mark for mark in sorted(spec.marks()) if mark in completion), None)


def query_of(spec: RemoteSpec, prompt: Sequence[Message], completion: str) -> tuple[str, str]:
    """The prompt's text, and that text with the completion, as the remote reads them."""
    messages = [
        spec.message_format.format(role=message.role, content=message.content) for message in prompt
    ]
    before, _, after = spec.completion_format.partition("{content}")
    text = "".join([*messages, before.format()])
    return text, text + completion + after.format()
