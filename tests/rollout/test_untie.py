"""A tied base model gets an output layer of its own, byte for byte its embedding."""

import json
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit_rollout.engine.untie import EMBEDDING, HEAD, untied


def safetensors(tensors: dict[str, bytes]) -> bytes:
    header, data = {}, b""
    for name, raw in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": [len(raw) // 4], "data_offsets": offsets}
        data += raw
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + data


@pytest.fixture
def make_model(tmp_path: Path):
    def make(tensors: dict[str, bytes], *, tie: bool = True) -> Path:
        directory = tmp_path / "model"
        directory.mkdir()
        (directory / "config.json").write_text(json.dumps({"tie_word_embeddings": tie}))
        (directory / "model.safetensors").write_bytes(safetensors(tensors))
        (directory / "tokenizer.json").write_text("{}")
        return directory

    return make


def test_a_tied_model_gets_an_explicit_head(make_model, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    embedding = torch.randn(5, 3, dtype=torch.bfloat16)
    model = make_model({})
    save_file(
        {"a": torch.ones(2), EMBEDDING: embedding, "z": torch.ones(7)}, model / "model.safetensors"
    )
    made = Path(untied(str(model), tmp_path / "cache"))
    index = json.loads((made / "model.safetensors.index.json").read_text())["weight_map"]
    assert set(index) == {"a", EMBEDDING, "z", HEAD}
    assert torch.equal(load_file(made / index[HEAD])[HEAD], embedding)
    assert torch.equal(load_file(made / index[EMBEDDING])[EMBEDDING], embedding)
    assert (made / "tokenizer.json").read_text() == "{}"


def test_an_untied_model_is_used_as_it_is(make_model, tmp_path):
    model = make_model({EMBEDDING: b"abcd"}, tie=False)
    assert untied(str(model), tmp_path / "cache") == str(model)


def test_a_tied_model_with_an_explicit_head_is_used_as_it_is(make_model, tmp_path):
    model = make_model({EMBEDDING: b"abcd", HEAD: b"abcd"})
    assert untied(str(model), tmp_path / "cache") == str(model)


def test_it_is_made_once_and_again_when_the_model_changes(make_model, tmp_path):
    model = make_model({EMBEDDING: b"abcd"})
    first = untied(str(model), tmp_path / "cache")
    assert untied(str(model), tmp_path / "cache") == first
    (model / "model.safetensors").write_bytes(safetensors({EMBEDDING: b"abcdefgh"}))
    assert untied(str(model), tmp_path / "cache") != first


def test_a_hub_id_is_left_to_vllm(tmp_path):
    assert untied("Qwen/Qwen2.5-0.5B", tmp_path) == "Qwen/Qwen2.5-0.5B"


@pytest.mark.parametrize(
    ("model", "reason"),
    [("", "model is not set"), ("/no/such/model", "there is no such directory")],
)
def test_a_model_that_is_not_there_is_named(tmp_path, model, reason):
    with pytest.raises(ConfigError, match=f"{reason}.*PLAUDIT_ROLLOUT_MODEL"):
        untied(model, tmp_path)


def test_a_directory_without_a_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        untied(str(tmp_path), tmp_path / "cache")
