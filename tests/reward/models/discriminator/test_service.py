"""`POST /v1/discriminator/...` through API, queue and workers, some of which are killed."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from plaudit.errors import Conflict, DeadlineExceeded, NotFound, Unavailable
from plaudit.schemas.discriminator import DiscriminatorFreeze, DiscriminatorUpdate
from plaudit.schemas.reward import RewardSpec, ScoreRequest
from tests.reward.models.discriminator.conftest import slate, update_of

UPDATE = update_of(("the sum is four", 1), ("idk", 0))


def models(spec: Any, **options: Any) -> str:
    given = spec(learning_rate=1e-3, **options).model_dump(mode="json")
    return json.dumps({"default": given})


def newest(directory: Path) -> int:
    return max(int(path.name[1:]) for path in directory.glob("v*"))


async def d_of(running: Any) -> list[Any]:
    request = ScoreRequest(
        groups=[slate("<answer>1</answer>", "<answer>2</answer>")],
        rewards=[RewardSpec(name="discriminator")],
    )
    answer = await running.client.score(request, timeout_s=150)
    return [score.rewards["discriminator"] for score in answer.groups[0].scores]


async def test_it_scores_learns_from_the_same_groups_and_scores_better(service, spec) -> None:
    running = await service(models=models(spec), score_timeout_s="150")
    running.worker("model")
    group = slate("<answer>1</answer>", "<answer>2</answer>")
    policy, expert = await d_of(running)
    for step in range(4):
        update = DiscriminatorUpdate(groups=[group], steps=16)
        answer = await running.client.update_discriminator(update, idempotency_key=f"run-{step}")
        assert (answer.version, answer.num_positives, answer.num_negatives) == (step + 1, 1, 1)
    assert answer.accuracy == 1.0
    found = await d_of(running)
    assert found[1] > max(expert, 0.9) and found[0] < min(policy, 0.1)


async def test_the_same_update_is_one_step_also_after_a_restart(service, spec) -> None:
    running = await service(models=models(spec))
    worker = running.worker("model")
    once = await running.client.update_discriminator(UPDATE, idempotency_key="k", timeout_s=150)
    again = await running.client.update_discriminator(UPDATE, idempotency_key="k")
    other = await running.client.update_discriminator(UPDATE, idempotency_key="l")
    assert once == again and (once.version, other.version) == (1, 2)
    worker.stop()
    running.worker("model")
    more = await running.client.update_discriminator(UPDATE, idempotency_key="m", timeout_s=150)
    assert more.version == 3


async def test_workers_that_are_killed_in_the_middle_make_each_step_once(service, spec) -> None:
    running = await service(models=models(spec, keep_versions=50), score_timeout_s="150")
    workers = [running.worker("model") for _ in range(2)]
    await running.client.update_discriminator(UPDATE, idempotency_key="first", timeout_s=150)
    updates = [
        asyncio.create_task(
            running.client.update_discriminator(UPDATE, idempotency_key=f"k{index}", timeout_s=150)
        )
        for index in range(12)
    ]
    for worker in workers:
        await asyncio.sleep(0.25)
        worker.kill()
        running.worker("model")
    answers = await asyncio.gather(*updates)
    assert sorted(answer.version for answer in answers) == list(range(2, 14))
    assert newest(spec().directory) == 13


async def test_while_it_is_frozen_it_refuses_to_learn_and_scores_the_same(service, spec) -> None:
    running = await service(models=models(spec))
    running.worker("model")
    before = await d_of(running)
    for owner in ("user", "eval"):
        await running.client.freeze_discriminator(DiscriminatorFreeze(owner=owner, lease_s=60))
    with pytest.raises(Conflict, match="'default' is frozen by eval, user") as caught:
        await running.client.update_discriminator(UPDATE, idempotency_key="k", timeout_s=150)
    assert not caught.value.retryable
    thaw = DiscriminatorFreeze(owner="eval", frozen=False)
    assert (await running.client.freeze_discriminator(thaw)).owners == ["user"]
    with pytest.raises(Conflict, match="frozen by user"):
        await running.client.update_discriminator(UPDATE, idempotency_key="k")
    assert await d_of(running) == before
    await running.client.freeze_discriminator(DiscriminatorFreeze(owner="user", frozen=False))
    answer = await running.client.update_discriminator(UPDATE, idempotency_key="k")
    assert answer.version == 1


async def test_what_is_not_configured_is_not_found(service, spec) -> None:
    running = await service(models=models(spec))
    other = UPDATE.model_copy(update={"discriminator": "other"})
    with pytest.raises(NotFound, match="'other'; configured: default"):
        await running.client.update_discriminator(other)
    with pytest.raises(NotFound, match="configured: default"):
        await running.client.freeze_discriminator(
            DiscriminatorFreeze(discriminator="other", owner="me")
        )


async def test_without_a_worker_the_deadline_says_so(service, spec) -> None:
    running = await service(models=models(spec))
    with pytest.raises((DeadlineExceeded, Unavailable), match=r"not made the update|within|waited"):
        await running.client.update_discriminator(UPDATE, timeout_s=1.5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_directory_that_cannot_be_written_says_which(service, spec, tmp_path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    running = await service(models=models(spec, directory=tmp_path / "closed" / "d"))
    running.worker("model")
    with pytest.raises(Unavailable, match="closed"):
        await running.client.update_discriminator(UPDATE, timeout_s=20)
