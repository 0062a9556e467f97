"""The conversation that asks a judge: a rubric's text with the answers quoted in it."""

import re
from collections.abc import Mapping, Sequence

from plaudit.schemas.common import Message
from plaudit.schemas.judge import Mode
from plaudit_judge.quoting import defuse, fence_for
from plaudit_judge.rubric import Rubric
from plaudit_judge.rubric_texts import LETTERS, list_criteria, score_form

_PLACE = re.compile(r"\{(prompt|a|b|response|responses|reference|fence|criteria|form)\}")
_CONSTANT_PLACES = {"criteria"}


def render_pair(
    rubric: Rubric, prompt: str, first: str, second: str, reference: str | None = None
) -> list[Message]:
    """Asks which is better. Raises Rejected: the rubric takes no reference."""
    values = _values(rubric, "pairwise", prompt, [first, second], reference)
    return _messages(rubric, "pairwise", values | {"a": defuse(first), "b": defuse(second)})


def render_scores(
    rubric: Rubric, prompt: str, responses: Sequence[str], reference: str | None = None
) -> list[Message]:
    """Asks for the scores of one answer, or of several. Raises Rejected: it takes no reference."""
    mode = scoring_mode(responses)
    values = _values(rubric, mode, prompt, responses, reference)
    values["form"] = score_form(rubric.scoring.names, len(responses), mode)
    values["response"] = defuse(responses[0])
    values["responses"] = "\n\n".join(
        _quote(f"response-{letter.lower()}-{values['fence']}", response)
        for letter, response in zip(LETTERS, responses, strict=False)
    )
    return _messages(rubric, mode, values)


def scoring_mode(responses: Sequence[str]) -> Mode:
    return "pointwise" if len(responses) == 1 else "listwise"


def system_is_constant(rubric: Rubric, mode: Mode) -> bool:
    """There is one, and it is the same in every conversation, so that it can be cached."""
    system = rubric.texts[mode].system
    return bool(system) and set(_PLACE.findall(system)) <= _CONSTANT_PLACES


def _values(
    rubric: Rubric, mode: Mode, prompt: str, responses: Sequence[str], reference: str | None
) -> dict[str, str]:
    rubric.check_reference(mode, reference)
    values = {
        "prompt": defuse(prompt),
        "fence": fence_for(prompt, *responses, reference or ""),
        "criteria": list_criteria(rubric.scoring, mode),
        "reference": "",
    }
    if reference is not None:
        quoted = values | {"reference": defuse(reference)}
        values["reference"] = _fill(rubric.reference, quoted)
    return values


def _messages(rubric: Rubric, mode: Mode, values: Mapping[str, str]) -> list[Message]:
    text = rubric.texts[mode]
    messages = [Message(role="user", content=_fill(text.user, values))]
    if text.system:
        messages.insert(0, Message(role="system", content=_fill(text.system, values)))
    return messages


def _quote(tag: str, text: str) -> str:
    return f"<{tag}>\n{defuse(text)}\n</{tag}>"


def _fill(template: str, values: Mapping[str, str]) -> str:
    """One pass, so that a place inside a value is never filled."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), template)
