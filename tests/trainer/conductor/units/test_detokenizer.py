"""Offsets of tokens in the text, compared with the bytes that each token stands for."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.errors import ConfigError
from plaudit_trainer.conductor.units.detokenizer import load_detokenizer

PROMPT = [5, 6]
CHARACTERS = st.sampled_from([*"ab1. \n\t", "é", "ß", "中", "日", "😀", "\u0301", "\u2028", "\0"])


def bytes_of(tokenizer, token_id: int) -> bytes:
    """GPT-2's table of printable stand-ins for bytes, made as its source makes it."""
    if token_id in tokenizer.all_special_ids:
        return b""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    table |= {chr(256 + index): byte for index, byte in enumerate(hidden)}
    return bytes(table[one] for one in tokenizer.convert_ids_to_tokens(token_id))


def expected(tokenizer, token_ids: list[int]) -> list[int]:
    """Whole characters among the bytes of the first i tokens."""
    parts = [bytes_of(tokenizer, token_id) for token_id in token_ids]
    return [
        len(b"".join(parts[:end]).decode("utf-8", errors="ignore")) for end in range(len(parts) + 1)
    ]


@settings(deadline=None, max_examples=60)
@given(pieces=st.lists(st.text(CHARACTERS, max_size=4), max_size=12))
def test_offsets_are_those_of_the_tokens_bytes_also_within_characters(
    tokenizer, detokenizer, pieces
):
    token_ids = [token for piece in pieces for token in tokenizer(piece)["input_ids"]]
    token_ids.append(tokenizer.eos_token_id)
    decoded = detokenizer.decode(PROMPT, token_ids)
    assert decoded.text == tokenizer.decode(token_ids, skip_special_tokens=True)
    assert list(decoded.offsets) == expected(tokenizer, token_ids)


@settings(deadline=None, max_examples=60)
@given(token_ids=st.lists(st.integers(0, 299), max_size=40))
def test_tokens_that_make_no_utf8_have_offsets_within_the_text(detokenizer, token_ids):
    decoded = detokenizer.decode(PROMPT, token_ids)
    assert decoded.num_tokens == len(token_ids)
    assert list(decoded.offsets) == sorted(decoded.offsets)
    assert decoded.offsets[-1] == len(decoded.text)
    for offset in range(len(decoded.text) + 1):
        token = decoded.token_at(offset)
        assert 0 <= token <= len(token_ids)
        assert decoded.offsets[token] <= offset, "it begins there or before"


def test_a_character_of_several_tokens_begins_at_its_first(tokenizer, detokenizer):
    token_ids = tokenizer("a😀b")["input_ids"]
    decoded = detokenizer.decode(PROMPT, token_ids)
    assert len(token_ids) > 4, "the emoji has no token of its own"
    assert [decoded.token_at(offset) for offset in range(4)] == [
        0, 1, len(token_ids) - 1, len(token_ids),
    ]  # fmt: skip


def test_4000_tokens_are_decoded_once_each(tokenizer, detokenizer):
    token_ids = tokenizer("A. héllo 😀 中\n" * 400)["input_ids"][:4000]
    decoded = []
    started_s = time.process_time()
    for _ in range(5):
        decoded.append(detokenizer.decode(PROMPT, token_ids))
    assert (time.process_time() - started_s) / 5 < 0.5


def test_the_tokenizer_is_the_models(model_dir, tokenizer, tmp_path):
    token_ids = tokenizer("two é")["input_ids"]
    assert load_detokenizer(str(model_dir)).decode(PROMPT, token_ids).text == "two é"
    with pytest.raises(ConfigError, match=r"model\.path = .*tokenizer cannot be loaded"):
        load_detokenizer(str(tmp_path))
