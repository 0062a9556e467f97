"""The proof: the engine must give the log-probabilities that the learner published."""

from secrets import token_hex

from plaudit.errors import PlauditError
from plaudit.schemas.policy import Probe
from plaudit_rollout.engine.client import EngineClient


class ProbeFailed(PlauditError):
    """The engine holds other weights than those that were published."""


async def check_probe(engine: EngineClient, probe: Probe, adapter: str | None = None) -> float:
    """The largest difference found, by the weights themselves or with an adapter over them.

    Raises:
        ProbeFailed: it exceeds the tolerance, or the probe has no value for some token.
    """
    sequences = probe.sequences
    if any(len(one.logprobs) != len(one.token_ids) - 1 for one in sequences):
        raise ProbeFailed("the probe needs one log-probability for every token but the first.")
    token_ids = [one.token_ids for one in sequences]
    found = await engine.prompt_logprobs(token_ids, token_hex(8), adapter)
    pairs = [
        (expected, actual)
        for one, actuals in zip(sequences, found, strict=True)
        for expected, actual in zip(one.logprobs, actuals, strict=True)
    ]
    worst = max((abs(expected - actual) for expected, actual in pairs), default=0.0)
    # why: a NaN compares false with everything, and may hide from max().
    if not all(abs(expected - actual) <= probe.tolerance for expected, actual in pairs):
        raise ProbeFailed(
            f"the engine's log-probabilities differ from the published ones by up to {worst:.3g}; "
            f"the tolerance is {probe.tolerance:g}. The weights did not load as published."
        )
    return worst
