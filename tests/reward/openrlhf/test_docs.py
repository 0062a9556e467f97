"""docs/reward.md says what a table of remotes may have, and its example is one."""

import re
import tomllib
from pathlib import Path

from plaudit.config.api_key import WithApiKey
from plaudit_reward.openrlhf.spec import RemoteSpec
from plaudit_reward.settings import RewardSettings

PAGE = (Path(__file__).parents[3] / "docs/reward.md").read_text()
SECTION = PAGE.partition("## OpenRLHF\n")[2].partition("\n## ")[0]


def test_every_key_of_a_table_is_there() -> None:
    for name in (*RemoteSpec.model_fields, *WithApiKey.model_fields):
        assert f"`{name}`" in SECTION


def test_the_example_is_a_table() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)
    settings = RewardSettings(**tomllib.loads(block)["reward"])
    assert settings.remotes["helpful"].message_format.startswith("<|im_start|>{role}\n")
