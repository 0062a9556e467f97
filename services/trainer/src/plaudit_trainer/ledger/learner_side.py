"""The learner's face of the ledger: synchronous, fenced so that only the newest learner commits."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from plaudit.errors import Conflict, PlauditError
from plaudit.schemas.run import Ledger, ReadyGroup
from plaudit_trainer.ledger import scripts
from plaudit_trainer.ledger.keys import is_setting, parse_counts, prefix, script_keys

RETRIED_REASONS = frozenset({"stale"})
"""Reasons for which a dropped group's prompt goes back into the pool."""


class LearnerLedger:
    """`redis` must not decode responses. Every method raises redis.RedisError on a lost server."""

    def __init__(self, client: redis.Redis, run_id: str) -> None:
        # Any: redis-py types every answer as any of its wire forms.
        self._redis: Any = client
        self._prefix = prefix(run_id)
        self._keys = script_keys(run_id)
        self._fence = b""
        self._commit = client.register_script(scripts.COMMIT_STEP)
        self._checkpointed = client.register_script(scripts.CHECKPOINTED)
        self._rollback = client.register_script(scripts.ROLLBACK)

    def claim(self, owner: str) -> None:
        """Fence off every earlier learner of this run: their commits raise Conflict."""
        number = self._redis.incr(self._prefix + "claims")
        self._fence = f"{number}:{owner}".encode()
        self._redis.set(self._prefix + "fence", self._fence)

    def count_ready(self) -> int:
        return int(self._redis.zcard(self._prefix + "ready"))

    def peek_ready(self, most: int) -> list[ReadyGroup]:
        """The oldest ready groups, in order of training; their state does not change."""
        names = self._redis.zrange(self._prefix + "ready", 0, most - 1)
        if not names:
            return []
        payloads = self._redis.hmget(self._prefix + "payload", names)
        return [ReadyGroup.model_validate_json(raw) for raw in payloads if raw is not None]

    def commit_step(self, step: int, trained: Sequence[str], dropped: Mapping[str, str]) -> None:
        """Record what step `step` trained and dropped. Raises Conflict when fenced off."""
        drops = [
            part
            for group, reason in dropped.items()
            for part in (group, reason, "1" if reason in RETRIED_REASONS else "0")
        ]
        self._run(self._commit, [step, len(trained), *trained, *drops])

    def checkpointed(self, step: int) -> None:
        """A checkpoint holds every step up to `step`; their payloads are let go."""
        self._run(self._checkpointed, [step])

    def rollback(self, step: int) -> int:
        """Return groups trained after `step` to the ready ones; how many there were."""
        return self._run(self._rollback, [step])

    def counts(self) -> Ledger:
        pipe = self._redis.pipeline(transaction=True)
        pipe.hgetall(self._prefix + "counts")
        pipe.zcard(self._prefix + "admitted")
        pipe.zcard(self._prefix + "ready")
        counts, admitted, ready = pipe.execute()
        return parse_counts(counts, admitted + ready)

    def is_starting(self) -> bool:
        """Whether the conductor still waits for an engine that serves, as after every start."""
        state: bytes | None = self._redis.hget(self._prefix + "progress", "state")
        return state is not None and json.loads(state) == "starting"

    def set_waiting(self, who: str, what: str | None) -> None:
        """Say what `who` waits for, or that it no longer waits."""
        if what is None:
            self._redis.hdel(self._prefix + "waiting", who)
            return
        value = json.dumps({"what": what, "since": time.time()})
        self._redis.hset(self._prefix + "waiting", who, value)

    def set_progress(self, values: Mapping[str, Any]) -> None:
        """Merge figures (step, version, reward...) into what the status page shows."""
        self._redis.hset(
            self._prefix + "progress",
            mapping={key: json.dumps(value) for key, value in values.items()},
        )

    def fail(self, error: PlauditError) -> None:
        """End the run as failed; the conductor and the CLI read the reason. The first one stays."""
        if self._redis.hsetnx(self._prefix + "progress", "failure", json.dumps(str(error))):
            self.set_progress({"failure_is_setting": is_setting(error)})

    def _run(self, script: Any, args: list[Any]) -> int:
        try:
            return int(script(keys=self._keys, args=[self._fence, *args]))
        except redis.ResponseError as error:
            if "FENCED" in str(error):
                raise Conflict(
                    "another learner has claimed this run", fix="stop this one"
                ) from error
            if "NOTREADY" in str(error):
                raise Conflict(f"ledger: {error}") from error
            raise
