"""Anthropic's SDK reads a body of any size; here each is bounded."""

from collections.abc import AsyncIterator

import httpx2

from plaudit_judge.judges.chat import MAX_RESPONSE_BYTES

MAX_RESULTS_BYTES = 2**30
"""Of a whole batch, which is read line by line."""


async def bound_body(response: httpx2.Response) -> None:
    """A response hook of the SDK's HTTP client, called before the body is read."""
    is_batch = response.request.url.path.endswith("/results")
    max_bytes = MAX_RESULTS_BYTES if is_batch else MAX_RESPONSE_BYTES
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _BoundedStream(response.stream, max_bytes)


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises ReadError, which the SDK takes for a broken connection."""
        num_bytes = 0
        async for chunk in self._stream:
            num_bytes += len(chunk)
            if num_bytes > self._max_bytes:
                raise httpx2.ReadError(f"the answer is over {self._max_bytes} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
