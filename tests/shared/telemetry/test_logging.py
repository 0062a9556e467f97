import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from plaudit.telemetry import get_logger, setup_logging, use_traceparent
from plaudit.telemetry.redact import MAX_TEXT_CHARS
from plaudit.telemetry.trace import bind, bind_caller, new_trace, unbind

Captured = pytest.CaptureFixture[str]
SECRET = "sk-very-secret-key"


def lines(capsys: Captured) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_json_is_one_object_per_line_with_service_level_and_time(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    get_logger("part").info("scored", num_groups=3)
    (line,) = lines(capsys)
    assert line["event"] == "scored"
    assert line["num_groups"] == 3
    assert (line["service"], line["level"], line["component"]) == ("reward", "info", "part")
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written(capsys: Captured) -> None:
    setup_logging("reward", level="warning", format="json")
    get_logger().info("quiet")
    get_logger().warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_a_logger_made_before_setup_follows_it(capsys: Captured) -> None:
    log = get_logger(__name__)
    setup_logging("reward", format="json")
    log.info("late")
    assert lines(capsys)[0]["event"] == "late"


def test_every_line_carries_trace_request_id_and_caller(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    tokens = bind(new_trace(), "request-1")
    bind_caller("external")
    with use_traceparent(None) as trace:
        get_logger().info("inside")
    unbind(tokens)
    get_logger().info("outside")
    inside, outside = lines(capsys)
    assert (inside["trace_id"], inside["request_id"]) == (trace.trace_id, "request-1")
    assert inside["caller"] == "external"
    assert not {"trace_id", "request_id", "caller"} & outside.keys()


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": SECRET},
        {"API_KEYS": [SECRET]},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"nested": [{"deep": {"x-api-key": SECRET}}]},
        {"anything": SecretStr(SECRET)},
        {"inside": {"list": [SecretStr(SECRET)]}},
        {"text": f"got Authorization: Bearer {SECRET} from x"},
        {"url": f"redis://user:{SECRET}@host:6379/0"},
        {"password": SECRET},
    ],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_not_written(capsys: Captured, fields: dict[str, Any], form: Any) -> None:
    setup_logging("reward", format=form)
    get_logger().info("event", **fields)
    written = capsys.readouterr().err
    assert "event" in written
    assert SECRET not in written


def test_a_secret_inside_a_traceback_is_not_written(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    try:
        raise ValueError(f"cannot connect to redis://:{SECRET}@host")
    except ValueError:
        get_logger().exception("failed")
    (line,) = lines(capsys)
    assert "cannot connect to redis://***@host" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_names_that_only_sound_secret_are_written(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    get_logger().info("x", num_tokens=3, token_ids=[1], api_keys_file="/etc/keys")
    (line,) = lines(capsys)
    assert (line["num_tokens"], line["token_ids"]) == (3, [1])
    assert line["api_keys_file"] == "/etc/keys"


@pytest.mark.parametrize("form", ["json", "console"])
def test_hostile_text_cannot_forge_a_line_or_move_the_cursor(capsys: Captured, form: Any) -> None:
    setup_logging("reward", format=form)
    hostile = "a\n2026 [info] forged\x1b[2J\x9b\r"
    get_logger().info("event " + hostile, text=hostile, key="\u2028")
    logging.getLogger("some.library").warning("from elsewhere %s", hostile)
    written = capsys.readouterr().err
    assert written.count("\n") == 2
    assert "\x1b[2J" not in written
    assert "\x9b" not in written
    assert "\r" not in written


def test_huge_text_is_shortened(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    get_logger().info("event", text="x" * 10**6)
    assert len(lines(capsys)[0]["text"]) < MAX_TEXT_CHARS + 100


def test_logs_of_other_libraries_take_the_same_way_from_warning_up(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("some.library").warning("with Bearer %s", SECRET)
    (line,) = lines(capsys)
    assert line["event"] == "with Bearer ***"
    assert line["service"] == "reward"


def test_setting_up_twice_does_not_write_twice(capsys: Captured) -> None:
    setup_logging("reward", format="json")
    setup_logging("reward", format="json")
    logging.getLogger("x").warning("once")
    get_logger().info("once")
    assert len(lines(capsys)) == 2


def test_a_process_that_set_nothing_up_writes_warnings_to_standard_error_and_nothing_else() -> None:
    code = (
        "from plaudit.telemetry import get_logger; log = get_logger('x');"
        "log.info('quiet'); log.warning('loud', api_key='secret'); print('{}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "{}\n"
    assert "loud" in done.stderr
    assert "quiet" not in done.stderr
    assert "secret" not in done.stderr


def test_the_logging_that_an_application_has_set_up_is_left_alone() -> None:
    code = (
        "import structlog; structlog.configure(processors=[structlog.processors.JSONRenderer()]);"
        "from plaudit.telemetry import get_logger; get_logger().info('mine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == {"event": "mine"}
