"""Errors that people handle.

PlauditError
  ConfigError           a setting, file or argument is wrong; the CLI exits 2
  Rejected              the request can never succeed as it is; do not retry
    BodyTooLarge        413
    NotFound            404
    Unauthorized        401
    Forbidden           403, the key is known and may not do this
    Conflict            409
    BudgetExceeded      402, what the calls may cost is spent
  Unavailable           it may succeed later; retry with back-off
    QueueFull           429, the bound of a queue is reached
    DeadlineExceeded    504, the caller's time ran out
  Corrupt               stored or received data does not match its checksum or schema
  Stalled               nothing progressed for longer than the stall timeout
"""


class PlauditError(Exception):
    """Base of all errors. `fix` says what the reader can do about it."""

    status = 500
    retryable = False

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} Fix: {self.fix}" if self.fix else self.message


class ConfigError(PlauditError, ValueError):
    status = 400


class Rejected(PlauditError):
    status = 422


class BodyTooLarge(Rejected):
    status = 413


class NotFound(Rejected):
    status = 404


class Unauthorized(Rejected):
    status = 401


class Forbidden(Rejected):
    status = 403


class Conflict(Rejected):
    status = 409


class BudgetExceeded(Rejected):
    """The same request can succeed once somebody raises the budget."""

    status = 402


class Unavailable(PlauditError):
    """`retry_after_s` is the server's own estimate, when it gave one."""

    status = 503
    retryable = True

    def __init__(
        self, message: str, *, fix: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, fix=fix)
        self.retry_after_s = retry_after_s


class QueueFull(Unavailable):
    status = 429


class DeadlineExceeded(Unavailable):
    status = 504


class Corrupt(PlauditError):
    status = 500


class Stalled(PlauditError):
    status = 500
