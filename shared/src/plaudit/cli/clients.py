"""Clients of the services, at PLAUDIT_<SERVICE>_URL with PLAUDIT_API_KEY, or on this machine."""

from pydantic import SecretStr

from plaudit.client import ClientOptions, JudgeClient, RolloutClient
from plaudit.local.environment import Environment


def open_judge(options: ClientOptions) -> JudgeClient:
    environment = Environment()
    return JudgeClient(environment.url("judge"), _with_key(options, environment))


def open_rollout(options: ClientOptions) -> RolloutClient:
    environment = Environment()
    return RolloutClient(environment.url("rollout"), _with_key(options, environment))


def _with_key(options: ClientOptions, environment: Environment) -> ClientOptions:
    key = environment.api_key
    return options.model_copy(update={"api_key": None if key is None else SecretStr(key)})
