"""Dependencies point one way, and importing a package needs neither torch nor vLLM."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICES = ("rollout", "reward", "judge", "sandbox", "trainer")
PACKAGES = {"shared": "plaudit", **{f"services/{name}": f"plaudit_{name}" for name in SERVICES}}
LIGHT = (
    "plaudit",
    "plaudit.client",
    "plaudit.config",
    "plaudit.queue",
    "plaudit.service",
    "plaudit.testing",
    "plaudit.report",
    "plaudit.cli.main",
    *(f"plaudit_{name}" for name in SERVICES),
    *(f"plaudit_{name}.cli" for name in SERVICES),
)
HEAVY = {"torch", "vllm", "transformers", "trl", "deepspeed", "accelerate", "datasets"}


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_package_imports_plaudit_and_itself_and_no_other_service(folder: str) -> None:
    own = PACKAGES[folder]
    foreign = set(PACKAGES.values()) - {own, "plaudit"}
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / folder / "src" / own).rglob("*.py")
        for name in imports_of(path)
        if name.partition(".")[0] in foreign
    ]
    assert found == []


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


def imports_of(path: Path) -> Iterator[str]:
    """Wherever they stand, also inside of functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
