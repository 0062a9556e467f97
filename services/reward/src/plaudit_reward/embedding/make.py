"""Embedders from settings."""

from typing import assert_never

from plaudit_reward.embedding.embedder import Embedder
from plaudit_reward.embedding.endpoint import openai_embedder, policy_embedder
from plaudit_reward.embedding.following import FollowingEmbedder
from plaudit_reward.embedding.hashed import HashedEmbedder
from plaudit_reward.embedding.sentence import SentenceEmbedder
from plaudit_reward.embedding.spec import (
    EmbedderSpec,
    HashedSpec,
    OpenAISpec,
    PolicySpec,
    SentenceSpec,
)


def make_embedder(spec: EmbedderSpec) -> Embedder:
    """Opens no connection and loads no model yet. Raises ConfigError: its key is missing."""
    match spec:
        case HashedSpec():
            return HashedEmbedder(spec.dimensions)
        case OpenAISpec():
            return openai_embedder(spec)
        case PolicySpec():
            return FollowingEmbedder(spec) if spec.follow else policy_embedder(spec)
        case SentenceSpec():
            return SentenceEmbedder(spec)
        case _:
            assert_never(spec)
