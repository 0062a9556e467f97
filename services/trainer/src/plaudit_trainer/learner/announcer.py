"""Tells the rollout service of the newest version, for as long as that takes."""

import threading
from collections.abc import Callable

from plaudit.errors import PlauditError
from plaudit.schemas.policy import PolicyAnnouncement
from plaudit.telemetry import get_logger

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

log = get_logger(__name__)


class Announcer:
    """A background thread: training goes on while the rollout service is away.

    Only the newest version is announced; an older one that did not get through is forgotten.
    """

    def __init__(self, send: Callable[[PolicyAnnouncement], object]) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._pending: PolicyAnnouncement | None = None
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def announce(self, announcement: PolicyAnnouncement) -> None:
        """Returns at once."""
        with self._changed:
            self._pending = announcement
            self._changed.notify_all()

    def wait_delivered(self, timeout_s: float) -> bool:
        """Whether the last announcement got through within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending is None, timeout_s)

    def close(self) -> None:
        """What has not got through is given up. A call under way ends by its own time limit."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while (announcement := self._next()) is not None:
            try:
                self._send(announcement)
            except PlauditError as error:
                log.warning("announce_failed", version=announcement.version, error=str(error))
                self._rest(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            self._delivered(announcement)

    def _next(self) -> PolicyAnnouncement | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending is not None or self._is_closing)
            return None if self._is_closing else self._pending

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, timeout=seconds)

    def _delivered(self, announcement: PolicyAnnouncement) -> None:
        with self._changed:
            if self._pending is announcement:
                self._pending = None
            self._changed.notify_all()
