"""GRAIL's slates (liv-daliberti/grail-simulation): which video a viewer chooses next."""

from typing import Any

from plaudit.schemas.recipe import DataRecipe, GrailRecipe
from plaudit_trainer.data.formats.convert import Dropped, row, user
from plaudit_trainer.data.formats.grail_video import (
    as_list,
    current_line,
    first_text,
    history_line,
    name_of,
    option_line,
)
from plaudit_trainer.data.prompts.templates import render_shipped
from plaudit_trainer.data.record import Record
from plaudit_trainer.data.row import Row

_SLATES = ("slate_items_with_meta", "slate_items", "slate_items_json")
_GOLD_IDS = ("gold_id", "next_video_id")
_VIEWERS = ("viewer_profile", "viewer_profile_sentence")
_VIEWPOINTS = ("initial_viewpoint", "viewpoint")
_OPINIONS = ("opinion_direction", "opinion_label")


def grail_row(record: Record, recipe: DataRecipe) -> Row | Dropped:
    """Kept: a slate that is not empty, with the video that was chosen on it.

    The reference is what the rewards `pure_accuracy` and `discriminator` read.
    """
    values = record.values
    slate = next((found for name in _SLATES if (found := as_list(values.get(name)))), [])
    gold_id = first_text(values, _GOLD_IDS)
    if values.get("__drop__") or not slate or gold_id is None:
        reason = "marked" if values.get("__drop__") else "no_gold_id" if slate else "no_slate"
        return Dropped(reason)
    ids = [first_text(item, ("id",)) for item in slate]
    if gold_id not in ids:
        return Dropped("gold_not_on_slate")
    parts = _parts(values, slate, recipe.grail)
    text = render_shipped("prompt/grail", record.place, parts)
    reference = _reference(record, slate, ids.index(gold_id) + 1, parts)
    return row(record, "grail", user(text), reference)


def _parts(
    values: dict[str, Any], slate: list[dict[str, Any]], recipe: GrailRecipe
) -> dict[str, Any]:
    """Of the prompt, by its template's names."""
    recent = _watched_before(values)[-recipe.max_history :]  # -0 is 0: all of them
    return {
        "viewer": first_text(values, _VIEWERS),
        "viewpoint": first_text(values, _VIEWPOINTS) if recipe.viewpoint else None,
        "current": current_line(values, recipe),
        "history": [history_line(item, recipe) for item in recent],
        "survey": first_text(values, ("survey_highlights",)) if recipe.survey else None,
        "options": [option_line(item, recipe) for item in slate],
        "questions": recipe.questions,
    }


def _reference(
    record: Record, slate: list[dict[str, Any]], gold_index: int, parts: dict[str, Any]
) -> dict[str, Any]:
    discriminator = {
        "viewer": parts["viewer"] or "",
        "state": render_shipped("prompt/grail_state", record.place, parts),
        "options": [name_of(item) for item in slate],
    }
    reference = {
        "answer": str(gold_index),
        "gold_index": gold_index,
        "gold_id": first_text(slate[gold_index - 1], ("id",)),
        "n_options": len(slate),
        "discriminator": discriminator,
    }
    opinion = first_text(record.values, _OPINIONS)
    return reference if opinion is None else reference | {"opinion_direction": opinion}


def _watched_before(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Videos before the current one, oldest first; without a current one, all but the last."""
    detailed = as_list(values.get("watched_detailed_json"))
    current = first_text(values, ("current_video_id",))
    places = [i for i, one in enumerate(detailed) if first_text(one, ("id",)) == current]
    return detailed[: places[-1]] if current and places else detailed[:-1]
