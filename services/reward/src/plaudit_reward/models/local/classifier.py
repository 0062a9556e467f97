"""Sequence classifiers of Hugging Face: one logit, or one label of several, is the reward."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from plaudit.errors import ConfigError
from plaudit.telemetry import get_logger
from plaudit_reward.models.local.encoder import Encoded
from plaudit_reward.models.local.loading import load_model, load_tokenizer, pad_id_of
from plaudit_reward.models.local.padding import padded
from plaudit_reward.models.local.text_model import LoadedTextModel, encoder_of, scale_of
from plaudit_reward.models.spec import ClassifierSpec

log = get_logger(__name__)


@dataclass(frozen=True)
class Classifier(LoadedTextModel):
    label: int
    softmax: bool

    @torch.inference_mode()
    def compute(self, batch: Sequence[Encoded]) -> list[float]:
        ids_BT, mask_BT, _ = padded([one.token_ids for one in batch], self.pad_id, self.device)
        logits_BL = self.model(input_ids=ids_BT, attention_mask=mask_BT).logits.float()
        values_BL = logits_BL.softmax(-1) if self.softmax else logits_BL
        found: list[float] = values_BL[:, self.label].tolist()
        return found


def load_classifier(name: str, spec: ClassifierSpec, max_batch_tokens: int) -> Classifier:
    """Raises ConfigError."""
    tokenizer = load_tokenizer(spec.path)
    model = load_model(AutoModelForSequenceClassification, spec.path, spec)
    label = _label_of(spec, model)
    pad_id = pad_id_of(model, tokenizer)
    if pad_id is None:
        # Without padding there are no batches: every text is one that is full.
        log.warning("no_padding_token", model=name, consequence="texts are computed one by one")
        max_batch_tokens = 1
    model.config.get_text_config().pad_token_id = pad_id
    return Classifier(
        name=name,
        max_batch_tokens=max_batch_tokens,
        model=model,
        encoder=encoder_of(spec, model, tokenizer),
        scale=scale_of(spec, model),
        pad_id=pad_id or 0,
        label=label,
        softmax=spec.softmax,
    )


def _label_of(spec: ClassifierSpec, model: PreTrainedModel) -> int:
    num_labels = model.config.num_labels or 1
    if spec.label is None and num_labels != 1:
        raise ConfigError(
            f"path = {spec.path!r}: the classifier has {num_labels} labels.",
            fix=f"say which is the reward: label = 0 to {num_labels - 1}",
        )
    if spec.label is not None and spec.label >= num_labels:
        raise ConfigError(
            f"label = {spec.label}: the classifier has {num_labels} labels.",
            fix=f"say 0 to {num_labels - 1}",
        )
    return spec.label or 0
