"""A small byte-level BPE tokenizer: it encodes any text, and every digit is a token.

It is a `Qwen2Tokenizer` with a vocabulary of our own, since that is the class transformers and
vLLM read for a Qwen2 model, whatever class wrote the files. Like Qwen2's, it normalizes to NFC.
"""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Tokenizer

from plaudit_trainer.seed.settings import MAX_CONTEXT_TOKENS

PAD = "<|pad|>"
END = "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('unknown role: ' + message['role']) }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def make_tokenizer(texts: Iterable[str], *, vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Learn the merges from `texts`; equal texts give equal tokenizers."""
    bpe = _train(texts, vocabulary_size)
    return Qwen2Tokenizer(
        vocab=bpe["vocab"],
        merges=bpe["merges"],
        pad_token=PAD,
        eos_token=END,
        # Never produced, since every byte is known; without it the class adds one of its own.
        unk_token=PAD,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_CONTEXT_TOKENS,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _train(texts: Iterable[str], vocabulary_size: int) -> dict[str, Any]:
    qwen2 = Qwen2Tokenizer().backend_tokenizer
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = qwen2.normalizer
    tokenizer.pre_tokenizer = qwen2.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    bpe: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    bpe["merges"] = [tuple(merge) for merge in bpe["merges"]]
    return bpe
