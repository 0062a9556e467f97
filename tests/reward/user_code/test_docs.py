"""The examples of docs/adding-a-reward.md, as they stand there."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.schemas.reward import Answer, RewardGroup
from plaudit_reward.registry import load_registry

PAGE = Path(__file__).parents[3] / "docs/adding-a-reward.md"


def blocks(language: str) -> list[str]:
    section = PAGE.read_text().partition("## Your own reward")[2]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


GROUP = RewardGroup(
    group_id="g",
    prompt=[],
    completions=[Answer(text="18", num_tokens=1), Answer(text="x" * 300), Answer(text="")],
    reference={"answer": "18"},
)


async def test_the_function_in_a_file_works_as_the_recipe_names_it(files: Any) -> None:
    source, _ = blocks("python")
    [spec] = tomllib.loads(blocks("toml")[0])["rewards"]
    path, _, function = spec["name"].partition(":")
    name = f"{files.write(source, Path(path).name)}:{function}"
    scores = await files.ask(name, GROUP, **spec["params"])
    assert scores.groups == [{name: [1.0, 0.0, "the reward gave None"]}]


async def test_the_reward_in_a_file_works(files: Any) -> None:
    _, source = blocks("python")
    name = f"{files.write(source)}:brief"
    scores = await files.ask(name, GROUP, limit_tokens=0)
    assert scores.groups == [{name: [0.5, *["num_tokens is missing"] * 2]}]
    assert (await files.ask(name, GROUP)).groups[0][name][0] == 1.0


async def test_the_package_works(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tomllib.loads(blocks("toml")[1])["project"]
    points = project["entry-points"]["plaudit.rewards"]
    info = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [f"{name} = {place}" for name, place in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[plaudit.rewards]", *lines]))
    for place, source in zip(points.values(), blocks("python"), strict=True):
        (tmp_path / f"{place.partition(':')[0]}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    assert {*points} <= {*load_registry().rewards}
    files = await start()
    assert (await files.ask("brief", GROUP)).groups[0]["brief"][0] == 1.0
    assert (await files.ask("brevity", GROUP)).groups[0]["brevity"][:2] == [1.0, 0.0]
