"""New weights -> a published version, announced to the engines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedTokenizerBase
from transformers.core_model_loading import revert_weight_conversion
from trl.trainer.utils import use_adapter

from plaudit.schemas.policy import PolicyAnnouncement, Probe
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.learner.announcer import Announcer
from plaudit_trainer.learner.lora import adapter_alone, adapter_config, beneath
from plaudit_trainer.learner.probe import compute_probe, probe_sequences, tolerance_of
from plaudit_trainer.learner.whole_weights import (
    base_model,
    gathered,
    whole_model,
    whole_weights,
)
from plaudit_trainer.policy_store import PolicyStore

if TYPE_CHECKING:
    from plaudit_trainer.learner.trainer import LearnerTrainer

LM_HEAD = "lm_head.weight"


class Publisher:
    """All ranks call `publish` (gathering sharded weights needs them); rank 0 writes."""

    def __init__(
        self,
        trainer: "LearnerTrainer",
        tokenizer: PreTrainedTokenizerBase,
        store: PolicyStore | None,
        announcer: Announcer | None,
        recipe: Recipe,
    ) -> None:
        self._trainer = trainer
        self._store = store
        self._announcer = announcer
        self._dtype = getattr(torch, recipe.model.dtype)
        self._publishes_adapters = recipe.model.published_rank > 0
        self._base: PolicyAnnouncement | None = None
        self._has_base = False
        self._tolerance = tolerance_of(recipe)
        self._sequences = probe_sequences(tokenizer)

    def publish(self, step: int) -> int | None:
        """The new version; None on the ranks that do not write."""
        if self._publishes_adapters:
            announcement = self._publish_adapter(step)
        else:
            announcement = self._publish_whole(step)
        if self._store is None or announcement is None:
            return None
        if self._announcer is not None:
            self._announcer.announce(announcement)
        self._store.remove_old()
        return announcement.version

    def _publish_whole(self, step: int) -> PolicyAnnouncement | None:
        weights = policy_weights(self._trainer, self._dtype)
        probe = self._probe()
        if self._store is None:
            return None
        return self._store.publish(step, weights, policy_config(self._trainer), probe)

    def _publish_adapter(self, step: int) -> PolicyAnnouncement | None:
        if not self._has_base:
            self._base = self._put_base()
            self._has_base = True
        state = gathered(self._trainer)
        probe = self._probe()
        if self._store is None:
            return None
        model = self._trainer.accelerator.unwrap_model(self._trainer.model)
        weights = _at_rest(adapter_alone(model, state), self._dtype)
        return self._store.publish(step, weights, adapter_config(model), probe, self._base)

    def _put_base(self) -> PolicyAnnouncement | None:
        weights = _named_for_vllm(self._trainer, beneath(gathered(self._trainer)), self._dtype)
        model = self._trainer.accelerator.unwrap_model(self._trainer.model)
        with use_adapter(model, adapter_name=None):
            probe = self._probe()
        if self._store is None:
            return None
        return self._store.put_base(weights, policy_config(self._trainer), probe)

    def _probe(self) -> Probe:
        return compute_probe(whole_model(self._trainer), self._sequences, self._tolerance)


def policy_weights(trainer: "LearnerTrainer", dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Whole, adapters merged. All ranks together, empty on all but the first."""
    return _named_for_vllm(trainer, whole_weights(trainer), dtype)


def _named_for_vllm(
    trainer: "LearnerTrainer", state: dict[str, torch.Tensor], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Names as in a checkpoint of transformers, plus `lm_head.weight` when it is tied.

    An engine that reloads in place leaves a tied head behind unless it is given explicitly.
    """
    if not state:
        return {}
    model = base_model(trainer.accelerator.unwrap_model(trainer.model))
    plain = _at_rest(revert_weight_conversion(model, state), dtype)
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if LM_HEAD not in plain and head is not None:
        tied = next(name for name, one in model.named_parameters() if one is head.weight)
        plain[LM_HEAD] = plain[tied]
    return _unshared(plain)


def _at_rest(weights: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in weights.items()
    }


def _unshared(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """safetensors refuses two names for one storage."""
    seen: set[int] = set()
    unshared = {}
    for name, tensor in weights.items():
        is_shared = tensor.data_ptr() in seen
        seen.add(tensor.data_ptr())
        unshared[name] = tensor.clone() if is_shared else tensor.contiguous()
    return unshared


def policy_config(trainer: "LearnerTrainer") -> dict[str, Any]:
    model = base_model(trainer.accelerator.unwrap_model(trainer.model))
    config: dict[str, Any] = model.config.to_dict()
    return {**config, "tie_word_embeddings": False}
