"""What a file of answers says as a whole."""

from plaudit.judging.summary import figures_of
from plaudit.schemas.judge import Comparison, PairwiseResponse, TournamentResponse, Usage
from plaudit.schemas.judge_reward import JudgeRewardResponse
from plaudit.schemas.judge_scores import PointwiseResponse


def pair(winner: str | None, **usage: float) -> PairwiseResponse:
    return PairwiseResponse.model_validate(
        {"winner": winner, "p_a": None, "votes": [], "usage": usage}
    )


def test_pairs_are_counted_and_a_tie_is_half_a_win():
    found = figures_of(pair(winner, calls=2, cost_usd=0.25) for winner in ("a", "a", "tie", None))
    assert [found[name] for name in ("a_won", "b_won", "ties", "without_verdict")] == [2, 0, 1, 1]
    assert found["win_rate_of_a"] == 2.5 / 3
    assert (found["calls"], found["cost_usd"]) == (8, 1.0)


def test_without_a_verdict_there_is_no_win_rate():
    assert figures_of([pair(None)])["win_rate_of_a"] is None


def test_scores_that_are_missing_are_no_zeros():
    scores = [3.0, None, 5.0]
    answers = [
        PointwiseResponse(score=score, fraction=None, reason="", votes=[], usage=Usage())
        for score in scores
    ]
    found = figures_of(answers)
    assert (found["scored"], found["without_score"], found["mean_score"]) == (2, 1, 4.0)
    assert figures_of(answers[1:2])["mean_score"] is None


def test_rewards_and_comparisons_are_counted():
    rewards = JudgeRewardResponse(rewards=[1.0, None], reasons=[None, "x"], usage=Usage())
    found = figures_of([rewards])
    assert (found["rewarded"], found["without_score"], found["mean_score"]) == (1, 1, 1.0)
    games = [Comparison(a=0, b=1, winner=winner, p_a=None) for winner in ("a", None)]
    tournament = TournamentResponse(ratings=[], rewards=[], comparisons=games, usage=Usage())
    found = figures_of([tournament])
    assert (found["comparisons"], found["comparisons_unparsed"]) == (2, 1)
