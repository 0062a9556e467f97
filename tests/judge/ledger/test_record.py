"""What is stored of a call: all that an audit needs, in bounded space."""

import hashlib
import os
import random

import pytest

from plaudit.schemas.common import Message
from plaudit_judge.chance import digest
from plaudit_judge.judges.base import Reply
from plaudit_judge.ledger.record import decode, encode

from .calls import RUBRIC, call, settings

SPECS = settings().judges
MAX_BYTES = 4096


def test_a_record_has_everything_about_the_call() -> None:
    stored = decode(encode(call(reference="3"), SPECS["local"], MAX_BYTES), "1-0")
    assert stored is not None
    assert (stored.id, stored.run_id, stored.verb, stored.winner) == (
        "1-0",
        "r",
        "pairwise",
        "first",
    )
    assert (stored.judge, stored.kind, stored.model) == ("local", "openai", "m")
    assert stored.rubric == RUBRIC
    assert stored.prompt_sha256 == digest("user", "q")
    assert stored.answers_sha256 == [hashlib.sha256(text).hexdigest() for text in (b"1", b"2")]
    assert stored.reference_sha256 == hashlib.sha256(b"3").hexdigest()
    assert stored.messages == [Message(role="user", content="Which is better?")]
    assert (stored.reply, stored.truncated) == ("Winner: response A", False)
    assert (stored.seed, stored.latency_s, stored.calls, stored.cost_usd) == (7, 0.5, 1, 0.25)


def test_a_judge_that_reads_no_rubric_is_stored_without_one() -> None:
    stored = decode(encode(call(judge="rule"), SPECS["rule"], MAX_BYTES), "1-0")
    assert stored is not None
    assert stored.rubric is None


def test_the_cost_of_a_model_without_a_price_is_unknown_and_not_0() -> None:
    unpriced = call(reply=Reply("x", unpriced_calls=1))
    stored = decode(encode(unpriced, SPECS["local"], MAX_BYTES), "1-0")
    assert stored is not None
    assert stored.cost_usd is None


def test_of_long_texts_the_start_of_the_question_and_the_end_of_the_reply_stay() -> None:
    long = call(
        "reason " * 9999 + "Winner: response A", sent="Which is better? " + "answer " * 9999
    )
    record = encode(long, SPECS["local"], MAX_BYTES)
    stored = decode(record, "1-0")
    assert stored is not None
    assert len(record) <= MAX_BYTES
    assert stored.reply.endswith("Winner: response A")
    assert len(stored.reply) == MAX_BYTES // 2
    assert stored.messages[0].content.startswith("Which is better? answer")
    assert stored.truncated


@pytest.mark.parametrize(
    "text", [os.urandom(20_000).hex(), "\x00" * 50_000, "\udc80" * 9000, "😀" * 9000]
)
def test_no_text_makes_a_record_larger_than_its_bound(text: str) -> None:
    record = encode(call(text, sent=text), SPECS["local"], MAX_BYTES)
    stored = decode(record, "1-0")
    assert stored is not None
    assert len(record) <= MAX_BYTES
    assert stored.truncated


def test_a_text_that_cannot_be_compressed_is_left_out_when_there_is_no_room() -> None:
    noise = random.Random(0)
    text = "".join(chr(noise.randrange(128)) for _ in range(20_000))
    answers = [str(number) for number in range(32)]
    record = encode(call(text, sent=text, answers=answers), SPECS["local"], MAX_BYTES)
    stored = decode(record, "1-0")
    assert stored is not None
    assert len(record) <= MAX_BYTES
    assert (stored.reply, stored.messages, stored.truncated) == ("", [], True)
    assert len(stored.answers_sha256) == 32


def test_thousands_of_empty_messages_are_bounded_too() -> None:
    empty = Reply("x", sent=[Message(role="user", content="")] * 100_000)
    stored = decode(encode(call(reply=empty), SPECS["local"], MAX_BYTES), "1-0")
    assert stored is not None
    assert len(stored.messages) < 200


@pytest.mark.parametrize("record", [b"", b"not compressed", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_what_is_no_record_is_left_out(record: bytes) -> None:
    assert decode(record, "1-0") is None
