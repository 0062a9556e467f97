"""Settings from plaudit.toml and the environment."""

from pathlib import Path

import pytest

from plaudit.config import load_settings
from plaudit.errors import ConfigError
from plaudit_judge.settings import JudgeSettings

TOML = """
[judge]
engine_urls = ["http://127.0.0.1:8201", "http://127.0.0.1:8202"]

[judge.judges.claude]
kind = "openai"
base_url = "https://api.example.com/v1"
model = "big"
api_key_env = "BIG_KEY"
max_concurrency = 8
"""


def load(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> JudgeSettings:
    path.write_text(text)
    monkeypatch.setenv("PLAUDIT_CONFIG", str(path))
    return load_settings(JudgeSettings, service="judge")


def test_judges_come_from_the_file_and_self_is_always_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load(monkeypatch, tmp_path / "plaudit.toml", TOML)
    assert sorted(settings.judges) == ["claude", "self"]
    assert (settings.judges["claude"].max_concurrency, settings.judges["self"].kind) == (8, "self")
    assert settings.engine_urls[1].endswith(":8202")


def test_a_self_judge_can_be_tuned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = '[judge.judges.self]\nkind = "self"\nmax_concurrency = 7\n'
    settings = load(monkeypatch, tmp_path / "plaudit.toml", text)
    assert settings.judges["self"].max_concurrency == 7


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("max_concurrency", "max_concurency", "did you mean `max_concurrency`"),
        ("engine_urls", "engin_urls", "did you mean `engine_urls`"),
        ('model = "big"', "", "judges.claude.openai.model"),
        ('"openai"', '"opnai"', "'self', 'openai', 'claude'"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(monkeypatch, tmp_path / "plaudit.toml", TOML.replace(old, new))


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLAUDIT_JUDGE_ENGINE_URLS", '["http://10.0.0.1:8201"]')
    monkeypatch.setenv("PLAUDIT_ROLLOUT_URL", "http://10.0.0.2:8101")
    settings = load(monkeypatch, tmp_path / "plaudit.toml", TOML)
    assert settings.engine_urls == ["http://10.0.0.1:8201"]
    assert settings.rollout_url == "http://10.0.0.2:8101"


def test_prices_budgets_and_how_much_is_kept_come_from_tables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = """
[judge]
run_budget_usd = 20

[judge.prices."meta/llama-3.1-70b"]
input_usd_per_mtok = 0.5
output_usd_per_mtok = 1.5

[judge.budgets]
"my run: 7" = 100.0

[judge.verdicts]
max_runs = 2
"""
    settings = load(monkeypatch, tmp_path / "plaudit.toml", text)
    assert settings.prices["meta/llama-3.1-70b"].output_usd_per_mtok == 1.5
    assert (settings.run_budget_usd, settings.budgets) == (20.0, {"my run: 7": 100.0})
    assert (settings.verdicts.max_runs, settings.verdicts.max_per_run) == (2, 10_000)
