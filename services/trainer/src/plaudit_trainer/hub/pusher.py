"""Pushes in the background: no training waits for the hub. Every outcome is written down."""

import json
import os
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from plaudit.errors import ConfigError
from plaudit.schemas.recipe.hub import HubRecipe
from plaudit.telemetry import get_logger, redact_text
from plaudit_trainer.hub.upload import Uploader

MAX_WAITING = 8
"""More pushes on their way than this, and a checkpoint's is left out."""
RECORD_NAME = "hub.jsonl"
SNAPSHOTS = ".hub"

log = get_logger(__name__)


class HubPusher:
    """Of one run, on the rank that writes. Pushes go one at a time and in order."""

    def __init__(self, recipe: HubRecipe, run_dir: Path) -> None:
        """Raises ConfigError where nobody is logged in."""
        from huggingface_hub import HfApi, get_token

        if get_token() is None:
            raise ConfigError(
                f"hub.model_id = {recipe.model_id!r}: there is no key for the hub.",
                fix="set HF_TOKEN, run `hf auth login`, or leave [hub] out",
            )
        self._recipe = recipe
        self._run_dir = run_dir
        self._upload = Uploader(HfApi(), recipe).upload
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hub")
        self._pending: set[Future[None]] = set()

    def push_checkpoint(self, folder: Path, step: int) -> None:
        """Returns at once; `folder` may be removed afterwards."""
        if not self._recipe.push_checkpoints:
            return
        branch = f"{self._recipe.revision}-step-{step:09d}"
        self._pending = {future for future in self._pending if not future.done()}
        if len(self._pending) >= MAX_WAITING:
            self._record(branch, "left_out", f"{MAX_WAITING} pushes are still on their way")
            return
        self._start(folder, branch, f"Step {step}")

    def push_final(self, folder: Path) -> None:
        self._start(folder, self._recipe.revision, "Final model")

    def close(self) -> None:
        """Waits for what is on its way, at most `hub.timeout_s`."""
        _, late = wait(self._pending, timeout=self._recipe.timeout_s)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if late:
            reason = f"not done within hub.timeout_s = {self._recipe.timeout_s:g}"
            self._record(self._recipe.revision, "left_out", f"{len(late)} pushes: {reason}")
        else:
            shutil.rmtree(self._run_dir / SNAPSHOTS, ignore_errors=True)

    def _start(self, folder: Path, branch: str, message: str) -> None:
        snapshot = self._run_dir / SNAPSHOTS / branch
        shutil.rmtree(snapshot, ignore_errors=True)
        # Links, not copies: old checkpoints are removed while they are pushed.
        shutil.copytree(folder, snapshot, copy_function=os.link)
        self._pending.add(self._pool.submit(self._push, snapshot, branch, message))

    def _push(self, snapshot: Path, branch: str, message: str) -> None:
        try:
            self._upload(snapshot, branch, message)
        except Exception as error:  # why: a run must not die of a hub, whatever it raises
            self._record(branch, "failed", f"{type(error).__name__}: {str(error)[:500]}")
        else:
            self._record(branch, "pushed", None)
        finally:
            shutil.rmtree(snapshot, ignore_errors=True)

    def _record(self, branch: str, state: str, reason: str | None) -> None:
        shown = None if reason is None else redact_text(reason)
        record = {"time": time.time(), "branch": branch, "state": state, "reason": shown}
        with (self._run_dir / RECORD_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        tell = log.info if state == "pushed" else log.warning
        tell("hub_push", model_id=self._recipe.model_id, **record)
