"""Where the tools of each language are on this machine, and what programs must read of them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from plaudit.schemas.sandbox import Language
from plaudit_sandbox.languages import TOOLSETS, Toolset

RUSTUP_TIMEOUT_S = 20.0
_SYSTEM = ("/usr", "/bin", "/lib")
"""What the launcher lets every program read anyway."""


class NoToolchain(Exception):
    """Why a language is not available."""


@dataclass(frozen=True)
class Toolchain:
    """The tools of one language. `roots`: directories that they live in."""

    tools: Mapping[str, str]
    roots: tuple[str, ...]


def find_toolchains() -> dict[Language, Toolchain | NoToolchain]:
    """Of every language, as far as that can be told without running a program in it."""
    return {language: _find(toolset) for language, toolset in TOOLSETS.items()}


def _find(toolset: Toolset) -> Toolchain | NoToolchain:
    try:
        tools = {name: _path_of(name) for name in toolset.tools}
        roots = {root for path in tools.values() if (root := _root_of(path))}
    except NoToolchain as reason:
        return reason
    extra = {path for pattern in toolset.readable for path in glob(pattern)}
    return Toolchain(tools, tuple(sorted(roots | extra)))


def _path_of(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        raise NoToolchain(f"there is no `{tool}` on the service's PATH")
    path = os.path.realpath(found)
    if Path(path).name == "rustup":
        # A stand-in for the compiler of a toolchain that is elsewhere.
        return os.path.join(_rust_root(found), "bin", tool)
    return path


def _rust_root(rustc: str) -> str:
    command = [rustc, "--print", "sysroot"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUSTUP_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoToolchain(f"`{' '.join(command)}` gives no toolchain: {error}") from None
    root = os.path.realpath(done.stdout.strip() or "/nowhere")
    if not os.access(os.path.join(root, "bin", "rustc"), os.X_OK):
        raise NoToolchain(f"`{' '.join(command)}` names no toolchain: {done.stderr.strip()[:200]}")
    return root


def _root_of(path: str) -> str | None:
    """The directory that holds `bin/tool` and the rest; None when programs can read it anyway."""
    if Path(path).parts[:2] in {Path(one).parts for one in _SYSTEM}:
        return None
    root = Path(path).parents[1]
    if root in (Path.home(), *Path.home().parents):
        raise NoToolchain(f"{path} does not lie in a directory of its own that programs may read")
    return str(root)
