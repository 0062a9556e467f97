"""A byte-level BPE tokenizer as Qwen's, with few merges, and completions made with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.common import Message
from plaudit.schemas.rollout import Completion, RolloutGroup
from plaudit_trainer.conductor.units.detokenizer import Detokenizer

TEXTS = ["A. one\nB. two two two\n\nAA. three", "<think>\n\n</think>\n\nthe answer is 12"] * 3


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    pytest.importorskip("transformers")
    from plaudit_trainer.seed.tokenizer import make_tokenizer

    return make_tokenizer(TEXTS, vocabulary_size=300)


@pytest.fixture(scope="session")
def model_dir(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("policy")
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def detokenizer(tokenizer: Any) -> Detokenizer:
    return Detokenizer(tokenizer.backend_tokenizer)


@pytest.fixture
def complete(tokenizer: Any) -> Callable[..., Completion]:
    """`complete("A. ", "x")`: each piece is tokenised by itself; then the token that ends it."""

    def make(*pieces: str, ends: bool = True, **parts: Any) -> Completion:
        ids = [token for piece in pieces for token in tokenizer(piece)["input_ids"]]
        ids += [tokenizer.eos_token_id] if ends else []
        return Completion(
            text="".join(pieces), token_ids=ids, logprobs=[-0.1] * len(ids),
            finish_reason="stop" if ends else "length", policy_versions=[0], **parts,
        )  # fmt: skip

    return make


@pytest.fixture
def group_of() -> Callable[..., RolloutGroup]:
    def make(*completions: Completion, group_id: str = "0/0/0", **reference: Any) -> RolloutGroup:
        return RolloutGroup(
            run_id="r", group_id=group_id, prompt=[Message(role="user", content="?")],
            prompt_token_ids=[5, 6], reference=reference, completions=list(completions),
            replica_id="e0",
        )  # fmt: skip

    return make
