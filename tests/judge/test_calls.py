"""The one place through which all calls of a judge pass."""

from plaudit_judge.calls import Calls
from plaudit_judge.judges.rule import RuleJudge, RuleSpec
from plaudit_judge.origin import Origin, current_origin


async def test_a_call_is_made_for_its_own_request_so_that_limits_are_fair_to_its_lane() -> None:
    judge = RuleJudge("rule", RuleSpec(rule="longer"))
    calls, origin = Calls(judge, max_concurrency=1), Origin("pairwise", "eval")
    async with calls.slot(origin):
        assert current_origin() is origin
    assert current_origin() is not origin
