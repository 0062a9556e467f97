"""Groups teach the discriminator after they were scored, and nobody waits for it."""

import asyncio

import pytest

from plaudit.client import ClientOptions, RewardClient
from plaudit.errors import ConfigError, Conflict, NotFound, Stalled, Unavailable
from plaudit.schemas.recipe import DiscriminatorRecipe
from plaudit.schemas.rollout import RolloutGroup
from plaudit.telemetry.metrics import metrics_text
from plaudit_trainer.conductor.admission import submit
from plaudit_trainer.conductor.arrivals import Arrivals
from plaudit_trainer.conductor.discriminator import teacher as teaching
from plaudit_trainer.conductor.discriminator.make import of_discriminator
from plaudit_trainer.conductor.discriminator.teacher import Teacher
from plaudit_trainer.conductor.tasks import run_beside
from tests.trainer.conductor.conftest import numbered

GRAIL = {"rewards": [{"name": "discriminator"}], "method": {"name": "grail"}}


@pytest.fixture
async def make_teacher(rewards):
    clients = []

    def make(context, kinds=None, **recipe) -> Teacher:
        clients.append(RewardClient(rewards.url, ClientOptions(max_attempts=1)))
        return Teacher(context, DiscriminatorRecipe(**recipe), kinds, clients[-1])

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
async def conduct(conductors, make_scorer, make_teacher, until):
    """`context, teacher = await conduct()`: groups arrive, and the teacher teaches."""
    tasks = []

    async def start(num_groups=2, **recipe):
        context = conductors(**GRAIL)
        teacher = make_teacher(context, **recipe)
        arrivals = Arrivals(context, make_scorer(context), teacher)
        await submit(context, await context.ledger.admit(max_live=num_groups, num_rows=5))
        tasks.append(asyncio.create_task(arrivals.run()))
        tasks.append(asyncio.create_task(teacher.run()))
        await until(lambda: is_ready(context, num_groups))
        return context, teacher

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def is_ready(context, num_groups):
    return await context.ledger.num_ready() == num_groups


def rollout(context):
    return RolloutGroup(
        run_id="r", group_id="0/9/0", prompt=context.rows[0].prompt, prompt_token_ids=[1],
        reference={}, completions=[numbered(1)], replica_id="e0",
    )  # fmt: skip


def count(outcome):
    line = f'plaudit_trainer_discriminator_updates_total{{outcome="{outcome}"}} '
    found = [one for one in metrics_text().decode().splitlines() if one.startswith(line)]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


async def test_every_scored_group_is_learned_with_its_completions_and_reference(
    conduct, rewards, until
):
    before = count("learned")
    context, _ = await conduct(steps=3, model="critic")
    await until(lambda: count("learned") == before + 2)
    lesson = rewards.lessons[0]
    assert (lesson.discriminator, lesson.steps) == ("critic", 3)
    groups = [group for lesson in rewards.lessons for group in lesson.groups]
    assert {group.group_id for group in groups} == {"0/0/0", "0/1/0"}
    assert [one.text for one in groups[0].completions] == ["0", "1"]
    assert groups[0].reference == context.row(groups[0].group_id).reference
    records = list(context.run_dir.read_jsonl("discriminator.jsonl"))
    assert records[0]["version"] == 1
    assert {one for record in records for one in record["group_ids"]} == {"0/0/0", "0/1/0"}
    shown = {key: records[0][key] for key in ("loss", "accuracy", "separation", "num_negatives")}
    assert shown == {"loss": 0.5, "accuracy": 0.75, "separation": 0.25, "num_negatives": 2}
    assert "plaudit_trainer_discriminator_separation 0.25" in metrics_text().decode()


