"""The probe: log-probabilities under the new weights that an engine must reproduce."""

from typing import TYPE_CHECKING, Any

from plaudit.schemas.policy import Probe, ProbeSequence
from plaudit.schemas.recipe import Recipe

if TYPE_CHECKING:
    import torch

TEXTS = (
    "What is 17 + 25? The answer is 42.",
    "def add(a, b):\n    return a + b",
    "Hello! How can I help you today?",
    "The quick brown fox jumps over the lazy dog.",
)
MAX_TOKENS = 24
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.5}
"""The probe is computed in float32; bfloat16 engines were seen up to 0.1 from it."""


def tolerance_of(recipe: Recipe) -> float:
    return recipe.learner.probe_tolerance or TOLERANCE[recipe.model.dtype]


def probe_sequences(tokenizer: Any) -> list[list[int]]:
    """Fixed texts as token ids; the same for every version of a run."""
    encoded = tokenizer(list(TEXTS), add_special_tokens=False)["input_ids"]
    return [ids[:MAX_TOKENS] for ids in encoded if len(ids) > 1]


def compute_probe(model: "torch.nn.Module", sequences: list[list[int]], tolerance: float) -> Probe:
    """At temperature 1, in float32. `model` is left in the mode it was in."""
    import torch

    was_training = model.training
    model.eval()
    with torch.no_grad():
        probed = [ProbeSequence(token_ids=ids, logprobs=_logprobs(model, ids)) for ids in sequences]
    model.train(was_training)
    return Probe(sequences=probed, tolerance=tolerance)


def _logprobs(model: "torch.nn.Module", token_ids: list[int]) -> list[float]:
    import torch

    device = next(model.parameters()).device
    ids_1T = torch.tensor([token_ids], device=device)
    logits_TV = model(input_ids=ids_1T, use_cache=False).logits[0, :-1].float()
    chosen_T1 = ids_1T[0, 1:].unsqueeze(-1)
    logprobs_T = logits_TV.log_softmax(dim=-1).gather(-1, chosen_T1).squeeze(-1)
    return [float(value) for value in logprobs_T]
