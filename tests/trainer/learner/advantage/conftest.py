"""Scored batches, plain or random, on one rank or split over two."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import torch

from plaudit.schemas.recipe import MethodRecipe
from plaudit.schemas.run import Unit
from plaudit_trainer.learner.advantage.batch import Estimate, Gather, ScoredBatch
from plaudit_trainer.learner.advantage.estimator import ESTIMATORS


@dataclass
class Sample:
    """One completion, in plain Python: what an independent reference computes from."""

    reward: float | None
    group: int
    num_tokens: int
    is_masked: bool = False
    token_rewards: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)


def batch_of(samples: list[Sample], **options) -> ScoredBatch:
    """Padded with values that must not count."""
    width = max(1, *(sample.num_tokens for sample in samples))

    def padded(columns: list[list[float]], fill: float) -> torch.Tensor:
        rows = [column + [fill] * (width - len(column)) for column in columns]
        return torch.tensor(rows, dtype=torch.float64)

    return ScoredBatch(
        rewards_B=torch.tensor(
            [float("nan") if s.reward is None else s.reward for s in samples], dtype=torch.float64
        ),
        group_B=torch.tensor([s.group for s in samples]),
        mask_BC=padded([[float(not s.is_masked)] * s.num_tokens for s in samples], 0.0).bool(),
        token_rewards_BC=padded([s.token_rewards for s in samples], 0.0),
        kl_BC=padded([s.kl for s in samples], 99.0) if any(s.kl for s in samples) else None,
        values_BC=padded([s.values for s in samples], 99.0),
        units=[s.units for s in samples],
        **{"gather": lambda tensor: tensor, **options},
    )


@pytest.fixture
def estimate():
    def run(method: MethodRecipe, samples: list[Sample], **options) -> Estimate:
        return ESTIMATORS[method.name](batch_of(samples, **options), method)

    return run


@pytest.fixture
def over_two_ranks():
    """The advantages that two ranks find with a half of the samples each."""

    def run(method: MethodRecipe, samples: list[Sample], **options) -> torch.Tensor:
        half = len(samples) // 2
        parts = [samples[:half], samples[half:]]
        gathers = two_gathers()

        def of_rank(rank: int) -> torch.Tensor:
            batch = batch_of(parts[rank], gather=gathers[rank], **options)
            return ESTIMATORS[method.name](batch, method).advantages_BC

        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(of_rank, range(2)))
        width = max(part.size(1) for part in found)
        return torch.cat([torch.nn.functional.pad(p, (0, width - p.size(1))) for p in found])

    return run


def two_gathers() -> list[Gather]:
    """What two ranks (threads) call together."""
    meeting = threading.Barrier(2, timeout=20)
    brought: list[torch.Tensor] = [torch.empty(0)] * 2

    def gather_of(rank: int) -> Gather:
        def gather(tensor: torch.Tensor) -> torch.Tensor:
            brought[rank] = tensor
            meeting.wait()
            together = torch.cat(brought)
            meeting.wait()
            return together

        return gather

    return [gather_of(0), gather_of(1)]


@pytest.fixture
def random_samples():
    """Groups of several sizes with padding, missing rewards, a single-member group and one whose
    rewards are all equal."""

    def make(seed: int) -> list[Sample]:
        draw = random.Random(seed)
        sizes = [4, 1, 3, 4]
        samples = []
        for group, size in enumerate(sizes):
            for _ in range(size):
                num_tokens = draw.randint(1, 7)
                known = group >= 2 or draw.random() > 0.2
                reward = 0.7 if group == 0 else draw.gauss(0, 2)
                samples.append(
                    Sample(
                        reward=reward if known else None,
                        group=group,
                        num_tokens=num_tokens,
                        is_masked=not known or draw.random() < 0.1,
                        token_rewards=[draw.gauss(0, 1) for _ in range(num_tokens)],
                        kl=[draw.gauss(0, 1) for _ in range(num_tokens)],
                        values=[draw.gauss(0, 1) for _ in range(num_tokens)],
                    )
                )
        return samples

    return make
