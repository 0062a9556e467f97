import pytest

from plaudit.errors import ConfigError, NotFound, PlauditError, Stalled, Unavailable
from plaudit.service import guard
from plaudit.service.server import bind_socket


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid", "2001:db8::1"])
def test_an_address_of_another_machine_is_named(host: str) -> None:
    with (
        pytest.raises(ConfigError, match="cannot be bound") as caught,
        bind_socket(host, 0, "port"),
    ):
        pass
    assert f"host = {host!r}" in caught.value.message


def test_ipv6_loopback_can_be_bound() -> None:
    with bind_socket("::1", 0, "port") as listener:
        assert listener.getsockname()[0] == "::1"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (Unavailable("x"), 1),
        (NotFound("x"), 1),
        (Stalled("x"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_says_whether_starting_again_may_help(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, guard():
        raise error
    assert caught.value.code == code
    assert (capsys.readouterr().err == "error: x\n") == isinstance(error, PlauditError)


def test_what_goes_to_the_terminal_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), guard():
        raise ConfigError("\x1b[2J redis://:pw@host", fix="Bearer abcdefgh")
    assert capsys.readouterr().err == "error: \\x1b[2J redis://***@host\nfix: Bearer ***\n"


def test_bugs_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), guard():
        raise ZeroDivisionError
