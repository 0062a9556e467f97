"""A language model's backbone with a linear head that gives a reward at every token."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from transformers import AutoConfig, PreTrainedModel
from transformers.modeling_layers import GenericForTokenClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING
from transformers.utils import logging

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import LoraRecipe
from plaudit_trainer.learner.lora import put_on_lora
from plaudit_trainer.model_path import check_model_path

HEAD = "score"
"""What transformers calls it."""


class ValueHead(torch.nn.Linear):
    """From a hidden state to one number, in float32 whatever the backbone computes in."""

    def __init__(self, hidden_size: int, seed: int) -> None:
        """Standard deviation 1/(hidden + 1), as in OpenRLHF."""
        super().__init__(hidden_size, 1, bias=False)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.weight.normal_(0.0, 1.0 / (hidden_size + 1), generator=generator)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return torch.nn.functional.linear(hidden.float(), self.weight.float())


def load_reward_model(path: str, seed: int, lora: LoraRecipe | None = None) -> PreTrainedModel:
    """Its logits are (B, T, 1). The head is always a fresh one, trained whole with adapters, too.

    Raises ConfigError.
    """
    check_model_path(path)
    try:
        model = _load(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {path!r}: the model cannot be loaded: {str(error).strip()[:500]}",
            fix="give a model directory or a hub id that can be reached",
        ) from error
    model.score = ValueHead(model.config.get_text_config().hidden_size, seed)
    if lora is not None:
        model = put_on_lora(model, lora, seed, also_trained=(HEAD,))
    return cast(PreTrainedModel, model)


def _load(path: str) -> Any:
    """With a head to be replaced. Raises ConfigError, OSError, ValueError."""
    config = AutoConfig.from_pretrained(
        path, num_labels=1, classifier_dropout=0.0, token_classification_bias=False
    )
    kind: Any = MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING.get(type(config), object)
    if not issubclass(kind, GenericForTokenClassification):
        raise ConfigError(
            f"model.path = {path!r}: a model of type {config.model_type!r} cannot become a reward "
            "model.",
            fix="give a causal language model of a common kind (Qwen, Llama, Mistral, Gemma, Phi)",
        )
    with _without_report():
        model, found = kind.from_pretrained(
            path, config=config, dtype=torch.float32, output_loading_info=True
        )
    if missing := sorted(name for name in found["missing_keys"] if not name.startswith("score.")):
        raise ConfigError(
            f"model.path = {path!r}: its file lacks weights: {', '.join(missing[:5])}.",
            fix="give a whole model",
        )
    return model


@contextmanager
def _without_report() -> Iterator[None]:
    """Transformers would warn of the head that it does not find."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
