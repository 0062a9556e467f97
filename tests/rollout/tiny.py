"""Tiny Qwen2 models with random weights, and versions of them as the learner publishes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from plaudit.schemas.policy import (
    MANIFEST_NAME,
    PolicyAnnouncement,
    PolicyFile,
    PolicyManifest,
    Probe,
    ProbeSequence,
)
from plaudit.schemas.recipe import LoraRecipe
from plaudit_trainer.learner.lora import adapter_alone, adapter_config, put_on_lora

CONTEXT = 1024
PROBES = ([3, 20, 30, 40, 50], [5, 6, 7, 8, 9, 10, 11, 100, 200])
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('no system prompts here') }}{% endif %}"
    "{{ '<|user|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}<|assistant|>"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte."""
    special = ["<|end|>", "<|user|>", "<|assistant|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(special + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>", chat_template=TEMPLATE
    )


def make_model(seed: int, *, tie: bool = False) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=tie,
        # Sharp enough for different weights to differ visibly.
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config).eval()


def save_base(directory: Path) -> None:
    """Tied, as the smallest Qwen2.5 are."""
    make_model(1000, tie=True).save_pretrained(directory)
    make_tokenizer().save_pretrained(directory)


@torch.no_grad()
def logprobs(model: Any, token_ids: list[int], temperature: float = 1.0) -> list[float]:
    """Of every token but the first."""
    logits_TV = model(torch.tensor([token_ids])).logits[0, :-1].float() / temperature
    chosen_T1 = torch.tensor(token_ids[1:]).unsqueeze(-1)
    return logits_TV.log_softmax(-1).gather(-1, chosen_T1).squeeze(-1).tolist()


@torch.no_grad()
def entropies(model: Qwen2ForCausalLM, token_ids: list[int], temperature: float) -> list[float]:
    """Where each token but the first was drawn: of the 20 likeliest, and the rest as one."""
    logits_TV = model(torch.tensor([token_ids])).logits[0, :-1].double() / temperature
    shares_TV = logits_TV.softmax(-1).sort(-1, descending=True).values
    known_TV = torch.cat([shares_TV[:, :20], shares_TV[:, 20:].sum(-1, keepdim=True)], -1)
    return torch.special.entr(known_TV).sum(-1).tolist()


def make_adapted(base_seed: int, seed: int) -> Any:
    """An adapter of rank 8 over the model of `base_seed`; that of seed 0 changes nothing."""
    adapted = put_on_lora(make_model(base_seed), LoraRecipe(rank=8), seed)
    torch.manual_seed(seed)
    for name, parameter in adapted.named_parameters():
        if ".lora_B." in name and seed:
            torch.nn.init.normal_(parameter, std=0.05)
    return adapted.eval()


def publish(
    root: Path, run_id: str, version: int, model: Qwen2ForCausalLM, *, drop: str | None = None
) -> PolicyAnnouncement:
    """`drop` leaves a weight out of the file, and not out of the probe."""
    directory = root / f"v{version:06d}"
    directory.mkdir(parents=True)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items() if name != drop}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(json.dumps(model.config.to_dict(), default=str))
    return _announced(directory, run_id, version, model, None)


def publish_adapter(
    root: Path, run_id: str, version: int, adapted: Any, base: PolicyAnnouncement
) -> PolicyAnnouncement:
    directory = root / f"v{version:06d}"
    directory.mkdir(parents=True)
    weights = adapter_alone(adapted, adapted.state_dict())
    save_file(weights, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    (directory / "adapter_config.json").write_text(json.dumps(adapter_config(adapted)))
    return _announced(directory, run_id, version, adapted, base)


def _announced(
    directory: Path, run_id: str, version: int, model: Any, base: PolicyAnnouncement | None
) -> PolicyAnnouncement:
    probe = [ProbeSequence(token_ids=ids, logprobs=logprobs(model, ids)) for ids in PROBES]
    manifest = PolicyManifest(
        run_id=run_id,
        version=version,
        step=version,
        files={path.name: _described(path) for path in directory.iterdir()},
        probe=Probe(sequences=probe),
        base=base,
    )
    raw = manifest.model_dump_json().encode()
    (directory / MANIFEST_NAME).write_bytes(raw)
    return PolicyAnnouncement(
        run_id=run_id,
        version=version,
        path=str(directory),
        manifest_sha256=hashlib.sha256(raw).hexdigest(),
    )


def _described(path: Path) -> PolicyFile:
    raw = path.read_bytes()
    return PolicyFile(sha256=hashlib.sha256(raw).hexdigest(), num_bytes=len(raw))
