"""Parts of a data set: the validation split, and chunks that are visited one after the other."""

from hashlib import blake2b
from itertools import pairwise
from typing import Literal

Which = Literal["train", "eval"]
_HASH_BYTES = 8


def is_held_out(row_id: str, fraction: float, seed: int) -> bool:
    """Whether a row is for evaluation: by its id and the seed, whatever rows there are besides."""
    text = f"{seed}/{row_id}".encode("utf-8", "surrogatepass")
    digest = blake2b(text, digest_size=_HASH_BYTES).digest()
    share: float = int.from_bytes(digest) / 2 ** (8 * _HASH_BYTES)
    return share < fraction


def chunks_of(num_rows: int, num_chunks: int) -> list[range]:
    """Indices of the rows of each, between the bounds floor(i * num_rows / num_chunks)."""
    bounds = [i * num_rows // num_chunks for i in range(num_chunks + 1)]
    return [range(*pair) for pair in pairwise(bounds)]
