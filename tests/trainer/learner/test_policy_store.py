"""Published versions: immutable, checksummed, complete or absent; numbers are never reused."""

import hashlib
import os
import time

import pytest
import torch
from safetensors.torch import load_file

from plaudit.errors import ConfigError
from plaudit.schemas.policy import PolicyManifest, Probe, ProbeSequence
from plaudit_trainer.policy_store import PolicyStore

PROBE = Probe(sequences=[ProbeSequence(token_ids=[1, 2], logprobs=[-1.0])])
WEIGHTS = {"a": torch.arange(4.0)}


@pytest.fixture
def store(tmp_path):
    return PolicyStore(tmp_path, "r", keep=4)


def test_a_version_passes_its_own_checksums(store, tmp_path):
    announcement = store.publish(3, WEIGHTS, {"model_type": "x"}, PROBE)
    raw = (tmp_path / "v000000" / "manifest.json").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == announcement.manifest_sha256
    manifest = PolicyManifest.model_validate_json(raw)
    assert (manifest.version, manifest.step, manifest.probe) == (0, 3, PROBE)
    assert set(manifest.files) == {"model.safetensors", "config.json"}
    for name, file in manifest.files.items():
        data = (tmp_path / "v000000" / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file.sha256, file.num_bytes)
    assert torch.equal(load_file(tmp_path / "v000000" / "model.safetensors")["a"], WEIGHTS["a"])


def test_numbers_go_on_after_a_restart_even_when_directories_are_gone(store, tmp_path):
    store.publish(0, WEIGHTS, {}, PROBE)
    store.publish(1, WEIGHTS, {}, PROBE)
    os.rename(tmp_path / "v000001", tmp_path / "gone")
    again = PolicyStore(tmp_path, "r", keep=4)
    assert again.steps == {0: 0, 1: 1}
    assert again.publish(0, WEIGHTS, {}, PROBE).version == 2


def test_a_crash_in_the_middle_leaves_no_version_and_takes_no_number_twice(store, tmp_path):
    with pytest.raises(ValueError, match="received <class 'NoneType'>"):
        store.publish(0, {"a": None}, {}, PROBE)
    with (tmp_path / "versions.jsonl").open("a") as file:
        file.write('{"version": 7, "st')
    (tmp_path / ".tmp-v000001-123").mkdir()
    again = PolicyStore(tmp_path, "r", keep=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["versions.jsonl"]
    assert again.publish(0, WEIGHTS, {}, PROBE).version == 1
    assert PolicyStore(tmp_path, "r", keep=4).steps == {0: 0, 1: 0}


def test_old_versions_go_but_neither_the_newest_four_nor_young_ones(tmp_path):
    store = PolicyStore(tmp_path, "r", keep=2)
    for step in range(7):
        store.publish(step, WEIGHTS, {}, PROBE)
    for version in (0, 1):
        os.utime(store.path(version), (time.time() - 100,) * 2)
    store.remove_old()
    left = sorted(path.name for path in tmp_path.glob("v0*"))
    assert left == [f"v{version:06d}" for version in range(2, 7)]


def test_a_full_disk_is_told_in_words_and_leaves_nothing(store, tmp_path, limited_file_size):
    with limited_file_size(2000), pytest.raises(ConfigError, match="policy version 0") as caught:
        store.publish(0, {"a": torch.zeros(10_000)}, {}, PROBE)
    assert str(tmp_path) in caught.value.message
    assert "keep_policies" in caught.value.fix
    assert sorted(path.name for path in tmp_path.iterdir()) == ["versions.jsonl"]
