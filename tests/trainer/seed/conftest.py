"""A seed built with a handful of steps: the same code as the demo's, in two seconds."""

from pathlib import Path

import pytest

from plaudit_trainer.seed import SeedPaths, SeedSettings, build_seed


@pytest.fixture(scope="session")
def quick_settings() -> SeedSettings:
    return SeedSettings(warmup_steps=3, batch_size=8, hidden_size=32, num_heads=1)


@pytest.fixture(scope="session")
def quick_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeds")


@pytest.fixture(scope="session")
def quick_seed(quick_cache: Path, quick_settings: SeedSettings) -> SeedPaths:
    return build_seed(quick_cache, settings=quick_settings)
