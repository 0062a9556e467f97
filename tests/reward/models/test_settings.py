"""[reward.models.NAME]: what the settings take, and what they say about what they do not."""

from pathlib import Path

import pytest

from plaudit.config import load_settings
from plaudit.errors import ConfigError
from plaudit.schemas.common import Contract
from plaudit_reward.models.spec import ClassifierSpec, UnitSpec, ValueHeadSpec, VllmSpec
from plaudit_reward.settings import RewardSettings

GOOD = """
[reward.models.default]
kind = "classifier"
path = "/models/rm"
label = 1

[reward.models.ours]
kind = "value_head"
path = "/models/ours"
mean = 0.5
std = 2.0

[reward.models.served]
kind = "vllm"
base_url = "http://127.0.0.1:8000"
api_key_env = "THEIR_KEY"

[reward.models.segments]
kind = "unit"
path = "/models/unit"
reference_path = "/models/sft"
c_ent = 1.75
normalization = [0.7668, 0.2569, 0.4705, 2.8339]
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def load(text: str) -> RewardSettings:
        (tmp_path / "plaudit.toml").write_text(text)
        monkeypatch.setenv("PLAUDIT_CONFIG", str(tmp_path / "plaudit.toml"))
        return load_settings(RewardSettings, "reward")

    return load


def test_a_table_is_a_model_of_its_kind(settings) -> None:
    models = settings(GOOD).models
    kinds = [ClassifierSpec, ValueHeadSpec, VllmSpec, UnitSpec]
    assert [type(model) for model in models.values()] == kinds
    assert models["default"].label == 1


BAD = [
    ("[reward.models.a]\npath = '/m'", "reward.models.a", "kind"),
    ("[reward.models.a]\nkind = 'magic'\npath = '/m'", "reward.models.a", "magic"),
    ("[reward.models.a]\nkind = 'classifier'", "path", "required"),
    ("[reward.models.a]\nkind = 'classifier'\npath = '/m'\nlabels = 1", "labels", "label"),
    ("[reward.models.a]\nkind = 'classifier'\npath = '/m'\nmean = 1.0", "mean", "neither"),
    ("[reward.models.a]\nkind = 'classifier'\npath = '/m'\ndevice = 'tpu'", "device", "tpu"),
    ("[reward.models.'a/b']\nkind = 'classifier'\npath = '/m'", "models", "'a/b' must match"),
    (
        "[reward.models.a]\nkind = 'unit'\npath = '/m'\nreference_path = '/m'\nc_ent = 1.0\n"
        "normalization = [1.0]",
        "normalization",
        "at least 4",
    ),
    (
        "[reward.models.a]\nkind = 'vllm'\nbase_url = 'http://x'\napi_key_env = 'A'\n"
        "api_key_file = '/k'",
        "models",
        "not both",
    ),
]


@pytest.mark.parametrize(("text", "where", "what"), BAD, ids=[what for *_, what in BAD])
def test_a_wrong_table_is_told_where_and_what(settings, text, where, what) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    assert where in str(caught.value) and what in str(caught.value)


@pytest.mark.parametrize("spec", [ClassifierSpec, ValueHeadSpec, VllmSpec, UnitSpec])
def test_the_page_has_every_key(spec: type[Contract]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reward.md").read_text()
    section = page.partition("## Reward models")[2].partition("\n## ")[0]
    for name in spec.model_fields:
        assert f"`{name}`" in section or f"\n{name} = " in section, name


def test_a_model_can_be_given_in_the_environment_as_a_pipeline_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_REWARD_MODELS__rm__kind", "value_head")
    monkeypatch.setenv("PLAUDIT_REWARD_MODELS__rm__path", "/runs/p/rm/final")
    models = load_settings(RewardSettings, service="reward").models
    assert isinstance(models["rm"], ValueHeadSpec)
    assert models["rm"].path == "/runs/p/rm/final"
