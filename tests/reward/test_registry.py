"""Names and parameters that a request may use, and the totals it gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.errors import Rejected
from plaudit.reward_pools import CODE_REWARDS, MODEL_REWARDS
from plaudit.schemas.common import Contract
from plaudit.schemas.mixing import Mixed
from plaudit.schemas.reward import RewardGroup, RewardSpec
from plaudit_reward.registry import load_registry
from plaudit_reward.reward import Context, Missing, NoParams, Pool, Score, Vector, reward
from plaudit_reward.wire import Plan, PlannedGroup, PlannedReward, PoolScores, join

CODE = ["binary_code", "code", "codeforces", "ioi_code", "unit_tests"]
MODEL = ["discriminator", "reward_model", "unit_reward_model"]
RULES = [
    "accuracy", "choice", "code_format", "completion_intrinsic", "correctness", "cosine",
    "efficient", "exact_match", "extractive_match", "format", "group_intrinsic", "int",
    "lcpo_exact", "lcpo_max", "length", "pure_accuracy",
    "reasoning_steps", "remote_reward", "repetition", "repetition_dense", "soft_format",
    "soft_overlong", "strict_format", "tag_count", "voting", "xml_count",
]  # fmt: skip
SPECS = [
    (RewardSpec(name="acuracy"), "rewards.0.name = 'acuracy': unknown; did you mean `accuracy`?"),
    (RewardSpec(name="zzz"), f"valid: {', '.join(sorted(CODE + MODEL + RULES))}"),
    (
        RewardSpec(name="repetition", params={"ngramsize": 3}),
        "rewards.0.params.ngramsize: unknown; did you mean `ngram_size`?",
    ),
    (RewardSpec(name="format", params={"x": 1}), "rewards.0.params.x: unknown; valid: none"),
    (
        RewardSpec(name="repetition", params={"ngram_size": 0}),
        "rewards.0.params.ngram_size of repetition: Input should be greater than or equal to 1",
    ),
    (RewardSpec(name="length", params={"unit": "bytes"}), "'tokens' or 'characters'"),
]


@pytest.mark.parametrize(("spec", "message"), SPECS)
def test_a_wrong_name_or_parameter_is_refused_with_the_nearest(
    spec: RewardSpec, message: str
) -> None:
    with pytest.raises(Rejected) as caught:
        load_registry().choose([spec])
    assert message in str(caught.value)


def test_a_reward_is_asked_for_once() -> None:
    with pytest.raises(Rejected, match=r"rewards\.1\.name: 'format' is asked for twice"):
        load_registry().choose([RewardSpec(name="format"), RewardSpec(name="format")])


def test_rewards_are_found_without_being_listed() -> None:
    pools = {name: one.pool for name, one in load_registry().rewards.items()}
    expected = dict.fromkeys(CODE, "code") | dict.fromkeys(MODEL, "model")
    assert pools == expected | dict.fromkeys(RULES, "rules")


def test_the_launcher_knows_which_rewards_need_more_than_rules() -> None:
    pools = {name: one.pool for name, one in load_registry().rewards.items()}
    assert {name for name, pool in pools.items() if pool == "code"} == CODE_REWARDS
    assert {name for name, pool in pools.items() if pool == "model"} == MODEL_REWARDS


async def test_a_reward_is_a_function_with_a_docstring() -> None:
    class ShoutParams(Contract):
        mark: str = "!"

    @reward(source="this test", vectors=[Vector(["a!!"], [2.0])])
    def shout(group: RewardGroup, params: ShoutParams, context: Context) -> list[Score]:
        """How often the mark occurs."""
        return [float(one.text.count(params.mark)) for one in group.completions]

    assert (shout.name, shout.pool, shout.params) == ("shout", "rules", ShoutParams)
    named = reward(source="this test", vectors=[], name="float")(shout.function)
    assert (named.name, named.function) == ("float", shout.function)
    assert shout.description == "How often the mark occurs."
    with pytest.raises(TypeError, match="docstring"):

        @reward(source="this test", vectors=[])
        def silent(group: RewardGroup, params: NoParams, context: Context) -> list[Score]:
            return []


def plan(**weights: float) -> Plan:
    rewards = [
        PlannedReward(
            name=name,
            mixed=Mixed(weight=weight),
            pool="code" if name == "code" else "rules",
        )
        for name, weight in weights.items()
    ]
    return Plan(groups=[PlannedGroup(group_id="g", num_completions=2)], rewards=rewards)


def test_the_total_leaves_out_what_is_missing() -> None:
    scores = PoolScores.of([{"a": [1.0, Missing("why a")], "b": [0.5, Missing("why b")]}])
    first, second = join(plan(a=2.0, b=-1.0), {"rules": scores}).groups[0].scores
    assert (first.total, first.rewards, first.errors) == (1.5, {"a": 1.0, "b": 0.5}, {})
    assert (second.total, second.rewards) == (None, {"a": None, "b": None})
    assert second.errors == {"a": "why a", "b": "why b"}


def test_a_pool_without_an_answer_is_null_with_its_reason() -> None:
    scores = PoolScores.of([{"a": [1.0, 0.0]}])
    answers: dict[Pool, PoolScores | str] = {
        "rules": scores,
        "code": "the pool 'code' had not answered",
    }
    for score in join(plan(a=1.0, code=5.0), answers).groups[0].scores:
        assert score.total == score.rewards["a"]
        assert score.rewards["code"] is None
        assert score.errors == {"code": "the pool 'code' had not answered"}


NUMBERS = st.floats(-10, 10)
PAIRS = st.lists(st.tuples(NUMBERS, st.one_of(st.none(), NUMBERS)), min_size=1, max_size=5)


@given(PAIRS)
def test_the_total_is_the_weighted_sum_of_the_rest(pairs: list[tuple[float, float | None]]) -> None:
    columns: dict[str, list[Score]] = {
        f"r{index}": [Missing("?") if value is None else value] * 2
        for index, (_, value) in enumerate(pairs)
    }
    weights = {f"r{index}": weight for index, (weight, _) in enumerate(pairs)}
    response = join(plan(**weights), {"rules": PoolScores.of([columns])})
    present = [weight * value for weight, value in pairs if value is not None]
    expected = pytest.approx(sum(present)) if present else None
    assert response.groups[0].scores[0].total == expected


def test_what_may_pass_marks_the_answer() -> None:
    assert not PoolScores.of([{"a": [1.0, Missing("for good")]}]).retryable
    assert PoolScores.of([{"a": [1.0]}, {"a": [Missing("later", retryable=True)]}]).retryable
