"""What a named key may ask of the judge, beyond its scopes: which lanes, judges, and how much."""

from collections.abc import Mapping, Sequence

from plaudit.errors import BodyTooLarge, Forbidden
from plaudit.service import count_refusal
from plaudit_judge.settings import JudgeKey


def check_access(
    keys: Mapping[str, JudgeKey],
    caller: str | None,
    *,
    judge: str,
    lane: str,
    responses: Sequence[object] = (),
) -> None:
    """A plain key, `caller` None, may everything.

    Raises:
        Forbidden: not this lane, or not this judge.
        BodyTooLarge: more responses than `max_items`.
    """
    if caller is None:
        return
    key = keys[caller]
    _check_choice(caller, "lanes", lane, key.lanes)
    _check_choice(caller, "judges", judge, key.judges)
    if key.max_items is not None and len(responses) > key.max_items:
        count_refusal("judge", caller, "max_items")
        raise BodyTooLarge(
            f"The request has {len(responses)} items; keys.{caller}.max_items = {key.max_items}.",
            fix="send fewer responses, or labelled items, per request.",
        )


def _check_choice(caller: str, setting: str, asked: str, allowed: Sequence[str] | None) -> None:
    if allowed is None or asked in allowed:
        return
    count_refusal("judge", caller, setting)
    raise Forbidden(
        f"The key {caller!r} may not ask for {asked[:80]!r}: "
        f"keys.{caller}.{setting} = {', '.join(allowed)}.",
        fix=f"ask for one of its {setting}, or have one added in the service's settings.",
    )
