"""The proof of an engine that pools: it has no log-probabilities, but the states that give them.

The mean of the last hidden states of every beginning of a sequence is asked for. With m(t) that of
the first t tokens, the state at token t is t * m(t) - (t - 1) * m(t - 1), and the published output
layer makes the log-probability of token t + 1 out of it, which the learner has published.
"""

import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plaudit.schemas.policy import Probe, ProbeSequence
from plaudit_rollout.engine.client import EngineClient
from plaudit_rollout.policy.output_layer import logprobs_of
from plaudit_rollout.policy.probe import ProbeFailed

MAX_TOKENS = 4
"""Of a sequence. The errors of the means grow with t, and a few tokens go through all weights."""


async def check_pooled_probe(engine: EngineClient, probe: Probe, directory: Path) -> float:
    """The largest difference found, as a share of what is allowed at its token.

    Raises:
        ProbeFailed: it is more than 1, or the probe has no value for some token.
    """
    sequences = [_beginning(one) for one in probe.sequences]
    means = await engine.mean_hidden_states(
        [one.token_ids[:t] for one in sequences for t in _lengths(one)]
    )
    worst = await asyncio.to_thread(_worst_share, sequences, means, directory, probe.tolerance)
    # why: a NaN compares false with everything.
    if not worst <= 1.0:
        raise ProbeFailed(
            f"the engine's hidden states give log-probabilities that differ from the published "
            f"ones by {worst:.3g} times what is allowed (tolerance {probe.tolerance:g}). "
            "The weights did not load as published."
        )
    return worst


def _beginning(one: ProbeSequence) -> ProbeSequence:
    if len(one.logprobs) != len(one.token_ids) - 1:
        raise ProbeFailed("the probe needs one log-probability for every token but the first.")
    return ProbeSequence(
        token_ids=one.token_ids[: MAX_TOKENS + 1], logprobs=one.logprobs[:MAX_TOKENS]
    )


def _lengths(one: ProbeSequence) -> range:
    return range(1, len(one.token_ids))


def _worst_share(
    sequences: list[ProbeSequence], means: list[list[float]], directory: Path, tolerance: float
) -> float:
    lengths_N = np.array([t for one in sequences for t in _lengths(one)], np.float64)
    states_ND = _states(np.array(means, np.float64), lengths_N)
    next_tokens = [token for one in sequences for token in one.token_ids[1:]]
    published_N = np.array([value for one in sequences for value in one.logprobs], np.float64)
    differences_N = np.abs(logprobs_of(directory, states_ND, next_tokens) - published_N)
    # An error e of each mean is one of up to (2t - 1) * e of the state.
    return float((differences_N / (tolerance * (2 * lengths_N - 1))).max())


def _states(means_ND: NDArray[np.float64], lengths_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """The state at the last token of every beginning, each of which follows the next shorter."""
    sums_ND = means_ND * lengths_N[:, None]
    states_ND = np.diff(sums_ND, axis=0, prepend=0.0)
    states_ND[lengths_N == 1] = sums_ND[lengths_N == 1]
    return states_ND
