from pathlib import Path

import pytest
from pydantic import BaseModel, Field, SecretStr

from plaudit.config import ServiceSettings, load_settings
from plaudit.errors import ConfigError


class Endpoint(BaseModel, extra="forbid"):
    url: str
    api_key: SecretStr | None = None


class JudgeSettings(ServiceSettings):
    port: int = 8103
    rollout_url: str = "http://127.0.0.1:8101"
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)


def load() -> JudgeSettings:
    return load_settings(JudgeSettings, service="judge")


def error_text() -> str:
    with pytest.raises(ConfigError) as caught:
        load()
    return str(caught.value)


def write(text: str, path: str = "plaudit.toml") -> None:
    Path(path).write_text(text)


def test_defaults_bind_loopback_and_need_nothing() -> None:
    settings = load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8103)
    settings.check_exposure()


def test_settings_built_directly_read_neither_environment_nor_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("PLAUDIT_JUDGE_PORT", "2")
    write("[judge]\nport = 3\n")
    assert JudgeSettings().port == 8103


def test_the_service_variable_wins_over_shared_variable_file_and_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('[shared]\nredis_url = "redis://a"\n')
    assert load().redis_url == "redis://a"
    write('[shared]\nredis_url = "redis://a"\n[judge]\nredis_url = "redis://b"\n')
    assert load().redis_url == "redis://b"
    monkeypatch.setenv("PLAUDIT_REDIS_URL", "redis://c")
    assert load().redis_url == "redis://c"
    monkeypatch.setenv("PLAUDIT_JUDGE_REDIS_URL", "redis://d")
    assert load().redis_url == "redis://d"


def test_a_peer_is_found_by_one_variable_for_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_ROLLOUT_URL", "http://engine:1")
    assert load().rollout_url == "http://engine:1"


def test_the_own_url_among_the_peers_is_no_unknown_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_JUDGE_URL", "http://127.0.0.1:8103")
    assert load().port == 8103


def test_plaudit_config_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[judge]\nport = 9\n", "other.toml")
    monkeypatch.setenv("PLAUDIT_CONFIG", "other.toml")
    assert load().port == 9


def test_a_file_that_plaudit_config_names_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_CONFIG", "nowhere.toml")
    assert "PLAUDIT_CONFIG = 'nowhere.toml'" in error_text()


def test_broken_toml_names_the_file_and_the_line() -> None:
    write("[judge\n")
    assert "plaudit.toml" in error_text()
    assert "line 1" in error_text()


def test_nested_tables_come_from_the_file_and_from_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('[judge.endpoints.big]\nurl = "http://big"\n')
    monkeypatch.setenv("PLAUDIT_JUDGE_ENDPOINTS", '{"small": {"url": "http://small"}}')
    assert load().endpoints["small"].url == "http://small"
    monkeypatch.delenv("PLAUDIT_JUDGE_ENDPOINTS")
    assert load().endpoints["big"].url == "http://big"


def test_an_unknown_variable_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_JUDGE_PROT", "1")
    assert "PLAUDIT_JUDGE_PROT: unknown; did you mean `PLAUDIT_JUDGE_PORT`?" in error_text()


def test_a_near_miss_of_a_shared_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_REDIS_ULR", "redis://elsewhere")
    assert "did you mean `PLAUDIT_REDIS_URL`?" in error_text()


def test_variables_of_other_services_and_programs_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_SANDBOX_ANYTHING", "1")
    monkeypatch.setenv("PLAUDIT_DEBUG", "1")
    assert load().port == 8103


def test_an_unknown_key_of_the_section_is_refused_with_the_nearest_name() -> None:
    write("[judge]\nmax_body_byte = 5000\n")
    assert "judge.max_body_byte: unknown; did you mean `max_body_bytes`?" in error_text()


def test_an_unknown_nested_key_names_its_dotted_path() -> None:
    write('[judge.endpoints.big]\nurll = "x"\nurl = "y"\n')
    assert "judge.endpoints.big.urll: unknown; did you mean `url`?" in error_text()


def test_a_misspelled_section_is_refused() -> None:
    write("[jugde]\nport = 1\n")
    assert "[jugde]: unknown; did you mean `judge`?" in error_text()


