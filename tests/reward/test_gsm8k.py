"""GSM8K through the whole service: each solution has its own answer and not the next problem's."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest

DATA = Path(__file__).parents[3] / "shared/data/gsm8k/train.jsonl"
BATCH = 64


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not there")
async def test_all_gold_solutions_are_right_and_none_answers_the_next_problem(service: Any) -> None:
    solutions = [json.loads(line)["answer"] for line in DATA.read_text().splitlines()]
    answers = [solution.rpartition("####")[2].strip() for solution in solutions]
    assert len(solutions) == 7473
    pairs = list(zip(solutions, answers, [*answers[1:], answers[0]], strict=True))
    running = await service()
    await running.work("rules")
    found: list[tuple[float | None, float | None]] = []
    for start in range(0, len(pairs), BATCH):
        response = await running.client.score(request_of(pairs[start : start + BATCH], start))
        values = [group.scores[0].total for group in response.groups]
        found += zip(values[::2], values[1::2], strict=True)
    expected = [(1.0, float(number(own) == number(other))) for _, own, other in pairs]
    wrong = [index for index, value in enumerate(found) if value != expected[index]]
    assert wrong == []
    assert sum(other for _, other in expected) < 200


def request_of(pairs: list[tuple[str, str, str]], start: int) -> ScoreRequest:
    groups = [
        RewardGroup(
            group_id=f"{start + index}/{which}",
            prompt=[],
            completions=[Answer(text=solution)],
            reference={"answer": answer},
        )
        for index, (solution, *both) in enumerate(pairs)
        for which, answer in enumerate(both)
    ]
    return ScoreRequest(groups=groups, rewards=[RewardSpec(name="accuracy")])


def number(answer: str) -> Decimal:
    return Decimal(answer.replace(",", ""))
