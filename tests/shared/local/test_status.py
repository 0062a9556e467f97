"""What a person sees of a run while nobody tells how it does."""

import httpx
import pytest
from fastapi import FastAPI

from plaudit.config.settings import ServiceSettings
from plaudit.errors import ConfigError, Unauthorized, Unavailable
from plaudit.local import status as asking
from plaudit.local.environment import Environment
from plaudit.local.status import LastStatus
from plaudit.schemas.run import RunStatus, Waiting
from plaudit.service import create_app
from plaudit.testing import free_port, running
from tests.shared.bare_status import BARE_STATUS

LEARNER = Waiting(who="learner", what="16 scored groups", since_s=0.1)
STATUS = BARE_STATUS.model_copy(update={"waiting": [LEARNER]})


class Conductor:
    """Answers with `error` where there is one."""

    error: Exception | None = None

    def app(self) -> FastAPI:
        app = create_app("trainer", ServiceSettings(port=0))

        @app.get("/v1/status")
        async def status() -> RunStatus:
            if self.error is not None:
                raise self.error
            return STATUS

        return app


@pytest.fixture
def conductor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "SILENT_S", 0.0)
    served = Conductor()
    with running(served.app()) as url:
        monkeypatch.setenv("PLAUDIT_TRAINER_URL", url)
        yield served


async def test_a_new_status_is_shown_as_it_is(conductor: Conductor) -> None:
    last = LastStatus()
    assert await last.ask(Environment()) == STATUS == last.status


async def test_an_old_status_says_first_that_it_is_and_why(conductor: Conductor) -> None:
    last = LastStatus()
    await last.ask(Environment())
    conductor.error = Unavailable("Redis does not answer.")
    shown = await last.ask(Environment())
    assert shown is not None and last.status == STATUS
    silence, *others = shown.waiting
    assert (silence.who, others) == ("this view", [LEARNER])
    assert (
        silence.what.startswith("news (Redis does not answer; all else") and silence.since_s > 0.0
    )
    conductor.error = None
    assert await last.ask(Environment()) == STATUS


async def test_a_short_silence_is_none(
    conductor: Conductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SILENT_S", 60.0)
    last = LastStatus()
    await last.ask(Environment())
    conductor.error = Unavailable("Redis does not answer.")
    assert await last.ask(Environment()) == STATUS


async def test_a_conductor_that_is_away_is_said(
    conductor: Conductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = LastStatus()
    monkeypatch.setenv("PLAUDIT_TRAINER_URL", away := f"http://127.0.0.1:{free_port()}")
    assert await last.ask(Environment()) is None, "nothing is known yet"
    last.status = STATUS
    shown = await last.ask(Environment())
    assert shown is not None and "the conductor does not answer" in shown.waiting[0].what
    with pytest.raises(httpx.ConnectError):
        httpx.get(away)


async def test_a_key_that_is_refused_is_an_error(conductor: Conductor) -> None:
    conductor.error = Unauthorized("no such key")
    with pytest.raises(ConfigError, match="refuses the API key"):
        await LastStatus().ask(Environment())
