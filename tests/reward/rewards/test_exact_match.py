"""`exact_match` compares words, in linear time."""

import time
from typing import Any

import pytest


@pytest.mark.parametrize("normalize", ["none", "squad"])
@pytest.mark.parametrize("piece", ["<answer>", "the ", "a-", " ", "İ"])
async def test_a_megabyte_is_quick(score: Any, group: Any, piece: str, normalize: str) -> None:
    asked = group(piece * (2**20 // len(piece)), answer="4")
    started = time.process_time()
    assert await score("exact_match", asked, normalize=normalize) == [0.0]
    assert time.process_time() - started < 10


@pytest.mark.parametrize("answer", [None, "", " ", True, [], [""], [None], {}])
async def test_a_reference_that_is_none_is_missing(score: Any, group: Any, answer: Any) -> None:
    assert await score("exact_match", group("", answer=answer)) == ["reference.answer is missing"]


async def test_a_whole_number_is_written_without_decimals(score: Any, group: Any) -> None:
    assert await score("exact_match", group("18", "18.0", answer=18.0)) == [1.0, 0.0]
