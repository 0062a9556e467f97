"""The conductor's side of GRAIL with the real reward service and a tiny discriminator."""

import asyncio
import json

import pytest

from plaudit.schemas.recipe import DiscriminatorRecipe
from plaudit.schemas.rollout import Completion, RolloutGroup
from plaudit_trainer.conductor.discriminator.freezer import Freezer
from plaudit_trainer.conductor.discriminator.teacher import Teacher
from tests.reward.conftest import Service, until_healthy

pytest.importorskip("torch")
from tests.reward.models.conftest import Tiny

PATIENCE_S = 90.0
"""A worker imports torch first."""
OPTIONS = ["cats", "dogs", "birds"]


@pytest.fixture
async def service(redis_url, tmp_path):
    path = Tiny(tmp_path).classifier("discriminator", num_labels=2, chat=False)
    model = {
        "kind": "discriminator", "path": str(path), "directory": str(tmp_path / "versions"),
        "device": "cpu", "learning_rate": 1e-3,
    }  # fmt: skip
    one = Service(
        redis_url, "", models=json.dumps({"critic": model}), score_timeout_s="60", torch_threads="1"
    )
    try:
        await until_healthy(one.client)
        one.worker("model")
        yield one
    finally:
        await one.aclose()


def chosen(group_id, *texts):
    completions = [
        Completion(text=text, token_ids=[1], logprobs=[0.0], finish_reason="stop",
                   policy_versions=[0])
        for text in texts
    ]  # fmt: skip
    reference = {"discriminator": {"state": "wolves", "options": OPTIONS}, "gold_index": 2}
    return RolloutGroup(
        run_id="r", group_id=group_id, prompt=[], prompt_token_ids=[1], reference=reference,
        completions=completions, replica_id="e0",
    )  # fmt: skip


async def test_it_learns_each_group_once_and_rests_while_the_policy_is_evaluated(
    service, conductors, until
):
    context = conductors(
        rewards=[{"name": "discriminator", "params": {"model": "critic"}}],
        method={"name": "grail"},
        pipeline={"reward_timeout_s": 60},
    )
    recipe = DiscriminatorRecipe(model="critic", steps=4)
    teacher = Teacher(context, recipe, None, service.client)
    learning = asyncio.create_task(teacher.run())

    def learned(number):
        return lambda: len(list(context.run_dir.read_jsonl("discriminator.jsonl"))) == number

    try:
        for number, group_id in enumerate(("0/0/0", "0/1/0", "0/1/0")):
            answers = [f"<answer>{one}</answer>" for one in (1, 3, 2)]
            teacher.teach(chosen(group_id, *answers), "slate")
            await until(learned(min(number + 1, 2)), PATIENCE_S)
        first, second = context.run_dir.read_jsonl("discriminator.jsonl")
        assert (first["version"], first["num_positives"], first["num_negatives"]) == (1, 1, 2)
        assert second["version"] == 2 and second["separation"] > first["separation"]

        async with Freezer(service.client, "critic", "r").held():
            teacher.teach(chosen("0/2/0", "<answer>1</answer>"), "slate")
            await until(context.waiting.entries)
            assert "frozen by r.eval" in context.waiting.entries()[0].what
        teacher.teach(chosen("0/3/0", "<answer>1</answer>"), "slate")
        await until(learned(3))
    finally:
        learning.cancel()
        await asyncio.gather(learning, return_exceptions=True)
