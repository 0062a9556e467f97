"""A step in passes: what is planned, what a pass sees, and that the gradients are the batch's."""

import copy
import random
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.schemas.recipe import LossType
from plaudit_trainer.learner.arguments import grpo_config
from plaudit_trainer.learner.batch import Row, pad_rows
from plaudit_trainer.learner.pass_metrics import merge_passes
from plaudit_trainer.learner.passes import lay_out, plan_passes
from plaudit_trainer.learner.trainer import LearnerTrainer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

NUM_ROWS = 24
ALL_IN_ONE = 100_000


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=60),
    st.integers(16, 1000),
    st.integers(1, 80),
)
def test_passes_hold_every_row_once_within_the_budget(lengths, max_tokens, at_least):
    lengths_B = torch.tensor(lengths)
    passes = plan_passes(lengths_B, max_tokens, at_least)
    assert sorted(torch.cat(passes).tolist()) == list(range(len(lengths)))
    assert len(passes) >= min(at_least, len(lengths))
    for rows in passes:
        longest = int(lengths_B[rows].max())
        assert len(rows) == 1 or len(rows) * longest <= max_tokens


def test_ranks_make_as_many_passes_as_the_slowest():
    short = torch.full((8,), 10)
    assert [len(rows) for rows in plan_passes(short, 1000)] == [8]
    assert len(plan_passes(short, 1000, at_least=5)) == 5
    assert len(plan_passes(short, 1000, at_least=20)) == 8, "a pass has a row"


def test_a_log_normal_batch_is_hardly_padded():
    torch.manual_seed(0)
    lengths_B = (200 * (0.7 * torch.randn(256)).exp()).long().clamp(min=1)
    padded = sum(len(r) * int(lengths_B[r].max()) for r in plan_passes(lengths_B, 4096))
    assert padded < 1.1 * int(lengths_B.sum())
    assert len(lengths_B) * int(lengths_B.max()) > 4 * int(lengths_B.sum())


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_a_layout_closes_the_gaps_and_scores_the_completions(seed):
    rows = make_rows(seed, 6)
    tensors = pad_rows(rows, 0)
    ids = torch.cat([tensors.prompt_ids_BP, tensors.completion_ids_BC], dim=1)
    mask = torch.cat([tensors.prompt_mask_BP, tensors.completion_mask_BC], dim=1)
    layout = lay_out(ids, mask, tensors.completion_ids_BC.size(1))
    targets = iter(layout.targets_N.tolist())
    for index, row in enumerate(rows):
        completion = [] if row.is_masked else row.completion_ids
        whole = row.prompt_ids + completion
        assert layout.ids_BT[index, : len(whole)].tolist() == whole
        assert layout.mask_BT[index].sum() == len(whole)
        scored = layout.scored_BT[index].nonzero().flatten().tolist()
        if any(not row.is_masked for row in rows):
            assert scored == list(range(len(row.prompt_ids) - 1, len(whole) - 1))
            assert [next(targets) for _ in completion] == completion


def test_figures_of_passes_are_weighted_by_their_tokens():
    passes = [
        {"entropy": [1.0], "low_min": [0.1], "high_max": [0.5]},
        {"entropy": [2.0], "low_min": [0.3], "high_max": [0.9], "kl": [float("nan")]},
    ]
    merged = merge_passes(passes, [30, 10])
    assert merged == {"entropy": 1.25, "low_min": 0.1, "high_max": 0.9}


METHODS: dict[str, dict[str, Any]] = {
    **{loss: {"loss_type": loss} for loss in get_args(LossType) if loss != "sequence"},
    "GSPO": {"loss_type": "grpo", "importance_sampling_level": "sequence"},
    "KL, two iterations": {"loss_type": "dapo", "beta": 0.1, "num_iterations": 2},
}


@pytest.mark.parametrize("name", list(METHODS))
def test_gradients_of_passes_sum_up_to_those_of_the_batch(name, step):
    method = {"importance_sampling": {"level": "token", "cap": 1.5}, **METHODS[name]}
    loss, gradients, figures = step(method, ALL_IN_ONE)
    found_loss, found_gradients, found_figures = step(method, 64)
    assert found_loss == pytest.approx(loss, abs=1e-6)
    assert any(gradient.abs().max() > 1e-3 for gradient in gradients.values())
    for key, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[key], gradient, atol=1e-6, rtol=1e-4, msg=key)
    assert found_figures["entropy"] == pytest.approx(figures["entropy"], rel=1e-5)


def test_a_batch_without_a_token_to_learn_from_gives_a_zero_gradient(step):
    loss, gradients, _ = step({"loss_type": "dapo"}, 64, is_masked=True)
    assert loss == 0.0
    assert all(gradient is None or not gradient.any() for gradient in gradients.values())


def test_long_passes_hold_no_logits_of_the_batch(step):
    """The head's product is with scored tokens alone, prompts and padding are left out."""
    seen: list[int] = []
    step({"loss_type": "grpo"}, ALL_IN_ONE, seen=seen)
    num_scored = sum(len(row.completion_ids) for row in make_rows(0, NUM_ROWS) if not row.is_masked)
    assert seen == [num_scored]


def make_rows(seed: int, count: int, *, is_masked: bool = False) -> list[Row]:
    """Lengths of a long tail; some completions are masked (truncated ones)."""
    draw = random.Random(seed)
    rows = []
    for index in range(count):
        length = min(40, 1 + int(draw.lognormvariate(1.5, 1.0)))
        rows.append(
            Row(
                prompt_ids=[draw.randrange(3, 64) for _ in range(draw.randint(1, 12))],
                completion_ids=[draw.randrange(3, 64) for _ in range(length)],
                logprobs=[draw.uniform(-6.0, -3.0) for _ in range(length)],
                reward=draw.gauss(0, 1),
                group=index // 4,
                is_masked=is_masked or draw.random() < 0.1,
            )
        )
    return rows


@pytest.fixture
def step(make_recipe, model_dir, tokenizer, tmp_path):
    """Loss, gradients and TRL's figures of one step of 24 completions."""
    from transformers import AutoModelForCausalLM

    def run(method, max_tokens, *, is_masked=False, seen=None):
        recipe = make_recipe(method=method, pipeline={"groups_per_step": NUM_ROWS // 4})
        args = grpo_config(recipe, tmp_path, has_gpu=False, num_processes=1)
        trainer: Any = LearnerTrainer(
            AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32),
            args,
            copy.deepcopy(tokenizer),
            lambda _: make_rows(0, NUM_ROWS, is_masked=is_masked),
            recipe.method,
            groups_per_step=NUM_ROWS // 4,
            max_tokens_per_pass=max_tokens,
        )
        model = trainer.model
        if seen is not None:
            model.base_model.register_forward_hook(
                lambda module, args, output: seen.append(output.last_hidden_state.size(1))
            )
        trainer.current_gradient_accumulation_steps = 1
        loss = trainer.training_step(model, [{}] * NUM_ROWS)
        gradients = {key: p.grad for key, p in model.named_parameters()}
        figures = {key: values[-1] for key, values in trainer._metrics["train"].items() if values}
        return loss.item(), gradients, figures

    return run
