"""HumanEval through the whole service: every right program passes and no empty one does."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.reward import Answer, RewardGroup, RewardSpec, ScoreRequest

DATA = Path(__file__).parents[3] / "shared/data/humaneval/HumanEval.jsonl.gz"


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not there")
async def test_all_canonical_solutions_pass_and_all_empty_ones_fail(
    service: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    assert len(problems) == 164
    running = await service(score_timeout_s="200")
    await running.work("code")
    request = ScoreRequest(
        groups=[group_of(problem) for problem in problems],
        rewards=[RewardSpec(name="unit_tests")],
    )
    started_s = time.monotonic()
    response = await running.client.score(request, timeout_s=200)
    took_s = time.monotonic() - started_s
    with capsys.disabled():
        print(f"\nHumanEval: 328 programs in {took_s:.1f} s, {took_s / 0.328:.0f} ms per program")
    scores = {
        group.group_id: [(one.rewards["unit_tests"], one.errors) for one in group.scores]
        for group in response.groups
    }
    wrong = {name: found for name, found in scores.items() if found != [(1.0, {}), (0.0, {})]}
    assert wrong == {}


def group_of(problem: dict[str, str]) -> RewardGroup:
    return RewardGroup(
        group_id=problem["task_id"],
        prompt=[],
        completions=[Answer(text=problem["canonical_solution"]), Answer(text="    pass\n")],
        reference={name: problem[name] for name in ("prompt", "test", "entry_point")},
    )
