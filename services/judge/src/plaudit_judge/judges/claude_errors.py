"""The errors of Anthropic's SDK, and of its wire format, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from plaudit.client.problems import error_of
from plaudit.errors import PlauditError, Unavailable

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 403,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def error_of_type(peer: str, kind: str, message: str) -> PlauditError:
    """Of one request of a batch. Its type stands for the status that it would have had alone."""
    return error_of(peer, _STATUS.get(kind, 500), {}, f"{kind}: {message}".encode())


@contextmanager
def our_errors(peer: str) -> Iterator[None]:
    """Raises Rejected and its kinds, or Unavailable and its kinds: garbage is Unavailable."""
    import anthropic

    try:
        yield
    except anthropic.APIStatusError as error:
        response = error.response
        raise error_of(peer, error.status_code, response.headers, response.content) from error
    except anthropic.APIResponseValidationError as error:
        raise Unavailable(f"{peer} answered something that is not in its contract.") from error
    except anthropic.AnthropicError as error:
        # Without a status: no connection, or no results where there should be some.
        raise Unavailable(f"{peer}: {type(error).__name__}.") from error
    except TimeoutError as error:
        raise Unavailable(f"{peer} did not answer within timeout_s.") from error
    except ValueError as error:
        # json.JSONDecodeError: the SDK lets it through for a body that was cut off.
        raise Unavailable(f"{peer} answered something that is not JSON.") from error
