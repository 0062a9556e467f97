"""The page of all rewards is what the service itself says."""

from pathlib import Path
from typing import Any

import httpx

from plaudit.schemas.common import Contract
from plaudit.schemas.reward import RewardInfo, RewardList
from plaudit_reward.page import render

PAGE = Path(__file__).parents[2] / "docs" / "rewards.md"


class Params(Contract):
    mark: str = "!"
    """Which mark | counts."""
    most: int | None = None


def info(name: str, pool: str = "rules") -> RewardInfo:
    return RewardInfo(
        name=name,
        pool=pool,
        description="1.0 for `<a>`, not <b>.",
        source="a paper",
        params_schema=Params.model_json_schema(),
    )


def test_a_reward_is_told_with_its_parameters() -> None:
    page = render([info("shout", "code"), info("cry")])
    assert "| `code` | [shout](#shout) |" in page
    assert page.index("## cry") < page.index("## shout")
    assert "Pool `rules`. Source: a paper.\n\n1.0 for `<a>`, not &lt;b>." in page
    assert '| `mark` | string | `"!"` | Which mark \\| counts. |' in page
    assert "| `most` | integer or null | `null` | |" in page


async def test_the_page_in_docs_is_that_of_the_running_service(service: Any) -> None:
    """Red? `plaudit-reward page > docs/rewards.md`."""
    running = await service()
    async with httpx.AsyncClient() as client:
        answer = await client.get(running.url + "/v1/rewards")
    assert PAGE.read_text() == render(RewardList.model_validate_json(answer.content).rewards)
