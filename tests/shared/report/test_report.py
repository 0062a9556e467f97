"""The report from synthetic run files: complete, hostile, partial and broken."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from plaudit.report import read_run, render_report, write_report

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.exe\x1b[31m\ud800"


def write_jsonl(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def evaluation(accuracy: float, text: str) -> dict[str, Any]:
    sample = {"text": text, "rewards": {"accuracy": 1.0, "judge": None}, "total": 1.0}
    prompt = [{"role": "user", "content": "What is 2 + 3?"}]
    row = {"id": "r1", "kind": "arithmetic", "prompt": prompt, "samples": [sample]}
    by_kind = {"arithmetic": accuracy, "code": accuracy / 2}
    return {"accuracy": accuracy, "greedy": accuracy + 0.1, "by_kind": by_kind, "rows": [row]}


def write_complete_run(run_dir: Path) -> None:
    (run_dir / "recipe.toml").write_text('name = "demo"\n')
    (run_dir / "run.json").write_text(
        json.dumps({"run_id": "demo-1", "created_at": "2026-11-24T00:00:00Z", "argv": []})
    )
    metrics = [
        {
            "step": step,
            "reward": 0.4 + step / 100,
            "rewards": {
                "accuracy": {"mean": step / 50, "std": 0.1, "nulls": 0},
                "judge": {"mean": None, "std": None, "nulls": 16},
            },
            "time_s": {"wait": 0.2, "forward": 0.3},
            "staleness": {"mean": 0.5, "max": 1, "histogram": {"0": 7, "1": 9}},
        }
        for step in range(30)
    ]
    write_jsonl(run_dir / "metrics.jsonl", metrics)
    groups = [
        {"group_id": f"g{i}", "times": {"queue": 0.1, "generate": 1.0, "reward": 0.5 + i / 100}}
        for i in range(90)
    ]
    write_jsonl(run_dir / "groups.jsonl", groups)
    policy = [
        {"time": 100.0 + v, "replica_id": f"engine-{r}", "version": v}
        for v in range(5)
        for r in "01"
    ]
    write_jsonl(run_dir / "policy.jsonl", policy)
    (run_dir / "eval_before.json").write_text(json.dumps(evaluation(0.4, HOSTILE)))
    (run_dir / "eval_after.json").write_text(json.dumps(evaluation(0.7, "5")))
    summary = {
        "run_id": "demo-1",
        "accuracy_before": 0.4,
        "accuracy_after": 0.7,
        "accuracy_gain": 0.3,
        "accuracy_gain_ci95": [0.2, 0.4],
        "greedy_before": 0.5,
        "greedy_after": 0.8,
        "num_eval_prompts": 256,
        "steps": 30,
        "wall_s": 200.5,
        "groups_per_s": 3.2,
        "ledger": {"admitted": 90, "trained": 88, "dropped": {"stale": 2}, "in_flight": 0},
        "staleness": {"mean": 0.5, "max": 1},
        "time_s": {"generate": 90.0},
        "weight_updates": 31,
        "restarts": {"learner": 1},
    }
    (run_dir / "summary.json").write_text(json.dumps(summary))


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on what a self-contained page must not have."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in ("script", "img", "iframe", "link"), f"<{tag}> in the report"
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_complete_run_shows_every_chart_and_the_samples(tmp_path: Path) -> None:
    write_complete_run(tmp_path)
    path = write_report(tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    for title in (
        "Reward",
        "Held-out accuracy",
        "Staleness",
        "Where each group's time went",
        "Policy version on each engine",
        "Where each learner step's time went",
        "Staleness by step",
    ):
        assert title in page.text
    assert page.tags.count("svg") == 7
    assert page.open == []
    assert "What is 2 + 3?" in page.text
    assert "dropped: stale" in page.text
    assert "0.2 to 0.4" in page.text


def test_hostile_completions_are_text_and_nothing_else(tmp_path: Path) -> None:
    write_complete_run(tmp_path)
    html = write_report(tmp_path).read_text(encoding="utf-8")
    page = Page(html)
    assert "<script>alert(1)</script>" in page.text
    assert "\\u202egnp.exe\\u001b[31m\\ud800" in page.text


def test_hostile_names_of_rewards_replicas_and_stages_are_text_too(tmp_path: Path) -> None:
    write_complete_run(tmp_path)
    write_jsonl(
        tmp_path / "metrics.jsonl", [{"step": 1, "reward": 1, "rewards": {HOSTILE: {"mean": 1}}}]
    )
    write_jsonl(tmp_path / "groups.jsonl", [{"times": {HOSTILE: 1.0}}])
    write_jsonl(tmp_path / "policy.jsonl", [{"time": 1, "replica_id": HOSTILE, "version": 0}])
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert page.text.count("<script>alert(1)</script>") >= 4


def test_a_reward_that_is_missing_is_shown_as_a_dash_and_not_as_zero(tmp_path: Path) -> None:
    write_complete_run(tmp_path)
    assert "<span>judge <b>-</b></span>" in write_report(tmp_path).read_text(encoding="utf-8")


def test_an_empty_run_directory_makes_a_report_that_says_so(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path).read_text())
    assert "it has not finished" in page.text
    assert "No measurements yet" in page.text


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "groups.jsonl", "policy.jsonl", "eval_after.json", "summary.json"]
)
def test_a_broken_file_is_named_and_the_rest_is_shown(tmp_path: Path, name: str) -> None:
    write_complete_run(tmp_path)
    with (tmp_path / name).open("a") as file:
        file.write('{"step": 31, "rew')
    page = Page(render_report(read_run(tmp_path)))
    assert f"{name}: " in page.text
    assert page.tags.count("svg") >= 4


@pytest.mark.parametrize(
    "junk", ['{"step": "x"}', "[1]", '{"step": 1, "rewards": 3}', '{"step": null}']
)
def test_records_of_an_unexpected_shape_are_passed_over(tmp_path: Path, junk: str) -> None:
    for name in ("metrics.jsonl", "groups.jsonl", "policy.jsonl", "eval_before.json"):
        (tmp_path / name).write_text(junk + "\n")
    assert "<html" in render_report(read_run(tmp_path))


def test_values_that_are_not_finite_interrupt_a_line(tmp_path: Path) -> None:
    values = [1.0, float("nan"), 2.0, 3.0]
    records = [{"step": i, "reward": value} for i, value in enumerate(values)]
    write_jsonl(tmp_path / "metrics.jsonl", records)
    html = render_report(read_run(tmp_path))
    assert html.count("<polyline") == 2
    assert "nan" not in html.lower()


def test_a_long_run_makes_a_report_of_bounded_size(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "metrics.jsonl", [{"step": i, "reward": i % 7} for i in range(20_000)])
    write_jsonl(tmp_path / "groups.jsonl", [{"times": {"generate": 1.0}} for _ in range(20_000)])
    assert len(render_report(read_run(tmp_path))) < 200_000


def test_every_reward_of_the_metrics_is_a_curve_that_breaks_where_it_is_missing(
    tmp_path: Path,
) -> None:
    """As `plaudit_trainer.learner.metrics` writes them."""
    values = [None if step == 15 else 0.5 for step in range(30)]
    records = [
        {"step": step, "reward": 0.4, "rewards": {"judge": {"mean": mean, "std": None, "nulls": 0}}}
        for step, mean in enumerate(values)
    ]
    write_jsonl(tmp_path / "metrics.jsonl", records)
    html = render_report(read_run(tmp_path))
    assert html.count('<polyline class="s0"') == 1
    assert html.count('<polyline class="s1"') == 2


def test_a_kind_that_was_only_evaluated_before_has_one_bar(tmp_path: Path) -> None:
    (tmp_path / "eval_before.json").write_text(json.dumps(evaluation(0.4, "x")))
    html = render_report(read_run(tmp_path))
    assert html.count("<rect") == len(("sampled", "greedy", "arithmetic", "code"))
    assert ">0.4</text>" in html


def test_parts_of_a_bar_are_stacked_in_one_order_throughout(tmp_path: Path) -> None:
    times = [{"queue": 1.0, "judge": 2.0}, {"judge": 2.0, "queue": 1.0}]
    write_jsonl(tmp_path / "groups.jsonl", [{"times": one} for one in times])
    html = render_report(read_run(tmp_path))
    assert re.findall(r'<rect class="f(\d)', html) == ["0", "1", "0", "1"]
