"""What all models have that read a text and give one number."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from plaudit.errors import ConfigError
from plaudit.scale import Scale
from plaudit_reward.models.local.encoder import Encoded, Encoder, wants_chat
from plaudit_reward.models.local.loading import longest_text, vocabulary_size
from plaudit_reward.models.spec import Scaled, TextModel


@dataclass(frozen=True)
class LoadedTextModel:
    """A subclass says what `compute` does with a batch."""

    name: str
    max_batch_tokens: int
    model: PreTrainedModel
    encoder: Encoder
    scale: Scale | None
    pad_id: int

    @property
    def device(self) -> torch.device:
        return self.model.device

    def compute(self, batch: Sequence[Encoded]) -> list[float]:
        raise NotImplementedError


def encoder_of(
    spec: TextModel, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Encoder:
    """Raises ConfigError when the spec's template or limit does not fit the model."""
    if spec.template == "chat" and tokenizer.chat_template is None:
        raise ConfigError(
            f"template = 'chat': the tokenizer of {spec.path!r} has no chat template.",
            fix="say template = 'plain', or put a chat_template.jinja beside the tokenizer",
        )
    longest = longest_text(model, tokenizer)
    if spec.max_length_tokens is not None and spec.max_length_tokens > longest:
        raise ConfigError(
            f"max_length_tokens = {spec.max_length_tokens}: {spec.path!r} takes {longest}.",
            fix=f"say at most {longest}, or leave it out",
        )
    return Encoder(
        tokenizer,
        spec.max_length_tokens or longest,
        vocabulary_size(model),
        wants_chat(spec.template, tokenizer),
        _appends_eos(spec, model),
    )


def _appends_eos(spec: TextModel, model: PreTrainedModel) -> bool:
    if spec.append_eos is not None:
        return spec.append_eos
    return bool(model.config.to_dict().get("append_eos", False))


def scale_of(spec: Scaled, model: PreTrainedModel) -> Scale | None:
    """The settings', else what the training of the reward model left in config.json."""
    if spec.mean is not None and spec.std is not None:
        return Scale(spec.mean, spec.std)
    config = model.config.to_dict()
    mean, std = config.get("mean"), config.get("std")
    return None if mean is None or std is None else Scale(float(mean), float(std))
