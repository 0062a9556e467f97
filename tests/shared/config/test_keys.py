"""Tables of named keys: what is refused, and that no message shows a key."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from plaudit.config import ServiceSettings, load_settings
from plaudit.config.keys import NamedKey, read_keys
from plaudit.errors import ConfigError
from plaudit.service.worker import health_server
from plaudit.testing import free_port

HERE = NamedKey(api_key_env="EXTERNAL_KEY")


def load(text: str) -> ServiceSettings:
    Path("plaudit.toml").write_text(text)
    return load_settings(ServiceSettings, service="reward")


def test_a_table_is_read_from_the_file() -> None:
    settings = load('[reward.keys.external]\napi_key_env = "EXTERNAL_KEY"\nscopes = ["score"]\n')
    assert settings.keys == {"external": NamedKey(api_key_env="EXTERNAL_KEY", scopes=["score"])}


def test_a_table_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_REWARD_KEYS", '{"external": {"api_key_env": "EXTERNAL_KEY"}}')
    assert load("").keys == {"external": HERE}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "reward.keys.external: give api_key_env or api_key_file, where its key is"),
        ('api_key_env = "A"\napi_key_file = "b"', "not both"),
        ('api_key_env = "A"\nscope = ["score"]', "reward.keys.external.scope: unknown; did you"),
        ('api_key_env = "A"\nscopes = []', "reward.keys.external.scopes"),
        ('api_key_env = "A"\nrequests_per_minute = 0', "keys.external.requests_per_minute = 0"),
        (
            'api_key_env = "A"\nmax_body_bytes = 99999999',
            "keys.external.max_body_bytes = 99999999 is above the service's max_body_bytes = 16777",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_table(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"[reward.keys.external]\n{line}\n")
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["External", "a.b", "a@b", "", "x" * 41])
def test_a_name_can_be_a_label_and_a_part_of_a_job_id(name: str) -> None:
    with pytest.raises(ValidationError, match="must match"):
        ServiceSettings(keys={name: HERE})


def test_there_are_at_most_64() -> None:
    with pytest.raises(ValidationError, match="there are 65; at most 64"):
        ServiceSettings(keys={f"key-{i}": HERE for i in range(65)})


@pytest.mark.parametrize("value", [None, "", "short", "schlüssel-lang"])
def test_a_key_that_is_missing_or_unusable_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("EXTERNAL_KEY", value)
    with pytest.raises(ConfigError, match=r"^keys\.external: ") as caught:
        read_keys({"external": HERE}, plain=[])
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize("plain", [[], ["the-same-key"]])
def test_two_callers_never_share_a_key(monkeypatch: pytest.MonkeyPatch, plain: list[str]) -> None:
    monkeypatch.setenv("EXTERNAL_KEY", "the-same-key")
    keys = {"external": HERE} if plain else {"first": HERE, "external": HERE}
    with pytest.raises(ConfigError, match=r"keys\.external: its key is that of") as caught:
        read_keys(keys, plain=[SecretStr(key) for key in plain])
    assert "the-same-key" not in str(caught.value)


def test_a_named_key_opens_a_reachable_host() -> None:
    ServiceSettings(host="0.0.0.0", keys={"external": HERE}).check_exposure()


async def test_a_worker_starts_without_the_keys_of_its_api() -> None:
    settings = ServiceSettings(keys={"external": HERE}, worker_port=free_port())
    async with health_server(settings, "test", {}, asyncio.Event()):
        pass
