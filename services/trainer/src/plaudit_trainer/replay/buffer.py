"""The replay buffer: bounded, one group for each prompt, the same after a resume.

After the buffer of GRAIL's Open-R1 (capacity 4000, replacement by mean reward; drawn uniformly).
"""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from plaudit.errors import Corrupt
from plaudit.schemas.recipe.replay import ReplayRecipe
from plaudit.schemas.run import ReadyGroup
from plaudit_trainer.learner import disk
from plaudit_trainer.replay.item import ReplayItem, uid_of

FILE_NAME = "replay.jsonl"


class ReplayBuffer:
    """In order of insertion; what is drawn depends on seed, step and content only."""

    def __init__(self, recipe: ReplayRecipe, seed: int) -> None:
        self._recipe = recipe
        self._seed = seed
        self._items: dict[str, ReplayItem] = {}
        self._num_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[ReplayItem]:
        return iter(self._items.values())

    @property
    def num_bytes(self) -> int:
        return self._num_bytes

    def add(self, group: ReadyGroup, reward: float, priority: float, step: int) -> bool:
        """A new group takes the place of an older one of its prompt. False: it is not good enough.

        `reward`: the mean of its completions; `step`: of the policy that generated it.
        """
        uid = uid_of(group.rollout.prompt, group.rollout.prompt_token_ids)
        num_bytes = len(group.model_dump_json())
        known = self._items.get(uid)
        if known is None:
            item = ReplayItem(
                uid=uid, group=group, step=step, count=1, mean=reward, priority=priority,
                num_bytes=num_bytes,
            )  # fmt: skip
        else:
            newest = {"group": group, "step": step, "num_bytes": num_bytes}
            item = known.with_reward(reward, priority).model_copy(update=newest)
        return self._put(item)

    def trained_again(self, group: ReadyGroup, reward: float, priority: float) -> None:
        """What a replayed group is worth; nothing where its prompt has left the buffer."""
        uid = uid_of(group.rollout.prompt, group.rollout.prompt_token_ids)
        if (item := self._items.get(uid)) is not None:
            self._items[uid] = item.with_reward(reward, priority)

    def draw(self, step: int) -> list[ReplayItem]:
        """Different prompts for one step; none before there are enough. What is too old leaves."""
        self._forget([one.uid for one in self if step - one.step > self._recipe.max_age_steps])
        count = self._recipe.groups_per_step
        if len(self) < count:
            return []
        if self._recipe.strategy == "ucb":
            return _most_promising(list(self), count, self._recipe.ucb_c)
        rng = random.Random(f"{self._seed}/{step}")
        if self._recipe.strategy == "uniform":
            return rng.sample(list(self), count)
        return _by_priority(list(self), count, rng)

    def write(self, directory: Path) -> None:
        """Raises OSError."""
        lines = (item.model_dump_json() + "\n" for item in self)
        with (directory / FILE_NAME).open("w", encoding="utf-8") as file:
            file.writelines(lines)
        disk.sync(directory / FILE_NAME)

    def read(self, directory: Path) -> None:
        """What `write` wrote, or nothing where there is no file. Raises Corrupt."""
        path = directory / FILE_NAME
        if not path.is_file():
            return
        with path.open(encoding="utf-8") as lines:
            try:
                items = [ReplayItem.model_validate_json(line) for line in lines]
            except ValidationError as error:
                raise Corrupt(
                    f"{path}: not a replay buffer: {error}.",
                    fix="resume from an older checkpoint, or remove that file to begin with none",
                ) from error
        self._items = {item.uid: item for item in items}
        self._num_bytes = sum(item.num_bytes for item in items)

    def _put(self, item: ReplayItem) -> bool:
        """Others leave for it, the lowest mean first, as long as they are worse."""
        self._forget([item.uid])
        leaving: list[ReplayItem] = []
        for worst in sorted(self, key=lambda one: one.mean):
            if self._fits(item, leaving):
                break
            if worst.mean >= item.mean:
                return False
            leaving.append(worst)
        if not self._fits(item, leaving):
            return False
        self._forget([one.uid for one in leaving])
        self._items[item.uid] = item
        self._num_bytes += item.num_bytes
        return True

    def _fits(self, item: ReplayItem, leaving: Sequence[ReplayItem]) -> bool:
        num_bytes = self._num_bytes - sum(one.num_bytes for one in leaving) + item.num_bytes
        has_room = len(self) - len(leaving) < self._recipe.capacity
        return has_room and num_bytes <= self._recipe.max_bytes

    def _forget(self, uids: Iterable[str]) -> None:
        for uid in uids:
            if (item := self._items.pop(uid, None)) is not None:
                self._num_bytes -= item.num_bytes


def _most_promising(items: list[ReplayItem], count: int, ucb_c: float) -> list[ReplayItem]:
    """Upper confidence bounds (UCB1, Auer et al. 2002)."""
    total = sum(item.count for item in items)

    def bound(item: ReplayItem) -> float:
        return item.mean + ucb_c * math.sqrt(math.log(total) / item.count)

    return sorted(items, key=bound, reverse=True)[:count]


def _by_priority(items: list[ReplayItem], count: int, rng: random.Random) -> list[ReplayItem]:
    """Without replacement, by exponential keys (Efraimidis and Spirakis 2006)."""

    def key(item: ReplayItem) -> float:
        drawn = rng.random()
        return math.log(drawn or 1e-300) / item.priority if item.priority > 0 else -math.inf

    return sorted(items, key=key, reverse=True)[:count]
