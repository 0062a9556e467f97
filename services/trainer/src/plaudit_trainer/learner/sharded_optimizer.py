"""A sharded optimizer (FSDP2) that is saved before its first step."""

from typing import TYPE_CHECKING, cast

import torch
from accelerate.optimizer import AcceleratedOptimizer

if TYPE_CHECKING:
    from transformers import Trainer


def start_optimizer(trainer: "Trainer") -> None:
    """Make the state that the first step would find; nothing where there is one.

    torch 2.13 makes it when it saves, by a step without gradients that the optimizer counts: Adam's
    first true step would be its second, and 0.74 of what it should be.
    """
    if not trainer.accelerator.is_fsdp2:
        return
    optimizer = cast(AcceleratedOptimizer, trainer.optimizer).optimizer
    if optimizer.state:
        return
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    for state in optimizer.state.values():
        state["step"].zero_()
