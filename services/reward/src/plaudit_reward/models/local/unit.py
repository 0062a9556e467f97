"""Rewards and entropies at every token of a completion, of which segments are made.

Tensor shapes: B texts, T tokens, K kept columns, H hidden, V vocabulary, N tokens of a completion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from plaudit.errors import ConfigError
from plaudit.reward_text import JOIN
from plaudit.scale import Scale
from plaudit.schemas.common import Message
from plaudit.schemas.reward import Answer
from plaudit.segments import LocationNorm
from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.local.encoder import special_tokens
from plaudit_reward.models.local.loading import (
    load_model,
    load_tokenizer,
    longest_text,
    pad_id_of,
    vocabulary_size,
)
from plaudit_reward.models.local.padding import Padded, padded
from plaudit_reward.models.local.text_model import scale_of
from plaudit_reward.models.local.value_head import load_head
from plaudit_reward.models.spec import UnitSpec
from plaudit_reward.models.units import TokenReadings, location_norm
from plaudit_reward.reward import Missing

MAX_LOGITS_BYTES = 2 * 2**30
"""Of one batch of the reference; a single text may be more."""
_ENTROPY_ROWS = 512


class UnitInput(NamedTuple):
    token_ids: list[int]
    num_prompt_tokens: int


@dataclass(frozen=True)
class UnitModel:
    name: str
    max_batch_tokens: int
    model: PreTrainedModel
    head_H: torch.Tensor
    reference: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length_tokens: int
    scale: Scale | None
    norm: LocationNorm
    pad_id: int
    special_ids: frozenset[int]

    @property
    def device(self) -> torch.device:
        return self.model.device

    def encode(self, prompt: Sequence[Message], answer: Answer) -> UnitInput | Missing:
        """Missing where the tokens are not this tokenizer's, or are too many."""
        if reason := self._foreign(answer):
            return Missing(reason)
        prompt_ids = self._prompt_ids(prompt)
        ids = [*prompt_ids, *(answer.token_ids or [])]
        if len(ids) > self.max_length_tokens:
            limit = f"max_length_tokens = {self.max_length_tokens}"
            return Missing(f"prompt and completion have {len(ids)} tokens, over {limit}")
        return UnitInput(ids, len(prompt_ids))

    @torch.inference_mode()
    def compute(self, batch: Sequence[UnitInput]) -> list[TokenReadings]:
        inputs = padded([one.token_ids for one in batch], self.pad_id, self.device)
        num_columns = inputs.ids_BT.size(1)
        first = min(one.num_prompt_tokens for one in batch)
        rewards_BK = self._rewards(inputs)[:, first:]
        logits_BKV = self._logits(inputs, num_columns - first)
        found = []
        for row, (ids, num_prompt_tokens) in enumerate(batch):
            columns = slice(num_prompt_tokens - first, len(ids) - first)
            entropies_N = entropies_of(logits_BKV[row, columns])
            rewards = rewards_BK[row, columns].tolist()
            found.append(TokenReadings(entropies_N.tolist(), rewards, ids[-1] in self.special_ids))
        return found

    def _rewards(self, inputs: Padded) -> torch.Tensor:
        hidden_BTH = self.model(
            input_ids=inputs.ids_BT, attention_mask=inputs.mask_BT, use_cache=False
        ).last_hidden_state
        rewards_BT: torch.Tensor = hidden_BTH.float() @ self.head_H
        return rewards_BT

    def _logits(self, inputs: Padded, num_kept: int) -> torch.Tensor:
        """Of the last `num_kept` columns."""
        found: torch.Tensor = self.reference(
            input_ids=inputs.ids_BT,
            attention_mask=inputs.mask_BT,
            use_cache=False,
            logits_to_keep=num_kept,
        ).logits
        return found

    def _foreign(self, answer: Answer) -> str | None:
        """Why `token_ids` cannot be this tokenizer's: they do not decode to the text."""
        ids = answer.token_ids
        if not ids:
            return "token_ids is missing"
        if max(ids) >= min(vocabulary_size(self.model), vocabulary_size(self.reference)):
            return f"token_ids has {max(ids)}, which model {self.name!r} does not know"
        decoded = str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        text = answer.text.strip()
        # A prefix is enough: engines cut the text at a stop string, and keep its tokens.
        if decoded == text or (text and decoded.startswith(text)):
            return None
        return f"token_ids do not decode to the text with the tokenizer of model {self.name!r}"

    def _prompt_ids(self, prompt: Sequence[Message]) -> list[int]:
        messages = [{"role": one.role, "content": one.content} for one in prompt]
        if not messages or self.tokenizer.chat_template is None:
            joined = Conversation(prompt, "").joined() if prompt else JOIN
            return list(self.tokenizer(joined, verbose=False)["input_ids"])
        goes_on = messages[-1]["role"] == "assistant"
        text = self.tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=not goes_on,
            continue_final_message=goes_on,
        )
        return list(self.tokenizer(str(text), add_special_tokens=False, verbose=False)["input_ids"])


def entropies_of(logits_NV: torch.Tensor) -> torch.Tensor:
    """In nats, in float32, a few rows at a time: V is large."""
    parts = []
    for rows_NV in torch.split(logits_NV, _ENTROPY_ROWS):
        parts.append(torch.special.entr(rows_NV.float().softmax(-1)).sum(-1))
    return torch.cat(parts)


def load_unit_model(name: str, spec: UnitSpec, max_batch_tokens: int) -> UnitModel:
    """Raises ConfigError."""
    tokenizer = load_tokenizer(spec.path)
    if load_tokenizer(spec.reference_path).get_vocab() != tokenizer.get_vocab():
        raise ConfigError(
            f"reference_path = {spec.reference_path!r}: another tokenizer than {spec.path!r} has.",
            fix="name the language model that the reward model was trained from",
        )
    model = load_model(AutoModel, spec.path, spec)
    reference = load_model(AutoModelForCausalLM, spec.reference_path, spec)
    longest = min(longest_text(model, tokenizer), longest_text(reference, tokenizer))
    logits_bytes = 4 * vocabulary_size(reference)
    return UnitModel(
        name=name,
        max_batch_tokens=min(max_batch_tokens, max(1, MAX_LOGITS_BYTES // logits_bytes)),
        model=model,
        head_H=load_head(spec, spec.value_head_prefix, model),
        reference=reference,
        tokenizer=tokenizer,
        max_length_tokens=min(longest, spec.max_length_tokens or longest),
        scale=scale_of(spec, model),
        norm=location_norm(spec),
        pad_id=pad_id_of(model, tokenizer) or 0,
        special_ids=frozenset(special_tokens(tokenizer)),
    )
