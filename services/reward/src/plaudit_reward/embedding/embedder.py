"""What every embedder is: something that makes embeddings of texts."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

MIN_NORM = 1e-9
"""A shorter embedding has no direction."""

Embedding: TypeAlias = NDArray[np.float32]
Embeddings: TypeAlias = NDArray[np.float32]
"""One row for each text."""


class Embedder(Protocol):
    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Of at least one text, all valid Unicode, none empty, and without blanks around.

        Raises PlauditError: Unavailable where another attempt may help.
        """
        ...

    async def aclose(self) -> None: ...


def directions(embeddings: Embeddings) -> list[Embedding | None]:
    """Each row with length 1; None where it has no direction. Raises ValueError for NaN."""
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    if not np.isfinite(lengths).all():
        raise ValueError("an embedding has an entry that is no finite number")
    return [
        None if length < MIN_NORM else (row / length).astype(np.float32)
        for row, length in zip(embeddings, lengths, strict=True)
    ]
