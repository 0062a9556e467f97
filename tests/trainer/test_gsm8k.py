"""The gsm8k recipe runs as it is shipped, with the seed model's tokenizer and context."""

import json
import os
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from plaudit.config.recipe import load_recipe
from plaudit.local.recipes import find_recipe
from plaudit_trainer.check import check_recipe
from plaudit_trainer.data import load_rows

DATA = Path(__file__).parents[3] / "shared" / "data" / "gsm8k"
PLAUDIT = Path(sys.executable).parent / "plaudit"
LONGEST = 985
"""Characters of the longest question of GSM8K."""


@pytest.fixture(scope="session")
def seed_without_weights(tmp_path_factory):
    """The seed model's own tokenizer and configuration; only the warm-up is left out."""
    from plaudit_trainer.seed.curriculum import examples
    from plaudit_trainer.seed.dataset import make_dataset
    from plaudit_trainer.seed.model import NUM_TOKENIZER_EXAMPLES, make_model
    from plaudit_trainer.seed.settings import SeedSettings
    from plaudit_trainer.seed.tokenizer import make_tokenizer

    settings = SeedSettings()
    stream = examples(make_dataset(settings).warmup, settings, random.Random(settings.seed))
    sample = islice(stream, NUM_TOKENIZER_EXAMPLES)
    texts = [text for messages, reply in sample for text in (messages[0]["content"], reply)]
    tokenizer = make_tokenizer(texts, vocabulary_size=settings.vocabulary_size)
    path = tmp_path_factory.mktemp("seed")
    tokenizer.save_pretrained(path)
    make_model(settings, tokenizer).config.save_pretrained(path)
    return path


@pytest.fixture
def made_up(tmp_path):
    """A file with GSM8K's columns, its longest length, and characters that no vocabulary has."""
    question = "Naïve Zoë pays €3.50 for ½ a 🥧; how much is “one”? ≈"
    long = "In a week of 7 days, Xavier's 12 quail lay 5 eggs a day each. "
    records = [
        {"question": question, "answer": "It is 2 * 3.50 = <<2*3.5=7>>7.\n#### 7"},
        {"question": (long * 20)[:LONGEST], "answer": "#### 1,234"},
    ]
    path = tmp_path / "made_up.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def recipe(model, train, evaluation):
    return load_recipe(
        find_recipe("gsm8k"),
        [f"model.path={model}", f"data.train={train}", f"data.eval={evaluation}"],
    )


def test_any_file_with_the_same_columns_fits(seed_without_weights, made_up):
    found = check_recipe(recipe(seed_without_weights, made_up, made_up))
    assert (found["num_train_rows"], found["num_eval_rows"]) == (2, 2)


def test_characters_that_the_seed_never_saw_are_kept(seed_without_weights, made_up):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(seed_without_weights)
    question = json.loads(made_up.read_text().splitlines()[0])["question"]
    assert tokenizer.decode(tokenizer(question)["input_ids"]) == question


def test_the_real_data_fits(seed_without_weights):
    if not DATA.is_dir():
        pytest.skip(f"the real GSM8K is not there ({DATA})")
    found = check_recipe(recipe(seed_without_weights, DATA / "train.jsonl", DATA / "test.jsonl"))
    assert (found["num_train_rows"], found["num_eval_rows"]) == (7473, 1319)


def test_the_real_answers_are_numbers():
    if not DATA.is_dir():
        pytest.skip(f"the real GSM8K is not there ({DATA})")
    rows = load_rows(recipe("seed", str(DATA / "train.jsonl"), "x"))
    assert all(float(row.reference["answer"]) is not None for row in rows)


def test_the_documented_command_finds_nothing_wrong_but_that_no_service_runs(
    seed_without_weights, made_up, tmp_path
):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLAUDIT_")}
    env |= {f"PLAUDIT_{s}_URL": "http://127.0.0.1:1" for s in ("ROLLOUT", "REWARD")}
    env |= {"PLAUDIT_STATE_DIR": str(tmp_path), "PLAUDIT_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [
            str(PLAUDIT), "train", "gsm8k", "--dry-run", "--json",
            "--set", f"model.path={seed_without_weights}",
            "--set", f"data.train={made_up}", "--set", f"data.eval={made_up}",
        ],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["files"]["ok"] is True, checks
    wrong = {name for name, check in checks.items() if check["ok"] is False}
    assert wrong == {"service rollout", "service reward"}