async def test_groups_that_wait_are_one_lesson_up_to_a_bound(
    conductors, make_teacher, rewards, until
):
    """A service that is slower than the run still learns from every group."""
    context = conductors(**GRAIL)
    teacher = make_teacher(context)
    names = [f"0/{number}/0" for number in range(teaching.MAX_GROUPS + 3)]
    for name in names:
        teacher.teach(rollout(context).model_copy(update={"group_id": name}), "math")
    task = asyncio.create_task(teacher.run())
    await until(lambda: len(rewards.lessons) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    taught = [[group.group_id for group in lesson.groups] for lesson in rewards.lessons]
    assert taught == [names[: teaching.MAX_GROUPS], names[teaching.MAX_GROUPS :]]
    keys = [key for key in rewards.keys if key.endswith("/discriminator")]
    assert len({*keys}) == 2


async def test_a_group_that_is_delivered_again_is_learned_once(
    conductors, make_teacher, rewards, until
):
    context = conductors(**GRAIL)
    teacher = make_teacher(context)
    task = asyncio.create_task(teacher.run())
    for name in ("0/1/0", "0/1/0", "0/2/0"):
        teacher.teach(rollout(context).model_copy(update={"group_id": name}), "math")
        await until(lambda: teacher._waiting.empty())
        await asyncio.sleep(0.05)
    await until(lambda: len(rewards.lessons) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [lesson.groups[0].group_id for lesson in rewards.lessons] == ["0/1/0", "0/2/0"]


async def test_a_group_that_a_conductor_learned_before_it_died_is_not_learned_again(
    conductors, make_teacher, rewards, until
):
    context = conductors(**GRAIL)
    for names in (["0/1/0"], ["0/1/0", "0/2/0"]):
        task = asyncio.create_task((teacher := make_teacher(context)).run())
        for name in names:
            teacher.teach(rollout(context).model_copy(update={"group_id": name}), "math")
        await until(lambda last=names[-1]: is_recorded(context, last))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    taught = [[group.group_id for group in lesson.groups] for lesson in rewards.lessons]
    assert taught == [["0/1/0"], ["0/2/0"]]


def is_recorded(context, name):
    records = context.run_dir.read_jsonl("discriminator.jsonl")
    return any(name in record["group_ids"] for record in records)


async def test_a_group_whose_lesson_failed_may_be_taught_again_under_the_same_key(
    conductors, make_teacher, rewards, until
):
    """Nobody knows whether the service learned it; by its key, the service does."""
    context = conductors(**GRAIL)
    teacher = make_teacher(context)
    task = asyncio.create_task(teacher.run())
    before = count("failed")
    rewards.refusal = Unavailable("the pool is away")
    teacher.teach(rollout(context), "math")
    await until(lambda: count("failed") == before + 1)
    rewards.refusal = None
    teacher.teach(rollout(context), "math")
    await until(lambda: rewards.lessons)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    keys = [key for key in rewards.keys if key.endswith("/discriminator")]
    assert len(keys) == 2 and len({*keys}) == 1


async def test_failures_are_counted_and_shown_and_groups_go_on(conduct, rewards, until):
    before = count("failed")
    rewards.refusal = Unavailable("the pool is away")
    context, teacher = await conduct()
    await until(lambda: count("failed") == before + 2)
    assert "the pool is away" in context.waiting.entries()[0].what
    rewards.refusal = None
    teacher.teach(rollout(context), "math")
    await until(lambda: len(rewards.lessons) == 1)
    await until(lambda: not context.waiting.entries())


async def test_while_somebody_has_it_frozen_groups_teach_nothing_and_nothing_fails(
    conduct, rewards, until
):
    before = count("frozen"), count("failed")
    rewards.refusal = Conflict("frozen by eval-7")
    context, _ = await conduct()
    await until(lambda: count("frozen") == before[0] + 2)
    assert count("failed") == before[1]
    assert "eval-7" in context.waiting.entries()[0].what


@pytest.fixture
def taught(conductors, make_teacher, rewards):
    """Runs a teacher with one lesson after another until it raises."""

    async def run(refusal, **parts):
        rewards.refusal = refusal
        context = conductors(**GRAIL, **parts)
        teacher = make_teacher(context)

        async def lessons():
            while True:
                teacher.teach(rollout(context), "math")
                await asyncio.sleep(0.02)

        await asyncio.wait_for(run_beside(lessons, [teacher.run]), 10)

    return run


async def test_what_fails_for_stall_timeout_s_ends_the_run_with_the_reason_and_the_fix(taught):
    with pytest.raises(Stalled) as caught:
        await taught(Unavailable("the pool is away"), pipeline={"stall_timeout_s": 0.2})
    for said in ("'default'", "stall_timeout_s = 0.2", "the pool is away", "train = false"):
        assert said in str(caught.value)


async def test_a_discriminator_that_there_is_not_is_a_wrong_setting(taught):
    with pytest.raises(ConfigError, match="no discriminator is called"):
        await taught(NotFound("no discriminator is called 'default'", fix="add a table"))


async def test_of_groups_beyond_a_bound_the_oldest_teach_nothing_and_are_counted(
    conductors, make_teacher, rewards, until
):
    before = count("skipped")
    context = conductors(**GRAIL)
    teacher = make_teacher(context)
    for number in range(teaching.MAX_WAITING + 3):
        group = rollout(context).model_copy(update={"group_id": f"0/{number}/0"})
        teacher.teach(group, "math")
    assert count("skipped") == before + 3
    task = asyncio.create_task(teacher.run())
    await until(lambda: rewards.lessons)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert rewards.lessons[0].groups[0].group_id == "0/3/0"


async def test_it_learns_from_the_kinds_that_it_scores(conductors, make_teacher, rewards, until):
    context = conductors(**GRAIL)
    teacher = make_teacher(context, kinds=["slate"])
    task = asyncio.create_task(teacher.run())
    for kind in ("math", "slate", "math"):
        teacher.teach(rollout(context), kind)
    await until(lambda: rewards.lessons)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(rewards.lessons) == 1


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (GRAIL, True),
        (GRAIL | {"method": {"name": "grail", "discriminator": {"train": False}}}, False),
        (GRAIL | {"method": {"name": "grpo"}}, False),
    ],
    ids=["grail", "that does not learn", "another method"],
)
async def test_only_grail_teaches_and_freezes(conductors, rewards, parts, wanted):
    async with RewardClient(rewards.url) as client:
        found = of_discriminator(conductors(**parts), client)
    assert [one is not None for one in found] == [wanted, wanted]
