"""Verdicts that were given before, and one call for all who ask the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from redis.asyncio import Redis

from plaudit_judge import metrics
from plaudit_judge.cache_flight import Flights
from plaudit_judge.cache_key import CacheKeys, QuestionKey
from plaudit_judge.cache_store import CacheStore
from plaudit_judge.judges.base import Judge, Said
from plaudit_judge.judges.jury import Jury
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.policy import PolicyWatch
from plaudit_judge.judges.self_judge import SelfJudge
from plaudit_judge.settings import JudgeSettings

_FIRST_PAUSE_S = 0.02
_MAX_PAUSE_S = 1.0
"""Between looks for the verdict that another worker is asking for; each is longer by half."""
S = TypeVar("S", bound=Said)
Ask = Callable[[], Coroutine[Any, Any, S]]


class VerdictCache:
    """Of one judge. A verdict that was not asked for by its caller costs that caller nothing."""

    def __init__(self, judge: str, keys: CacheKeys, store: CacheStore) -> None:
        self.keys = keys
        self._judge = judge
        self._store = store
        self._flights: Flights[Any] = Flights()

    async def get_or_ask(self, key: QuestionKey | None, ask: Ask[S], kind: TypeAdapter[S]) -> S:
        """Without a key it asks. Raises what `ask` raises; a failure is never remembered."""
        if key is None:
            self._count("off")
            return await ask()
        said: S
        said, is_shared = await self._flights.join(key.digest, partial(self._fly, key, ask, kind))
        if not is_shared:
            return said
        self._count("shared")
        return said.as_hit()

    async def _fly(self, key: QuestionKey, ask: Ask[S], kind: TypeAdapter[S]) -> S:
        token = uuid4().hex
        if (found := await self._find(key, token, kind)) is not None:
            return found
        self._count("miss")
        async with self._store.claimed(key.digest, token):
            said = await ask()
            if said.is_complete and said.reply.policy_version == key.policy_version:
                await self._keep(key, said, kind)
        return said

    async def _keep(self, key: QuestionKey, said: S, kind: TypeAdapter[S]) -> None:
        try:
            value = kind.dump_json(said, exclude_defaults=True)
        except PydanticSerializationError:
            return  # half a surrogate pair in the judge's text has no UTF-8
        await self._store.keep(key.digest, value)

    async def _find(self, key: QuestionKey, token: str, kind: TypeAdapter[S]) -> S | None:
        """Waits while another worker asks. None: it is for this one to ask."""
        outcome, pause_s = "hit", _FIRST_PAUSE_S
        while True:
            seen = await self._store.look(key.digest, token)
            if seen.value is not None:
                said = _read(seen.value, kind)
                if said is not None:
                    self._count(outcome)
                return said
            if seen.may_ask:
                return None
            await asyncio.sleep(pause_s)
            outcome, pause_s = "shared", min(1.5 * pause_s, _MAX_PAUSE_S)

    def _count(self, outcome: str) -> None:
        metrics.CACHE.labels(self._judge, outcome).inc()


def _read(value: bytes, kind: TypeAdapter[S]) -> S | None:
    """None: not what this version of the service writes. It is asked for and written anew."""
    try:
        return kind.validate_json(value).as_hit()
    except ValidationError:
        return None


def open_cache(settings: JudgeSettings, judge: Judge, redis: Redis) -> VerdictCache | None:
    """None: it is off, or not for such a judge. A jury's verdicts are kept as one."""
    spec = settings.judges[judge.name]
    members = [settings.judges[name] for name in spec.judges] if isinstance(spec, JurySpec) else []
    if not settings.cache or not all(one.is_cached for one in (spec, *members)):
        return None
    keys = CacheKeys(judge.name, spec, members, _policy_of(judge))
    store = CacheStore(redis, judge.name, settings.cache_ttl_s, settings.cache_max_entries)
    return VerdictCache(judge.name, keys, store)


def _policy_of(judge: Judge) -> PolicyWatch | None:
    """Of the judge that is the policy itself, or the member that is."""
    asked = judge.members if isinstance(judge, Jury) else [judge]
    return next((one.policy for one in asked if isinstance(one, SelfJudge)), None)
