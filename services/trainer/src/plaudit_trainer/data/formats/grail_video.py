"""Videos of GRAIL's rows, as a line of the prompt says them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from plaudit.schemas.recipe import GrailRecipe

_UNTITLED = "(untitled)"
_TITLES = ("title", "name", "video_title")
_CHANNELS = ("channel_title", "channel", "channel_name")
_LENGTHS = ("length_seconds", "duration_seconds", "total_length", "duration")
_ENGAGEMENT = {
    "views": ("view_count", "views"),
    "likes": ("like_count", "likes"),
    "comments": ("comment_count", "comments"),
}


def as_list(value: Any) -> list[dict[str, Any]]:
    """A list of objects, which a column may hold as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def first_text(values: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of the columns that says something, on one line."""
    for name in names:
        value = values.get(name)
        is_said = isinstance(value, str | int | float) and not isinstance(value, bool)
        text = " ".join(str(value).split()) if is_said else ""
        if text and text.lower() != "nan":
            return text
    return None


def name_of(item: Mapping[str, Any]) -> str:
    return first_text(item, (*_TITLES, "id")) or _UNTITLED


def current_line(values: Mapping[str, Any], recipe: GrailRecipe) -> str | None:
    names = {"title": "current_video_title", "id": "current_video_id"}
    item = {name: values.get(column) for name, column in names.items()}
    item["channel"] = values.get("current_video_channel")
    has_any = first_text(item, ("title", "id", "channel")) is not None
    return _line(item, recipe, []) if has_any else None


def history_line(item: Mapping[str, Any], recipe: GrailRecipe) -> str:
    watched_s, length_s = _number(item, ("watch_seconds",)), _number(item, _LENGTHS)
    if watched_s is None:
        return _line(item, recipe, [])
    of = "" if length_s is None else f" of {length_s:.0f}s"
    return _line(item, recipe, [f"watched {watched_s:.0f}s{of}"])


def option_line(item: Mapping[str, Any], recipe: GrailRecipe) -> str:
    length_s = _number(item, _LENGTHS)
    line = _line(item, recipe, [] if length_s is None else [f"{length_s:.0f}s long"])
    counts = {what: _number(item, names) for what, names in _ENGAGEMENT.items()}
    said = [f"{what} {number:.0f}" for what, number in counts.items() if number is not None]
    return f"{line} — Engagement: {', '.join(said)}" if said else line


def _line(item: Mapping[str, Any], recipe: GrailRecipe, facts: list[str]) -> str:
    title, video_id = first_text(item, _TITLES), first_text(item, ("id",))
    channel = first_text(item, _CHANNELS)
    told = [channel] if channel else []
    told += facts
    if video_id and (recipe.show_ids or title is None):
        told.append(f"id {video_id}")
    name = (title or _UNTITLED)[: recipe.max_title_chars]
    return f"{name} ({', '.join(told)})" if told else name


def _number(item: Mapping[str, Any], names: Sequence[str]) -> float | None:
    for name in names:
        text = first_text(item, (name,))
        try:
            number = float(text) if text is not None else -1.0
        except ValueError:
            continue
        if math.isfinite(number) and number >= 0:
            return number
    return None
