"""The run on /metrics: what the ledger knows, read when Prometheus asks. One conductor, one run."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from plaudit.schemas.run import RunStatus
from plaudit.telemetry import counter, gauge, histogram
from plaudit_trainer.conductor.context import Context

MAX_SCRAPE_S = 2.0
STATES: tuple[str, ...] = get_args(RunStatus.model_fields["state"].annotation)

GROUP_STAGE_SECONDS = histogram(
    "plaudit_trainer_group_stage_seconds",
    "Seconds that a group spent in each stage: queue, generate, reward, judge, counterfactuals.",
    ("stage",),
)
COUNTERFACTUALS = counter(
    "plaudit_trainer_counterfactuals_total",
    "Units of completions whose reward without them is known: scored, missing.",
    ("outcome",),
)
DISCRIMINATOR_UPDATES = counter(
    "plaudit_trainer_discriminator_updates_total",
    "Groups for the discriminator: learned, empty, frozen, failed, skipped (too many waited).",
    ("outcome",),
)
DISCRIMINATOR = {
    "version": gauge("plaudit_trainer_discriminator_version", "Version after its last update."),
    "loss": gauge("plaudit_trainer_discriminator_loss", "Cross-entropy before its last step."),
    "accuracy": gauge("plaudit_trainer_discriminator_accuracy", "Before its last step."),
    "separation": gauge(
        "plaudit_trainer_discriminator_separation",
        "Mean D of the expert's actions less that of the policy's, before its last step.",
    ),
}
_PROGRESS = {
    "step": "Optimizer steps that are done.",
    "version": "Policy version that the learner published last.",
    "reward": "Mean total reward of the last step.",
    "reward_std": "Standard deviation of the total rewards of the last step.",
    "zero_variance_ratio": "Share of the last step's groups whose rewards are all equal.",
    "accuracy": "Accuracy of the last evaluation.",
    "staleness_mean": "Mean staleness of the last step's groups, in steps.",
    "groups_per_s": "Groups trained per second in the last step.",
    "tokens_per_s": "Tokens of completions trained per second in the last step.",
    "step_s": "Seconds from the last step but one to the last step.",
}
_NAMES = {
    "version": "policy_version",
    "groups_per_s": "groups_per_second",
    "tokens_per_s": "tokens_per_second",
    "step_s": "step_seconds",
}


@dataclass
class Figures:
    """Of one moment: single values by name, and those with a label by name and label value."""

    single: dict[str, float] = field(default_factory=dict)
    labelled: dict[str, Mapping[str, float]] = field(default_factory=dict)


_SINGLE = {
    **{_NAMES.get(name, name): text for name, text in _PROGRESS.items()},
    "max_steps": "budget.steps of the recipe.",
    "max_staleness": "pipeline.max_staleness of the recipe.",
    "stall_timeout_seconds": "pipeline.stall_timeout_s of the recipe.",
    "served_step": "The oldest step that an engine generates with.",
    "last_progress_timestamp_seconds": "When the ledger last moved, in seconds since 1970.",
}
_LABELLED = {
    "state": ("state", f"1 for the state that the run is in: {', '.join(STATES)}."),
    "groups": ("state", "Groups: admitted and trained in all; in_flight and ready at this moment."),
    "dropped_groups": ("reason", "Groups dropped in all, by the reason."),
    "prompts": ("state", "Prompts tried so far: solved, hopeless, between (with selection)."),
    "step_part_seconds": ("part", "Seconds of the last step that the learner spent on each part."),
}


async def run_metrics_text(context: Context) -> bytes:
    """Without values while Redis does not answer."""
    try:
        async with asyncio.timeout(MAX_SCRAPE_S):
            figures = await _read(context)
    except (RedisError, TimeoutError):
        figures = Figures()
    registry = CollectorRegistry()
    registry.register(_Shown(figures))
    return generate_latest(registry)


def run_metrics(figures: Figures) -> Iterator[Metric]:
    """What a Prometheus collector yields; a figure that nobody has is left out."""
    for name, text in _SINGLE.items():
        gauge = GaugeMetricFamily(f"plaudit_trainer_{name}", text)
        if name in figures.single:
            gauge.add_metric([], figures.single[name])
        yield gauge
    for name, (label, text) in _LABELLED.items():
        gauge = GaugeMetricFamily(f"plaudit_trainer_{name}", text, labels=[label])
        for value, number in figures.labelled.get(name, {}).items():
            gauge.add_metric([value], number)
        yield gauge


async def _read(context: Context) -> Figures:
    progress = await context.ledger.progress()
    counts = await context.ledger.counts()
    ready = await context.ledger.num_ready()
    state = progress.get("state", "starting")
    groups = {"admitted": counts.admitted, "trained": counts.trained, "ready": ready}
    return Figures(
        single={**_of_progress(progress), **_of_run(context)},
        labelled={
            "state": {name: float(name == state) for name in STATES},
            "groups": {**groups, "in_flight": counts.in_flight},
            "dropped_groups": counts.dropped,
            "prompts": context.selection.counts(),
            "step_part_seconds": progress.get("step_parts_s", {}),
        },
    )


def _of_progress(progress: Mapping[str, Any]) -> dict[str, float]:
    return {
        _NAMES.get(name, name): float(progress[name])
        for name in _PROGRESS
        if progress.get(name) is not None
    }


def _of_run(context: Context) -> dict[str, float]:
    recipe = context.recipe
    known = {
        "max_steps": recipe.budget.steps,
        "max_staleness": recipe.pipeline.max_staleness,
        "stall_timeout_seconds": recipe.pipeline.stall_timeout_s,
        "served_step": context.served_step,
        "last_progress_timestamp_seconds": context.progressed_at,
    }
    return {name: float(value) for name, value in known.items() if value is not None}


class _Shown(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        return run_metrics(self._figures)
