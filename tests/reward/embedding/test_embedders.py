"""Embedders by name, and the cache over them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from plaudit.errors import ConfigError, Unavailable
from plaudit_reward.embedding.embedder import Embeddings
from plaudit_reward.embedding.embedders import Embedders
from plaudit_reward.embedding.spec import HashedSpec
from plaudit_reward.settings import RewardSettings

MIB = 2**20


class Counting:
    """Embeds a text as its length; notes what it was asked."""

    def __init__(self, scale: float = 1.0) -> None:
        self.asked: list[str] = []
        self.scale = scale

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self.asked += texts
        return np.array([[self.scale * len(text), self.scale] for text in texts], np.float32)

    async def aclose(self) -> None:
        pass


def embedders_with(embedder: Any, max_cached_bytes: int = MIB) -> Embedders:
    found = Embedders({"a": HashedSpec()}, max_cached_bytes)
    found._made["a"] = embedder
    return found


async def test_each_text_is_embedded_once() -> None:
    counting = Counting()
    embedders = embedders_with(counting)
    await embedders.embed("a", ["x", "yy", "x"])
    first, second = await embedders.embed("a", ["yy", "zzz"])
    assert counting.asked == ["x", "yy", "zzz"]
    assert (first[0] / first[1], second[0] / second[1]) == (2.0, 3.0)


async def test_embeddings_have_length_1() -> None:
    [one] = await embedders_with(Counting(scale=1e20)).embed("a", ["xyz"])
    assert one is not None and np.linalg.norm(one) == pytest.approx(1.0)


async def test_a_blank_text_has_no_direction_and_costs_nothing() -> None:
    counting = Counting()
    embedders = embedders_with(counting)
    none, nothing, one = await embedders.embed("a", ["", " \n", "x"])
    assert none is nothing is None
    assert one is not None
    assert counting.asked == ["x"]
    assert await embedders_with(Counting(scale=0.0)).embed("a", ["x"]) == [None]


async def test_blanks_around_a_text_do_not_count() -> None:
    counting = Counting()
    first, second = await embedders_with(counting).embed("a", ["xy", "\n xy "])
    assert (first == second).all()
    assert counting.asked == ["xy"]


async def test_the_cache_is_bounded_and_forgets_what_is_oldest() -> None:
    counting = Counting()
    embedders = embedders_with(counting, max_cached_bytes=700)
    for text in ("x", "y", "x", "z", "x", "y"):
        await embedders.embed("a", [text])
    assert counting.asked == ["x", "y", "z", "y"]
    assert embedders._cached_bytes <= 700


async def test_embedders_do_not_share_what_they_made() -> None:
    specs = {"a": HashedSpec(), "b": HashedSpec(dimensions=64)}
    async with Embedders(specs, MIB) as embedders:
        [[first], [second]] = [await embedders.embed(name, ["text"]) for name in ("a", "b")]
    assert (first.shape, second.shape) == ((1024,), (64,))


async def test_what_is_no_number_is_not_an_embedding() -> None:
    with pytest.raises(Unavailable, match="'a' made no embeddings"):
        await embedders_with(Counting(scale=float("nan"))).embed("a", ["x"])


async def test_an_unknown_name_says_which_there_are() -> None:
    embedders = Embedders({"a": HashedSpec(), "hashed": HashedSpec()}, MIB)
    with pytest.raises(ConfigError, match=r"'b'.* a, hashed.*\[reward\.embedders\.b\]"):
        await embedders.embed("b", ["x"])


async def test_text_that_is_no_unicode_is_embedded_all_the_same() -> None:
    counting = Counting()
    await embedders_with(counting).embed("a", ["x\ud800"])
    assert counting.asked == ["x?"]


def test_hashed_is_there_unless_it_is_another() -> None:
    assert RewardSettings().embedders == {"hashed": HashedSpec()}
    spec = {"kind": "hashed", "dimensions": 64}
    assert RewardSettings(embedders={"hashed": spec}).embedders["hashed"].dimensions == 64


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("Big", {"kind": "hashed"}, "'Big' must match"),
        ("a", {"kind": "word2vec"}, "'hashed', 'openai', 'policy', 'sentence'"),
        ("a", {"kind": "openai", "model": "m"}, "base_url"),
        ("a", {"kind": "hashed", "model": "m"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_table_is_refused(name: str, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RewardSettings(embedders={name: spec})
