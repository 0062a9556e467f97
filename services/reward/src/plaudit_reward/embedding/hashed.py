"""n-grams of characters, hashed: no model, no dependency, the same on every machine."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plaudit_reward.embedding.embedder import Embedding, Embeddings

SIZES = (3, 4, 5)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class HashedEmbedder:
    """Texts with many n-grams in common are near each other, whatever they mean.

    Case does not count, nor how many blanks there are; words begin and end with one, so that short
    words are n-grams of their own. An n-gram that occurs n times counts 1 + ln n.
    """

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return await asyncio.to_thread(self._embed, texts)

    async def aclose(self) -> None:
        pass

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        return np.stack([_embedding(text, self._dimensions) for text in texts])


def _embedding(text: str, dimensions: int) -> Embedding:
    """Linear in the text, but for sorting numbers: about 0.3 s for 1 Mi characters."""
    normalised = f" {' '.join(text.lower().split())} "
    codes = np.frombuffer(normalised.encode("utf-32-le"), "<u4").astype(np.uint64)
    hashes = np.concatenate([_ngram_hashes(codes, size) for size in SIZES])
    distinct, counts = np.unique(hashes, return_counts=True)
    weights = 1.0 + np.log(counts)
    # The lowest bit is the sign, by which n-grams that meet by chance cancel on average.
    signs = 1.0 - 2.0 * (distinct & np.uint64(1)).astype(np.float64)
    places = ((distinct >> np.uint64(1)) % np.uint64(dimensions)).astype(np.int64)
    return np.bincount(places, signs * weights, dimensions).astype(np.float32)


def _ngram_hashes(codes: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """One for each n-gram: a polynomial in its characters, then SplitMix64's finaliser."""
    num_ngrams = max(0, len(codes) - size + 1)
    hashes = np.full(num_ngrams, size, np.uint64)
    for offset in range(size):
        hashes = hashes * _FACTOR + codes[offset : offset + num_ngrams]
    for shift, mixer in zip((30, 27), _MIXERS, strict=True):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * mixer
    return hashes ^ (hashes >> np.uint64(31))
