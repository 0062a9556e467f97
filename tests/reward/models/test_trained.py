"""Reward models that `method.name = "rm"` and "unit_rm" leave, served as they are."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from plaudit.config.recipe import dump_recipe
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference
from plaudit.schemas.recipe import OFFLINE_RECIPES
from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest
from plaudit.segments import LocationNorm, normalized, spread_over_tokens
from plaudit_trainer.learner.checkpoint import CheckpointStore
from plaudit_trainer.offline.main import build, follow
from plaudit_trainer.offline.reward_model.scores import score_pairs
from plaudit_trainer.run_dir import RunDir
from plaudit_trainer.tracking import Tracker

ANSWERS = ["It is four.", "4, I would say", "not at all", "a rather long answer about it"]
PAIRS = [
    Preference(
        id=str(i),
        prompt=[Message(role="user", content=f"What is 2 + {i}?")],
        chosen=ANSWERS[i % 2],
        rejected=ANSWERS[2 + i % 2],
    )
    for i in range(8)
]
PREFIX, C_ENT = "their.head", 2.5
KEY = "seed/pairs/peak/avg/2.5"


@pytest.fixture
def trained(tiny, tmp_path: Path):
    """A run of three steps: its trainer, as it is at the end, and its directory."""

    def train(name: str, **method: Any):
        data = tmp_path / "pairs.jsonl"
        data.write_text("".join(pair.model_dump_json() + "\n" for pair in PAIRS))
        run = tmp_path / name
        run.mkdir()
        recipe = OFFLINE_RECIPES[name].model_validate(
            {
                "name": name,
                "model": {"path": str(tiny.language_model("seed")), "max_model_tokens": 256},
                "method": {"name": name, "batch_size": 4, "learning_rate": 1e-3, **method},
                "data": {"train": str(data), "eval": str(data)},
                "budget": {"steps": 3},
                "learner": {"num_threads": 1},
            }
        )
        (run / "recipe.toml").write_text(dump_recipe(recipe))
        (run / "run.json").write_text(json.dumps({"run_id": name}))
        hooks = build(RunDir(run), recipe, CheckpointStore(run / "c", keep=1), Tracker())
        follow(hooks, None)
        return hooks.trainer, run

    return train


def groups(tokenizer: Any) -> list[RewardGroup]:
    """Both answers of each pair, as an engine would have generated them."""
    found = []
    for pair in PAIRS[:2]:
        texts = [pair.chosen, pair.rejected]
        ids = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
        completions = [Answer(text=t, token_ids=i) for t, i in zip(texts, ids, strict=True)]
        found.append(RewardGroup(group_id=pair.id, prompt=pair.prompt, completions=completions))
    return found


@torch.inference_mode()
def expected_tokens(trainer: Any, norm: LocationNorm) -> list[list[float]]:
    """Of each answer of the first two pairs, chosen and rejected, what its tokens get."""
    batch = trainer.data_collator(trainer.pairs[:2])
    rewards_BT = trainer.score(trainer.model, batch).rewards_BT
    found = []
    for row in (0, 2, 1, 3):
        first = trainer.pairs[row % 2]["num_prompt_tokens"]
        ends_T = batch["ends"][row].nonzero().flatten()
        rewards = normalized(rewards_BT[row, ends_T].tolist(), norm)
        ends, length = (ends_T - first).tolist(), int(batch["attention_mask"][row].sum()) - first
        found.append(list(spread_over_tokens(rewards, ends, length, "segment_normalization")))
    return found


async def test_the_service_gives_the_rewards_that_the_trainer_computed(
    tiny, trained, service
) -> None:
    rm, rm_run = trained("rm", value_head_prefix=PREFIX)
    unit, unit_run = trained("unit_rm", c_ent=C_ENT)
    path = str(unit_run / "final")
    models = {
        "rm": {"kind": "value_head", "path": str(rm_run / "final"), "value_head_prefix": PREFIX},
        "unit": {
            "kind": "unit",
            "path": path,
            "reference_path": str(tiny.root / "seed"),
            "c_ent": C_ENT,
        },
    }
    running = await service(models=json.dumps(models), score_timeout_s="150")
    running.worker("model")
    specs = [
        RewardSpec(name="reward_model", params={"model": "rm", "normalize": True}),
        RewardSpec(name="unit_reward_model", params={"model": "unit"}),
    ]
    asked = groups(AutoTokenizer.from_pretrained(path))
    answer = await running.client.score(ScoreRequest(groups=asked, rewards=specs), timeout_s=150)
    scores = [score for group in answer.groups for score in group.scores]
    assert [one.errors for one in scores] == [{}] * 4

    config = json.loads((rm_run / "final/config.json").read_text())
    rewards = [reward for pair in score_pairs(rm, rm.pairs[:2]) for reward in pair[:2]]
    expected = [(reward - config["mean"]) / config["std"] for reward in rewards]
    assert [one.rewards["reward_model"] for one in scores] == pytest.approx(expected, abs=1e-5)

    norm = json.loads((unit_run / "final/normalization.json").read_text())
    for name in KEY.split("/"):
        norm = norm[name]
    expected = expected_tokens(unit, LocationNorm(*norm))
    assert norm[3] > 0.0 and max(len({*tokens}) for tokens in expected) > 3
    for score, tokens in zip(scores, expected, strict=True):
        assert score.token_rewards["unit_reward_model"] == pytest.approx(tokens, abs=1e-5)
