"""DeepSpeed's ZeRO-3 takes it that a forward pass fetches the same weights as the one before it.

Ours do not: a probe, log-probabilities without a gradient and a pass that trains differ in their
modules, and in how they reach the head, whose weights TRL gathers by itself. DeepSpeed would fetch
ahead what nobody waits for, or stop with "tracing error".
"""

from typing import TYPE_CHECKING, Any

from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

if TYPE_CHECKING:
    from transformers import Trainer


def forget_traces(trainer: "Trainer") -> None:
    """From now on each forward pass fetches what it needs when it needs it; nothing else changes.

    To be called before DeepSpeed puts hooks of its own on the model. Does nothing without ZeRO-3.
    """
    if is_deepspeed_zero3_enabled():  # type: ignore[no-untyped-call]
        model: Any = trainer.model
        model.register_forward_pre_hook(lambda *_: _forget(trainer.model_wrapped))


def _forget(engine: Any) -> None:
    coordinator = engine.optimizer.parameter_offload.get_param_coordinator()
    if not coordinator.is_invalid_trace():
        coordinator._invalidate_trace()
