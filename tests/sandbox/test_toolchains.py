"""Languages whose tools are missing, broken, or where programs may not look."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import RunRequest
from plaudit_sandbox.toolchains import NoToolchain, Toolchain, find_toolchains
from tests.sandbox.conftest import connected

Process = Callable[..., AbstractContextManager[tuple[str, int]]]


@pytest.mark.parametrize("broken", [False, True])
async def test_a_language_that_is_absent_or_broken_is_refused_with_the_reason(
    own_sandbox: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    if broken:
        tool(tmp_path / "gcc" / "bin" / "gcc", "echo no licence >&2; exit 7")
    monkeypatch.setenv("PATH", str(tmp_path / "gcc" / "bin"))
    with own_sandbox("self") as (url, _):
        async with await connected(url) as client:
            with pytest.raises(Rejected) as caught:
                await client.run(RunRequest(language="c", code="int main(void) {}"))
            assert (await client.run(RunRequest(code="print(1)"))).stdout == "1\n"
    reason = "no licence" if broken else "there is no `gcc` on the service's PATH"
    assert caught.value.status == 422
    assert reason in str(caught.value)
    assert "use python, or install it" in str(caught.value)


def test_what_lies_outside_the_system_is_shown_by_its_own_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tool(tmp_path / "node-20" / "bin" / "node")
    monkeypatch.setenv("PATH", str(node.parent))
    assert find_toolchains()["javascript"] == Toolchain(
        {"node": str(node)}, (str(tmp_path / "node-20"),)
    )


def test_a_home_is_never_shown_for_a_tool_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tool(tmp_path / "bin" / "node")
    monkeypatch.setenv("PATH", str(node.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = find_toolchains()["javascript"]
    assert isinstance(found, NoToolchain)
    assert "does not lie in a directory of its own" in str(found)


def test_rustup_without_a_toolchain_is_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rustup = tool(tmp_path / "rust" / "bin" / "rustup", "echo no default toolchain >&2; exit 1")
    (rustup.parent / "rustc").symlink_to(rustup)
    tool(rustup.parent / "cc")
    monkeypatch.setenv("PATH", f"{rustup.parent}:/bin")
    found = find_toolchains()["rust"]
    assert isinstance(found, NoToolchain)
    assert "no default toolchain" in str(found)


def tool(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
