"""Texts per second of a reward model: the pool `model`, beside Hugging Face's own ways.

    python benchmarks/reward_models.py [--texts 512] [--hidden 256] [--layers 4] [--threads 1]

A classifier with random weights and texts of very different lengths, in groups of 8 that come at
once. The peers: the model called text by text, transformers' text-classification pipeline in
batches of 32 in the order of arrival, and the same with texts sorted by length beforehand, which
is what batching can bring at best. All must give the same logits.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    TextClassificationPipeline,
)

from plaudit_reward.models.conversation import Conversation
from plaudit_reward.models.engine import EngineLimits
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.models.spec import ClassifierSpec
from plaudit_reward.reward import Missing
from plaudit_trainer.seed.tokenizer import make_tokenizer

GROUP = 8
BATCH = 32
CONTEXT = 2048
SAME = 1e-4


def main() -> None:
    options = parsed_options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as directory:
        make_model(Path(directory), options.hidden, options.layers)
        texts = make_texts(options.texts)
        peers = Peers(directory)
        ways: dict[str, Callable[[Sequence[str]], list[float]]] = {
            "Hugging Face, one by one": peers.one_by_one,
            f"pipeline, batches of {BATCH}": peers.pipeline,
            f"pipeline, sorted, batches of {BATCH}": peers.sorted_pipeline,
            "pool model, groups of 8": lambda some: asyncio.run(ours(directory, some, options)),
        }
        truth = peers.one_by_one(texts)
        print(f"{len(texts)} texts, {peers.num_tokens(texts)} tokens, {options.threads} threads")
        for name, way in ways.items():
            way(texts[:BATCH])
            started_s, cpu_before_s = time.perf_counter(), time.process_time()
            found = way(texts)
            seconds = time.perf_counter() - started_s
            cpu_ms = 1000 * (time.process_time() - cpu_before_s) / len(texts)
            worst = max(abs(a - b) for a, b in zip(found, truth, strict=True))
            same = "same logits" if worst < SAME else f"logits differ by {worst:.1e}"
            speed = f"{len(texts) / seconds:8.1f} texts/s {cpu_ms:7.1f} ms CPU each"
            print(f"{name:38} {speed}  {same}")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def make_model(directory: Path, hidden: int, layers: int) -> None:
    tokenizer = make_tokenizer(["the answer is 4"], vocabulary_size=300)
    tokenizer.chat_template = None
    torch.manual_seed(0)
    options: dict[str, Any] = {"num_labels": 1, "bos_token_id": None}
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **options,
    )
    Qwen2ForSequenceClassification(config).save_pretrained(directory)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(directory)


def make_texts(num_texts: int) -> list[str]:
    """Of 5 to 800 letters, short ones being more frequent, as completions are."""
    chance = random.Random(0)
    lengths = [int(5 * 160 ** chance.random()) for _ in range(num_texts)]
    return ["".join(chance.choices("abcdefgh ", k=length)) for length in lengths]


class Peers:
    def __init__(self, directory: str) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(directory)
        self._model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
        kind: Any = TextClassificationPipeline
        self._pipeline = kind(model=self._model, tokenizer=self._tokenizer, device="cpu")

    def num_tokens(self, texts: Sequence[str]) -> int:
        return sum(len(ids) for ids in self._tokenizer(list(texts))["input_ids"])

    @torch.inference_mode()
    def one_by_one(self, texts: Sequence[str]) -> list[float]:
        inputs = (self._tokenizer(text, return_tensors="pt") for text in texts)
        return [float(self._model(**one).logits) for one in inputs]

    def pipeline(self, texts: Sequence[str]) -> list[float]:
        found = self._pipeline(list(texts), batch_size=BATCH, function_to_apply="none")
        return [float(one["score"]) for one in found]

    def sorted_pipeline(self, texts: Sequence[str]) -> list[float]:
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        values = self.pipeline([texts[index] for index in order])
        by_index = dict(zip(order, values, strict=True))
        return [by_index[index] for index in range(len(texts))]


async def ours(directory: str, texts: Sequence[str], options: argparse.Namespace) -> list[float]:
    """With the model's load, which the time of the first group has in it."""
    spec = ClassifierSpec(kind="classifier", path=directory)
    limits = EngineLimits(torch_threads=options.threads)
    async with ModelPool({"default": spec}, limits) as pool:
        model = pool.reward_model("default")
        groups = [
            [Conversation([], text) for text in texts[start : start + GROUP]]
            for start in range(0, len(texts), GROUP)
        ]
        found = await asyncio.gather(*(model.rewards(group, "null") for group in groups))
    values = [value for group in found for value in group]
    assert not any(isinstance(value, Missing) for value in values)
    return [value for value in values if isinstance(value, float)]


if __name__ == "__main__":
    main()
