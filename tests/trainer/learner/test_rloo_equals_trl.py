"""RLOO's advantages, loss and gradients are those of TRL's RLOOTrainer on the same completions."""

import copy
from typing import Any

import pytest
import torch
from datasets import Dataset
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.rloo_trainer import RLOOTrainer

from plaudit_trainer.learner.arguments import grpo_config
from plaudit_trainer.learner.feed import BatchFeed
from plaudit_trainer.learner.source import Batch, GroupSource
from plaudit_trainer.learner.trainer import LearnerTrainer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

NUM_GROUPS = 6


@pytest.mark.parametrize("coefficient", [0.0, 0.05])
@pytest.mark.parametrize("num_iterations", [1, 2])
def test_everything_equals_trl(
    make_recipe, make_group, model_dir, tokenizer, tmp_path, coefficient, num_iterations
):
    kl = {"coefficient": coefficient, "estimator": "k1", "clip": 1e9} if coefficient else None
    method = {
        "name": "rloo",
        "num_iterations": num_iterations,
        "importance_sampling": {"level": "none"},
        **({"kl": kl} if kl else {}),
    }
    recipe = make_recipe(method=method, pipeline={"groups_per_step": NUM_GROUPS})
    groups = [make_group(number) for number in range(NUM_GROUPS)]
    ours = our_trainer(recipe, groups, model_dir, tokenizer, tmp_path)
    theirs = stock_trainer(recipe, groups, coefficient, model_dir, tokenizer, tmp_path)
    found, expected = measure(ours, []), measure(theirs, [{"prompt": "x"}] * 4 * NUM_GROUPS)
    for name in ("advantages", "loss", *ours.model.state_dict()):
        if name in expected:
            torch.testing.assert_close(found[name], expected[name], atol=1e-5, rtol=1e-5, msg=name)
    assert expected["advantages"].abs().max() > 0.1


def our_trainer(recipe, groups, model_dir, tokenizer, tmp_path):
    source = GroupSource(None, recipe, {0: 0})  # type: ignore[arg-type]  # no ledger is asked
    taken, dropped = source._judge(groups, 0)
    assert not dropped
    source.take = lambda num_steps_done: Batch(taken)  # type: ignore[method-assign]
    return LearnerTrainer(
        load(model_dir),
        grpo_config(recipe, tmp_path, has_gpu=False, num_processes=1),
        copy.deepcopy(tokenizer),
        BatchFeed(source, mask_truncated=False).next_rows,
        recipe.method,
        groups_per_step=NUM_GROUPS,
    )


def stock_trainer(recipe, groups, coefficient, model_dir, tokenizer, tmp_path):
    completions = [c for group in groups for c in group.rollout.completions]
    weights = {reward.name: reward.weight for reward in recipe.rewards}
    rewards = [
        sum(weights[name] * value for name, value in score.rewards.items())
        for group in groups
        for score in group.scores
    ]
    trainer: Any = RLOOTrainer(
        model=load(model_dir),
        reward_funcs=lambda **_: rewards,
        args=RLOOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=len(completions),
            num_generations=recipe.method.num_generations, beta=coefficient, use_cpu=True,
            num_iterations=recipe.method.num_iterations, report_to=[], bf16=False,
            max_completion_length=recipe.method.max_completion_tokens,
        ),
        processing_class=copy.deepcopy(tokenizer),
        train_dataset=Dataset.from_dict({"prompt": ["x"] * len(groups)}),
    )  # fmt: skip
    prompts = [g.rollout.prompt_token_ids for g in groups for _ in g.rollout.completions]
    trainer._generate = lambda _: (
        prompts, [c.token_ids for c in completions], ["x"] * len(completions),
    )  # fmt: skip
    return trainer


def measure(trainer: Any, inputs: list[Any]) -> dict[str, torch.Tensor]:
    """One step of a policy that has left its reference, a step away from where it was sampled."""
    perturb(trainer.model, seed=2)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    batch = trainer._generate_and_score_completions(inputs)
    if trainer.num_iterations > 1:
        perturb(trainer.model, seed=3)
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    advantages = batch["advantages"]
    found = {
        "advantages": advantages if advantages.dim() == 1 else advantages[:, 0],
        "loss": loss.detach(),
    }
    return found | {name: p.grad for name, p in trainer.model.named_parameters()}


def perturb(model: torch.nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))


def load(model_dir):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
