"""The `-tiny` recipe of every method, shortened, by the command that users give: each learns."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from plaudit.testing import free_ports

ROOT = Path(__file__).parents[3]
ROLLOUT_PYTHON = ROOT / ".venv-rollout" / "bin" / "python"
SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
OFFLINE = {
    "sft": ["budget.steps=6", "eval.max_rows=64"],
    "dpo": ["budget.steps=10", "eval.max_rows=64"],
    "kto": ["budget.steps=16", "eval.max_rows=64"],
    "rm": ["budget.steps=30", "eval.max_rows=64"],
    "unit_rm": ["budget.steps=40", "eval.max_rows=64"],
}
ONLINE = {
    "grpo": ["budget.steps=12"],
    "rloo": ["budget.steps=12"],
    "reinforce_pp": ["budget.steps=12"],
    "ppo": ["budget.steps=12"],
    "drca": ["budget.steps=12"],
    "unit_ppo": ["budget.steps=16"],
    "grail": ["budget.steps=16"],
    "sr_r1": ["budget.steps=20"],
}
AT_ONCE = 2
"""Each waits half of its time for one thread of another."""
TIMEOUT_S = 240.0

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not ROLLOUT_PYTHON.exists(), reason=f"no vLLM: {ROLLOUT_PYTHON} is missing (make setup)"
    ),
]


class Runs:
    """All of them, at most two at once. A summary is there when its run has ended well."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._futures: dict[str, Future[dict[str, Any]]] = {}
        unit_ppo = [*ONLINE["unit_ppo"], f"reward_models.default.path={self.path('unit_rm')}/final"]
        recipes = {"unit_rm": OFFLINE["unit_rm"]} | ONLINE | {"unit_ppo": unit_ppo} | OFFLINE
        for method, changes in recipes.items():
            after = self._futures["unit_rm"] if method == "unit_ppo" else None
            self._futures[method] = self._pool.submit(self._train, method, changes, after)

    def path(self, method: str) -> Path:
        return self._directory / method

    def summary(self, method: str) -> dict[str, Any]:
        return self._futures[method].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _train(
        self, method: str, changes: list[str], after: Future[dict[str, Any]] | None
    ) -> dict[str, Any]:
        if after is not None:
            after.result()
        short = [*changes, "eval.num_prompts=48", "eval.samples=2"] if method in ONLINE else changes
        command = [str(Path(sys.executable).parent / "plaudit"), "train", f"{method}-tiny"]
        command += ["--run-dir", str(self.path(method)), "--json"]
        command += ["--up"] if method in ONLINE else []
        command += [part for change in short for part in ("--set", change)]
        done = subprocess.run(
            command,
            cwd=self._directory,
            env=environment(self._directory / f"state-{method}"),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        summary: dict[str, Any] = json.loads((self.path(method) / "summary.json").read_text())
        return summary


def environment(state: Path) -> Mapping[str, str]:
    """Ports of its own, so that two runs do not meet."""
    engine_port, *ports = free_ports(1 + len(SERVICES))
    names = [f"PLAUDIT_{service.upper()}_PORT" for service in SERVICES]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLAUDIT_")},
        **{name: str(port) for name, port in zip(names, ports, strict=True)},
        "PLAUDIT_ROLLOUT_ENGINE_PORT": str(engine_port),
        "PLAUDIT_ROLLOUT_PYTHON": str(ROLLOUT_PYTHON),
        "PLAUDIT_STATE_DIR": str(state),
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    started = Runs(tmp_path_factory.mktemp("tiny"))
    yield started
    started.close()


@pytest.mark.parametrize("method", OFFLINE)
def test_an_offline_recipe_improves_on_held_out_rows(runs, method):
    summary = runs.summary(method)
    print(method, summary["before"], summary["after"], summary["wall_s"])
    assert summary["gain_ci95"][0] > 0.0
    assert (runs.path(method) / "final" / "model.safetensors").is_file()


@pytest.mark.parametrize("method", ONLINE)
def test_an_online_recipe_improves_on_held_out_prompts(runs, method):
    summary = runs.summary(method)
    print(method, summary["accuracy_gain_ci95"], summary["wall_s"])
    assert summary["accuracy_gain_ci95"][0] > 0.0
    ledger = summary["ledger"]
    assert ledger["admitted"] == ledger["trained"] + sum(ledger["dropped"].values())
    assert ledger["trained"] == summary["steps"] * 16
    assert (runs.path(method) / "final" / "model.safetensors").is_file()
