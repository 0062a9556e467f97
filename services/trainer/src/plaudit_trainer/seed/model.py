"""The seed model: a Qwen2 of half a million parameters, warmed up and saved with its tokenizer."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from plaudit_trainer.seed.curriculum import examples
from plaudit_trainer.seed.problem import Problem
from plaudit_trainer.seed.settings import MAX_CONTEXT_TOKENS, SeedSettings
from plaudit_trainer.seed.tokenizer import make_tokenizer
from plaudit_trainer.seed.warmup import warm_up

# Matrices this small get slower, not faster, on more threads.
MAX_THREADS = 4
NUM_TOKENIZER_EXAMPLES = 3000


def build_model(
    problems: list[Problem],
    settings: SeedSettings,
    directory: Path,
    progress: Callable[[float], None],
) -> None:
    """Make the tokenizer and the model, warm the model up on `problems`, and save both."""
    stream = examples(problems, settings, random.Random(settings.seed))
    sample = islice(stream, NUM_TOKENIZER_EXAMPLES)
    texts = [text for messages, reply in sample for text in (messages[0]["content"], reply)]
    tokenizer = make_tokenizer(texts, vocabulary_size=settings.vocabulary_size)
    with _reproducible(settings.seed):
        model = make_model(settings, tokenizer)
        stream = examples(problems, settings, random.Random(settings.seed))
        warm_up(model, tokenizer, stream, settings, progress)
    tokenizer.save_pretrained(directory)
    model.save_pretrained(directory)


def make_model(settings: SeedSettings, tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Fresh weights in float32, drawn from torch's global generator.

    The embeddings are not tied: vLLM's in-place reload leaves a tied `lm_head` behind.
    """
    config = Qwen2Config(
        vocab_size=settings.vocabulary_size,
        hidden_size=settings.hidden_size,
        intermediate_size=3 * settings.hidden_size,
        num_hidden_layers=settings.num_layers,
        num_attention_heads=settings.num_heads,
        num_key_value_heads=settings.num_heads,
        max_position_embeddings=MAX_CONTEXT_TOKENS,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.float32,
    )
    return Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed torch and bound its threads for a while, and leave the caller's state as it was."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(min(num_threads, MAX_THREADS))
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(num_threads)
