"""The pages say what the code does: endpoints, metrics, settings, commands, links."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, get_origin

import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase
from typer.core import TyperGroup

import plaudit.cli.main
import plaudit.service.gate
import plaudit.service.middleware
import plaudit.telemetry.otlp
import plaudit_judge.app
import plaudit_judge.cli
import plaudit_judge.metrics
import plaudit_reward.app
import plaudit_reward.cli
import plaudit_reward.metrics
import plaudit_rollout.app
import plaudit_rollout.cli
import plaudit_rollout.metrics
import plaudit_sandbox.app
import plaudit_sandbox.cli
import plaudit_sandbox.metrics
import plaudit_trainer.cli
import plaudit_trainer.conductor.metrics
import plaudit_trainer.data.loading
from plaudit.config import ServiceSettings
from plaudit.config.api_key import WithApiKey
from plaudit.config.keys import NamedKey
from plaudit.local.recipes import read_recipe
from plaudit.queue import QueueOptions, queue_metrics
from plaudit.schemas.recipe import (
    DataRecipe,
    FilterRecipe,
    GrailRecipe,
    LengthBudgetRecipe,
    SourceOptions,
    SourceRecipe,
)
from plaudit_judge.judges.base import LimitedSpec, SpecBase
from plaudit_judge.judges.claude import ClaudeSpec
from plaudit_judge.judges.claude_batch_spec import BatchSpec
from plaudit_judge.judges.human import HumanSpec
from plaudit_judge.judges.jury_spec import JurySpec
from plaudit_judge.judges.nemotron import NemotronSpec
from plaudit_judge.judges.nemotron_genrm import NemotronGenrmSpec
from plaudit_judge.judges.openai import OpenAISpec as OpenAIJudgeSpec
from plaudit_judge.judges.reward_model import RewardModelSpec
from plaudit_judge.judges.rule import RuleSpec
from plaudit_judge.ledger.budget_metrics import budget_metrics
from plaudit_judge.ledger.prices import Price
from plaudit_judge.ledger.retention import CostRetention, VerdictRetention
from plaudit_judge.settings import JudgeKey, JudgeSettings
from plaudit_reward.embedding.spec import (
    EndpointSpec,
    HashedSpec,
    OpenAISpec,
    PolicySpec,
    SentenceSpec,
)
from plaudit_reward.registry import load_registry
from plaudit_reward.settings import RewardSettings
from plaudit_rollout.settings import RolloutSettings
from plaudit_sandbox.settings import SandboxSettings
from plaudit_trainer.conductor.metrics import Figures, run_metrics
from plaudit_trainer.data import load_rows
from plaudit_trainer.settings import TrainerSettings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
APPS = {
    "rollout": lambda: plaudit_rollout.app.make_app(RolloutSettings()),
    "reward": lambda: plaudit_reward.app.build_app(RewardSettings()),
    "judge": lambda: plaudit_judge.app.make_app(JudgeSettings()),
    "sandbox": lambda: plaudit_sandbox.app.build_app(SandboxSettings()),
}
METRICS: dict[str, tuple[ModuleType, ...]] = {
    "rollout": (plaudit_rollout.metrics,),
    "reward": (plaudit_reward.metrics,),
    "judge": (plaudit_judge.metrics,),
    "sandbox": (plaudit_sandbox.metrics,),
    "trainer": (plaudit_trainer.conductor.metrics, plaudit_trainer.data.loading),
    "every-service": (
        plaudit.service.middleware,
        plaudit.service.gate,
        plaudit.telemetry.otlp,
    ),
}
SETTINGS: dict[str, tuple[Any, ...]] = {
    "rollout": (RolloutSettings,),
    "reward": (RewardSettings, HashedSpec, EndpointSpec, OpenAISpec, PolicySpec, SentenceSpec),
    "judge": (
        JudgeSettings,
        JudgeKey,
        SpecBase,
        LimitedSpec,
        OpenAIJudgeSpec,
        ClaudeSpec,
        BatchSpec,
        NemotronSpec,
        NemotronGenrmSpec,
        RewardModelSpec,
        RuleSpec,
        HumanSpec,
        JurySpec,
        Price,
        VerdictRetention,
        CostRetention,
        WithApiKey,
    ),
    "sandbox": (SandboxSettings,),
    "trainer": (TrainerSettings,),
    "data": (
        DataRecipe,
        SourceOptions,
        SourceRecipe,
        FilterRecipe,
        GrailRecipe,
        LengthBudgetRecipe,
    ),
    "every-service": (ServiceSettings, NamedKey, WithApiKey),
    "queue": (QueueOptions,),
}
COMMANDS = {
    "plaudit": plaudit.cli.main.app,
    "plaudit-rollout": plaudit_rollout.cli.app,
    "plaudit-reward": plaudit_reward.cli.app,
    "plaudit-judge": plaudit_judge.cli.app,
    "plaudit-sandbox": plaudit_sandbox.cli.app,
    "plaudit-trainer": plaudit_trainer.cli.app,
}
COMMAND = re.compile(r"(?:^|[\s`/(])(plaudit(?:-[a-z]+)?)((?: +[^\s`|#)]+)*)")


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


@pytest.mark.parametrize("service", APPS)
def test_the_page_has_every_endpoint(service: str) -> None:
    app: FastAPI = APPS[service]()
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1/"):
            path = route.path.replace(":path}", "}")
            assert any(f"`{method} {path}" in page(service) for method in route.methods), path


@pytest.mark.parametrize("name", METRICS)
def test_the_page_has_every_metric(name: str) -> None:
    for metric in chain.from_iterable(vars(module).values() for module in METRICS[name]):
        if isinstance(metric, MetricWrapperBase):
            total = "_total" if isinstance(metric, Counter) else ""
            assert f"`{metric._name}{total}" in page(name)


def test_the_queue_page_has_every_metric() -> None:
    for metric in queue_metrics():
        assert f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`" in page("queue")


def test_the_pages_have_every_metric_that_is_made_when_asked() -> None:
    for name, metrics in {"trainer": run_metrics(Figures()), "judge": budget_metrics({})}.items():
        for metric in metrics:
            assert f"`{metric.name}" in page(name), metric.name


@pytest.mark.parametrize("name", SETTINGS)
def test_the_page_has_every_setting(name: str) -> None:
    for model in SETTINGS[name]:
        for setting, kind in vars(model)["__annotations__"].items():
            assert get_origin(kind) is ClassVar or f"`{setting}`" in page(name), setting


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "plaudit"])
def test_the_page_has_every_command(command: str) -> None:
    tree = typer.main.get_command(COMMANDS[command])
    assert isinstance(tree, TyperGroup)
    for name in tree.commands:
        assert f"{command} {name}" in page(command.removeprefix("plaudit-")), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        file, _, anchor = target.partition("#")
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        linked = (path.parent / file) if file else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_exists(path: Path) -> None:
    for line in code_of(path.read_text()):
        for program, rest in COMMAND.findall(line):
            if program in COMMANDS:
                check_command(typer.main.get_command(COMMANDS[program]), rest.split())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_make_target_exists(path: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = [t for line in code_of(path.read_text()) for t in re.findall(r"\bmake ([a-z-]+)", line)]
    assert set(used) <= known


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def code_of(text: str) -> Iterator[str]:
    """Lines of fenced blocks, and what stands between backticks elsewhere."""
    is_fenced = False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced or line.startswith("    plaudit"):
            yield line
        else:
            yield from re.findall(r"`([^`]+)`", line)


def check_command(command: Any, words: list[str]) -> None:
    """Subcommands and options of one line exist; arguments are not looked at."""
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{command.name} {words[0]}"
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0].rstrip(",.;:") in options, f"{command.name} {word}"


def anchors(path: Path) -> Iterable[str]:
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_the_recipe_and_the_rows_of_the_guide_fit_together(tmp_path: Path) -> None:
    """Its blocks, as they stand there; only the model is not looked for."""
    text = page("train-your-own")
    rows = text.partition("```json\n")[2].partition("```")[0]
    recipe_path = tmp_path / "my.toml"
    recipe_path.write_text(text.partition("```toml\n")[2].partition("```")[0])
    for name in ("train", "eval"):
        (tmp_path / f"{name}.jsonl").write_text(rows)
    recipe = read_recipe(str(recipe_path), [])
    found = load_rows(recipe)
    kinds = {kind for reward in recipe.rewards for kind in reward.kinds or ()}
    kinds |= set(recipe.judge.kinds or ()) if recipe.judge else set()
    assert {row.kind for row in found} == kinds
    known = load_registry().rewards
    assert {reward.name for reward in recipe.rewards} | {*recipe.eval.reward_by_kind.values()} <= {
        *known
    }
