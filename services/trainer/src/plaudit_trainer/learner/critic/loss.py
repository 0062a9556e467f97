"""The clipped value loss of PPO, as in OpenRLHF."""

import torch


def value_losses(
    values: torch.Tensor, old: torch.Tensor, returns: torch.Tensor, clip: float | None
) -> torch.Tensor:
    """0.5 max((V_clip - R)^2, (V - R)^2) of each token, V_clip within `clip` of the old value."""
    squares = (values - returns).square()
    if clip is not None:
        near = old + (values - old).clamp(-clip, clip)
        squares = squares.maximum((near - returns).square())
    return 0.5 * squares


def is_clipped(values: torch.Tensor, old: torch.Tensor, clip: float | None) -> torch.Tensor:
    if clip is None:
        return torch.zeros_like(values, dtype=torch.bool)
    return (values - old).abs() > clip
