"""The Message Batches API through Anthropic's SDK."""

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from plaudit.errors import PlauditError, Unavailable
from plaudit.telemetry import get_logger
from plaudit_judge.judges.claude_errors import error_of_type, our_errors

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message

log = get_logger(__name__)
Outcome: TypeAlias = "Message | PlauditError"


class _Answer(BaseModel):
    """The parts that are read, of a line of results."""

    model_config = ConfigDict(extra="ignore")


class BatchError(_Answer):
    type: str
    message: str = ""


class BatchErrorResponse(_Answer):
    error: BatchError


class BatchResult(_Answer):
    type: str
    """succeeded, with a message; errored, with an error; canceled; expired."""
    message: dict[str, Any] | None = None
    error: BatchErrorResponse | None = None


class BatchLine(_Answer):
    custom_id: str
    result: BatchResult


class BatchWire:
    """Each call is one attempt. Raises Rejected and its kinds, or Unavailable and its kinds."""

    def __init__(self, client: "AsyncAnthropic", timeout_s: float, peer: str) -> None:
        self._batches = client.messages.batches
        self._timeout_s = timeout_s
        self._peer = peer

    async def create(self, bodies: Mapping[str, Mapping[str, Any]]) -> str:
        """The id of the batch. The key of each body is its `custom_id`."""
        requests: Any = [{"custom_id": ask, "params": body} for ask, body in bodies.items()]
        with our_errors(self._peer):
            async with asyncio.timeout(self._timeout_s):
                return (await self._batches.create(requests=requests)).id

    async def has_ended(self, batch: str) -> bool:
        with our_errors(self._peer):
            async with asyncio.timeout(self._timeout_s):
                return (await self._batches.retrieve(batch)).processing_status == "ended"

    async def cancel(self, batch: str) -> None:
        """As far as it can be: what is being answered may still be paid for."""
        try:
            with our_errors(self._peer):
                async with asyncio.timeout(self._timeout_s):
                    await self._batches.cancel(batch)
        except PlauditError as error:
            log.warning("batch_not_canceled", batch=batch, error=error.message)

    async def results(self, batch: str, asks: Collection[str]) -> dict[str, Outcome]:
        """Of these asks. A line that is no result is left out."""
        found: dict[str, Outcome] = {}
        with our_errors(self._peer):
            async with self._batches.with_streaming_response.results(batch) as response:
                async for text in response.iter_lines():
                    line = _parse(text)
                    if line is not None and line.custom_id in asks:
                        found[line.custom_id] = self._outcome(line.result)
        return found

    def _outcome(self, result: BatchResult) -> Outcome:
        from anthropic.types import Message

        if result.error is not None:
            error = result.error.error
            return error_of_type(self._peer, error.type, error.message)
        if result.message is None:
            return Unavailable(f"{self._peer}: a request was {result.type[:20]} in its batch.")
        try:
            return Message.model_validate(result.message)
        except ValidationError:
            return Unavailable(f"{self._peer} answered something that is no message.")


def _parse(text: str) -> BatchLine | None:
    try:
        return BatchLine.model_validate_json(text)
    except ValidationError:
        return None
