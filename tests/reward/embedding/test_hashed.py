"""The embedder that is always there: n-grams, hashed."""

import time
from collections.abc import Sequence

import numpy as np
import pytest

from plaudit_reward.embedding.embedder import Embedding, directions
from plaudit_reward.embedding.hashed import HashedEmbedder


async def embed(*texts: str, dimensions: int = 1024) -> Sequence[Embedding]:
    found = directions(await HashedEmbedder(dimensions).embed(texts))
    return [one for one in found if one is not None]


async def test_the_same_text_is_the_same_everywhere() -> None:
    first, second = await embed("Two and two is four.", "Two and two is four.")
    assert (first == second).all()
    [places] = np.nonzero(first)
    assert (len(places), places[:5].tolist()) == (51, [10, 34, 69, 86, 88])


async def test_case_and_blanks_do_not_count() -> None:
    first, second = await embed("Two and two", "\n two\tAND  two ")
    assert (first == second).all()


async def test_words_in_common_bring_texts_together() -> None:
    add, adds, sky = await embed(
        "I add the apples of both baskets.",
        "Then I add the pears of both baskets.",
        "The sky was never that blue!",
    )
    assert add @ adds > 0.5
    assert abs(add @ sky) < 0.2


async def test_short_words_are_seen() -> None:
    one, two = await embed("1", "2")
    assert abs(one @ two) < 1e-6


async def test_what_is_said_often_does_not_drown_the_rest() -> None:
    often, once = await embed("so it is " * 100 + "but the answer is seven", "answer is seven")
    assert often @ once > 0.3


@pytest.mark.parametrize("piece", ["a", "a ", " ", "\ufb03", "\u0130", "the quick brown fox "])
async def test_a_megabyte_is_quick(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    started = time.process_time()
    await HashedEmbedder(1024).embed([text])
    assert time.process_time() - started < 10


async def test_a_megabyte_of_different_ngrams_is_quick() -> None:
    text = "".join(chr(0x4E00 + (index * index * 7919) % 20_000) for index in range(2**20))
    started = time.process_time()
    await HashedEmbedder(1024).embed([text])
    assert time.process_time() - started < 10