def test_a_key_that_is_not_shared_is_refused_in_the_shared_section() -> None:
    write("[shared]\nport = 1\n")
    assert "[shared] port: unknown" in error_text()


def test_a_wrong_value_is_named_with_setting_value_rule_and_origin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_JUDGE_PORT", "99999")
    write('[judge]\nlog_level = "loud"\n')
    text = error_text()
    assert "judge.port = '99999': a port is between 0 and 65535" in text
    assert "(from PLAUDIT_JUDGE_PORT)" in text
    assert "judge.log_level = 'loud': input should be 'debug', 'info', 'warning' or 'error'" in text
    assert "(from plaudit.toml [judge] log_level)" in text


def test_a_variable_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_JUDGE_ENDPOINTS", "{")
    assert "endpoints" in error_text()


def test_keys_come_comma_separated_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_API_KEYS", "first-key-1, second-key-2")
    keys = [key.get_secret_value() for key in load().api_keys]
    assert keys == ["first-key-1", "second-key-2"]


def test_keys_come_from_a_file_beside_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("# ours\nfile-key-1\n\nfile-key-2\n", "keys")
    monkeypatch.setenv("PLAUDIT_API_KEYS_FILE", "keys")
    monkeypatch.setenv("PLAUDIT_API_KEYS", "variable-key")
    keys = [key.get_secret_value() for key in load().api_keys]
    assert keys == ["variable-key", "file-key-1", "file-key-2"]


def test_the_key_for_peers_comes_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("file-key-1\n", "key")
    monkeypatch.setenv("PLAUDIT_API_KEY_FILE", "key")
    assert load().api_key.get_secret_value() == "file-key-1"
    monkeypatch.setenv("PLAUDIT_API_KEY", "variable-key")
    assert load().api_key.get_secret_value() == "variable-key"


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("\n", "empty")])
def test_a_file_without_the_key_for_peers_is_an_error(
    monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
) -> None:
    if content is not None:
        write(content, "key")
    monkeypatch.setenv("PLAUDIT_API_KEY_FILE", "key")
    assert "api_key_file: " in error_text()
    assert said in error_text()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("# none\n", "holds no key")]
)
def test_a_key_file_without_keys_never_means_no_authentication(
    monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
) -> None:
    if content is not None:
        write(content, "keys")
    monkeypatch.setenv("PLAUDIT_JUDGE_API_KEYS_FILE", "keys")
    assert said in error_text()


def test_an_empty_list_of_keys_in_the_environment_is_refused_not_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_API_KEYS", " , ")
    assert "api_keys" in error_text()


@pytest.mark.parametrize("key", ["short", "päßwörter-lang", '["brokenjson-key'])
def test_an_unusable_key_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("PLAUDIT_JUDGE_API_KEYS", key)
    text = error_text()
    assert "api_keys" in text
    assert key not in text


def test_secrets_appear_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_API_KEY", "the-key-of-mine")
    monkeypatch.setenv("PLAUDIT_API_KEYS", "the-key-of-mine")
    monkeypatch.setenv("PLAUDIT_REDIS_URL", "redis://:the-key-of-mine@host/0")
    settings = load()
    assert "the-key-of-mine" not in repr(settings) + str(settings)


def test_a_wrong_neighbour_does_not_bring_secrets_into_the_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAUDIT_API_KEY", "the-key-of-mine")
    monkeypatch.setenv("PLAUDIT_API_KEYS", "the-key-of-mine")
    write('[judge]\nport = "redis://u:the-key-of-mine@h"\n')
    assert "the-key-of-mine" not in error_text()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "myhost"])
def test_a_reachable_host_without_keys_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="api_keys"):
        JudgeSettings(host=host).check_exposure()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    JudgeSettings(host=host).check_exposure()


def test_keys_or_an_explicit_choice_open_a_reachable_host() -> None:
    JudgeSettings(host="0.0.0.0", api_keys=[SecretStr("long-enough")]).check_exposure()
    JudgeSettings(host="0.0.0.0", allow_unauthenticated=True).check_exposure()
