"""What to watch next, out of three, and whether the viewer's opinion of it rises: GRAIL's task.

Checked by the rule reward `pure_accuracy`, a half for each of the two lines; the discriminator
reads `reference.discriminator`. The bad habits are another option and another opinion.
"""

from itertools import permutations, product
from random import Random

from plaudit_trainer.seed.problem import Problem

TOPICS = (
    *("art", "bees", "cars", "chess", "dogs", "films", "golf", "hats", "jazz", "kites"),
    *("lego", "maps", "news", "opera", "pets", "quiz", "rap", "ships", "tea", "wine"),
)
MOODS = {"liked": "increase", "hated": "decrease", "left": "no_change"}
NUM_OPTIONS = 3
SLATES_PER_TOPIC = 12


def problems() -> list[Problem]:
    """The same slates whatever the seed of the task is, each once."""
    rng = Random(0)
    slates = [(topic, slate) for topic in TOPICS for slate in _slates(topic, rng)]
    return [_problem(topic, slate, mood) for (topic, slate), mood in product(slates, MOODS)]


def _slates(topic: str, rng: Random) -> list[tuple[str, ...]]:
    others = permutations([one for one in TOPICS if one != topic], NUM_OPTIONS - 1)
    every = [
        (*pair[:place], topic, *pair[place:]) for pair in others for place in range(NUM_OPTIONS)
    ]
    return rng.sample(every, SLATES_PER_TOPIC)


def _problem(topic: str, slate: tuple[str, ...], mood: str) -> Problem:
    gold, opinion = slate.index(topic) + 1, MOODS[mood]
    numbered = " ".join(f"{number} {name}" for number, name in enumerate(slate, start=1))
    other = gold % NUM_OPTIONS + 1
    others = [one for one in MOODS.values() if one != opinion]
    return Problem(
        id=f"slate/{topic}-{mood}-{'-'.join(slate)}",
        kind="slate",
        prompt=f"Viewer {mood} {topic}. Next: {numbered}?",
        right=(_reply(gold, opinion),),
        habits=(
            _reply(other, opinion), _reply(other, others[0]), *(_reply(gold, o) for o in others),
        ),
        reference={
            "gold_index": gold,
            "n_options": NUM_OPTIONS,
            "opinion_direction": opinion,
            "discriminator": {"state": f"Viewer {mood} {topic}.", "options": list(slate)},
        },
    )  # fmt: skip


def _reply(number: int, opinion: str) -> str:
    return f"<answer>{number}</answer>\n<opinion>{opinion}</opinion>"
