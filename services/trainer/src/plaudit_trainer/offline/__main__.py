"""`python -m plaudit_trainer.offline --run-dir DIR`, for torchrun and accelerate."""

import argparse
from pathlib import Path

from plaudit.service.exit import guard
from plaudit_trainer.learner.teardown import without_teardown
from plaudit_trainer.offline.main import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="plaudit-trainer offline")
    parser.add_argument("--run-dir", type=Path, required=True, help="The run's directory.")
    arguments = parser.parse_args()
    with without_teardown(), guard():
        run(arguments.run_dir)


main()
