"""The RFC 9457 problem document: the one shape of every error that a service answers."""

import re

from pydantic import BaseModel, ConfigDict, Field

PROBLEM_JSON = "application/problem+json"


class FieldProblem(BaseModel):
    """One thing that is wrong with a request. `field` is a dotted path, e.g. `groups.0.prompt`."""

    field: str
    message: str


class Problem(BaseModel):
    """Unknown keys are ignored: a newer service, or a proxy, may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    type: str = "about:blank"
    title: str
    status: int = Field(ge=100, le=599)
    detail: str = ""
    request_id: str | None = None
    retryable: bool = False
    """The same request may succeed later."""
    retry_after_s: float | None = Field(default=None, ge=0.0)
    fix: str | None = None
    errors: list[FieldProblem] | None = None


def problem_type(error_class_name: str) -> str:
    """`QueueFull` -> `urn:plaudit:problem:queue-full`."""
    return "urn:plaudit:problem:" + re.sub(r"(?<!^)(?=[A-Z])", "-", error_class_name).lower()
