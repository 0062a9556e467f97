"""Off-policy correction: bounded weights exp(logp_learner - logp_engine), and how far they are off.

Truncated importance sampling as in TRL 1.16 (`vllm_importance_sampling_*`), which multiplies the
loss of a token by its weight. Tensor shapes: B completions, C tokens of a completion.
"""

from typing import TYPE_CHECKING

from plaudit.schemas.recipe import ImportanceSampling

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def importance_weights(
    learner_BC: "torch.Tensor",
    engine_BC: "torch.Tensor",
    mask_BC: "torch.Tensor",
    options: ImportanceSampling,
) -> "torch.Tensor":
    """(B, C) for level "token", (B, 1) for "sequence"; 1 where a token is padding."""
    log_ratio = log_ratios(learner_BC, engine_BC, mask_BC)
    if options.level == "sequence":
        log_ratio = log_ratio.sum(dim=-1, keepdim=True)
    ratio = log_ratio.exp()
    if options.mode == "truncate":
        return ratio.clamp(max=options.cap)
    return ratio.masked_fill(ratio > options.cap, 0.0)


def log_ratios(
    learner_BC: "torch.Tensor", engine_BC: "torch.Tensor", mask_BC: "torch.Tensor"
) -> "torch.Tensor":
    """0 where masked, and where the engine could not give a log-probability (NaN)."""
    return ((learner_BC - engine_BC) * mask_BC).nan_to_num(nan=0.0)


class EngineGap:
    """How far the engine's log-probabilities were from the learner's, summed over a step."""

    def __init__(self, accelerator: "Accelerator") -> None:
        self._accelerator = accelerator
        self._sums: torch.Tensor | None = None
        self._largest: torch.Tensor | None = None

    def add(
        self,
        gap_BC: "torch.Tensor",
        weights: "torch.Tensor",
        mask_BC: "torch.Tensor",
        is_on_policy_B: "torch.Tensor",
        cap: float,
    ) -> None:
        sums = _sums(gap_BC, weights.expand_as(gap_BC), mask_BC.to(gap_BC.dtype), cap)
        largest = (gap_BC.abs() * is_on_policy_B.unsqueeze(1)).max()
        self._sums = sums if self._sums is None else self._sums + sums
        self._largest = largest if self._largest is None else self._largest.maximum(largest)

    def drain(self) -> dict[str, float] | None:
        """Over all ranks, which must call it together; None when nothing was added."""
        if self._sums is None or self._largest is None:
            return None
        total = self._accelerator.reduce(self._sums, reduction="sum").tolist()
        largest = float(self._accelerator.gather(self._largest).max())
        self._sums = self._largest = None
        num_tokens = max(1.0, total.pop(0))
        names = ("kl", "gap_mean", "weight_mean", "bounded_share")
        means = {name: value / num_tokens for name, value in zip(names, total, strict=True)}
        return {**means, "on_policy_gap_max": largest}


def _sums(
    gap_BC: "torch.Tensor", weights_BC: "torch.Tensor", mask_BC: "torch.Tensor", cap: float
) -> "torch.Tensor":
    """Tokens, then sums of: k3, |log ratio|, weight, whether the weight was bounded.

    k3 (http://joschu.net/blog/kl-approx.html) estimates KL(engine || learner), never below 0.
    """
    import torch

    is_bounded_BC = (weights_BC >= cap) | (weights_BC == 0.0)
    summands = [gap_BC.expm1() - gap_BC, gap_BC.abs(), weights_BC, is_bounded_BC]
    return torch.stack([mask_BC.sum(), *((each * mask_BC).sum() for each in summands)])
