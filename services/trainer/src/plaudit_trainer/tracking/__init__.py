"""The lines of metrics.jsonl, sent on to TensorBoard, Weights & Biases and trackio."""

from plaudit_trainer.tracking.tracker import Tracker, open_tracker

__all__ = ["Tracker", "open_tracker"]
