"""Judges from settings."""

from functools import partial

from redis.asyncio import Redis

from plaudit.client import ClientOptions
from plaudit.errors import ConfigError
from plaudit.schemas.judge import JudgeInfo
from plaudit.service.redis import connect
from plaudit_judge.judges.base import Judge, LimitedSpec
from plaudit_judge.judges.claude import ClaudeJudge, ClaudeSpec
from plaudit_judge.judges.human import HumanJudge, HumanSpec
from plaudit_judge.judges.jury import Jury
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.line import Line
from plaudit_judge.judges.nemotron import NemotronJudge, NemotronSpec
from plaudit_judge.judges.nemotron_genrm import NemotronGenrmJudge, NemotronGenrmSpec
from plaudit_judge.judges.openai import OpenAIJudge, OpenAISpec
from plaudit_judge.judges.policy import watch_policy
from plaudit_judge.judges.reward_model import RewardModelJudge, RewardModelSpec
from plaudit_judge.judges.rule import RuleJudge, RuleSpec
from plaudit_judge.judges.self_judge import SelfJudge, SelfSpec
from plaudit_judge.limits.shared_rate import SharedRate
from plaudit_judge.settings import JudgeSettings


def make_judge(settings: JudgeSettings, name: str, shared: Redis | None = None) -> Judge:
    """Opens no connection yet. Rates are counted in `shared`, for all workers of the judge.

    Raises ConfigError: no such judge, or a part of it is missing."""
    spec = settings.judges.get(name)
    options = ClientOptions(api_key=settings.api_key)
    prices = settings.prices
    line = partial(_make_line, name, shared)
    match spec:
        case None:
            raise ConfigError(
                f"There is no judge {name!r}; there are {', '.join(sorted(settings.judges))}.",
                fix=f"add a table [judge.judges.{name}] to plaudit.toml.",
            )
        case SelfSpec():
            policy = watch_policy(settings.rollout_url, options)
            return SelfJudge(name, spec, settings.engine_urls, policy, line(spec))
        case OpenAISpec():
            key, price = spec.read_api_key(), prices.get(spec.model)
            return OpenAIJudge(name, spec, key, price, line(spec))
        case ClaudeSpec():
            redis = connect(settings.redis_url) if spec.batch else None
            key, price = spec.read_api_key(), prices.get(spec.model)
            return ClaudeJudge(name, spec, key, price, redis, line(spec))
        case NemotronSpec():
            key, price = spec.read_api_key(), prices.get(spec.model)
            return NemotronJudge(name, spec, key, price, line(spec))
        case NemotronGenrmSpec():
            key, price = spec.read_api_key(), prices.get(spec.model)
            return NemotronGenrmJudge(name, spec, key, price, line(spec))
        case RewardModelSpec():
            return RewardModelJudge(name, spec, settings.reward_url, options)
        case RuleSpec():
            return RuleJudge(name, spec)
        case HumanSpec():
            return HumanJudge(name, spec)
        case JurySpec():
            return _make_jury(settings, name, spec, shared)


def _make_line(name: str, shared: Redis | None, spec: LimitedSpec) -> Line:
    limits = spec.rate_limits()
    if shared is None or not any(limits):
        return Line(name, spec)
    return Line(name, spec, SharedRate(shared, name, *limits))


def _make_jury(settings: JudgeSettings, name: str, spec: JurySpec, shared: Redis | None) -> Jury:
    if reason := missing_part(settings, name):
        raise ConfigError(f"judge {name!r}: {reason}")
    return Jury(name, spec, [make_judge(settings, member, shared) for member in spec.judges])


def missing_part(settings: JudgeSettings, name: str) -> str | None:
    """Why a configured judge cannot be asked here (key, package, file), or None."""
    spec = settings.judges[name]
    if isinstance(spec, JurySpec):
        reasons = [(member, missing_part(settings, member)) for member in spec.judges]
        return next((f"its member {m!r}: {reason}" for m, reason in reasons if reason), None)
    return spec.missing()


async def describe_judge(settings: JudgeSettings, name: str) -> JudgeInfo:
    """A judge that lacks something is listed, with the reason why it cannot be used."""
    spec = settings.judges[name]
    if reason := missing_part(settings, name):
        return JudgeInfo(
            name=name, kind=spec.kind, model=spec.model_name(), available=False, reason=reason
        )
    judge = make_judge(settings, name)
    try:
        return await judge.info()
    finally:
        await judge.aclose()
