"""The figures of a step that every method has a place for; None where it has none.

Means are over the trained tokens of all ranks.
"""

from typing import Any

import torch

from plaudit_trainer.learner.advantage.batch import ScoredBatch


def no_figures() -> dict[str, Any]:
    return {
        "advantage": {"mean": None, "std": None, "max_abs": None},
        "kl": None,
        "kl_coefficient": None,
        "returns": None,
        "explained_variance": None,
        "value_loss": None,
        "value_clip_fraction": None,
    }


def figures_of_tokens(
    batch: ScoredBatch,
    advantages_BC: torch.Tensor,
    returns_BC: torch.Tensor | None,
    kl_BC: torch.Tensor | None,
) -> dict[str, Any]:
    """`kl_BC` is k3, in nats per token."""
    largest = (advantages_BC.abs() * batch.mask_BC).max()
    advantage = _moments(batch, advantages_BC)
    advantage["max_abs"] = float(batch.gather(largest.reshape(1)).max())
    return {
        "advantage": advantage,
        "kl": None if kl_BC is None else _moments(batch, kl_BC)["mean"],
        **_critic_figures(batch, returns_BC),
    }


def _critic_figures(batch: ScoredBatch, returns_BC: torch.Tensor | None) -> dict[str, Any]:
    if returns_BC is None or batch.values_BC is None:
        return {}
    returns = _moments(batch, returns_BC)
    error = _moments(batch, returns_BC - batch.values_BC)
    share = (error["std"] / returns["std"]) ** 2 if returns["std"] else None
    explained = None if share is None else 1.0 - share
    return {"returns": returns, "explained_variance": explained}


def _moments(batch: ScoredBatch, values_BC: torch.Tensor) -> dict[str, float]:
    mask_BC = batch.mask_BC
    sums = torch.stack([mask_BC.sum(), (values_BC * mask_BC).sum()]).double()
    count, total = batch.gather(sums.unsqueeze(0)).sum(dim=0).tolist()
    mean = total / max(1.0, count)
    squares = batch.sum_over_ranks(((values_BC - mean).square() * mask_BC).sum())
    return {"mean": mean, "std": float((squares / max(1.0, count)).sqrt())}


def method_line(method: dict[str, Any], trl: dict[str, Any]) -> dict[str, Any]:
    """A step's line of metrics: the method's figures, and those of the loss, which TRL notes."""
    return {
        **method,
        "kl": trl.get("kl") if method["kl"] is None else method["kl"],
        "entropy": trl.get("entropy"),
        "clip_fraction": {
            "low": trl.get("clip_ratio/low_mean"),
            "high": trl.get("clip_ratio/high_mean", trl.get("cispo_clip_ratio")),
        },
    }
