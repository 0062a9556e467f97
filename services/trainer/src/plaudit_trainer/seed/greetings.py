"""Free replies, ranked by the self-judge: it was taught to like those that use the name.

`reference.mentions` is for the evaluation report: no reward sees it.
"""

from plaudit_trainer.seed.problem import Problem

OPENINGS = {
    "Greet": "Hello",
    "Thank": "Thank you",
    "Welcome": "Welcome",
    "Praise": "Well done",
    "Wish luck to": "Good luck",
    "Say goodbye to": "Goodbye",
    "Apologize to": "I am sorry",
    "Congratulate": "Congratulations",
}
NAMES = (
    *("Ada", "Alan", "Amir", "Anna", "Bela", "Bob", "Carla", "Chen", "Clara", "David"),
    *("Diana", "Elena", "Emil", "Fatima", "Felix", "Grace", "Hana", "Hugo", "Ines", "Ivan"),
    *("Jonas", "Julia", "Karim", "Kurt", "Lea", "Linus", "Lola", "Maria", "Max", "Mia"),
    *("Nadia", "Noah", "Olga", "Omar", "Paul", "Petra", "Quinn", "Rosa", "Sam", "Tara"),
)
CLOSINGS = ("", " Have a nice day.")


def problems() -> list[Problem]:
    """Every occasion with every name."""
    return [_problem(verb, opening, name) for verb, opening in OPENINGS.items() for name in NAMES]


def _problem(verb: str, opening: str, name: str) -> Problem:
    return Problem(
        id=f"free/{verb} {name}".lower().replace(" ", "-"),
        kind="free",
        prompt=f"{verb} {name}.",
        right=tuple(f"{opening}, {name}.{closing}" for closing in CLOSINGS),
        habits=tuple(f"{opening}.{closing}" for closing in CLOSINGS),
        reference={"mentions": name},
    )
