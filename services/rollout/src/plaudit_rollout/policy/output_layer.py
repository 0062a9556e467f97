"""The output layer of a published version, read from its safetensors a part at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plaudit_rollout.engine.untie import EMBEDDING, HEAD, read_header, weight_map_of
from plaudit_rollout.policy.probe import ProbeFailed

ROWS = 16_384
"""Tokens of the vocabulary in one part."""
_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def logprobs_of(
    directory: Path, states_ND: NDArray[np.float64], next_tokens: Sequence[int]
) -> NDArray[np.float64]:
    """Of each state's next token, over the whole vocabulary.

    Raises:
        ProbeFailed: the version has no output layer that fits.
    """
    tokens_N = np.array(next_tokens)
    normaliser_N = np.full(len(tokens_N), -np.inf)
    chosen_N = np.full(len(tokens_N), np.nan)
    for start, weight_RD in _parts(directory, states_ND.shape[1]):
        logits_NR = states_ND @ weight_RD.T
        normaliser_N = np.logaddexp(normaliser_N, np.logaddexp.reduce(logits_NR, axis=1))
        here_N = np.flatnonzero((tokens_N >= start) & (tokens_N < start + len(weight_RD)))
        chosen_N[here_N] = logits_NR[here_N, tokens_N[here_N] - start]
    found_N: NDArray[np.float64] = chosen_N - normaliser_N
    return found_N


def _parts(directory: Path, width: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Rows of the layer as float64, with the number of the first; tied, it is the embedding."""
    weight_map = weight_map_of(directory)
    name = HEAD if HEAD in weight_map else EMBEDDING
    if name not in weight_map:
        raise ProbeFailed(f"the version has neither {HEAD} nor {EMBEDDING}.")
    path = directory / weight_map[name]
    header, start = read_header(path)
    shape, kind = header[name]["shape"], header[name]["dtype"]
    if kind not in _TYPES or len(shape) != 2 or shape[1] != width:
        raise ProbeFailed(f"{name} is {kind} {shape}; the engine's states have {width} numbers.")
    offset = start + header[name]["data_offsets"][0]
    dtype = np.dtype(_TYPES[kind])
    layer = np.memmap(path, dtype, "r", offset, (shape[0], width))
    for row in range(0, shape[0], ROWS):
        yield row, _float64(layer[row : row + ROWS], kind)


def _float64(part: NDArray[Any], kind: str) -> NDArray[np.float64]:
    if kind == "BF16":
        # The upper half of a float32.
        part = (part.astype("<u4") << 16).view("<f4")
    return part.astype(np.float64)
