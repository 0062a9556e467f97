"""Every query of the alert rules and the dashboards, with what is said about its result."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Query:
    """`shown_labels` are those that a legend or a summary shows."""

    place: str
    text: str
    shown_labels: frozenset[str]


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MONITORING / "rules.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def queries() -> Iterator[Query]:
    for rule in rules():
        shown = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
        yield Query(rule["alert"], rule["expr"], frozenset(shown))
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                shown = re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
                yield Query(f"{path.stem}: {panel['title']}", target["expr"], frozenset(shown))
