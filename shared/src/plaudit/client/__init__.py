"""Clients of every service; `.sync()` gives the same methods without await."""

from plaudit.client.http import HttpClient
from plaudit.client.judge import JudgeClient, SyncJudgeClient
from plaudit.client.options import ClientOptions
from plaudit.client.reward import RewardClient, SyncRewardClient
from plaudit.client.rollout import RolloutClient, SyncRolloutClient
from plaudit.client.sandbox import SandboxClient, SyncSandboxClient
from plaudit.client.trainer import SyncTrainerClient, TrainerClient

__all__ = [
    "ClientOptions",
    "HttpClient",
    "JudgeClient",
    "RewardClient",
    "RolloutClient",
    "SandboxClient",
    "SyncJudgeClient",
    "SyncRewardClient",
    "SyncRolloutClient",
    "SyncSandboxClient",
    "SyncTrainerClient",
    "TrainerClient",
]
