"""What compilers have made lately: clients that send a test at a time send its program each time.

A build depends on nothing but its job: a compiler sees the job's files and the toolchain only.
"""

import json
from collections import OrderedDict
from hashlib import sha256
from typing import Any

from plaudit.schemas.sandbox import Binary, FileContent
from plaudit_sandbox.steps import StepAnswer


class Builds:
    """The most recently used ones, of at most `max_bytes` together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._answers: OrderedDict[bytes, StepAnswer] = OrderedDict()

    def get(self, job: dict[str, Any]) -> StepAnswer | None:
        key = _key(job)
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def put(self, job: dict[str, Any], answer: StepAnswer) -> None:
        """Those that are no success are not kept: it may have been the machine."""
        key = _key(job)
        if answer.result.status != "ok" or key in self._answers:
            return
        self._answers[key] = answer
        self._num_bytes += _size_bytes(answer)
        while self._num_bytes > self._max_bytes:
            self._num_bytes -= _size_bytes(self._answers.popitem(last=False)[1])


def _key(job: dict[str, Any]) -> bytes:
    return sha256(json.dumps(job, sort_keys=True).encode()).digest()


def _size_bytes(answer: StepAnswer) -> int:
    streams = len(answer.result.stdout) + len(answer.result.stderr)
    return streams + sum(map(_content_bytes, answer.build.values()))


def _content_bytes(content: FileContent) -> int:
    return len(content.base64) if isinstance(content, Binary) else len(content)
