"""Supervised warm-up of the seed model.

Tensor shapes: B examples in a batch, T tokens in the longest of them.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from plaudit_trainer.seed.curriculum import Example
from plaudit_trainer.seed.muon import Muon
from plaudit_trainer.seed.settings import SeedSettings

TokenPair = tuple[list[int], list[int]]
IGNORED_LABEL = -100
BATCHES_PER_POOL = 16


def warm_up(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Iterator[Example],
    settings: SeedSettings,
    progress: Callable[[float], None],
) -> None:
    """Train `model` in place; the loss covers the replies only."""
    batches = _batches(tokenizer, examples, settings)
    optimizers = _optimizers(model, settings)
    model.train()
    for step in range(settings.warmup_steps):
        tokens_BT, labels_BT = _collate(next(batches), tokenizer.pad_token_id)
        # Right padding and causal attention: no mask is needed, and none is faster.
        model(input_ids=tokens_BT, labels=labels_BT, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, peak in optimizers:
            optimizer.param_groups[0]["lr"] = peak * _schedule(step, settings.warmup_steps)
            optimizer.step()
            optimizer.zero_grad()
        progress((step + 1) / settings.warmup_steps)
    model.eval()  # type: ignore[no-untyped-call]


def _optimizers(
    model: Qwen2ForCausalLM, settings: SeedSettings
) -> list[tuple[torch.optim.Optimizer, float]]:
    """Each optimizer with its peak learning rate."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_inner_matrix = "layers" in name and parameter.ndim == 2
        (matrices if is_inner_matrix else others).append(parameter)
    return [
        (Muon(matrices, settings.matrix_learning_rate), settings.matrix_learning_rate),
        (
            torch.optim.AdamW(others, settings.learning_rate, (0.9, 0.98), fused=True),
            settings.learning_rate,
        ),
    ]


def _schedule(step: int, num_steps: int) -> float:
    """Rise for 30 steps, stay, and fall to zero over the last half."""
    return min(1.0, (step + 1) / 30, 2 * (num_steps - step) / num_steps)


def _batches(
    tokenizer: PreTrainedTokenizerFast, examples: Iterator[Example], settings: SeedSettings
) -> Iterator[list[TokenPair]]:
    """Batches of examples of about the same length, which halves the padding."""
    rng = random.Random(settings.seed)
    size = settings.batch_size
    while True:
        pool = _encode(tokenizer, list(islice(examples, BATCHES_PER_POOL * size)))
        pool.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(batches)
        yield from batches


def _encode(tokenizer: PreTrainedTokenizerFast, examples: list[Example]) -> list[TokenPair]:
    prompts = [
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        for messages, _ in examples
    ]
    replies = [reply + tokenizer.eos_token for _, reply in examples]
    prompt_ids, reply_ids = tokenizer(prompts)["input_ids"], tokenizer(replies)["input_ids"]
    return list(zip(prompt_ids, reply_ids, strict=True))


def _collate(batch: list[TokenPair], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(len(prompt) + len(reply) for prompt, reply in batch)
    tokens_BT = torch.full((len(batch), length), pad_token_id)
    labels_BT = torch.full((len(batch), length), IGNORED_LABEL)
    for row, (prompt, reply) in enumerate(batch):
        end = len(prompt) + len(reply)
        tokens_BT[row, :end] = torch.tensor(prompt + reply)
        labels_BT[row, len(prompt) : end] = torch.tensor(reply)
    return tokens_BT, labels_BT
