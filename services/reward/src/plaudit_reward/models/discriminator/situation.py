"""Where an action is taken, which one the expert took, and which one a completion takes."""

from dataclasses import dataclass
from typing import Any

from plaudit.reward_text import JOIN
from plaudit.schemas.reward import RewardGroup
from plaudit_reward.models.discriminator.template import rendered
from plaudit_reward.reference import answer_of
from plaudit_reward.reward import Missing
from plaudit_reward.rewards.pure_accuracy import chosen_option, first_answer

KEYS = ("viewer", "state", "options", "expert")
MAX_OPTIONS = 1024
OPTION_JOIN = " | "


@dataclass(frozen=True)
class Situation:
    state: str
    viewer: str = ""
    options: tuple[str, ...] = ()
    """Where there are any, an action is one of them."""

    def text(self, template: str, action: str) -> str:
        values = {
            "viewer": self.viewer,
            "state": self.state,
            "options": OPTION_JOIN.join(self.options),
            "action": action,
        }
        return rendered(template, values)

    def action_of(self, completion: str) -> str | None:
        """The whole text; of options, the one that the first `<answer>` gives by number or name.

        None: it gives none of them.
        """
        if not self.options:
            return completion if completion.strip() else None
        number = chosen_option(completion, allow_bare_number=False)
        if number is not None:
            return self.options[number - 1] if number <= len(self.options) else None
        name = first_answer(completion)
        return name if name in self.options else None


def situation_of(group: RewardGroup) -> Situation | Missing:
    """`reference.discriminator`, and the prompt where that names no state."""
    given = group.reference.get("discriminator", {})
    if not isinstance(given, dict) or (unknown := sorted(map(str, given.keys() - set(KEYS)))):
        what = f"has {unknown[0][:40]!r}" if isinstance(given, dict) else "is no object"
        return Missing(f"reference.discriminator {what}; it takes {', '.join(KEYS)}")
    state, viewer, options = given.get("state"), given.get("viewer", ""), given.get("options", [])
    if state is None:
        state = JOIN.join(message.content for message in group.prompt)
    if not isinstance(state, str) or not isinstance(viewer, str):
        return Missing("reference.discriminator: state and viewer must be texts")
    if not _are_options(options):
        return Missing(
            f"reference.discriminator.options must be at most {MAX_OPTIONS} texts, none of them "
            "empty"
        )
    if not state.strip() and not options:
        return Missing("reference.discriminator.state is missing, and so is the prompt")
    return Situation(state, viewer, tuple(options))


def expert_action(group: RewardGroup, situation: Situation) -> str | None:
    """`reference.discriminator.expert`, an option's name or number, or a text; else
    `reference.gold_index`, or where there are no options `reference.answer`."""
    expert = group.reference.get("discriminator", {}).get("expert")
    if not situation.options:
        answer = answer_of(group) if expert is None else expert
        return answer if isinstance(answer, str) and answer.strip() else None
    if expert is None:
        expert = group.reference.get("gold_index")
    if isinstance(expert, int) and not isinstance(expert, bool):
        in_range = 1 <= expert <= len(situation.options)
        return situation.options[expert - 1] if in_range else None
    return expert if isinstance(expert, str) and expert in situation.options else None


def _are_options(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_OPTIONS
        and all(isinstance(one, str) and one.strip() for one in value)
    )
