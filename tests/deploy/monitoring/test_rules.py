"""Alerts fire when they should, and none while all is well: with promtool, where there is one."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from .queries import MONITORING, ROOT, rules

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ALERTS = [rule["alert"] for rule in rules()]
RUN = 'job="plaudit-trainer", instance="t"'
ENGINE = 'job="plaudit-workers", instance="e"'
WELL = {
    f'plaudit_trainer_state{{{RUN}, state="training"}}': "1+0x200",
    f'plaudit_trainer_state{{{RUN}, state="failed"}}': "0+0x200",
    f"plaudit_trainer_last_progress_timestamp_seconds{{{RUN}}}": "0+60x200",
    f"plaudit_trainer_stall_timeout_seconds{{{RUN}}}": "300+0x200",
    f"plaudit_trainer_reward{{{RUN}}}": "0.4+0.001x200",
    f"plaudit_trainer_reward_std{{{RUN}}}": "0.3+0x200",
    f"plaudit_trainer_zero_variance_ratio{{{RUN}}}": "0.2+0x200",
    f"plaudit_trainer_staleness_mean{{{RUN}}}": "1+0x200",
    f"plaudit_trainer_max_staleness{{{RUN}}}": "2+0x200",
    f"plaudit_trainer_step{{{RUN}}}": "1+1x200",
    f"plaudit_trainer_served_step{{{RUN}}}": "0+1x200",
    f'plaudit_trainer_groups{{{RUN}, state="admitted"}}': "0+10x200",
    f'plaudit_trainer_dropped_groups{{{RUN}, reason="stale"}}': "0+0.5x200",
    f"plaudit_rollout_engine_up{{{ENGINE}}}": "1+0x200",
    f"plaudit_rollout_engine_starts_total{{{ENGINE}}}": "1+0x200",
    f"vllm:kv_cache_usage_perc{{{ENGINE}}}": "0.97+0x200",
    f"vllm:num_requests_waiting{{{ENGINE}}}": "0+0x200",
    'plaudit_queue_oldest_age_seconds{queue="rollout", lane="train", instance="r"}': "20+0x200",
    'plaudit_queue_refused_total{queue="rollout", instance="r"}': "3+0x200",
    'plaudit_queue_dead_total{queue="rollout", lane="train", instance="r"}': "2+0x200",
    'plaudit_queue_lapsed_total{queue="rollout", lane="train", instance="r"}': "4+0x200",
    'plaudit_http_requests_in_progress{service="rollout", instance="r"}': "1+0x200",
    'plaudit_queue_queued{queue="rollout", lane="train", instance="r"}': "4+0x200",
    'plaudit_judge_calls_total{judge="self", outcome="ok"}': "0+90x200",
    'plaudit_judge_calls_total{judge="self", outcome="unavailable"}': "0+9x200",
    'plaudit_judge_breaker_open{judge="self"}': "0+0x200",
    'plaudit_judge_verdicts_total{judge="self", verdict="first"}': "0+50x200",
    'plaudit_judge_verdicts_total{judge="self", verdict="second"}': "0+40x200",
    'plaudit_judge_verdicts_total{judge="self", verdict="unparsed"}': "0+2x200",
    'plaudit_judge_scores_total{judge="self", outcome="scored"}': "0+50x200",
    'plaudit_judge_budget_spent_ratio{budget="run_budget_usd"}': "0.5+0x200",
    'plaudit_judge_unstored_verdicts_total{judge="self"}': "7+0x200",
    'plaudit_reward_scores_total{reward="accuracy", outcome="scored"}': "0+50x200",
    'plaudit_reward_scores_total{reward="accuracy", outcome="missing"}': "0+1x200",
    'plaudit_http_requests_total{service="sandbox", method="POST", status="2xx"}': "0+90x200",
    'plaudit_http_requests_total{service="sandbox", method="POST", status="4xx"}': "0+1x200",
    'plaudit_sandbox_protection{protection="no_network"}': "1+0x200",
    'up{job="plaudit-judge", instance="j"}': "1+0x200",
}
"""A run of 200 minutes as it should be: series to their values, one a minute."""


@dataclass(frozen=True)
class Trouble:
    """What is other than WELL, and all alerts that it sets off."""

    changed: dict[str, str]
    alerts: set[str]


def trouble(alerts: str, **changed: str) -> Trouble:
    """`changed` by metric: of the one series of WELL whose name and labels start so."""
    series = {}
    for start, values in changed.items():
        [found] = [name for name in WELL if name.startswith(f"{start}{{")]
        series[found] = values
    return Trouble(series, set(alerts.split()))


JUDGE = 'plaudit_judge_verdicts_total{judge="self", verdict='
TROUBLES = [
    trouble("PlauditRunStalled", plaudit_trainer_last_progress_timestamp_seconds="5000+0x200"),
    Trouble(
        {
            f'plaudit_trainer_state{{{RUN}, state="training"}}': "0+0x200",
            f'plaudit_trainer_state{{{RUN}, state="failed"}}': "1+0x200",
            f"plaudit_trainer_last_progress_timestamp_seconds{{{RUN}}}": "60+0x200",
        },
        {"PlauditRunFailed"},
    ),
    trouble("PlauditRewardCollapse", plaudit_trainer_reward="0.6+0x70 0.1+0x130"),
    trouble("PlauditNoRewardSignal", plaudit_trainer_zero_variance_ratio="1+0x200"),
    trouble("PlauditStalenessAtCap", plaudit_trainer_staleness_mean="1.9+0x200"),
    trouble("PlauditGroupsDropped", plaudit_trainer_dropped_groups="0+2x200"),
    trouble("PlauditEngineDown", plaudit_rollout_engine_up="1+0x80 0+0x120"),
    trouble("PlauditEngineRestarts", plaudit_rollout_engine_starts_total="1+0x80 2+1x120"),
    Trouble(
        {f'plaudit_rollout_refusals_total{{{ENGINE}, reason="probe"}}': "_x95 1+0x100"},
        {"PlauditVersionRefused"},
    ),
    trouble("PlauditEnginesBehind", plaudit_trainer_served_step="0+0x200"),
    trouble("PlauditKvCacheFull", **{"vllm:num_requests_waiting": "5+0x200"}),
    trouble("PlauditBacklogOld", plaudit_queue_oldest_age_seconds="400+0x200"),
    trouble("PlauditQueueFull", plaudit_queue_refused_total="3+1x200"),
    trouble("PlauditDeadLetters", plaudit_queue_dead_total="2+0x90 3+0x100"),
    trouble("PlauditLeasesLapse", plaudit_queue_lapsed_total="4+1x200"),
    trouble("PlauditRedisAway", plaudit_queue_queued="4+0x80 stale"),
    Trouble(
        {'plaudit_judge_calls_total{judge="self", outcome="unavailable"}': "0+90x200"},
        {"PlauditJudgeErrors"},
    ),
    trouble("PlauditJudgeBreakerOpen", plaudit_judge_breaker_open="1+0x200"),
    Trouble({f'{JUDGE}"unparsed"}}': "0+20x200"}, {"PlauditJudgeUnparsed"}),
    Trouble(
        {'plaudit_judge_scores_total{judge="self", outcome="unparsed"}': "0+20x200"},
        {"PlauditJudgeUnparsed"},
    ),
    Trouble({f'{JUDGE}"second"}}': "0+10x200"}, {"PlauditJudgePositionBias"}),
    trouble("PlauditBudgetNearlySpent", plaudit_judge_budget_spent_ratio="0.95+0x200"),
    trouble("PlauditVerdictsUnstored", plaudit_judge_unstored_verdicts_total="7+1x200"),
    Trouble(
        {'plaudit_reward_scores_total{reward="accuracy", outcome="missing"}': "0+20x200"},
        {"PlauditRewardMissing"},
    ),
    Trouble(
        {'plaudit_http_requests_total{service="sandbox", method="POST", status="4xx"}': "0+20x200"},
        {"PlauditSandboxRefusing"},
    ),
    trouble("PlauditSandboxUnprotected", plaudit_sandbox_protection="0+0x200"),
    trouble("PlauditTargetDown", up="0+0x200"),
    Trouble(
        {'plaudit_http_requests_total{service="judge", method="POST", status="5xx"}': "0+20x200"},
        {"PlauditServerErrors"},
    ),
]


def test_every_alert_has_a_test() -> None:
    assert set().union(*(one.alerts for one in TROUBLES)) == set(ALERTS)


def test_every_alert_has_its_section_of_the_handbook_and_no_other_has_one() -> None:
    assert re.findall(r"^### (Plaudit\w+)$", OPERATIONS, re.MULTILINE) == ALERTS
    for rule in rules():
        anchor = f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == anchor
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: apt-get install prometheus")
    cases = [case(Trouble({}, set())), *map(case, TROUBLES)]
    document = {
        "rule_files": [str(MONITORING / "rules.yml")],
        "evaluation_interval": "5m",
        "tests": cases,
    }
    path = tmp_path / "rules_test.yml"
    path.write_text(yaml.safe_dump(document))
    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def case(one: Trouble) -> dict[str, Any]:
    """After 100 minutes exactly these alerts fire."""
    firing = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in one.alerts]
    return {
        "name": ", ".join(one.alerts) or "all is well",
        "interval": "1m",
        "input_series": [
            {"series": series, "values": values} for series, values in (WELL | one.changed).items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "100m",
                "exp_samples": firing,
            }
        ],
    }
