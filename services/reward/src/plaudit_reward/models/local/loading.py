"""Weights and tokenizers from a directory or the hub: safetensors only, no code from there."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from plaudit.errors import ConfigError
from plaudit_reward.models.spec import LocalModel

# Progress bars and reports on stderr, of what is checked here, are no lines of a log.
logging.disable_progress_bar()  # type: ignore[no-untyped-call]
logging.set_verbosity_error()  # type: ignore[no-untyped-call]

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_NO_LIMIT = 10**9
"""Tokenizers without a limit say that it is huge."""


def pick_device(name: str) -> torch.device:
    """Raises ConfigError when a GPU is asked for that is not there."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    device = torch.device("cuda:0" if name == "cuda" else name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device = {name!r}: there are {torch.cuda.device_count()} GPUs for torch.",
            fix="say auto or cpu, or install a CUDA build of torch",
        )
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return _DTYPES[name]


def load_model(kind: Any, path: str, spec: LocalModel, **config: Any) -> PreTrainedModel:
    """`kind.from_pretrained` on the spec's device, ready to compute. `kind` is an Auto class.

    Raises ConfigError, also when the file lacks weights: fresh random ones would give rewards.
    """
    check_path(path)
    device = pick_device(spec.device)
    try:
        model, found = kind.from_pretrained(
            path,
            dtype=pick_dtype(spec.dtype, device),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **config,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _not_loaded(path, "the model", error) from error
    if missing := sorted(found["missing_keys"]):
        raise ConfigError(
            f"path = {path!r}: its file lacks weights that a {type(model).__name__} has: "
            f"{', '.join(missing[:5])}.",
            fix="name a model that was trained for this kind",
        )
    loaded: PreTrainedModel = model.to(device).eval().requires_grad_(False)
    return loaded


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    check_path(path)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            path, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise _not_loaded(path, "the tokenizer", error) from error
    return tokenizer


def check_path(path: str) -> None:
    if path.startswith(("/", ".", "~")) and not (Path(path) / "config.json").is_file():
        raise ConfigError(
            f"path = {path!r}: no model is there (config.json is missing).",
            fix="give a model directory or a hub id",
        )


def longest_text(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that both can take."""
    of_model = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [limit for limit in (of_model, tokenizer.model_max_length) if limit]
    return int(min([*known, _NO_LIMIT]))


def vocabulary_size(model: PreTrainedModel) -> int:
    embeddings: Any = model.get_input_embeddings()
    return int(embeddings.num_embeddings)


def pad_id_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The model's, which Hugging Face's classifiers find the last token by."""
    own: int | None = model.config.get_text_config().pad_token_id
    other: int | None = tokenizer.pad_token_id
    return other if own is None else own


def _not_loaded(path: str, what: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"path = {path!r}: {what} cannot be loaded: {str(error).strip()[:500]}",
        fix="give a directory with config.json, safetensors and a tokenizer, or a hub id",
    )
