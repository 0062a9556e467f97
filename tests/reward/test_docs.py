"""The pages say what the code does."""

import importlib.util
import re
from pathlib import Path
from typing import Any

from plaudit_reward.registry import load_registry
from plaudit_reward.reward import Reward
from plaudit_reward.rewards import tag_count
from plaudit_reward.settings import RewardSettings

DOCS = Path(__file__).parents[2] / "docs"


async def test_the_example_of_a_reward_works(tmp_path: Path) -> None:
    text = (DOCS / "adding-a-reward.md").read_text()
    file = tmp_path / "tag_count.py"
    file.write_text(text.partition("```python\n")[2].partition("```")[0])
    spec = importlib.util.spec_from_file_location("tag_count", file)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.tag_count
    assert isinstance(found, Reward)
    assert file.read_text() == Path(tag_count.__file__).read_text()
    for vector in found.vectors:
        scores = await found(vector.group(), found.params(**vector.params), None)  # type: ignore[arg-type]
        assert scores == list(vector.expected)


def test_the_page_has_every_reward_in_one_row() -> None:
    page = (DOCS / "reward.md").read_text()
    rows = re.findall(r"\[`(\w+)`\]\(rewards\.md#\1\)", page)
    assert sorted(rows) == sorted(load_registry().rewards)


def test_the_page_has_every_setting() -> None:
    page = (DOCS / "reward.md").read_text()
    for name in RewardSettings.__annotations__:
        assert name == "port" or f"| `{name}` |" in page
