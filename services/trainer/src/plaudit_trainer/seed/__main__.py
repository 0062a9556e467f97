"""`python -m plaudit_trainer.seed`."""

from plaudit_trainer.seed.cli import app

app()
