"""Our own reward models: a causal LM's backbone and a linear head without bias."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoModel, PreTrainedModel
from transformers.utils.hub import cached_file

from plaudit.errors import ConfigError
from plaudit_reward.models.local.encoder import Encoded
from plaudit_reward.models.local.loading import load_model, load_tokenizer, pad_id_of
from plaudit_reward.models.local.padding import padded
from plaudit_reward.models.local.text_model import LoadedTextModel, encoder_of, scale_of
from plaudit_reward.models.spec import LocalModel, ValueHeadSpec

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class ValueHeadModel(LoadedTextModel):
    head_H: torch.Tensor
    """In float32, as is its product: a reward is one number, and bfloat16 has 3 digits."""

    @torch.inference_mode()
    def compute(self, batch: Sequence[Encoded]) -> list[float]:
        inputs = padded([one.token_ids for one in batch], self.pad_id, self.device)
        hidden_BTH = self.model(
            input_ids=inputs.ids_BT, attention_mask=inputs.mask_BT, use_cache=False
        ).last_hidden_state
        last_B = torch.tensor(inputs.lengths, device=self.device) - 1
        hidden_BH = hidden_BTH[torch.arange(len(batch), device=self.device), last_B]
        found: list[float] = (hidden_BH.float() @ self.head_H).tolist()
        return found


def load_value_head_model(name: str, spec: ValueHeadSpec, max_batch_tokens: int) -> ValueHeadModel:
    """Raises ConfigError."""
    tokenizer = load_tokenizer(spec.path)
    model = load_model(AutoModel, spec.path, spec)
    return ValueHeadModel(
        name=name,
        max_batch_tokens=max_batch_tokens,
        model=model,
        encoder=encoder_of(spec, model, tokenizer),
        scale=scale_of(spec, model),
        pad_id=pad_id_of(model, tokenizer) or 0,
        head_H=load_head(spec, spec.value_head_prefix, model),
    )


def load_head(spec: LocalModel, prefix: str, model: PreTrainedModel) -> torch.Tensor:
    """`PREFIX.weight` of shape (1, hidden), as a vector."""
    wanted = f"{prefix}.weight"
    hidden = model.config.get_text_config().hidden_size
    head = _tensor(spec.path, wanted)
    if head is None:
        raise ConfigError(
            f"value_head_prefix = {prefix!r}: {spec.path!r} has no weight {wanted}.",
            fix="say the name that the head was trained with",
        )
    if head.numel() != hidden or _tensor(spec.path, f"{prefix}.bias") is not None:
        raise ConfigError(
            f"{wanted} of {spec.path!r} is no head from {hidden} to 1 without a bias.",
            fix="use kind = 'classifier' for other heads",
        )
    return head.reshape(-1).to(model.device, torch.float32)


def _tensor(path: str, key: str) -> torch.Tensor | None:
    file = _file(path, WEIGHTS)
    if index := _file(path, INDEX):
        shard = json.loads(index.read_text())["weight_map"].get(key)
        file = None if shard is None else _file(path, shard)
    if file is None:
        return None
    with safe_open(file, framework="pt") as tensors:
        return tensors.get_tensor(key) if key in tensors.keys() else None  # noqa: SIM118


def _file(path: str, name: str) -> Path | None:
    found = cached_file(path, name, _raise_exceptions_for_missing_entries=False)
    return None if found is None else Path(found)
