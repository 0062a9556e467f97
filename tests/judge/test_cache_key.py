"""Two questions have one key if and only if a judge would be asked the same."""

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plaudit.client import ClientOptions
from plaudit.schemas.common import Message
from plaudit_judge.cache_key import CacheKeys
from plaudit_judge.judges.base import Case, ScoreCase, SpecBase
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.nemotron import NemotronSpec
from plaudit_judge.judges.nemotron_genrm import NemotronGenrmSpec
from plaudit_judge.judges.openai import OpenAISpec
from plaudit_judge.judges.policy import PolicyWatch, watch_policy
from plaudit_judge.judges.self_judge import SelfSpec
from plaudit_judge.rubric import Rubric
from plaudit_judge.rubric_files import load_rubrics

from .conftest import ChatServer, policy

SHIPPED = load_rubrics()
DRAWN, CERTAIN = SHIPPED["sr_r1"], SHIPPED["demo"]
SPEC = OpenAISpec(base_url="http://one/v1", model="m")
PROMPT = [Message(role="user", content="Count.")]
CASE = Case(PROMPT, "1", "2", None, DRAWN, seed=7)
TEXTS = st.sampled_from(["", "1", "user", "compare"]) | st.text(max_size=3)
MESSAGES = st.builds(Message, role=st.sampled_from(["system", "user"]), content=TEXTS)
CASES = st.builds(
    Case,
    prompt=st.lists(MESSAGES, max_size=2),
    first=TEXTS,
    second=TEXTS,
    reference=st.none() | TEXTS,
    rubric=st.sampled_from([DRAWN, CERTAIN]),
    seed=st.integers(0, 2),
)


def key(case: Case | ScoreCase, spec: SpecBase = SPEC, *members: SpecBase, name: str = "j") -> str:
    """Without a policy there is nothing to wait for."""
    asking = CacheKeys(name, spec, members).of(case)
    with pytest.raises(StopIteration) as done:
        asking.send(None)
    found: str = done.value.value.digest
    return found


def question(case: Case) -> object:
    """What is asked: chance plays no part at temperature 0."""
    seed = case.seed if case.rubric.temperature > 0.0 else None
    prompt = [(message.role, message.content) for message in case.prompt]
    return prompt, case.first, case.second, case.reference, case.rubric.name, seed


@example(CASE, replace(CASE, reference=""), {"reference"})
@given(CASES, CASES, st.sets(st.sampled_from([field.name for field in fields(Case)])))
def test_keys_are_equal_if_and_only_if_the_questions_are(
    one: Case, another: Case, changed: set[str]
) -> None:
    other = replace(one, **{name: getattr(another, name) for name in changed})
    assert (key(one) == key(other)) == (question(one) == question(other))


@given(CASES)
def test_the_order_shown_is_in_the_key(case: Case) -> None:
    flipped = replace(case, first=case.second, second=case.first)
    assert (key(case) == key(flipped)) == (case.first == case.second)


@given(st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=3))
def test_texts_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    keys = [key(ScoreCase(PROMPT, texts, None, DRAWN, seed=0)) for texts in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_comparing_and_grading_are_different_questions() -> None:
    assert key(CASE) != key(ScoreCase(PROMPT, ["1", "2"], None, DRAWN, seed=7))


def test_an_edited_rubric_is_another_question() -> None:
    edits: list[dict[str, Any]] = [{}, {"temperature": 0.6}, {"max_tokens": 501}]
    rubrics = [Rubric.model_validate(DRAWN.model_dump() | edit) for edit in edits]
    assert len({key(replace(CASE, rubric=rubric)) for rubric in rubrics}) == len(edits)


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        ({"model": "n"}, False),
        ({"base_url": "http://two/v1"}, False),
        ({"structured": "off"}, False),
        ({"max_concurrency": 3, "timeout_s": 5.0}, True),
        ({"requests_per_minute": 60}, True),
        ({"api_key_env": "OTHER_KEY"}, True),
    ],
)
def test_what_changes_the_answer_is_in_the_key_and_how_it_runs_is_not(
    edit: dict[str, Any], same: bool
) -> None:
    assert (key(CASE) == key(CASE, SPEC.model_copy(update=edit))) == same


def test_another_judge_has_other_keys() -> None:
    assert key(CASE) != key(CASE, name="k")


@pytest.mark.parametrize("spec", [NemotronGenrmSpec(model="m"), NemotronSpec(model="m")])
def test_a_judge_that_reads_no_rubric_and_draws_nothing_is_asked_the_same(spec: SpecBase) -> None:
    assert key(CASE, spec) == key(replace(CASE, rubric=CERTAIN, seed=8), spec)


def test_a_jury_is_asked_what_its_members_are() -> None:
    jury = JurySpec(judges=["g", "n"])
    genrm, nemotron = NemotronGenrmSpec(model="m"), NemotronSpec(model="m")
    assert key(CASE, jury, genrm, nemotron) == key(replace(CASE, seed=8), jury, genrm, nemotron)
    hot = NemotronGenrmSpec(model="m", temperature=1.0)
    assert key(CASE, jury, hot, nemotron) != key(replace(CASE, seed=8), jury, hot, nemotron)


@pytest.fixture
async def watch(chat: ChatServer) -> AsyncIterator[PolicyWatch]:
    found = watch_policy(chat.url, ClientOptions())
    yield found
    await found.aclose()


async def test_without_a_known_policy_version_there_is_no_key(watch: PolicyWatch) -> None:
    assert await CacheKeys("self", SelfSpec(), policy=watch).of(CASE) is None


async def test_the_policys_run_and_version_are_in_the_key(chat: ChatServer) -> None:
    found = []
    for run_id, version in (("r", 1), ("r", 2), ("s", 2)):
        chat.policy = policy(version, run_id=run_id)
        watch = watch_policy(chat.url, ClientOptions())
        found.append(await CacheKeys("self", SelfSpec(), policy=watch).of(CASE))
        await watch.aclose()
    assert [one.policy_version for one in found if one] == [1, 2, 2]
    assert len({one.digest for one in found if one}) == 3
