"""Asking services over HTTP, briefly: a live view must not wait for one that is away."""

import httpx
from pydantic import ValidationError

from plaudit.errors import ConfigError
from plaudit.local.environment import Environment
from plaudit.local.ready import HttpReady
from plaudit.schemas.reward import RewardList
from plaudit.schemas.run import RunStatus

_TIMEOUT_S = 3.0
_GUARDED_PATHS = {"rollout": "/v1/policy", "reward": "/v1/rewards", "judge": "/v1/judges"}
"""What of a service the trainer may read with its key. It does not call the sandbox itself."""


async def fetch_status(environment: Environment) -> RunStatus | None:
    """What the conductor says of the run; None while it does not answer."""
    body = await _get(f"{environment.url('trainer')}/v1/status", environment.api_key)
    try:
        return None if body is None else RunStatus.model_validate_json(body)
    except ValidationError:
        return None


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
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S) as client:
            response = await client.get(url, headers=headers)
    except httpx.HTTPError:
        return None
    if response.status_code in (401, 403):
        raise ConfigError(
            f"{url} refuses the API key ({'none is set' if api_key is None else 'it is wrong'}).",
            fix="set PLAUDIT_API_KEY to one of that service's keys",
        )
    return response.content if response.status_code == 200 else None
