"""Losses of pairs: equal to formulas written out in float64, and to TRL's with their gradients."""

import math
from typing import get_args

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from plaudit.schemas.recipe import DpoMethod, DpoRecipe
from plaudit.schemas.recipe.offline import DpoLoss
from plaudit_trainer.offline.dpo.losses import LogProbs, pair_losses
from plaudit_trainer.offline.dpo.trainer import DpoTrainer
from plaudit_trainer.offline.implicit_reward import collated

BETA, SMOOTHING = 0.3, 0.1
ROWS = [
    {"id": "a", "prompt_ids": [5, 6, 7], "chosen_ids": [8, 9], "rejected_ids": [10]},
    {"id": "b", "prompt_ids": [11], "chosen_ids": [12], "rejected_ids": [13, 14, 15, 16]},
    {"id": "c", "prompt_ids": [17, 18], "chosen_ids": [19, 20, 21], "rejected_ids": [22, 23]},
]


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def reference_losses(name: str, c: float, r: float, cr: float, rr: float) -> float:
    """One pair: log-probabilities of chosen and rejected by the policy, then by the reference."""
    h = (c - r) - (cr - rr)
    match name:
        case "sigmoid":
            smoothed = (1 - SMOOTHING) * log_sigmoid(BETA * h) + SMOOTHING * log_sigmoid(-BETA * h)
            return -smoothed
        case "ipo":
            return (h - 1 / (2 * BETA)) ** 2
        case "hinge":
            return max(0.0, 1 - BETA * h)
        case "robust":
            kept = (1 - SMOOTHING) * log_sigmoid(BETA * h)
            return -(kept - SMOOTHING * log_sigmoid(-BETA * h)) / (1 - 2 * SMOOTHING)
        case "bco_pair":
            return -log_sigmoid(BETA * (c - cr)) - log_sigmoid(-BETA * (r - rr))
        case "sppo_hard":
            return (c - cr - 0.5 / BETA) ** 2 + (r - rr + 0.5 / BETA) ** 2
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["sigmoid", "ipo", "hinge", "robust", "bco_pair", "sppo_hard"])
def test_a_loss_is_its_formula(name):
    torch.manual_seed(0)
    values = -10 * torch.rand(4, 50, dtype=torch.float64)
    losses = pair_losses(name, LogProbs(*values[:2]), LogProbs(*values[2:]), BETA, SMOOTHING)
    expected = [reference_losses(name, *column) for column in values.T.tolist()]
    assert losses.tolist() == pytest.approx(expected, abs=1e-6)


def test_an_untrained_policy_has_the_published_loss_of_log_two():
    same = LogProbs(torch.tensor([-1.0]), torch.tensor([-2.0]))
    assert pair_losses("sigmoid", same, same, BETA, 0.0).item() == pytest.approx(math.log(2))


class Stock(DPOTrainer):
    """TRL's, given token ids."""

    def _prepare_dataset(self, dataset, *args):
        return dataset


@pytest.fixture
def build(tmp_path, model_dir, tokenizer):
    """A trainer whose policy has moved away from the reference."""

    def make(kind, method: DpoMethod, loss_type: str):
        smoothing = method.label_smoothing or 0.1  # TRL wants one for exo_pair at once
        config = DPOConfig(
            str(tmp_path), use_cpu=True, report_to=[], bf16=False, gradient_checkpointing=False,
            max_length=None, beta=method.beta, loss_type=[loss_type], label_smoothing=smoothing,
        )  # fmt: skip
        model = AutoModelForCausalLM.from_pretrained(model_dir)
        own = {"method": method} if kind is DpoTrainer else {}
        trainer = kind(
            model=model, args=config, processing_class=tokenizer,
            train_dataset=Dataset.from_list(ROWS), **own,
        )  # fmt: skip
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
        return trainer

    return make


EQUAL = [(name, "sum", name) for name in get_args(DpoLoss) if name != "ipo"]
EQUAL += [("ipo", "mean", "ipo"), ("sigmoid", "mean", "sigmoid_norm")]


@pytest.mark.parametrize(("ours", "reduce", "theirs"), EQUAL)
def test_loss_and_gradient_are_those_of_trl_with_padding(build, ours, reduce, theirs):
    smoothing = 0.0 if ours == "sigmoid" else SMOOTHING  # TRL's sigmoid ignores it
    method = DpoMethod(
        name="dpo", loss_type=ours, beta=BETA, logp_reduce=reduce, label_smoothing=smoothing
    )
    found = []
    for trainer in (build(DpoTrainer, method, "sigmoid"), build(Stock, method, theirs)):
        loss = trainer.compute_loss(trainer.model, collated(trainer, ROWS))
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
        found.append((loss.item(), gradient))
    (our_loss, our_gradient), (their_loss, their_gradient) = found
    assert our_gradient.abs().max() > 1e-4
    assert our_loss == pytest.approx(their_loss, rel=1e-5)
    assert torch.allclose(our_gradient, their_gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_log_probabilities_are_of_the_answer_alone(build, reduce):
    trainer = build(DpoTrainer, DpoMethod(name="dpo", logp_reduce=reduce), "sigmoid")
    policy, _ = trainer.log_probs(trainer.model, collated(trainer, ROWS))
    for row, found in zip(ROWS, policy.rejected.tolist(), strict=True):
        ids = [*row["prompt_ids"], *row["rejected_ids"]]
        logits = trainer.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        start = len(row["prompt_ids"])
        values = [logits[i - 1, ids[i]].item() for i in range(start, len(ids))]
        expected = sum(values) / (len(values) if reduce == "mean" else 1)
        assert found == pytest.approx(expected, abs=1e-5)


def test_it_is_evaluated_by_pairs_the_right_way_round_and_equal_ones_count_a_half(build):
    from plaudit_trainer.offline.dpo.method import Dpo

    trainer = build(DpoTrainer, DpoMethod(name="dpo"), "sigmoid")
    policy, reference = trainer.log_probs(trainer.model, collated(trainer, ROWS))
    right = (policy.chosen - reference.chosen > policy.rejected - reference.rejected).tolist()
    found = Dpo().evaluate(trainer, ROWS)
    assert found.by_row == {row["id"]: float(one) for row, one in zip(ROWS, right, strict=True)}
    trainer.model.load_state_dict(trainer.ref_model.state_dict())
    untrained = Dpo().evaluate(trainer, ROWS)
    assert set(untrained.by_row.values()) == {0.5}
    assert untrained.figures == {"margin": 0.0}


def test_a_pair_shares_its_prompt(tokenizer):
    from plaudit.schemas.common import Message
    from plaudit.schemas.examples import Preference
    from plaudit_trainer.offline.dpo.method import Dpo

    pair = Preference(
        id="a", prompt=[Message(role="user", content="2+2?")], chosen="4", rejected="5, no 6"
    )
    recipe = DpoRecipe.model_validate({"name": "test", "method": {"name": "dpo"}})
    (row,) = Dpo().rows(recipe, tokenizer, [pair], "data.train")
    assert tokenizer.decode(row["prompt_ids"]) == "<|user|>2+2?<|end|><|assistant|>"
    assert tokenizer.decode(row["chosen_ids"]) == "4<|end|>"
    assert tokenizer.decode(row["rejected_ids"]) == "5, no 6<|end|>"
