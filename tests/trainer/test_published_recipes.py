"""The published recipe of every method, as it ships, against a hub that has what it names.

What `plaudit train NAME --dry-run` checks but for services: every file, row and length.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from plaudit.local.recipes import shipped_recipes
from plaudit.schemas.recipe import OFFLINE_RECIPES
from plaudit.schemas.recipe.method import OnlineMethod
from plaudit.testing import running
from plaudit_trainer.seed.tokenizer import make_tokenizer
from tests.trainer.data.hub_stand_in import Files, hub, jsonl, model_files, parquet

METHODS = sorted(name for name in shipped_recipes() if f"{name}-tiny" in shipped_recipes())
MODELS = (
    "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct",
    "Qwen/Qwen3-4B",
)  # fmt: skip
CODE = """
import json, sys
from plaudit.errors import ConfigError
from plaudit.local.recipes import read_any_recipe
from plaudit.schemas.recipe import Recipe
from plaudit_trainer.check import check_recipe
from plaudit_trainer.offline.check import check_offline
found = {}
for name in sys.argv[1:]:
    try:
        recipe = read_any_recipe(name, ["data.chunk=0"] if name == "sr_r1" else [])
        check = check_recipe if isinstance(recipe, Recipe) else check_offline
        found[name] = check(recipe)
    except ConfigError as error:
        found[name] = str(error)
print(json.dumps(found))
"""


def turns(*texts: str) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text}
        for role, text in zip(("user", "assistant"), texts, strict=False)
    ]


SUN = turns("Which is bigger?", "The sun.")
PREFERENCES = [
    {
        "prompt": "Which is bigger?", "prompt_id": f"p-{number}", "messages": SUN, "chosen": SUN,
        "rejected": turns("Which is bigger?", "The moon."), "score_chosen": 8.5,
        "score_rejected": 6.0,
    }
    for number in range(4)
]  # fmt: skip
CONVERSATIONS = [{"messages": turns("Hi", "Hello"), "source": "everyday-conversations"}] * 4
LABELLED = [
    {"prompt": turns("Sky?"), "completion": [turns("", word)[1]], "label": word == "Blue."}
    for word in ("Blue.", "Green.") * 2
]
SUMS = [{"question": f"{n}+1?", "answer": f"{n}+1 = {n + 1}\n#### {n + 1}"} for n in range(4)]
OPENR1 = [
    {
        "problem": f"What is ${n}+1$?", "solution": "", "answer": str(n + 1), "uuid": f"u-{n}",
        "problem_type": "Algebra", "question_type": "math-word-problem", "source": "olympiads",
        "is_reasoning_complete": [True], "finish_reasons": ["stop"], "correctness_count": 1,
        "generations": [f"<think>{n + 1}</think> {n + 1}"], "correctness_math_verify": [True],
        "correctness_llama": None, "messages": turns("?", "!"),
    }
    for n in range(8)
]  # fmt: skip
SLATE = [{"id": "v1", "title": "Guns", "channel_title": "News"}, {"id": "v2", "title": "Cats"}]
SLATES = [
    {
        "viewer_profile": "a 30-year-old", "slate_items_json": json.dumps(SLATE),
        "next_video_id": "v2", "watched_detailed_json": "[]", "watched_vids_json": "[]",
        "current_video_id": "w9", "current_video_title": "Now", "opinion_direction": "increase",
        "issue": "gun_control", "session_id": f"s{n}", "step_index": 3,
    }
    for n in range(4)
]  # fmt: skip
GSM8K_CARD = b"""---
configs:
- config_name: main
  data_files:
  - {split: train, path: main/train-*}
  - {split: test, path: main/test-*}
---
"""


def split_files(folder: str = "data", **splits: list[dict[str, Any]]) -> Files:
    return {f"{folder}/{name}-00000-of-00001.parquet": parquet(r) for name, r in splits.items()}


DATASETS = {
    "HuggingFaceTB/smol-smoltalk": split_files(train=CONVERSATIONS, test=CONVERSATIONS),
    "HuggingFaceH4/ultrafeedback_binarized": split_files(
        train_prefs=PREFERENCES, test_prefs=PREFERENCES
    ),
    "trl-lib/kto-mix-14k": split_files(train=LABELLED, test=LABELLED),
    "openai/gsm8k": {"README.md": GSM8K_CARD, **split_files("main", train=SUMS, test=SUMS)},
    "open-r1/OpenR1-Math-220k": split_files(train=OPENR1),
}


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration and the tokenizer of a model with Qwen's longest context."""
    from transformers import Qwen2Config

    path = tmp_path_factory.mktemp("model")
    make_tokenizer(["Which is bigger? The sun."], vocabulary_size=300).save_pretrained(path)
    Qwen2Config(max_position_embeddings=32768, vocab_size=300).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Path:
    """What recipes take from earlier runs and from the user: models, prompts, slates."""
    path = tmp_path_factory.mktemp("work")
    for run in ("sft", "rm", "unit_rm"):
        (path / "runs" / run).mkdir(parents=True)
        (path / "runs" / run / "final").symlink_to(model_dir)
    (path / "prompts.jsonl").write_bytes(jsonl([{"prompt": "Sky?"}, {"prompt": "Sea?"}]))
    (path / "grail").mkdir()
    for split in ("train", "validation"):
        (path / "grail" / f"{split}.parquet").write_bytes(parquet(SLATES))
    return path


@pytest.fixture(scope="module")
def checked(work_dir: Path, model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """By method: what was found, or the error. In one process, since each loads much."""
    models = dict.fromkeys(MODELS, model_files(model_dir))
    with running(hub(models, DATASETS)) as url:
        cache = str(tmp_path_factory.mktemp("cache"))
        done = subprocess.run(
            [sys.executable, "-c", CODE, *METHODS],
            cwd=work_dir,
            env=os.environ | {"HF_ENDPOINT": url, "HF_HOME": cache},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_method_has_one():
    assert {*get_args(OnlineMethod), *OFFLINE_RECIPES} == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_it_passes_its_checks(checked, method):
    assert isinstance(checked[method], dict), checked[method]
    assert checked[method]["num_train_rows"] > 0
