"""`repetition` counts n-grams of words, whatever the language, in bounded time and memory."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit_reward.rewards.repetition import _CHINESE_WORD, _num_unique


@pytest.mark.parametrize(
    ("size", "text", "value"),
    [(1, "a a a a", -0.75), (4, "a a a a", 0.0), (2, "a  a\n\ta A", -2 / 3), (64, "a " * 64, 0.0)],
)
async def test_counts_ngrams_of_words(
    score: Any, group: Any, size: int, text: str, value: float
) -> None:
    [found] = await score("repetition", group(text), ngram_size=size)
    assert found == pytest.approx(value)
    assert str(found) != "-0.0"


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=40), st.integers(1, 40))
def test_counts_each_distinct_ngram_once(words: list[str], size: int) -> None:
    ngrams = {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}
    assert not ngrams or _num_unique(words, size) == len(ngrams)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我有2个apples。", ["我", "有", "2", "个", "apples。"]),
        ("人人 々二\U00020000", ["人", "人", "々", "二", "\U00020000"]),
        ("one two\n", ["one", "two"]),
        ("", []),
    ],
)
def test_a_chinese_character_is_a_word(text: str, words: list[str]) -> None:
    assert _CHINESE_WORD.findall(text) == words


async def test_right_answers_may_go_free(score: Any, group: Any) -> None:
    right, wrong, undecided = "4 4 4 4", "5 5 5 5", r"\boxed{10^{10^{10}}}"
    asked = group(right, wrong, undecided, answer="4")
    free, penalised, unknown = await score("repetition", asked, only_wrong=True)
    assert (free, penalised) == (0.0, -0.5)
    assert "exponent" in unknown
    assert await score("repetition", asked) == [-0.5, -0.5, 0.0]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [3, 64])
@pytest.mark.parametrize(
    "text", ["la " * 340_000, "字" * 2**20, "".join(f"{n:x} " for n in range(150_000))],
    ids=["words", "characters", "all different"],
)  # fmt: skip
async def test_a_megabyte_is_quick(
    score: Any, group: Any, text: str, size: int, language: str
) -> None:
    started = time.process_time()
    [value] = await score("repetition", group(text), ngram_size=size, language=language)
    assert -1.0 <= value <= 0.0
    assert time.process_time() - started < 20


def test_memory_does_not_grow_with_the_ngram() -> None:
    words = [str(n) for n in range(10_000)] * 2
    peaks = []
    for size in (2, 64):
        tracemalloc.start()
        assert _num_unique(words, size) == 10_000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
