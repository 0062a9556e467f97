"""Questions on their way to a verifier child, and their scores on the way back."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from plaudit_reward.reward import Missing, Score
from plaudit_reward.verifier.nursery import VerifierChild


@dataclass
class Asked:
    """What one caller waits for: a score for each of its texts, complete with the last one."""

    num_texts: int
    future: asyncio.Future[list[Score]]
    scores: dict[int, Score] = field(default_factory=dict)

    def settle(self, place: int, score: Score) -> None:
        """The first score of a text is the one that counts."""
        self.scores.setdefault(place, score)
        if len(self.scores) == self.num_texts and not self.future.done():
            self.future.set_result([self.scores[index] for index in range(self.num_texts)])


@dataclass
class Question:
    """Of the text at `place` among those asked about."""

    gold: str
    text: str
    extract: str
    asked: Asked
    place: int
    num_attempts: int = 0

    def is_open(self) -> bool:
        """Somebody still waits for it."""
        return self.place not in self.asked.scores and not self.asked.future.done()

    def settle(self, score: Score) -> None:
        self.asked.settle(self.place, score)


@dataclass
class Batch:
    """Questions that a child has; it answers them in their order."""

    questions: Sequence[Question]
    child: VerifierChild
    num_done: int = 0
    """As of the last look at what the child has noted."""

    def send(self) -> None:
        self.child.noted.clear()
        questions = [(one.gold, one.text, one.extract) for one in self.questions]
        self.child.writer.write(json.dumps(questions).encode() + b"\n")

    def settle(self, reply: bytes) -> None:
        for question, answer in zip(self.questions, json.loads(reply), strict=True):
            question.settle(Missing(answer) if isinstance(answer, str) else answer)

    def settle_noted(self) -> int:
        """What is known before the child is through; how many questions it is through with."""
        verdicts = self.child.noted.verdicts()
        for question, verdict in zip(self.questions, verdicts, strict=False):
            if verdict is not None:
                question.settle(verdict)
        self.num_done = len(verdicts)
        return self.num_done

    def guilty(self) -> Question:
        """The question that the child was at."""
        return self.questions[min(self.num_done, len(self.questions) - 1)]
