"""docs/rewards.md, out of what GET /v1/rewards says."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from plaudit.schemas.reward import RewardInfo

_HEAD = """\
# Rewards

Made from `GET /v1/rewards` by `plaudit-reward page`. How rewards behave together:
[reward.md](reward.md). How to write one: [adding-a-reward.md](adding-a-reward.md).

| pool | rewards |
|---|---|
"""
_BACKTICK = re.compile(r"(?<!\\)`")
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def render(rewards: Iterable[RewardInfo]) -> str:
    """Markdown: a table of pools, then a section for each reward."""
    found = sorted(rewards, key=lambda one: one.name)
    pools = sorted({one.pool for one in found})
    rows = [f"| `{pool}` | {_links(found, pool)} |\n" for pool in pools]
    return _HEAD + "".join(rows) + "".join(_section(one) for one in found)


def _links(rewards: Iterable[RewardInfo], pool: str) -> str:
    return ", ".join(f"[{one.name}](#{one.name})" for one in rewards if one.pool == pool)


def _section(reward: RewardInfo) -> str:
    parts = [f"\n## {reward.name}\n", f"Pool `{reward.pool}`. Source: {reward.source}.\n"]
    parts.append(_text(reward.description) + "\n")
    if params := reward.params_schema.get("properties"):
        definitions = reward.params_schema.get("$defs", {})
        rows = [_row(name, one, definitions) for name, one in params.items()]
        parts.append("\n".join(["| param | | default | |", "|---|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _row(name: str, param: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    default = f"`{json.dumps(param['default'])}`" if "default" in param else "required"
    text = " ".join(_text(param.get("description", "")).split())
    return f"| `{name}` | {_type(param, definitions)} | {default} | {text} |".replace("  ", " ")


def _type(param: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """`number ≥ 0`, or the values that it may have."""
    if "$ref" in param:
        return _type(definitions[param["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in param:
        return " or ".join(_type(one, definitions) for one in param["anyOf"])
    if "enum" in param:
        return ", ".join(f"`{value}`" for value in param["enum"])
    if "const" in param:
        return f"`{param['const']}`"
    bounds = [f"{sign} {param[key]:.10g}" for key, sign in _BOUNDS.items() if key in param]
    return " ".join([str(param.get("type", "any")), *bounds])


def _text(description: str) -> str:
    """As Markdown reads it: no fence opens, no cell ends early, no tag is taken for HTML."""
    fenced = description.replace("```", "\\`\\`\\`").replace("|", "\\|")
    parts = _BACKTICK.split(fenced)
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
