"""One entry of an archive, and how it is stored."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Self

import numpy as np

from plaudit.errors import Corrupt
from plaudit.schemas.common import Message
from plaudit_reward.embedding.embedder import Embedding

_HEAD = struct.Struct("<16sQ")
NUM_HEAD_BYTES = _HEAD.size
NUMBER_BYTES = 2
"""float16; what it rounds off turns an embedding by less than 0.001 rad."""


class EntryId(NamedTuple):
    """Of Redis, in which later entries have greater ones."""

    time_ms: int
    number: int

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        time_ms, _, number = raw.partition(b"-")
        return cls(int(time_ms), int(number))

    def __str__(self) -> str:
        return f"{self.time_ms}-{self.number}"


@dataclass(frozen=True, slots=True)
class Entry:
    """`member` is the same whenever the same completion of the same group is appended again.
    `embedding` has length 1.
    """

    member: bytes
    prompt: int
    embedding: Embedding

    def pack(self) -> bytes:
        return _HEAD.pack(self.member, self.prompt) + self.embedding.astype("<f2").tobytes()

    @classmethod
    def unpack(cls, raw: bytes, dimensions: int) -> Self:
        if len(raw) != NUM_HEAD_BYTES + NUMBER_BYTES * dimensions:
            raise Corrupt(
                f"An entry of the archive has {len(raw)} bytes, which is wrong for {dimensions} "
                "dimensions.",
                fix="delete the archive in Redis (docs/reward.md)",
            )
        member, prompt = _HEAD.unpack_from(raw)
        embedding = np.frombuffer(raw, "<f2", offset=NUM_HEAD_BYTES).astype(np.float32)
        return cls(member, prompt, embedding / np.linalg.norm(embedding))


def member_of(group_id: str, index: int, text: str) -> bytes:
    """16 bytes for one completion of one group."""
    raw = f"{group_id}\0{index}\0{text}".encode(errors="surrogatepass")
    return blake2b(raw, digest_size=16).digest()


def prompt_of(messages: Sequence[Message]) -> int:
    """64 bits for one prompt."""
    raw = "\0".join(f"{one.role}\0{one.content}" for one in messages)
    digest = blake2b(raw.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
