"""`python -m plaudit_trainer.learner --run-dir DIR`, for torchrun and accelerate."""

import argparse
from pathlib import Path

from plaudit.service.exit import guard
from plaudit_trainer.learner.main import run
from plaudit_trainer.learner.teardown import without_teardown


def main() -> None:
    parser = argparse.ArgumentParser(prog="plaudit-trainer learner")
    parser.add_argument("--run-dir", type=Path, required=True, help="The run's directory.")
    arguments = parser.parse_args()
    with without_teardown(), guard():
        run(arguments.run_dir)


main()
