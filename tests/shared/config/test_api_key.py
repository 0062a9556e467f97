"""Where the key of a peer comes from, and what is said when it is not there."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from plaudit.config.api_key import WithApiKey
from plaudit.errors import ConfigError


def test_a_peer_without_a_key_has_none() -> None:
    assert WithApiKey().read_api_key() is None


def test_it_is_read_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THEIR_KEY", " s3cret\n")
    assert WithApiKey(api_key_env="THEIR_KEY").read_api_key().get_secret_value() == "s3cret"
    (tmp_path / "key").write_text("other\n")
    found = WithApiKey(api_key_file=tmp_path / "key").read_api_key()
    assert found.get_secret_value() == "other"
    assert "other" not in repr(found)


@pytest.mark.parametrize("value", ["", "  ", "schlüssel", "a\tb"])
def test_a_key_that_is_none_names_the_place_and_not_the_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("THEIR_KEY", value)
    with pytest.raises(ConfigError, match="environment variable THEIR_KEY") as caught:
        WithApiKey(api_key_env="THEIR_KEY").read_api_key()
    assert not value.strip() or value not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: FileNotFoundError"):
        WithApiKey(api_key_file=tmp_path / "none").read_api_key()


def test_there_is_one_place() -> None:
    with pytest.raises(ValidationError, match="not both"):
        WithApiKey(api_key_env="A", api_key_file=Path("/b"))
