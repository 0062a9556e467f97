"""All embedders of a worker, by name, with one bounded cache over them."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from hashlib import blake2b
from typing import Self

from plaudit.errors import ConfigError, PlauditError, Unavailable
from plaudit_reward.embedding.embedder import Embedder, Embedding, directions
from plaudit_reward.embedding.make import make_embedder
from plaudit_reward.embedding.spec import EmbedderSpec, PolicySpec
from plaudit_reward.metrics import EMBEDDING_SECONDS, EMBEDDINGS

_ENTRY_BYTES = 300
"""What an entry of the cache takes besides its numbers."""


class Embedders:
    """`embed` makes an embedder when it is first asked for: a wrong one costs nothing else."""

    def __init__(self, specs: Mapping[str, EmbedderSpec], max_cached_bytes: int) -> None:
        self._specs = specs
        self._made: dict[str, Embedder] = {}
        self._cache: OrderedDict[bytes, Embedding | None] = OrderedDict()
        self._cached_bytes = 0
        self._max_cached_bytes = max_cached_bytes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        async with AsyncExitStack() as stack:
            for embedder in self._made.values():
                stack.push_async_callback(embedder.aclose)

    async def embed(
        self, name: str, texts: Sequence[str], *, fixed: bool = False
    ) -> list[Embedding | None]:
        """Embeddings of length 1, one for each text; None for a blank text, which has no direction.

        `fixed`: they are kept, to be compared with those of later calls.

        Raises ConfigError for a name that is not configured, or that follows the policy and is to
        be fixed; and what the embedder raises.
        """
        embedder = self._get(name)
        follows = _follows(self._specs[name])
        if fixed and follows:
            raise ConfigError(
                f"embedder = {name!r}: its weights follow the policy (follow = true), and "
                "embeddings that are kept must all be of the same weights.",
                fix="use an embedder with follow = false",
            )
        clean = [text.encode(errors="replace").decode().strip() for text in texts]
        keys = {text: _key(name, text) for text in clean if text}
        found = {text: self._cache[key] for text, key in keys.items() if key in self._cache}
        EMBEDDINGS.labels(name, "cached").inc(len(found))
        missing = [text for text in keys if text not in found]
        if missing:
            found |= zip(missing, await _embed(name, embedder, missing), strict=True)
        # The next group may be embedded by other weights.
        if not follows:
            for text, key in keys.items():
                self._remember(key, found[text])
        return [found.get(text) for text in clean]

    def _get(self, name: str) -> Embedder:
        if name not in self._specs:
            raise ConfigError(
                f"embedder = {name!r}: there is none of that name; "
                f"there are {', '.join(sorted(self._specs))}.",
                fix=f"add a table [reward.embedders.{name}] to plaudit.toml",
            )
        if name not in self._made:
            self._made[name] = make_embedder(self._specs[name])
        return self._made[name]

    def _remember(self, key: bytes, embedding: Embedding | None) -> None:
        if key not in self._cache:
            self._cached_bytes += _num_bytes(embedding)
        self._cache[key] = embedding
        self._cache.move_to_end(key)
        while self._cached_bytes > self._max_cached_bytes:
            self._cached_bytes -= _num_bytes(self._cache.popitem(last=False)[1])


async def _embed(name: str, embedder: Embedder, texts: Sequence[str]) -> list[Embedding | None]:
    started_s = time.perf_counter()
    try:
        embeddings = directions(await embedder.embed(texts))
    except PlauditError:
        EMBEDDINGS.labels(name, "failed").inc(len(texts))
        raise
    except ValueError as error:
        EMBEDDINGS.labels(name, "failed").inc(len(texts))
        raise Unavailable(f"The embedder {name!r} made no embeddings: {error}.") from error
    EMBEDDINGS.labels(name, "computed").inc(len(texts))
    EMBEDDING_SECONDS.labels(name).observe(time.perf_counter() - started_s)
    return embeddings


def _follows(spec: EmbedderSpec) -> bool:
    return isinstance(spec, PolicySpec) and spec.follow


def _key(name: str, text: str) -> bytes:
    return blake2b(f"{name}\0{text}".encode(), digest_size=16).digest()


def _num_bytes(embedding: Embedding | None) -> int:
    return _ENTRY_BYTES + (0 if embedding is None else embedding.nbytes)
