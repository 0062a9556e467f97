"""New weights -> a published version, announced to the engines."""

from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedTokenizerBase
from transformers.core_model_loading import revert_weight_conversion

from plaudit.schemas.recipe import Recipe
from plaudit_trainer.learner.announcer import Announcer
from plaudit_trainer.learner.probe import compute_probe, probe_sequences, tolerance_of
from plaudit_trainer.learner.whole_weights import base_model, whole_model, whole_weights
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
        self._tolerance = tolerance_of(recipe)
        self._sequences = probe_sequences(tokenizer)

    def publish(self, step: int) -> int | None:
        """The new version; None on the ranks that do not write."""
        weights = policy_weights(self._trainer, self._dtype)
        probe = compute_probe(whole_model(self._trainer), self._sequences, self._tolerance)
        if self._store is None:
            return None
        announcement = self._store.publish(step, weights, policy_config(self._trainer), probe)
        if self._announcer is not None:
            self._announcer.announce(announcement)
        self._store.remove_old()
        return announcement.version


def policy_weights(trainer: "LearnerTrainer", dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Names as in a checkpoint of transformers, plus `lm_head.weight` when it is tied. All ranks
    together, empty on all but the first.

    An engine that reloads in place leaves a tied head behind unless it is given explicitly.
    """
    model = base_model(trainer.accelerator.unwrap_model(trainer.model))
    state = whole_weights(trainer)
    if not state:
        return {}
    weights = revert_weight_conversion(model, state)
    plain = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in weights.items()
    }
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if LM_HEAD not in plain and head is not None:
        tied = next(name for name, one in model.named_parameters() if one is head.weight)
        plain[LM_HEAD] = plain[tied]
    return _unshared(plain)


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
