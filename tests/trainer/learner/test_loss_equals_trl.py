"""Loss and gradients are those of stock TRL on the same batch, for every loss."""

import copy
from typing import Any, get_args

import pytest
import torch
from datasets import Dataset
from trl.trainer.grpo_trainer import GRPOTrainer

from plaudit.schemas.recipe import LossType
from plaudit_trainer.learner.arguments import grpo_config
from plaudit_trainer.learner.feed import BatchFeed
from plaudit_trainer.learner.source import Batch, GroupSource
from plaudit_trainer.learner.trainer import LearnerTrainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:You are using 'rollout_func':UserWarning",
    "ignore::DeprecationWarning:torch",
)

TRL_LOSSES = [loss for loss in get_args(LossType) if loss != "sequence"]
CORRECTIONS: dict[str, dict[str, Any]] = {
    "none": {"level": "none"},
    "token truncate": {"level": "token", "mode": "truncate", "cap": 1.5},
    "token mask": {"level": "token", "mode": "mask", "cap": 1.5},
    "sequence truncate": {"level": "sequence", "mode": "truncate", "cap": 1.5},
    "sequence mask": {"level": "sequence", "mode": "mask", "cap": 1.5},
}
OTHER_METHODS = {
    "GSPO": {"loss_type": "grpo", "importance_sampling_level": "sequence"},
    "KL": {"loss_type": "grpo", "beta": 0.1},
    "hot": {"loss_type": "dapo", "temperature": 0.7},
    "unscaled": {"loss_type": "dr_grpo", "scale_rewards": "none"},
    "two iterations": {"loss_type": "grpo", "num_iterations": 2},
    "asymmetric clip": {"loss_type": "dapo", "epsilon_high": 0.28, "num_iterations": 2},
}


def methods():
    for loss in TRL_LOSSES:
        for name, correction in CORRECTIONS.items():
            if loss == "vespo" and correction["level"] == "sequence":
                continue
            yield pytest.param(
                {"loss_type": loss, "importance_sampling": correction}, id=f"{loss}, {name}"
            )
    for name, method in OTHER_METHODS.items():
        yield pytest.param(method, id=name)


@pytest.mark.parametrize("method", list(methods()))
def test_loss_and_gradients_equal_stock_trl(method, compare):
    compare(method, has_gpu=False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU")
@pytest.mark.parametrize("loss", TRL_LOSSES)
def test_they_do_on_a_gpu(loss, compare):
    correction = CORRECTIONS["token truncate"]
    compare({"loss_type": loss, "importance_sampling": correction}, has_gpu=True)


@pytest.fixture
def compare(make_recipe, make_engine_groups, model_dir, tokenizer, tmp_path):
    def run(method: dict[str, Any], *, has_gpu: bool) -> None:
        recipe = make_recipe(method=method, pipeline={"groups_per_step": 8})
        groups = make_engine_groups(8)
        args = grpo_config(recipe, tmp_path, has_gpu=has_gpu, num_processes=1)
        expected = stock_loss(recipe, groups, copy.deepcopy(args), model_dir, tokenizer)
        found = our_loss(recipe, groups, args, model_dir, tokenizer)
        assert found[0] == pytest.approx(expected[0], abs=1e-5)
        assert expected[1].keys() == found[1].keys()
        device = {"cuda" if has_gpu else "cpu"}
        for name, gradient in expected[1].items():
            assert {gradient.device.type, found[1][name].device.type} == device
            torch.testing.assert_close(found[1][name], gradient, atol=1e-5, rtol=1e-5, msg=name)
        assert any(gradient.abs().max() > 1e-3 for gradient in expected[1].values())

    return run


def our_loss(recipe, groups, args, model_dir, tokenizer):
    trainer = LearnerTrainer(
        load(model_dir),
        args,
        tokenizer,
        rows_of(recipe, groups),
        recipe.method,
        groups_per_step=len(groups),
    )
    return loss_and_gradients(trainer, [])


def rows_of(recipe, groups):
    source = GroupSource(None, recipe, {0: 0})  # type: ignore[arg-type]  # no ledger is asked
    taken, dropped = source._judge(groups, 0)
    assert not dropped
    source.take = lambda num_steps_done: Batch(taken)  # type: ignore[method-assign]
    return BatchFeed(source, mask_truncated=False).next_rows


def stock_loss(recipe, groups, args, model_dir, tokenizer):
    """TRL's own path from completions and rewards; only the generation is given."""
    size = recipe.method.num_generations
    completions = [c for group in groups for c in group.rollout.completions]
    weights = {reward.name: reward.weight for reward in recipe.rewards}
    rewards = [
        sum(weights[name] * value for name, value in score.rewards.items())
        for group in groups
        for score in group.scores
    ]
    generated = {
        "prompt_ids": [g.rollout.prompt_token_ids for g in groups for _ in range(size)],
        "completion_ids": [c.token_ids for c in completions],
        "logprobs": [c.logprobs for c in completions],
        "given_reward": rewards,
    }
    trainer = GRPOTrainer(
        model=load(model_dir),
        reward_funcs=lambda given_reward, **_: given_reward,
        args=args,
        processing_class=copy.deepcopy(tokenizer),
        train_dataset=Dataset.from_dict({"prompt": ["x"] * len(groups)}),
        rollout_func=lambda prompts, trainer: dict(generated),
    )
    options = recipe.method.importance_sampling
    trainer.use_vllm = options.level != "none"
    trainer.vllm_importance_sampling_correction = trainer.use_vllm
    trainer.vllm_importance_sampling_mode = f"{options.level}_{options.mode}"
    trainer.vllm_importance_sampling_clip_max = options.cap
    trainer._last_loaded_step = trainer.state.global_step  # no vLLM to send weights to
    return loss_and_gradients(trainer, [{"prompt": "x"} for _ in completions])


def loss_and_gradients(trainer, inputs):
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    batch = trainer._generate_and_score_completions(inputs)
    # A step away from the sampling weights, so that clipping has something to clip.
    if "old_per_token_logps" in batch and trainer.num_iterations > 1:
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    gradients = {name: p.grad for name, p in trainer.model.named_parameters()}
    return loss.item(), gradients


def load(model_dir):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)


@pytest.fixture(scope="module")
def make_engine_groups(make_group, model_dir):
    """Groups whose engine log-probabilities are near the model's: ratios straddle the cap."""

    def make(count: int):
        model = load(model_dir)
        torch.manual_seed(0)
        groups = [make_group(number) for number in range(count)]
        return [_with_engine_logprobs(group, model) for group in groups]

    return make


def _with_engine_logprobs(group, model):
    completions = []
    for completion in group.rollout.completions:
        ids = torch.tensor([group.rollout.prompt_token_ids + completion.token_ids])
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        chosen = logprobs.gather(-1, ids[0, 1:, None])[-len(completion.token_ids) :, 0]
        noisy = (chosen + 0.5 * torch.randn_like(chosen)).tolist()
        completions.append(completion.model_copy(update={"logprobs": noisy}))
    rollout = group.rollout.model_copy(update={"completions": completions})
    return group.model_copy(update={"rollout": rollout})
