"""The page says what the code does."""

from pathlib import Path

from plaudit_sandbox.protections import PROTECTIONS, TIERS
from plaudit_sandbox.settings import SandboxSettings

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def test_the_page_has_every_setting() -> None:
    for name in SandboxSettings.__annotations__:
        assert name == "port" or f"| `{name}` |" in PAGE


def test_the_page_has_every_protection_in_its_tiers() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 5]
    for name in PROTECTIONS:
        [row] = [line for line in rows if f"`{name}`" in line]
        _, _, _, basic, strict, _ = row.split("|")
        assert ("✓" in basic) == (name in TIERS["basic"])
        assert ("✓" in strict) == (name in TIERS["strict"])
