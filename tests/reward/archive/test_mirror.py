"""The matrix in memory: the same as looking at a list of all entries."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plaudit_reward.archive.entry import Entry, EntryId
from plaudit_reward.archive.mirror import Mirror
from plaudit_reward.embedding.embedder import Embedding

DIMENSIONS = 3


def unit(*numbers: float) -> Embedding:
    found = np.array(numbers, np.float32)
    return (found / np.linalg.norm(found)).astype(np.float32)


def entry(number: int, embedding: Embedding, prompt: int = 0) -> tuple[EntryId, Entry]:
    member = number.to_bytes(16, "little")
    return EntryId(1, number), Entry(member, prompt, embedding)


def naive(
    entries: list[Entry], one: Embedding, count: int, prompt: int | None, without: set[bytes]
) -> Embedding | None:
    allowed = [e for e in entries if prompt in (None, e.prompt) and e.member not in without]
    nearest = sorted(allowed, key=lambda e: -float(one @ e.embedding))[:count]
    return np.mean([e.embedding for e in nearest], axis=0) if nearest else None


STEPS = st.lists(st.one_of(st.integers(1, 6), st.just("drop")), min_size=1, max_size=30)


@given(
    STEPS, st.integers(1, 4), st.sampled_from([None, 0, 1]), st.sets(st.integers(0, 40)),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_finds_what_a_look_at_each_entry_finds(
    steps: list[int | str], count: int, prompt: int | None, without: set[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    mirror, entries, added = Mirror(DIMENSIONS), list[tuple[EntryId, Entry]](), 0
    for step in steps:
        if isinstance(step, str):
            entries = entries[2:]
            mirror.drop_before(entries[0][0] if entries else EntryId(2, 0))
            continue
        new = [
            entry(added + i, unit(*random.normal(size=3)), int(random.integers(2)))
            for i in range(step)
        ]
        mirror.add(new)
        entries += new
        added += step
    assert len(mirror) == len(entries)
    members = {number.to_bytes(16, "little") for number in without}
    asked = np.stack([unit(*random.normal(size=3)) for _ in range(3)])
    found = mirror.nearest(asked, count, prompt, members)
    for row, one in enumerate(asked):
        expected = naive([e for _, e in entries], one, count, prompt, members)
        if expected is None or found is None:
            assert expected is found is None
        else:
            np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_packing_turns_an_embedding_by_next_to_nothing() -> None:
    embedding = unit(*np.random.default_rng(0).normal(size=1024))
    packed = Entry(b"m" * 16, 2**64 - 1, embedding)
    unpacked = Entry.unpack(packed.pack(), 1024)
    assert (unpacked.member, unpacked.prompt) == (packed.member, packed.prompt)
    assert unpacked.embedding @ embedding > 1 - 1e-6
    assert np.linalg.norm(unpacked.embedding) == np.float32(1.0)
    assert len(packed.pack()) == 24 + 2 * 1024


def test_ids_are_ordered_as_redis_orders_them() -> None:
    ids = [EntryId.parse(raw) for raw in (b"9-10", b"10-0", b"9-9")]
    assert [str(one) for one in sorted(ids)] == ["9-9", "9-10", "10-0"]
