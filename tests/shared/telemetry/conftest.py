import logging
from collections.abc import Iterator

import pytest

from plaudit.telemetry.logging import log_warnings


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """`setup_logging` is for processes; the next test must not write to this one's stream."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    log_warnings()
