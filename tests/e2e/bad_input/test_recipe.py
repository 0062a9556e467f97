"""A recipe, data or model that cannot work is refused before anything is started or written."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def rows(*records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def question(text="1+1?"):
    return {"question": text, "answer": "#### 2"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method.learning_rat=1", "method.learning_rat: unknown; did you mean `learning_rate`?"),
        ("pipline.max_staleness=1", "pipline: unknown; did you mean `pipeline`?"),
        ("budget.steps=none", "budget.steps = 'none': input should be a valid integer"),
        ("method.loss_type=ppo", "method.loss_type = 'ppo': input should be 'grpo'"),
        ("budget.steps", "--set budget.steps: must read name=value"),
    ],
)
def test_a_wrong_set_names_the_key_the_value_and_what_is_allowed(plaudit, override, said):
    plaudit.refuses(plaudit.train("--set", override), said)


def test_an_unknown_key_of_the_file_is_named_with_the_nearest_one(plaudit):
    with (plaudit.directory / "recipe.toml").open("a") as file:
        file.write("[budgets]\nsteps = 3\n")
    plaudit.refuses(plaudit.train(), "recipe.toml", "budgets: unknown; did you mean `budget`?")


def test_a_prompt_longer_than_the_context_names_the_row_and_both_settings(plaudit):
    (plaudit.directory / "train.jsonl").write_text(rows(question(), question("x" * 500)))
    plaudit.refuses(
        plaudit.train(),
        "model.max_model_tokens = 128", "method.max_completion_tokens = 32", "leaves 96 tokens",
        "row '2'", "fix: raise max_model_tokens, lower max_completion_tokens, or set data.too_long",
    )  # fmt: skip


def test_a_context_beyond_the_models_own_is_refused_before_an_engine_tries(plaudit):
    plaudit.refuses(
        plaudit.train("--set", "model.max_model_tokens=4096"),
        "model.max_model_tokens = 4096", "has a context of 2048 tokens",
        "fix: set it to 2048 or less",
    )  # fmt: skip


def test_an_empty_dataset_is_named(plaudit):
    (plaudit.directory / "train.jsonl").write_text("\n")
    plaudit.refuses(plaudit.train(), "data.train = ", "train.jsonl", "no rows", "fix: give data")


def test_a_missing_column_names_the_line_and_the_columns_that_are_there(plaudit):
    (plaudit.directory / "train.jsonl").write_text(rows(question(), {"question": "2+2?"}))
    plaudit.refuses(
        plaudit.train(),
        "data.train = ", "line 2: column 'answer' is missing; the row has ['question']",
        "data.format",
    )  # fmt: skip


def test_a_dataset_that_does_not_exist_names_its_setting(plaudit):
    plaudit.refuses(
        plaudit.train("--set", "data.eval=nowhere.jsonl"),
        "data.eval = 'nowhere.jsonl': no such file", "fix: ", "--set data.eval=PATH",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("./nowhere", "no such directory, and not a hub id (owner/name)"),
        ("runs", "is not a model, it has no config.json"),
        ("nobody/nothing-of-the-kind", "cannot be loaded"),
    ],
)
def test_a_model_that_does_not_exist_is_named(plaudit, path, said):
    plaudit.refuses(
        plaudit.train("--set", f"model.path={path}"),
        f"model.path = '{path}'", said, "fix: give a model directory, a hub id",
    )  # fmt: skip


def test_a_model_without_a_chat_template_is_named(plaudit, model_dir):
    base = plaudit.directory / "base"
    shutil.copytree(model_dir, base)
    (base / "chat_template.jinja").unlink()
    plaudit.refuses(
        plaudit.train("--set", "model.path=base"), "model.path = ", "base'", "chat template"
    )


def test_a_run_that_exists_is_not_overwritten(plaudit):
    before = (plaudit.directory / "runs/earlier/run.json").read_text()
    plaudit.refuses(
        plaudit.train("--run-dir", "runs/earlier"),
        "--run-dir runs/earlier: exists already",
        "go on with that run: plaudit train --resume runs/earlier",
    )
    assert (plaudit.directory / "runs/earlier/run.json").read_text() == before


def test_runs_cannot_be_kept_below_a_file(plaudit):
    plaudit.refuses(
        plaudit.train("--runs-dir", "train.jsonl"), "--run-dir train.jsonl/", "is not a directory"
    )


def test_a_disk_that_may_not_be_written_to_is_named(plaudit):
    disk = plaudit.directory / "disk"
    disk.mkdir()
    mounting = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
    if not can_mount(disk):
        pytest.skip("this machine lets nobody mount a read-only disk in a namespace of his own")
    done = plaudit.run(
        "train", "recipe.toml", "--runs-dir", "disk", before=(*mounting, mount, str(disk))
    )
    plaudit.refuses(done, "--run-dir disk/bad-", "may not be written to", "--runs-dir")


def can_mount(place: Path) -> bool:
    script = f"mount -t tmpfs -o ro tmpfs {place}"
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def test_a_cache_that_cannot_be_written_to_is_named(plaudit):
    done = plaudit.train(PLAUDIT_CACHE_DIR=str(plaudit.directory / "train.jsonl"))
    plaudit.refuses(done, "train.jsonl", "fix: ")


def test_a_dry_run_refuses_the_same(plaudit):
    (plaudit.directory / "train.jsonl").write_text(rows({"question": "2+2?"}))
    plaudit.refuses(plaudit.train("--dry-run"), "column 'answer' is missing")
    assert not os.path.lexists(plaudit.directory / "state")
