"""The critic: values of states, the clipped loss, its own optimizer step."""

import random

import pytest
import torch
from accelerate import Accelerator
from transformers import AutoModelForSequenceClassification

from plaudit.errors import ConfigError
from plaudit.schemas.recipe import CriticRecipe
from plaudit_trainer.learner.batch import Row, pad_rows
from plaudit_trainer.learner.critic.critic import Critic
from plaudit_trainer.learner.critic.loss import is_clipped, value_losses
from plaudit_trainer.learner.critic.model import load_critic, load_value_model

COMPLETIONS: tuple[list[int], ...] = ([5, 6, 7], [8], [9, 10], [])


@pytest.fixture
def batch():
    rows = [
        Row([3, 4, 5][: 1 + n % 3], list(ids), [0.0] * len(ids), reward=0.0, group=0)
        for n, ids in enumerate(COMPLETIONS)
    ]
    tensors = pad_rows(rows, 0)
    return {
        "prompt_ids": tensors.prompt_ids_BP,
        "prompt_mask": tensors.prompt_mask_BP,
        "completion_ids": tensors.completion_ids_BC,
        "completion_mask": tensors.completion_mask_BC,
    }


@pytest.fixture
def make_critic(reward_model_dir):
    def make(*, tokens_per_pass: int = 1000, num_iterations: int = 1, **options) -> Critic:
        return Critic(
            load_value_model(str(reward_model_dir), setting="x"),
            CriticRecipe(**options),
            Accelerator(cpu=True),
            num_iterations=num_iterations,
            tokens_per_pass=tokens_per_pass,
        )

    return make


@pytest.fixture(scope="module")
def reward_model_dir(tmp_path_factory, model_dir):
    """As `rm` writes one: a backbone and the head `score`, which says something."""
    model = AutoModelForSequenceClassification.from_pretrained(
        model_dir, num_labels=1, dtype=torch.float32
    )
    torch.manual_seed(0)
    torch.nn.init.normal_(model.score.weight)
    path = tmp_path_factory.mktemp("reward_model")
    model.save_pretrained(path)
    return path


def test_a_value_is_of_the_state_before_the_token(make_critic, reward_model_dir, batch):
    """Without padding, one row at a time, it is the head's at the token before."""
    model = AutoModelForSequenceClassification.from_pretrained(reward_model_dir)
    found = make_critic().values(batch)
    assert found.dtype == torch.float64
    for row, ids in enumerate(COMPLETIONS):
        prompt = batch["prompt_ids"][row][batch["prompt_mask"][row].bool()].tolist()
        hidden = model.base_model(torch.tensor([[*prompt, *ids]])).last_hidden_state[0]
        states = model.score(hidden)[len(prompt) - 1 : len(prompt) - 1 + len(ids), 0]
        assert found[row, : len(ids)].tolist() == pytest.approx(states.tolist(), abs=1e-5)
        assert not found[row, len(ids) :].any()


def test_small_passes_find_the_same_and_learn_the_same(make_critic, batch):
    whole, parts = make_critic(), make_critic(tokens_per_pass=1)
    torch.testing.assert_close(whole.values(batch), parts.values(batch), atol=1e-5, rtol=1e-5)
    returns = torch.ones(batch["completion_mask"].shape).double()
    figures = [one.learn(batch, one.values(batch), returns) for one in (whole, parts)]
    assert figures[0] == pytest.approx(figures[1])
    torch.testing.assert_close(whole.values(batch), parts.values(batch), atol=1e-5, rtol=1e-4)


def test_it_learns_towards_the_returns_and_says_its_loss_before(make_critic, batch):
    critic = make_critic(learning_rate=1e-2, value_clip=None)
    returns, mask = torch.full((4, 3), 0.5).double(), batch["completion_mask"]
    losses = []
    for _ in range(20):
        old = critic.values(batch)
        expected = (0.5 * (old - returns).square() * mask).sum() / mask.sum()
        losses.append(critic.learn(batch, old, returns)["value_loss"])
        assert losses[-1] == pytest.approx(float(expected), rel=1e-4)
    assert losses[-1] < 0.1 * losses[0]


def test_a_second_pass_is_clipped_around_the_values_before_the_step(make_critic, batch):
    critic = make_critic(learning_rate=0.1, value_clip=1e-6, num_iterations=2)
    returns = torch.full((4, 3), 50.0).double()
    assert critic.learn(batch, critic.values(batch), returns)["value_clip_fraction"] == 0.5


def test_padding_and_masked_completions_teach_nothing(make_critic, batch):
    batch["completion_mask"][:] = 0
    critic = make_critic()
    before = {name: tensor.clone() for name, tensor in critic.state()["model"].items()}
    figures = critic.learn(batch, critic.values(batch), torch.full((4, 3), 9.0).double())
    assert figures["value_loss"] == 0.0
    assert all(torch.equal(critic.state()["model"][name], old) for name, old in before.items())


def test_returns_that_are_no_number_teach_nothing(make_critic, batch):
    critic = make_critic()
    before = {name: tensor.clone() for name, tensor in critic.state()["model"].items()}
    returns = torch.full((4, 3), float("nan")).double()
    assert critic.learn(batch, critic.values(batch), returns)["value_loss"] is None
    assert all(torch.equal(critic.state()["model"][name], old) for name, old in before.items())


def test_what_is_loaded_goes_on_bit_for_bit(make_critic, batch, tmp_path):
    returns = torch.ones(4, 3).double()
    whole, stopped = make_critic(learning_rate=1e-2), make_critic(learning_rate=1e-2)
    for critic in (whole, stopped):
        critic.learn(batch, critic.values(batch), returns)
    torch.save(stopped.state(), tmp_path / "critic.pt")
    resumed = make_critic(learning_rate=1e-2)
    resumed.load(torch.load(tmp_path / "critic.pt", weights_only=True))
    for critic in (whole, resumed):
        critic.learn(batch, critic.values(batch), returns)
    assert torch.equal(whole.values(batch), resumed.values(batch))


def test_value_losses_are_their_definition():
    draw = random.Random(0)
    for _ in range(200):
        value, old, target = (draw.gauss(0, 1) for _ in range(3))
        clip = draw.choice([None, 0.2])
        wanted = (value - target) ** 2
        if clip is not None:
            near = old + max(-clip, min(clip, value - old))
            wanted = max(wanted, (near - target) ** 2)
        v, o, r = (torch.tensor(number, dtype=torch.float64) for number in (value, old, target))
        assert float(value_losses(v, o, r, clip)) == pytest.approx(0.5 * wanted)
        moved = clip is not None and abs(value - old) > clip
        assert bool(is_clipped(v, o, clip)) == moved


def test_without_a_head_values_start_at_zero(make_recipe, batch):
    model = load_critic(make_recipe(method={"name": "ppo"}))
    assert model is not None
    assert not model.head.weight.any()
    assert load_critic(make_recipe()) is None


def test_a_model_that_is_not_there_is_named_by_its_setting(make_recipe):
    recipe = make_recipe(method={"name": "ppo", "critic": {"path": "/nowhere"}})
    with pytest.raises(ConfigError, match=r"method\.critic\.path = '/nowhere'"):
        load_critic(recipe)
