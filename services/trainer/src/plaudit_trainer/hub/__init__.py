"""Models of a run on the Hugging Face hub, each checkpoint on a branch of its own."""

from plaudit_trainer.hub.pusher import HubPusher

__all__ = ["HubPusher"]
