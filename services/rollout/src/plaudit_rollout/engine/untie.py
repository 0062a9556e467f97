"""A tied base model, as one with an output layer of its own, which vLLM can reload in place."""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from plaudit.errors import ConfigError

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
_HEAD_FILE = "plaudit-lm-head.safetensors"
_INDEX = "model.safetensors.index.json"
_WEIGHTS = "model.safetensors"


def untied(model: str, cache: Path) -> str:
    """`model` itself, or a directory in `cache`: links to its files, and the head beside them.

    Raises:
        ConfigError: the directory holds no model, or one without the usual names.
    """
    source = Path(model)
    if not source.is_dir():
        _refuse_missing_path(model)
        return model
    config = _config(source)
    weight_map = _weight_map(source)
    if not config.get("tie_word_embeddings") or HEAD in weight_map or not weight_map:
        return model
    if EMBEDDING not in weight_map:
        raise ConfigError(
            f"model = {model}: its embeddings are tied and not named {EMBEDDING}.",
            fix=f"save it with tie_word_embeddings = false and an explicit {HEAD}",
        )
    target = cache / f"untied-{_fingerprint(source, weight_map)}"
    if not target.is_dir():
        _build(source, weight_map, target)
    return str(target)


def _refuse_missing_path(model: str) -> None:
    if not model:
        raise ConfigError(
            "model is not set.", fix="set PLAUDIT_ROLLOUT_MODEL to a model's directory or hub id"
        )
    if model.startswith(("/", "./", "../", "~")):
        raise ConfigError(
            f"model = {model!r}: there is no such directory.", fix="correct PLAUDIT_ROLLOUT_MODEL"
        )


def _config(source: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((source / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model = {source}: config.json cannot be read ({error}).",
            fix="set PLAUDIT_ROLLOUT_MODEL to a directory in the format of transformers",
        ) from error
    return config


def _weight_map(source: Path) -> dict[str, str]:
    """Weight -> file; empty when the weights are not in safetensors."""
    index = source / _INDEX
    if index.is_file():
        found: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return found
    if not (source / _WEIGHTS).is_file():
        return {}
    from safetensors import safe_open

    with safe_open(source / _WEIGHTS, framework="pt") as weights:
        return dict.fromkeys(weights.keys(), _WEIGHTS)


def _fingerprint(source: Path, weight_map: dict[str, str]) -> str:
    """Changes with the files, by name, size and time."""
    parts = [str(source.resolve())]
    for name in sorted(set(weight_map.values()) | {"config.json"}):
        status = (source / name).stat()
        parts.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _build(source: Path, weight_map: dict[str, str], target: Path) -> None:
    """Under another name first, so that nobody finds half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="untied-draft-", dir=target.parent))
    try:
        _fill(source, weight_map, draft)
        os.replace(draft, target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not target.is_dir():  # another replica was faster otherwise
            raise


def _fill(source: Path, weight_map: dict[str, str], draft: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    for path in source.iterdir():
        if path.name != _INDEX:
            (draft / path.name).symlink_to(path.resolve())
    with safe_open(source / weight_map[EMBEDDING], framework="pt") as weights:
        save_file({HEAD: weights.get_tensor(EMBEDDING)}, draft / _HEAD_FILE, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {**weight_map, HEAD: _HEAD_FILE}}
    (draft / _INDEX).write_text(json.dumps(index), encoding="utf-8")
