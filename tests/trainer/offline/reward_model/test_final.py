"""The folder that a run leaves, and models that cannot start one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
)

from plaudit.errors import ConfigError
from plaudit.schemas.common import Message
from plaudit.schemas.examples import Preference
from plaudit_trainer.offline.reward_model.final import finish
from plaudit_trainer.offline.reward_model.model import ValueHead, load_reward_model
from plaudit_trainer.offline.reward_model.scores import PairScore, evaluation, score_pairs


def pairs(count: int) -> list[Preference]:
    prompt = [Message(role="user", content="2 + 2?")]
    return [
        Preference(id=str(i), prompt=prompt, chosen="4" * (i % 5 + 1), rejected="no " * (i % 4 + 1))
        for i in range(count)
    ]


def test_pairs_are_told_apart_and_the_folder_is_a_classifier_of_hugging_face(train) -> None:
    trainer, run = train("rm", pairs(64), pairs(32), steps=12, batch_size=16, learning_rate=5e-3)
    summary, after = run.read_json("summary.json"), run.read_json("eval_after.json")["figures"]
    assert summary["metric"] == "pair_accuracy" and summary["after"] == 1.0
    assert after["loss"] < 0.1
    last = list(run.read_jsonl("metrics.jsonl"))[-1]["trl"]
    assert last["pair_accuracy"] == 1.0 and last["margin"] > 1.0

    final = run.path / "final"
    config = json.loads((final / "config.json").read_text())
    assert (config["mean"], config["std"]) == (after["reward_mean"], after["reward_std"])
    assert config["append_eos"] is True
    AutoTokenizer.from_pretrained(final)
    scores = score_pairs(trainer, trainer.pairs[:2])
    expected = [reward for score in scores for reward in (score.chosen, score.rejected)]
    assert of_hugging_face(final, trainer.pairs[:2]) == pytest.approx(expected, abs=1e-5)


@torch.inference_mode()
def of_hugging_face(folder: Path, rows: list[dict[str, Any]]) -> list[float]:
    """Chosen and rejected in turn."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    texts = [row[name] for row in rows for name in ("chosen_ids", "rejected_ids")]
    return [float(model(torch.tensor([ids])).logits) for ids in texts]


def test_a_head_takes_its_name_in_whichever_file_it_is(model_dir: Path, tmp_path: Path) -> None:
    load_reward_model(str(model_dir), 0).save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    finish(tmp_path, "v.head", {"mean": 1.0})
    [index] = tmp_path.glob("*.index.json")
    places = json.loads(index.read_text())["weight_map"]
    assert "score.weight" not in places
    assert load_file(tmp_path / places["v.head.weight"])["v.head.weight"].shape == (1, 32)


def test_the_head_is_drawn_by_the_seed_and_has_the_spread_of_openrlhf() -> None:
    head = ValueHead(4096, seed=1)
    assert head.bias is None and head.weight.std().item() == pytest.approx(1 / 4097, rel=0.05)
    assert torch.equal(head.weight, ValueHead(4096, seed=1).weight)
    assert not torch.equal(head.weight, ValueHead(4096, seed=2).weight)


def test_a_reward_is_read_in_float32_while_the_rest_is_bfloat16() -> None:
    head = ValueHead(64, seed=1)
    hidden = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = head(hidden)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, hidden.float() @ head.weight.T)


def test_models_that_are_no_common_language_models_are_refused(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "vocab_size": 8,
    }
    bert = BertConfig(**sizes, intermediate_size=16)
    BertForSequenceClassification(bert).save_pretrained(tmp_path / "bert")
    gpt2 = GPT2Config(n_embd=16, n_layer=1, n_head=1, vocab_size=8)
    GPT2LMHeadModel(gpt2).save_pretrained(tmp_path / "gpt2")
    for name in ("bert", "gpt2"):
        with pytest.raises(ConfigError, match="cannot become a reward model"):
            load_reward_model(str(tmp_path / name), 0)
    (tmp_path / "bert/config.json").write_text(json.dumps({"model_type": "qwen2", **sizes}))
    with pytest.raises(ConfigError, match=r"lacks weights: model\."):
        load_reward_model(str(tmp_path / "bert"), 0)
    with pytest.raises(ConfigError, match="no model is there"):
        load_reward_model(str(tmp_path / "nowhere"), 0)


def test_what_follows_from_the_rewards_of_held_out_pairs() -> None:
    rows = [{"id": name} for name in "abc"]
    scores = [PairScore(2.0, 1.0, 0.1, 2), PairScore(0.0, 3.0, 0.2, 2), PairScore(1.0, 1.0, 0.6, 2)]
    found = evaluation(rows, scores)
    assert found.by_row == {"a": 1.0, "b": 0.0, "c": 0.0}, "equal rewards are no preference"
    assert found.figures == pytest.approx(
        {
            "loss": 0.3,
            "margin_mean": -2 / 3,
            "margin_std": 2.081666,
            "reward_mean": 4 / 3,
            "reward_std": 1.032796,
        }
    )
    same = evaluation(rows[:1], [PairScore(1.0, 1.0, 0.7, 2)])
    assert same.figures["reward_std"] == 1e-8 and "margin_std" not in same.figures
