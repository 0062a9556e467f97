"""The stack in real containers: a Docker engine, our images, `docker compose up`.

`make test-compose` runs it: it takes half an hour the first time, so nothing else does.
TEST_COMPOSE_IMAGES=TAG takes images that are built, instead of building them.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .command import ROOT, run
from .directory import STAND_INS
from .engine import docker_engine, ensure_base_image, torch_index
from .stack import Stack

BUILT = os.environ.get("TEST_COMPOSE_IMAGES")
TAG = BUILT or "test"


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Skips where it cannot run, and says why."""
    if not os.environ.get("TEST_COMPOSE"):
        pytest.skip("builds images and trains in containers: make test-compose")
    if os.geteuid() != 0:
        pytest.skip("needs root, to start Docker and to kill processes in containers")
    if not shutil.which("dockerd") or not shutil.which("docker-compose"):
        pytest.skip("no Docker engine with docker-compose: install both, and debootstrap")
    with docker_engine(tmp_path_factory.mktemp("docker")):
        yield


@pytest.fixture(scope="session")
def images(docker: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Builds all images from the real Dockerfiles and prints their sizes and times."""
    if BUILT:
        return
    ensure_base_image(tmp_path_factory.mktemp("base"))
    for name in STAND_INS:
        file = Path(__file__).with_name(f"{name}.Dockerfile")
        tag = f"plaudit-{name}:test"
        run("docker", "build", "-q", "--network=host", "-f", file, "-t", tag, file.parent)
    with torch_index(tmp_path_factory.mktemp("torch")) as index:
        options = {"TAG": TAG, "TORCH_INDEX": index, "BUILD_OPTIONS": "--network host"}
        print("\n" + run(ROOT / "scripts" / "images.sh", env=options, timeout_s=3600))


@pytest.fixture(scope="session")
def stack(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything up, training, Prometheus beside it; down with its volumes in the end."""
    stack = Stack(tmp_path_factory.mktemp("stack"), TAG)
    try:
        stack.up("prometheus")
        stack.up()
        yield stack
    finally:
        stack.down()
