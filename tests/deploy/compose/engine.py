"""A Docker engine and the base image, where neither is there and no image can be pulled."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .command import ROOT, is_fine, run

BASE = "python:3.11-slim-bookworm"
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
_START_TIMEOUT_S = 60.0
_INDEX_PORT = 8599
"""Always the same: it is a build argument, and another one would build every layer anew."""


@contextmanager
def docker_engine(directory: Path) -> Iterator[None]:
    """The one that runs, else one of our own, whose images stay for the next time."""
    if is_fine("docker", "info"):
        yield
        return
    with (directory / "dockerd.log").open("w") as log:
        daemon = subprocess.Popen(["dockerd"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not is_fine("docker", "info"):
            assert daemon.poll() is None, (directory / "dockerd.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "dockerd does not answer"
            time.sleep(0.5)
        yield
    finally:
        daemon.terminate()
        daemon.wait(60)


def ensure_base_image(directory: Path) -> None:
    """There already, or pulled, or made of Debian's packages under the same name."""
    if is_fine("docker", "image", "inspect", BASE) or is_fine("docker", "pull", BASE):
        return
    root = directory / "root"
    include = f"--include={_PACKAGES}"
    try:
        run("debootstrap", "--variant=minbase", include, "bookworm", root, timeout_s=1800)
        _import_base_image(root, directory / "root.tar")
    finally:
        # It leaves /proc mounted there, which neither tar nor who removes the directory may enter.
        is_fine("umount", root / "proc")
        shutil.rmtree(root, ignore_errors=True)


def _import_base_image(root: Path, tar: Path) -> None:
    """With the machine's own way to packages: certificates, pip's configuration, apt's sources."""
    shutil.copyfile(_CA_BUNDLE, root / _CA_BUNDLE.relative_to("/"))
    for file in ("pip.conf", "apt/sources.list", "apt/sources.list.d/debian.sources"):
        if (source := Path("/etc") / file).is_file():
            shutil.copyfile(source, root / "etc" / file)
    caches = ("--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*")
    run("tar", "--one-file-system", "-C", root, *caches, "-cf", tar, ".")
    run("docker", "import", "-c", f"ENV PIP_CERT={_CA_BUNDLE}", tar, BASE)
    tar.unlink()


@contextmanager
def torch_index(directory: Path) -> Iterator[str]:
    """An index on loopback with the CPU build of torch that this machine's pip finds; empty when
    it finds none."""
    version = next(
        line.strip()
        for line in (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
        if line.startswith("torch==")
    )
    wheels = directory / "torch"
    wheels.mkdir()
    is_fine("python3", "-m", "pip", "download", "-q", "--no-deps", "-d", wheels, f"{version}+cpu")
    handler = partial(SilentHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", _INDEX_PORT), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{_INDEX_PORT}/"
        server.shutdown()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """The test's own output is enough."""
