"""Judges from settings."""

from plaudit.client import ClientOptions
from plaudit.errors import ConfigError
from plaudit.schemas.judge import JudgeInfo
from plaudit_judge.judges.base import Judge
from plaudit_judge.judges.openai import OpenAIJudge
from plaudit_judge.judges.policy import watch_policy
from plaudit_judge.judges.self_judge import SelfJudge
from plaudit_judge.settings import JudgeSettings


def make_judge(settings: JudgeSettings, name: str) -> Judge:
    """Opens no connection yet. Raises ConfigError: no such judge, or its key is missing."""
    spec = settings.judges.get(name)
    if spec is None:
        raise ConfigError(
            f"There is no judge {name!r}; there are {', '.join(sorted(settings.judges))}.",
            fix=f"add a table [judge.judges.{name}] to plaudit.toml.",
        )
    if spec.kind == "openai":
        return OpenAIJudge(name, spec, spec.read_api_key())
    policy = watch_policy(settings.rollout_url, ClientOptions(api_key=settings.api_key))
    return SelfJudge(name, spec, settings.engine_urls, policy)


def missing_key(settings: JudgeSettings, name: str) -> str | None:
    """Why a configured judge cannot be asked, or None."""
    try:
        settings.judges[name].read_api_key()
    except ConfigError as error:
        return error.message
    return None


async def describe_judge(settings: JudgeSettings, name: str) -> JudgeInfo:
    """A judge without its key is listed, with the reason why it cannot be used."""
    spec = settings.judges[name]
    if reason := missing_key(settings, name):
        return JudgeInfo(
            name=name, kind=spec.kind, model=spec.model, available=False, reason=reason
        )
    judge = make_judge(settings, name)
    try:
        return await judge.info()
    finally:
        await judge.aclose()
