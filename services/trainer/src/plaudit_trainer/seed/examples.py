"""Examples for offline methods: the right reply of a prompt, and one of its bad habits."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from plaudit.schemas.common import Contract, Message
from plaudit.schemas.examples import Conversation, Labelled, Preference
from plaudit_trainer.seed.problem import Problem


def write_examples(problems: Sequence[Problem], rows_path: Path, seed: int) -> None:
    """Beside `train.jsonl`: `train-conversations.jsonl`, `-preferences` and `-labelled`."""
    kinds = {"conversations": _conversations, "preferences": _preferences, "labelled": _labelled}
    for name, make in kinds.items():
        path = rows_path.with_name(f"{rows_path.stem}-{name}.jsonl")
        examples = make(problems, random.Random(f"{seed}/{path.name}"))
        lines = [example.model_dump_json(exclude_none=True) + "\n" for example in examples]
        path.write_text("".join(lines), encoding="utf-8")


def _conversations(problems: Sequence[Problem], rng: random.Random) -> Iterator[Contract]:
    for problem in problems:
        reply = Message(role="assistant", content=rng.choice(problem.right))
        yield Conversation(id=problem.id, messages=[*_prompt(problem), reply])


def _preferences(problems: Sequence[Problem], rng: random.Random) -> Iterator[Contract]:
    for problem in problems:
        chosen, rejected = rng.choice(problem.right), rng.choice(problem.habits)
        prompt = _prompt(problem)
        yield Preference(id=problem.id, prompt=prompt, chosen=chosen, rejected=rejected)


def _labelled(problems: Sequence[Problem], rng: random.Random) -> Iterator[Contract]:
    for problem in problems:
        for label, replies in ((True, problem.right), (False, problem.habits)):
            yield Labelled(
                id=f"{problem.id}/{'good' if label else 'bad'}",
                prompt=_prompt(problem),
                completion=rng.choice(replies),
                label=label,
            )


def _prompt(problem: Problem) -> list[Message]:
    return [Message.model_validate(message) for message in problem.messages()]
