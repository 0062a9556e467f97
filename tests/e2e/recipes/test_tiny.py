"""The `-tiny` recipe of every method, shortened, by the command that users give: each learns."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from plaudit.testing import redis_server
from tests.e2e.installation import Installation, needs_vllm

OFFLINE = {
    "unit_rm": ["budget.steps=40"],
    "kto": ["budget.steps=16"],
    "rm": ["budget.steps=30"],
    "sft": ["budget.steps=6"],
    "dpo": ["budget.steps=10"],
}
LATE = ("rm", "sft", "dpo")
"""In the other lane, after the runs with shared services: so both lanes take as long."""
ELSEWHERE = {
    "grpo": ["budget.steps=12"],
    "rloo": ["budget.steps=12"],
    "reinforce_pp": ["budget.steps=12"],
    "ppo": ["budget.steps=12"],
    "sr_r1": ["budget.steps=12"],
}
"""With services that run already: one engine for all of them, one run after the other."""
UP = {
    "drca": ["budget.steps=12"],
    "grail": ["budget.steps=16"],
    "unit_ppo": ["budget.steps=16"],
}
"""They bring a model of their own along, and start their services."""
SHORT_EVALUATION = ["eval.num_prompts=48", "eval.samples=2"]
TIMEOUT_S = 600.0

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(1500),
    needs_vllm,
]


class Runs:
    """All of them, in two lanes, since each waits half of its time for one thread of another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lanes = ThreadPoolExecutor(2)
        self._summaries: dict[str, Future[dict[str, Any]]] = {
            method: Future() for method in (*OFFLINE, *ELSEWHERE, *UP)
        }
        self._lanes.submit(self._with_shared_services)
        self._lanes.submit(self._by_themselves)

    def path(self, method: str) -> Path:
        return self.directory / method

    def summary(self, method: str) -> dict[str, Any]:
        """Of a run that has ended well; waits for it."""
        return self._summaries[method].result(1500.0)

    def close(self) -> None:
        self._lanes.shutdown()

    def _with_shared_services(self) -> None:
        with redis_server() as url:
            installation = Installation(self.directory / "shared", PLAUDIT_REDIS_URL=url)
            with installation.up("rollout", "reward", "judge"):
                for method, changes in ELSEWHERE.items():
                    self._run(installation, method, changes)
        self._offline(LATE)

    def _by_themselves(self) -> None:
        self._offline(method for method in OFFLINE if method not in LATE)
        model = f"reward_models.default.path={self.path('unit_rm')}/final"
        for method, changes in UP.items():
            more = [model] if method == "unit_ppo" else []
            installation = Installation(self.directory / f"{method}-state")
            self._run(installation, method, [*changes, *more], "--up")

    def _offline(self, methods: Iterable[str]) -> None:
        for method in methods:
            self._run(Installation(self.directory / f"{method}-state"), method, OFFLINE[method])

    def _run(
        self, installation: Installation, method: str, changes: list[str], *options: str
    ) -> None:
        try:
            summary = self._trained(installation, method, changes, *options)
        except Exception as error:  # why: the test that asks for the summary raises it
            self._summaries[method].set_exception(error)
        else:
            self._summaries[method].set_result(summary)

    def _trained(
        self, installation: Installation, method: str, changes: list[str], *options: str
    ) -> dict[str, Any]:
        evaluation = ["eval.max_rows=64"] if method in OFFLINE else SHORT_EVALUATION
        settings = [part for one in (*changes, *evaluation) for part in ("--set", one)]
        path = self.path(method)
        command = ["train", f"{method}-tiny", "--run-dir", str(path), "--json", *options, *settings]
        installation.run(*command, timeout_s=TIMEOUT_S)
        summary: dict[str, Any] = json.loads((path / "summary.json").read_text())
        return summary


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    started = Runs(tmp_path_factory.mktemp("tiny"))
    yield started
    started.close()


@pytest.mark.parametrize("method", OFFLINE)
def test_an_offline_recipe_improves_on_held_out_rows(runs: Runs, method: str) -> None:
    summary = runs.summary(method)
    print(method, summary["gain_ci95"], f"{summary['wall_s']:.0f} s")
    assert summary["gain_ci95"][0] > 0.0
    assert (runs.path(method) / "final" / "model.safetensors").is_file()


@pytest.mark.parametrize("method", [*ELSEWHERE, *UP])
def test_an_online_recipe_improves_on_held_out_prompts(runs: Runs, method: str) -> None:
    summary = runs.summary(method)
    print(method, summary["accuracy_gain_ci95"], f"{summary['wall_s']:.0f} s")
    assert summary["accuracy_gain_ci95"][0] > 0.0
    ledger = summary["ledger"]
    assert ledger["admitted"] == ledger["trained"] + sum(ledger["dropped"].values())
    assert ledger["trained"] == summary["steps"] * 16
    assert (runs.path(method) / "final" / "model.safetensors").is_file()
