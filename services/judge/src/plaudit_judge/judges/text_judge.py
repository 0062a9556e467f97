"""Judges that are asked in words, by a rubric, and answer in words."""

from dataclasses import replace

from plaudit.schemas.judge_scores import Grade
from plaudit_judge import metrics
from plaudit_judge.judges.asking import ask_for_scores, ask_for_winner
from plaudit_judge.judges.base import Ask, Case, Opinion, Reply, ScoreCase, Scores
from plaudit_judge.parse import read_verdict
from plaudit_judge.scores.read import read_scores


class TextJudge:
    """Base of those judges: `ask` is theirs."""

    name: str
    reads_rubric = True
    is_symmetric = False
    offers_structure = False
    """Asks carry the schema of a verdict."""

    async def ask(self, ask: Ask, timeout_s: float) -> Reply:
        raise NotImplementedError

    async def compare(self, case: Case, timeout_s: float) -> Opinion:
        ask = ask_for_winner(case, structured=self.offers_structure)
        reply = await self.ask(ask, timeout_s)
        seat = read_verdict(reply.text, structured=reply.structured)
        metrics.count_verdict(self.name, seat)
        return Opinion(seat, replace(reply, sent=ask.messages))

    async def grade(self, case: ScoreCase, timeout_s: float) -> Scores:
        ask = ask_for_scores(case, structured=self.offers_structure)
        reply = await self.ask(ask, timeout_s)
        grades = _grades(case, reply)
        metrics.count_scores(self.name, grades)
        return Scores(grades, replace(reply, sent=ask.messages))


def _grades(case: ScoreCase, reply: Reply) -> list[Grade]:
    """The judge's words stand with the grade when they are about that one answer."""
    scoring, num_responses = case.rubric.scoring, len(case.responses)
    read = read_scores(reply.text, num_responses, scoring.scales(), structured=reply.structured)
    reason = read.reasons if num_responses == 1 else ""
    return [scoring.grade(scores, reason) for scores in read.scores]
