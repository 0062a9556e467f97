"""Checkpoints and the final model arrive on branches of their own, and no run dies of a hub."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import _commit_api, constants, hf_api

from plaudit.errors import ConfigError
from plaudit.schemas.recipe.hub import HubRecipe
from plaudit.testing import running
from plaudit_trainer.hub import HubPusher
from plaudit_trainer.hub import pusher as pusher_module
from tests.trainer.hub.stand_in import FIRST, KEY, Hub

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning"  # the library's own use
)
RECIPE = HubRecipe(model_id="me/model", timeout_s=30.0)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch):
    hub = Hub()
    with running(hub.app()) as url:
        hub.url = url
        monkeypatch.setenv("HF_TOKEN", KEY)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # Xet's own protocol is compiled code that asks a server of its own.
        for module in (_commit_api, hf_api):
            monkeypatch.setattr(module, "is_xet_available", lambda: False)
        yield hub


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"of": name}))
        (folder / "model.safetensors").write_bytes(name.encode() * 100)
        for file in ("optimizer.pt", "rng_state.pth", "plaudit.json"):
            (folder / file).write_text("only for resuming")
        return folder

    return make


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


def records(run_dir: Path) -> list[tuple[str, str]]:
    lines = (run_dir / "hub.jsonl").read_text().splitlines()
    return [(line["branch"], line["state"]) for line in map(json.loads, lines)]


def test_a_checkpoint_goes_to_a_branch_made_from_the_first_commit(hub, make_folder, run_dir):
    pusher = HubPusher(RECIPE, run_dir)
    pusher.push_checkpoint(make_folder("a"), 10)
    pusher.close()
    branch = "main-step-000000010"
    assert records(run_dir) == [(branch, "pushed")]
    assert hub.branches[branch] == {
        "config.json": b'{"of": "a"}',
        "model.safetensors": b"a" * 100,
    }
    assert hub.started_from == {branch: FIRST}
    assert (hub.private, hub.branches["main"]) == (True, {})


def test_the_final_model_goes_to_the_revision(hub, make_folder, run_dir):
    pusher = HubPusher(RECIPE, run_dir)
    pusher.push_final(make_folder("final"))
    pusher.close()
    assert hub.branches["main"]["model.safetensors"] == b"final" * 100


def test_a_folder_that_is_removed_meanwhile_is_pushed_all_the_same(hub, make_folder, run_dir):
    pusher = HubPusher(RECIPE, run_dir)
    for step in (1, 2, 3):
        folder = make_folder(f"step{step}")
        pusher.push_checkpoint(folder, step)
        for file in folder.iterdir():
            file.unlink()
    pusher.close()
    assert [state for _, state in records(run_dir)] == ["pushed"] * 3
    assert hub.branches["main-step-000000002"]["model.safetensors"] == b"step2" * 100
    assert not (run_dir / ".hub").exists()


def test_a_hub_that_is_busy_for_a_moment_is_asked_again(hub, make_folder, run_dir):
    hub.failures = 1
    pusher = HubPusher(RECIPE, run_dir)
    pusher.push_final(make_folder("a"))
    pusher.close()
    assert records(run_dir) == [("main", "pushed")]


def test_a_wrong_key_is_written_down_without_it_and_the_run_goes_on(
    hub, make_folder, run_dir, monkeypatch
):
    secret = "hf_" + "s" * 34
    monkeypatch.setenv("HF_TOKEN", secret)
    pusher = HubPusher(RECIPE, run_dir)
    pusher.push_checkpoint(make_folder("a"), 1)
    pusher.close()
    assert records(run_dir) == [("main-step-000000001", "failed")]
    assert "401" in (run_dir / "hub.jsonl").read_text()
    assert secret not in (run_dir / "hub.jsonl").read_text()


def test_checkpoints_that_a_slow_hub_cannot_take_are_left_out_and_said(
    hub, make_folder, run_dir, monkeypatch
):
    monkeypatch.setattr(pusher_module, "MAX_WAITING", 0)
    pusher = HubPusher(RECIPE, run_dir)
    pusher.push_checkpoint(make_folder("a"), 1)
    pusher.close()
    assert records(run_dir) == [("main-step-000000001", "left_out")]


def test_without_a_key_the_run_does_not_start(run_dir, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no key for the hub"):
        HubPusher(RECIPE, run_dir)
