"""What cannot be combined is refused with the setting's name, before anything is loaded."""

import pytest

from plaudit.errors import ConfigError
from plaudit_trainer.learner.loss_check import check_loss

SEQUENCE = {"loss_type": "sequence"}
REFUSED = {
    "vespo with sequence weights": (
        {"loss_type": "vespo", "importance_sampling": {"level": "sequence"}},
        r"method\.importance_sampling\.level = 'sequence'",
    ),
    "vespo as GSPO": (
        {"loss_type": "vespo", "importance_sampling_level": "sequence"},
        r"method\.importance_sampling_level = 'sequence'",
    ),
    "one action, many advantages": ({"name": "ppo", **SEQUENCE}, r"method\.loss_type = 'sequence'"),
    "one action, many weights": (
        {**SEQUENCE, "importance_sampling": {"level": "token"}},
        r"method\.importance_sampling\.level = 'token'",
    ),
    "one action, KL in the loss": ({"name": "rloo", "beta": 0.1}, r"method\.beta = 0\.1"),
    "KL twice": ({"name": "ppo", "beta": 0.1, "kl": {}}, "count twice"),
    "a policy that waits and decays": (
        {"name": "ppo", "critic": {"warmup_steps": 2}, "weight_decay": 0.1},
        r"method\.critic\.warmup_steps = 2",
    ),
    "nothing would be left": (
        {"name": "ppo", "num_generations": 1, "zero_variance": "replace"},
        r"method\.zero_variance = 'replace'",
    ),
}
ALLOWED = [
    {},
    {"name": "rloo"},
    {"name": "rloo", "loss_type": "dapo", "importance_sampling": {"level": "token"}},
    {"name": "rloo", "kl": {"coefficient": 0.05}},
    {"name": "ppo", "num_generations": 1, "critic": {"warmup_steps": 2}},
    {"name": "reinforce_pp", "loss_type": "dapo", "proximal": "engine"},
]


@pytest.mark.parametrize("case", REFUSED)
def test_refused(make_recipe, case):
    method, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        check_loss(make_recipe(method=method))


@pytest.mark.parametrize("method", ALLOWED)
def test_allowed(make_recipe, method):
    check_loss(make_recipe(method=method))


def test_rloo_is_about_whole_completions_unless_said_otherwise(make_recipe):
    method = make_recipe(method={"name": "rloo"}).method
    assert (method.loss_type, method.importance_sampling.level) == ("sequence", "sequence")
    other = make_recipe(method={"name": "rloo", "loss_type": "dapo"}).method
    assert (other.loss_type, other.importance_sampling.level) == ("dapo", "token")
    assert type(method).model_validate(method.model_dump()) == method, "also when all is said"
