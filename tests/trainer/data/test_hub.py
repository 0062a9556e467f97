"""Data sets on the hub, by name: read from a stand-in, then from the cache without a network."""

import json
import os
import subprocess
import sys

from plaudit.testing import running
from tests.trainer.data.hub_stand_in import hub, jsonl

CODE = """
import json, sys
from plaudit.errors import ConfigError
from plaudit.schemas.recipe import SftRecipe
from plaudit_trainer.data import load_conversations
def load(data):
    recipe = {"name": "r", "method": {"name": "sft"}, "data": {"eval": None} | data}
    try:
        loaded = load_conversations(SftRecipe.model_validate(recipe))
    except ConfigError as error:
        return str(error)
    return [one.messages[0].content for one in loaded]
print(json.dumps([load(data) for data in json.loads(sys.argv[1])]))
"""
NAME = "owner/sums"
ROWS = [{"question": f"{i}+1?", "answer": f"#### {i + 1}"} for i in range(4)]
FILES = {"train.jsonl": jsonl(ROWS), "test.jsonl": jsonl(ROWS[:1])}
SUMS = {"train": NAME, "format": "gsm8k", "revision": "v1"}
QUESTIONS = [row["question"] for row in ROWS]


def load(cache, *data, **env):
    """In a process of its own: the library reads its environment when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(data)],
        env=os.environ | {"HF_HOME": str(cache)} | env,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_data_set_is_read_by_its_name_and_then_without_a_network(tmp_path):
    other_split = SUMS | {"train_split": "test"}
    wrong_revision = SUMS | {"revision": "v9"}
    with running(hub({}, {NAME: FILES})) as url:
        found = load(tmp_path, SUMS, other_split, wrong_revision, HF_ENDPOINT=url)
    assert found[:2] == [QUESTIONS, QUESTIONS[:1]]
    assert "data.train = 'owner/sums': the data set cannot be read" in found[2]
    assert "split 'train', revision 'v9'" in found[2]

    unknown = {"train": "nobody/nothing", "config": "main", "format": "gsm8k"}
    cached, missing = load(tmp_path, SUMS, unknown, HF_HUB_OFFLINE="1")
    assert cached == QUESTIONS
    assert "data.train = 'nobody/nothing'" in missing and "config 'main', split 'train'" in missing
    assert "HF_HUB_OFFLINE = 1: only what is cached can be read" in missing
    assert "Fix: " in missing
