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
_CHUNK_BYTES = 16 * 2**20


def untied(model: str, cache: Path) -> str:
    """`model` itself, or a directory in `cache`: links to its files, and the head beside them.

    Raises:
        ConfigError: the directory holds no model, or one without the usual names.
    """
    source = Path(model)
    if not model or not source.is_dir():
        _refuse_missing_path(model)
        return model
    config = _config(source)
    weight_map = weight_map_of(source)
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


def weight_map_of(source: Path) -> dict[str, str]:
    """Weight -> file; empty when the weights are not in safetensors."""
    index = source / _INDEX
    if index.is_file():
        found: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return found
    if not (source / _WEIGHTS).is_file():
        return {}
    header, _ = read_header(source / _WEIGHTS)
    return dict.fromkeys(header.keys() - {"__metadata__"}, _WEIGHTS)


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
    for path in source.iterdir():
        if path.name != _INDEX:
            (draft / path.name).symlink_to(path.resolve())
    _copy_embedding(source / weight_map[EMBEDDING], draft / _HEAD_FILE)
    index = {"metadata": {}, "weight_map": {**weight_map, HEAD: _HEAD_FILE}}
    (draft / _INDEX).write_text(json.dumps(index), encoding="utf-8")


# why: the format by hand, because the library reads bfloat16 only with torch, whose import
# would add seconds to every start. https://huggingface.co/docs/safetensors#format
def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its data begins."""
    with path.open("rb") as file:
        num_bytes = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(num_bytes))
    return header, 8 + num_bytes


def _copy_embedding(source: Path, target: Path) -> None:
    header, start = read_header(source)
    tensor = header[EMBEDDING]
    begin, end = tensor["data_offsets"]
    described = {
        "__metadata__": {"format": "pt"},
        HEAD: {**tensor, "data_offsets": [0, end - begin]},
    }
    head = json.dumps(described).encode()
    head += b" " * (-len(head) % 8)
    with source.open("rb") as weights, target.open("wb") as file:
        weights.seek(start + begin)
        file.write(len(head).to_bytes(8, "little") + head)
        left = end - begin
        while left > 0:
            left -= file.write(weights.read(min(left, _CHUNK_BYTES)))
