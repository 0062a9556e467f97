"""The entries of one archive in this worker's memory, as a matrix."""

from collections import OrderedDict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from plaudit_reward.archive.entry import Entry, EntryId
from plaudit_reward.embedding.embedder import Embeddings

_ROOM = 1.25
NONE_YET = EntryId(0, 0)


class Mirror:
    """Entries in the order of their ids; the oldest go first, and new ones come at the end."""

    def __init__(self, dimensions: int) -> None:
        self._embeddings: Embeddings = np.empty((0, dimensions), np.float32)
        self._prompts: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._first = 0
        self._members: OrderedDict[bytes, EntryId] = OrderedDict()
        self.newest = NONE_YET

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: bytes) -> bool:
        return member in self._members

    def add(self, entries: Sequence[tuple[EntryId, Entry]]) -> None:
        if not entries:
            return
        self._make_room(len(entries))
        start = self._first + len(self)
        for row, (entry_id, entry) in enumerate(entries, start):
            self._embeddings[row], self._prompts[row] = entry.embedding, entry.prompt
            self._members[entry.member] = entry_id
        self.newest = entries[-1][0]

    def drop_before(self, oldest: EntryId) -> None:
        while self._members and next(iter(self._members.values())) < oldest:
            self._members.popitem(last=False)
            self._first += 1

    def nearest(
        self, embeddings: Embeddings, count: int, prompt: int | None, without: Collection[bytes]
    ) -> Embeddings | None:
        """Row i is the mean of the `count` entries nearest to `embeddings[i]` by cosine.

        Only those of `prompt` are looked at, of all where that is None, and none of `without`;
        None when there is nothing to look at. All embeddings have length 1.
        """
        allowed = self._allowed(prompt, without)
        count = min(count, int(allowed.sum()))
        if count == 0:
            return None
        rows = self._embeddings[self._first : self._first + len(self)]
        cosines = np.where(allowed, embeddings @ rows.T, -np.inf)
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        return np.stack([rows[chosen].mean(axis=0) for chosen in nearest])

    def _allowed(self, prompt: int | None, without: Collection[bytes]) -> NDArray[np.bool_]:
        prompts = self._prompts[self._first : self._first + len(self)]
        allowed = np.ones(len(self), np.bool_) if prompt is None else prompts == prompt
        if any(member in self._members for member in without):
            allowed &= [member not in without for member in self._members]
        return allowed

    def _make_room(self, num_more: int) -> None:
        end = self._first + len(self)
        if end + num_more <= len(self._embeddings):
            return
        capacity = int(_ROOM * (len(self) + num_more)) + 1
        embeddings = np.empty((capacity, self._embeddings.shape[1]), np.float32)
        prompts = np.empty(capacity, np.uint64)
        embeddings[: len(self)] = self._embeddings[self._first : end]
        prompts[: len(self)] = self._prompts[self._first : end]
        self._embeddings, self._prompts, self._first = embeddings, prompts, 0
