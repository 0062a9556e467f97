"""The seed of `make demo`: a tiny model and a task on which RL has something to do.

Importing this package loads neither torch nor transformers; building the seed does.
"""

from plaudit_trainer.seed.build import SeedPaths, build_seed
from plaudit_trainer.seed.problem import Row
from plaudit_trainer.seed.settings import SeedSettings

__all__ = ["Row", "SeedPaths", "SeedSettings", "build_seed"]
