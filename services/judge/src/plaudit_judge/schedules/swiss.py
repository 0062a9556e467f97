"""Swiss system: answers meet those that did as well as they did so far, and nobody twice."""

from collections.abc import Sequence

from plaudit_judge.chance import draw
from plaudit_judge.ratings.game import Game
from plaudit_judge.schedules.pairs import covering_pairs
from plaudit_judge.schedules.schedule import Match, Pair


class Swiss:
    """The first round is drawn and has every item in it, an odd one out twice.

    Later rounds go from the best score down and pair each item with the next one that it has not
    met. Whoever finds nobody sits out; so does, of an odd number, who has played most.
    """

    def __init__(self, num_items: int, num_rounds: int, seed: int) -> None:
        self._num_items = num_items
        self._rounds_left = num_rounds
        self._seed = seed
        self._met: set[Pair] = set()
        self._num_met = [0] * num_items

    def next_round(self, games: Sequence[Game]) -> list[Match]:
        if not self._rounds_left:
            return []
        self._rounds_left -= 1
        first = not self._met
        pairs = covering_pairs(self._num_items, self._seed) if first else self._pair_up(games)
        for pair in pairs:
            self._met.add(pair)
            for item in pair:
                self._num_met[item] += 1
        return [Match(a, b) for a, b in sorted(pairs)]

    def _pair_up(self, games: Sequence[Game]) -> list[Pair]:
        waiting = self._standing(games)
        if len(waiting) % 2:
            # Of those who played most the last in the standing.
            waiting.remove(max(reversed(waiting), key=lambda item: self._num_met[item]))
        pairs: list[Pair] = []
        while waiting:
            item = waiting.pop(0)
            for other in waiting:
                pair = (min(item, other), max(item, other))
                if pair not in self._met:
                    pairs.append(pair)
                    waiting.remove(other)
                    break
        return pairs

    def _standing(self, games: Sequence[Game]) -> list[int]:
        """Best first, by wins minus losses: sitting out or an unparsed verdict is neither."""
        scores = [0.0] * self._num_items
        for a, b, score_a in games:
            scores[a] += score_a - 0.5
            scores[b] -= score_a - 0.5
        return sorted(
            range(self._num_items),
            key=lambda item: (-scores[item], draw(self._seed, "swiss", item)),
        )
