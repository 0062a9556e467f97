"""A discriminator of random weights that learns fast, and its parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.discriminator import DiscriminatorUpdate, Example
from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.models.spec import DiscriminatorSpec


@pytest.fixture
def spec(tiny, tmp_path: Path) -> Callable[..., DiscriminatorSpec]:
    """`spec(learning_rate=1e-3)`: two layers, one token per byte, without dropout."""
    path = tiny.classifier("discriminator", num_labels=2, chat=False)

    def make(**options: Any) -> DiscriminatorSpec:
        given = {"path": str(path), "directory": tmp_path / "versions", "device": "cpu"}
        given |= {"max_length_tokens": 64}
        return DiscriminatorSpec(kind="discriminator", **{**given, **options})

    return make


def slate(*answers: str, gold: int = 2, **reference: Any) -> RewardGroup:
    """Three options, of which the expert took the second."""
    options = ["cats", "dogs", "birds"]
    given = {"state": "watched: wolves", "options": options, **reference}
    return RewardGroup(
        group_id="g",
        prompt=[],
        completions=[Answer(text=text) for text in answers],
        reference={"discriminator": given, "gold_index": gold},
    )


def update_of(*texts: tuple[str, int], steps: int = 1) -> DiscriminatorUpdate:
    examples = [Example(text=text, label=label) for text, label in texts]
    return DiscriminatorUpdate(examples=examples, steps=steps)
