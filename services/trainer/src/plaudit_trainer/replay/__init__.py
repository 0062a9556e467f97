"""Groups that are trained on again."""

from plaudit_trainer.replay.buffer import ReplayBuffer
from plaudit_trainer.replay.item import ReplayItem

__all__ = ["ReplayBuffer", "ReplayItem"]
