"""Mean and spread of a segment's reward as lines in ln p, p being its place in the text.

The j-th of T segments is at p = (j + 1) / T. Rewards at one p, rounded to three decimals, give a
mean and a standard deviation; robust lines go through those of all p.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from plaudit.segments import LocationNorm
from plaudit_trainer.offline.unit_rm.huber import Line, huber_line

DECIMALS = 3
LOG_OFFSET = 1e-10


class Fit(NamedTuple):
    norm: LocationNorm
    r2_mean: float | None
    r2_std: float | None
    num_answers: int
    num_places: int
    warning: str | None
    """Why `norm` changes nothing."""


def fit_location_norm(answers: Sequence[Sequence[float]]) -> Fit:
    """`answers`: the segments' raw rewards, in their order."""
    places: dict[float, list[float]] = defaultdict(list)
    for rewards in answers:
        for j, reward in enumerate(rewards):
            if math.isfinite(reward):
                places[round((j + 1) / len(rewards), DECIMALS)].append(reward)
    # One reward alone has no spread.
    known = {p: rewards for p, rewards in places.items() if len(rewards) > 1}
    if len(known) < 2:
        reason = f"{len(answers)} answers have segments at {len(known)} places in more than one"
        return Fit(LocationNorm(), None, None, len(answers), len(known), reason)
    mean, std = _lines(known)
    if std.intercept <= 0.0:
        reason = "the fitted standard deviation at the end of a text is not over 0"
        return Fit(LocationNorm(), None, None, len(answers), len(known), reason)
    p_min = min(known)
    norm = LocationNorm(mean.slope, std.slope, mean.intercept, std.intercept, p_min)
    return Fit(norm, mean.r2, std.r2, len(answers), len(known), None)


def _lines(places: dict[float, list[float]]) -> tuple[Line, Line]:
    x = np.log(np.array(list(places)) + LOG_OFFSET)
    means = np.array([np.mean(rewards) for rewards in places.values()])
    stds = np.array([np.std(rewards) for rewards in places.values()])
    return huber_line(x, means), huber_line(x, stds)


def normalization_key(model: str, dataset: str, c_ent: float) -> str:
    """Where the file has the parameters, in the tables of the paper's own."""
    return "/".join([_plain(model), _plain(dataset), "peak", "avg", f"{c_ent:g}"])


def normalization_file(key: str, fit: Fit) -> dict[str, Any]:
    """Its content: tables, and under NORMALIZATION_KEY the parameters again, whatever model and
    data set are called, with what is known of the fit."""
    norm = fit.norm
    parameters = [norm.w_mu, norm.w_sigma, norm.b_mu, norm.b_sigma, norm.p_min]
    content: Any = parameters
    for name in reversed(key.split("/")):
        content = {name: content}
    known = fit._asdict()
    del known["norm"]
    return {**content, "fit": {"parameters": parameters, **known}}


def _plain(name: str) -> str:
    """The last part of a path or hub id."""
    return name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".jsonl")
