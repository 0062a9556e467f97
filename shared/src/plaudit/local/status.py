"""Asking services over HTTP, briefly: a live view must not wait for one that is away."""

import time

import httpx
from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.ready import HttpReady
from plaudit.schemas.problem import Problem
from plaudit.schemas.reward import RewardList
from plaudit.schemas.run import RunStatus, Waiting

SILENT_S = 5.0
"""A status may be so old without a word of it."""
_TIMEOUT_S = 3.0
_GUARDED_PATHS = {"rollout": "/v1/policy", "reward": "/v1/rewards", "judge": "/v1/judges"}
"""What of a service the trainer may read with its key. It does not call the sandbox itself."""


class LastStatus:
    """The newest that the conductor said of a run."""

    def __init__(self) -> None:
        self.status: RunStatus | None = None
        self._told_s = time.monotonic()

    async def ask(self, environment: Environment) -> RunStatus | None:
        """For a person to see: an old one says first that it is. Raises ConfigError when the API
        key is refused."""
        answer = await fetch_status(environment)
        if isinstance(answer, RunStatus):
            self.status, self._told_s = answer, time.monotonic()
            return answer
        silent_s = time.monotonic() - self._told_s
        if self.status is None or silent_s < SILENT_S:
            return self.status
        what = f"news ({answer.removesuffix('.')}; all else shown is as old)"
        waiting = Waiting(who="this view", what=what, since_s=silent_s)
        return self.status.model_copy(update={"waiting": [waiting, *self.status.waiting]})


async def fetch_status(environment: Environment) -> RunStatus | str:
    """What the conductor says of the run, or why nothing. Raises ConfigError as `_get`."""
    url = f"{environment.url('trainer')}/v1/status"
    try:
        response = await _response(url, environment.api_key)
        if response.status_code != 200:
            return Problem.model_validate_json(response.content).detail
        return RunStatus.model_validate_json(response.content)
    except httpx.HTTPError:
        return "the conductor does not answer"
    except ValidationError:
        return f"the answer of {url} is not understood"


async def known_rewards(environment: Environment) -> dict[str, str | None] | None:
    """The rewards that the reward service knows, and why one is not available; None when it does
    not answer."""
    body = await _get(f"{environment.url('reward')}/v1/rewards", environment.api_key)
    if body is None:
        return None
    return {one.name: one.reason for one in RewardList.model_validate_json(body).rewards}


async def unreachable(environment: Environment, services: tuple[str, ...]) -> dict[str, str]:
    """Why each of the services that is not ready is not, by name.

    Raises ConfigError when one refuses the API key: its health is open, its work is not.
    """
    problems = {}
    for service in services:
        url = environment.url(service)
        reason = await HttpReady(f"{url}/readyz")()
        if reason is not None:
            problems[service] = reason
        elif service in _GUARDED_PATHS:
            await _get(url + _GUARDED_PATHS[service], environment.api_key)
    return problems


async def _get(url: str, api_key: str | None) -> bytes | None:
    """Raises ConfigError when the key is refused; None for any other trouble."""
    try:
        response = await _response(url, api_key)
    except httpx.HTTPError:
        return None
    return response.content if response.status_code == 200 else None


async def _response(url: str, api_key: str | None) -> httpx.Response:
    """Raises ConfigError when the key is refused, httpx.HTTPError without an answer."""
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S) as client:
        response = await client.get(url, headers=headers)
    if response.status_code in (401, 403):
        raise ConfigError(
            f"{url} refuses the API key ({'none is set' if api_key is None else 'it is wrong'}).",
            fix="set PLAUDIT_API_KEY to one of that service's keys",
        )
    return response
