"""The seed's task offers examples to every offline method."""

from pathlib import Path

import pytest

from plaudit.local.recipes import SEED_EXAMPLES
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit.schemas.recipe import OFFLINE_RECIPES
from plaudit_trainer.seed import SeedSettings
from plaudit_trainer.seed.dataset import make_dataset
from plaudit_trainer.seed.examples import write_examples

PROBLEMS = make_dataset(SeedSettings()).train[:40]


def read(path: Path, kind):
    return [kind.model_validate_json(line) for line in path.read_text().splitlines()]


def test_there_are_examples_for_every_method():
    assert SEED_EXAMPLES.keys() == OFFLINE_RECIPES.keys()


def test_right_replies_are_wanted_and_habits_are_not(tmp_path: Path):
    write_examples(PROBLEMS, tmp_path / "train.jsonl", seed=0)
    conversations = read(tmp_path / "train-conversations.jsonl", Conversation)
    preferences = read(tmp_path / "train-preferences.jsonl", Preference)
    labelled = read(tmp_path / "train-labelled.jsonl", Labelled)
    assert [one.id for one in preferences] == [problem.id for problem in PROBLEMS]
    for problem, talk, pair in zip(PROBLEMS, conversations, preferences, strict=True):
        assert talk.messages[-1].content in problem.right
        assert pair.chosen in problem.right and pair.rejected in problem.habits
    right = {(problem.prompt, reply) for problem in PROBLEMS for reply in problem.right}
    assert len(labelled) == 2 * len(PROBLEMS)
    assert all(((x.prompt[0].content, x.completion) in right) == x.label for x in labelled)


@pytest.mark.parametrize("name", sorted(set(SEED_EXAMPLES.values())))
def test_the_same_seed_gives_the_same_examples(tmp_path: Path, name: str):
    texts = []
    for seed in (0, 0, 1):
        write_examples(PROBLEMS, tmp_path / "train.jsonl", seed=seed)
        texts.append((tmp_path / f"train-{name}.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]
