"""Stands in for the console scripts of all services: same arguments, ports and files, no work.

The name it is called by says which service it is. STAND_IN_* variables make it misbehave.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = Path(sys.argv[0]).name.removeprefix("plaudit-")
ROLE = sys.argv[1]
STARTED = time.monotonic()
NUM_STEPS = 3


def main() -> None:
    if f"{NAME} {ROLE}" == os.environ.get("STAND_IN_WRONG_SETTING"):
        sys.stderr.write(f"error: {NAME}.color = 'red' is unknown\nfix: leave it out\n")
        sys.exit(2)
    if ROLE in ("api", "conductor"):
        service = "trainer" if ROLE == "conductor" else NAME
        serve(int(os.environ[f"PLAUDIT_{service.upper()}_PORT"]))
    elif ROLE == "engine":
        serve(int(os.environ["PLAUDIT_ROLLOUT_ENGINE_PORT"]))
    elif ROLE == "seed":
        seed(Path(sys.argv[sys.argv.index("--cache-dir") + 1]))
    elif ROLE == "offline":
        train_offline(Path(sys.argv[sys.argv.index("--run-dir") + 1]))
    elif ROLE == "check":
        print(json.dumps({"num_train_rows": 3}))
    else:
        models = os.environ.get("PLAUDIT_REWARD_MODELS__RM__PATH", "")
        print(f"{NAME} {ROLE} is at work {models}".rstrip(), flush=True)
        time.sleep(600)


def seed(cache: Path) -> None:
    (cache / "model").mkdir(parents=True, exist_ok=True)
    (cache / "model" / "config.json").write_text("{}")
    for name in ("train", "eval"):
        (cache / f"{name}.jsonl").write_text("{}\n")
    print(
        json.dumps(
            {
                "model_dir": str(cache / "model"),
                "train_path": str(cache / "train.jsonl"),
                "eval_path": str(cache / "eval.jsonl"),
                "fingerprint": "f",
            }
        )
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/v1/status":
            body: object = status()
        elif self.path == "/v1/rewards":
            known = {"description": "", "source": "", "params_schema": {}, "pool": "rules"}
            body = {"rewards": [{"name": n, **known} for n in ("accuracy", "code", "length")]}
        else:
            body = {}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def status() -> dict[str, object]:
    run_dir = Path(sys.argv[sys.argv.index("--run-dir") + 1])
    state = "finished" if (run_dir / "go").exists() or "STAND_IN_FAST" in os.environ else "training"
    if reason := os.environ.get("STAND_IN_FAILURE"):
        state = "failed"
    if state == "finished":
        (run_dir / "metrics.jsonl").write_text('{"step": 1, "reward": 0.5}\n')
        (run_dir / "summary.json").write_text(json.dumps(summary(run_dir.name)))
        (run_dir / "final").mkdir(exist_ok=True)
        (run_dir / "final" / "config.json").write_text("{}")
    return {
        "run_id": run_dir.name, "state": state, "failure": reason, "step": 1,
        "failure_is_setting": "STAND_IN_SETTING" in os.environ,
        "max_steps": NUM_STEPS, "policy_version": 1, "ledger": summary("")["ledger"],
        "stages": [{"name": "rollout", "queued": 1, "running": 2, "done": 3, "failed": 0}],
        "groups_per_s": 2.5, "tokens_per_s": 100.0, "reward": 0.5, "accuracy": None,
        "staleness_mean": 0.5, "replicas": [], "oldest_group_age_s": 1.0,
        "waiting": [{"who": "learner", "what": "16 scored groups", "since_s": 3.0}],
    }  # fmt: skip


def train_offline(run_dir: Path) -> None:
    status = {"run_id": run_dir.name, "state": "training", "step": 1, "max_steps": NUM_STEPS}
    status |= {"metric": "pair_accuracy", "value": 0.5, "loss": 0.7, "tokens_per_s": 100.0}
    (run_dir / "status.json").write_text(json.dumps(status))
    (run_dir / "metrics.jsonl").write_text('{"step": 1, "loss": 0.7, "grad_norm": 1.0}\n')
    while not (run_dir / "go").exists() and "STAND_IN_FAST" not in os.environ:
        time.sleep(0.05)
    result = {
        "run_id": run_dir.name, "method": "dpo", "metric": "pair_accuracy", "before": 0.5,
        "after": 0.75, "gain": 0.25, "gain_ci95": [0.2, 0.3], "num_eval_rows": 40, "steps": 3,
        "skipped_steps": 0, "wall_s": 0.0, "tokens_per_s": 100.0,
    }  # fmt: skip
    (run_dir / "summary.json").write_text(json.dumps(result))


def summary(run_id: str) -> dict[str, object]:
    return {
        "run_id": run_id, "accuracy_before": 0.4, "accuracy_after": 0.7, "accuracy_gain": 0.3,
        "accuracy_gain_ci95": [0.2, 0.4], "greedy_before": 0.5, "greedy_after": 0.8,
        "num_eval_prompts": 200, "steps": NUM_STEPS, "wall_s": 0.0, "groups_per_s": 2.5,
        "ledger": {"admitted": 48, "trained": 48, "dropped": {}, "in_flight": 0},
        "staleness": {"mean": 0.5, "max": 1.0}, "time_s": {}, "weight_updates": 4,
    }  # fmt: skip


def serve(port: int) -> None:
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main()
