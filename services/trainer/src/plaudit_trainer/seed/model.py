"""The seed model: a Qwen2 of about half a million parameters."""

import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from plaudit_trainer.seed.settings import MAX_CONTEXT_TOKENS, SeedSettings


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
    return Qwen2ForCausalLM(config)
