"""`POST /get_reward`: the rewards of the settings, for clients of OpenRLHF."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import ValidationError

from plaudit.errors import ConfigError, Rejected, Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.reward import Answer, CompletionScore, RewardGroup, ScoreRequest
from plaudit.service import (
    caller_deadline_s,
    idempotency_key,
    json_docs,
    json_response,
    read_model,
)
from plaudit_reward.desk import Desk
from plaudit_reward.openrlhf.texts import completion_in
from plaudit_reward.openrlhf.wire import GetReward, GotReward
from plaudit_reward.settings import RewardSettings
from plaudit_reward.wire import join

MAX_GROUPS = 1024
"""Of one request to the queues, by `ScoreRequest`."""
MAX_SHOWN = 3
NO_PROMPT = "the query does not contain its prompt"

Found = CompletionScore | str
"""What a query got, or why it was not asked for."""


def add_openrlhf_route(app: FastAPI, desk: Desk, settings: RewardSettings) -> None:
    """Raises ConfigError when `openrlhf_rewards` names what there is not."""
    server = OpenRLHFServer(desk, settings)

    @app.post("/get_reward", summary="OpenRLHF's wire", **json_docs(GetReward, GotReward))
    async def get_reward(request: Request) -> Response:
        deadline_s = caller_deadline_s(request, settings.score_timeout_s, settings.max_deadline_s)
        asked = await read_model(request, GetReward)
        return json_response(await server.answer(asked, idempotency_key(request), deadline_s))


@dataclass(frozen=True)
class Part:
    """The scores of some queries; `may_pass`: why some are missing may be over soon."""

    scores: list[CompletionScore]
    may_pass: bool


@dataclass(frozen=True)
class OpenRLHFServer:
    desk: Desk
    settings: RewardSettings

    def __post_init__(self) -> None:
        try:
            self.desk.plan(self._request(groups_of(GetReward(query=[""]), [])))
        except (Rejected, ValidationError) as error:
            raise ConfigError(
                f"openrlhf_rewards: {error}", fix="correct it in [reward] of plaudit.toml"
            ) from None

    async def answer(self, asked: GetReward, key: str | None, deadline_s: float) -> GotReward:
        """Raises Unavailable or Rejected where a value is missing and nothing may stand in for it:
        the one when sending the same again may help."""
        groups = groups_of(asked, self.settings.openrlhf_stop_texts)
        known = [group for group in groups if group is not None]
        slices = [known[start : start + MAX_GROUPS] for start in range(0, len(known), MAX_GROUPS)]
        parts = await asyncio.gather(*(self._score(part, key, deadline_s) for part in slices))
        given = iter([score for part in parts for score in part.scores])
        found: list[Found] = [NO_PROMPT if group is None else next(given) for group in groups]
        self._refuse_missing(found, may_pass=any(part.may_pass for part in parts))
        return self._joined(found)

    async def _score(
        self, groups: Sequence[RewardGroup], key: str | None, deadline_s: float
    ) -> "Part":
        request = self._request(groups)
        body = request.model_dump_json().encode()
        plan, answers = await self.desk.collect(request, body, key, deadline_s)
        may_pass = any(isinstance(one, str) or one.retryable for one in answers.values())
        return Part([group.scores[0] for group in join(plan, answers).groups], may_pass)

    def _request(self, groups: Sequence[RewardGroup | None]) -> ScoreRequest:
        known = [group for group in groups if group is not None]
        return ScoreRequest(groups=known, rewards=self.settings.openrlhf_rewards)

    def _refuse_missing(self, found: Sequence[Found], *, may_pass: bool) -> None:
        missing = {i: reason for i, one in enumerate(found) if (reason := why_missing(one))}
        if not missing or self.settings.openrlhf_missing != "error":
            return
        shown = [f"query.{index}: {reason}" for index, reason in list(missing.items())[:MAX_SHOWN]]
        kind = Unavailable if may_pass else Rejected
        raise kind(
            f"{len(missing)} of {len(found)} queries have no reward; {'; '.join(shown)}.",
            fix="set openrlhf_missing to the number that such queries get: OpenRLHF knows no null",
        )

    def _joined(self, found: Sequence[Found]) -> GotReward:
        totals = [self._number(_total(one)) for one in found]
        names = [one.name for one in self.settings.openrlhf_rewards]
        logs = {name: [self._number(_value(one, name)) for one in found] for name in names}
        missing = [float(why_missing(one) is not None) for one in found]
        return GotReward(rewards=totals, scores=totals, extra_logs={**logs, "missing": missing})

    def _number(self, value: float | None) -> float:
        missing = self.settings.openrlhf_missing
        if value is not None:
            return value
        assert missing != "error"
        return missing


def groups_of(asked: GetReward, stop_texts: Sequence[str]) -> list[RewardGroup | None]:
    """A query is a group of its own: which ones belong together is not said."""
    nothing: list[Any] = [None] * len(asked.query)
    prompts, labels = asked.prompts or nothing, asked.labels or nothing
    return [
        _group(str(index), completion_in(query, prompt, stop_texts), prompt, label)
        for index, (query, prompt, label) in enumerate(
            zip(asked.query, prompts, labels, strict=True)
        )
    ]


def _group(
    group_id: str, completion: str | None, prompt: str | None, label: Any
) -> RewardGroup | None:
    if completion is None:
        return None
    reference = label if isinstance(label, dict) else {} if label is None else {"answer": label}
    return RewardGroup(
        group_id=group_id,
        prompt=[Message(role="user", content=prompt)] if prompt else [],
        completions=[Answer(text=completion)],
        reference=reference,
    )


def why_missing(found: Found) -> str | None:
    """A total without one of its rewards is not comparable with the others: it is missing, too."""
    if isinstance(found, str):
        return found
    return "; ".join(f"{name}: {reason}" for name, reason in found.errors.items()) or None


def _total(found: Found) -> float | None:
    return None if isinstance(found, str) or found.errors else found.total


def _value(found: Found, name: str) -> float | None:
    return None if isinstance(found, str) else found.rewards[name]
