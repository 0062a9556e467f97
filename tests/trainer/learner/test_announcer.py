"""Announcements get through an outage, newest only, without holding up the learner."""

import threading
import time

import pytest

from plaudit.errors import Unauthorized, Unavailable
from plaudit.schemas.policy import PolicyAnnouncement
from plaudit_trainer.learner import announcer as module
from plaudit_trainer.learner.announcer import Announcer


def announcement(version: int) -> PolicyAnnouncement:
    return PolicyAnnouncement(run_id="r", version=version, path="/p", manifest_sha256="0" * 64)


class Service:
    """Down for the first `num_failures` calls."""

    def __init__(self, num_failures: int = 0, error: Exception | None = None) -> None:
        self.num_failures = num_failures
        self.error = error or Unavailable("down")
        self.heard: list[int] = []
        self.called = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def announce(self, announcement: PolicyAnnouncement) -> None:
        self.called.set()
        self.gate.wait(5)
        if self.num_failures:
            self.num_failures -= 1
            raise self.error
        self.heard.append(announcement.version)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)


@pytest.mark.parametrize("error", [Unavailable("down"), Unauthorized("wrong key")])
def test_an_outage_delays_an_announcement_and_does_not_lose_it(error):
    service = Service(num_failures=3, error=error)
    announcer = Announcer(service.announce)
    announcer.announce(announcement(1))
    assert announcer.wait_delivered(5)
    assert service.heard == [1]
    announcer.close()


def test_only_the_newest_is_announced_after_an_outage():
    service = Service(num_failures=1)
    service.gate.clear()
    announcer = Announcer(service.announce)
    announcer.announce(announcement(1))
    assert service.called.wait(5)
    for version in (2, 3):
        announcer.announce(announcement(version))
    service.gate.set()
    assert announcer.wait_delivered(5)
    assert service.heard == [3]
    announcer.close()


def test_announcing_does_not_wait_for_the_service():
    service = Service()
    service.gate.clear()
    announcer = Announcer(service.announce)
    started_s = time.monotonic()
    announcer.announce(announcement(1))
    assert time.monotonic() - started_s < 5
    assert not announcer.wait_delivered(0.05)
    service.gate.set()
    assert announcer.wait_delivered(5)
    announcer.close()
