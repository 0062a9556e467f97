"""The wire formats of other sandboxes, so that their clients work here unchanged."""

from fastapi import FastAPI

from plaudit_sandbox.dialects.fusion import add_fusion_routes
from plaudit_sandbox.dialects.patience import Patience
from plaudit_sandbox.dialects.piston import add_piston_routes
from plaudit_sandbox.dialects.piston_runtimes import Languages
from plaudit_sandbox.runner import Runner
from plaudit_sandbox.settings import SandboxSettings


def add_dialect_routes(
    app: FastAPI, runner: Runner, settings: SandboxSettings, languages: Languages
) -> None:
    patience = Patience(runner, settings.max_concurrency)
    add_fusion_routes(app, patience)
    add_piston_routes(app, patience, languages)


__all__ = ["add_dialect_routes"]
