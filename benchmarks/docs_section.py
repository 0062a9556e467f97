"""Benchmarks write their tables into docs/benchmarks.md themselves, between markers of a name."""

import os
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def write_section(name: str, text: str, files: dict[str, str] | None = None) -> None:
    """Replaces what is between the markers of `name`; `files` are written beside the page."""
    page = DOCS / "benchmarks.md"
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise SystemExit(f"{page} has no lines {begin} and {end}. Fix: put them where it belongs")
    for file_name, content in (files or {}).items():
        (DOCS / file_name).write_text(content, encoding="utf-8")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
    print(f"wrote the section {name!r} of {page}")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'CPU'}, {len(os.sched_getaffinity(0))} cores"
