"""`POST /get_reward`, asked as OpenRLHF's own client asks, of API and worker as processes."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from plaudit.errors import ConfigError
from plaudit.schemas.reward import RewardSpec
from plaudit_reward.app import build_app
from plaudit_reward.settings import RewardSettings

PROMPT = "<|im_start|>user\nWhat is 9 + 9?<|im_end|>\n<|im_start|>assistant\n"
TOWER = r"\boxed{10^{10^{10}}}"


async def ask(url: str, query: list[str], prompts: list[str], labels: list[Any]) -> Any:
    """As `_fetch_rewards_via_http` of OpenRLHF's utils/agent.py does, with shorter pauses."""
    payload = {"query": query, "prompts": prompts, "labels": labels}
    for _ in range(5):
        try:
            timeout = aiohttp.ClientTimeout(total=180)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(f"{url}/get_reward", json=payload) as response,
            ):
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
    raise RuntimeError("Request error for 5 times")


async def post(url: str, **body: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/get_reward", json=body) as response,
    ):
        return response.status, await response.json()


async def test_openrlhf_gets_a_number_for_each_query_in_order(service: Any) -> None:
    rewards = [{"name": "accuracy"}, {"name": "tag_count", "weight": 0.5}]
    running = await service(openrlhf_rewards=json.dumps(rewards))
    await running.work("rules")
    texts = ["It is 18.<|im_end|>", "It is 19.<|im_end|>", "<think>\n9 + 9\n</think>\n18"]
    queries = [PROMPT + text for text in texts]
    found = await ask(running.url, queries, [PROMPT] * 3, ["18", "18", {"answer": 18}])
    assert found == {
        "rewards": [1.0, 0.0, 1.25],
        "scores": [1.0, 0.0, 1.25],
        "extra_logs": {
            "accuracy": [1.0, 0.0, 1.0],
            "tag_count": [0.0, 0.0, 0.5],
            "missing": [0.0, 0.0, 0.0],
        },
    }
    # A server for which nothing is left is asked all the same.
    assert (await ask(running.url, [], [], []))["rewards"] == []
    # More than one request to the queues can hold.
    many = [f"{n % 3}" for n in range(2100)]
    found = await ask(running.url, many, [""] * 2100, ["1"] * 2100)
    assert found["rewards"] == [float(n % 3 == 1) for n in range(2100)]


async def test_where_a_reward_is_missing_there_is_no_number_for_anybody(service: Any) -> None:
    running = await service()
    await running.work("rules")
    with pytest.raises(RuntimeError):
        await ask(running.url, ["18", TOWER], ["", ""], ["18", "18"])
    status, problem = await post(running.url, query=["18", TOWER], labels=["18", "18"])
    assert (status, problem["retryable"]) == (422, False)
    assert (
        "1 of 2 queries have no reward; query.1: accuracy: the answer is not verified"
        in (problem["detail"])
    )
    assert "openrlhf_missing" in problem["fix"]
    status, problem = await post(running.url, query=["18"], prompts=["9 + 9?"], labels=["18"])
    assert status == 422
    assert "query.0: the query does not contain its prompt" in problem["detail"]
    # OpenRLHF sends "" as the label of rows that have none.
    status, problem = await post(running.url, query=["18"], prompts=[""], labels=[""])
    assert "reference.answer is missing" in problem["detail"]


async def test_what_may_pass_is_a_503_that_is_worth_sending_again(service: Any) -> None:
    running = await service(score_timeout_s="1")
    status, problem = await post(running.url, query=["18"], labels=["18"])
    assert (status, problem["retryable"]) == (503, True)
    assert "the pool 'rules' had not answered after 1 s" in problem["detail"]
    await running.work("rules")
    assert (await ask(running.url, ["18"], [""], ["18"]))["rewards"] == [1.0]


async def test_a_number_may_stand_in_for_what_is_missing_and_is_counted(service: Any) -> None:
    rewards = [{"name": "accuracy"}, {"name": "tag_count"}]
    running = await service(openrlhf_missing="-1.0", openrlhf_rewards=json.dumps(rewards))
    await running.work("rules")
    queries, prompts = ["9 + 9? 18", f"9 + 9? {TOWER}", "18"], ["9 + 9?"] * 3
    found = await ask(running.url, queries, prompts, ["18"] * 3)
    assert found["rewards"] == found["scores"] == [1.0, -1.0, -1.0]
    assert found["extra_logs"] == {
        "accuracy": [1.0, -1.0, -1.0],
        "tag_count": [0.0, 0.0, -1.0],
        "missing": [0.0, 1.0, 1.0],
    }


async def test_what_openrlhf_would_never_send_is_a_422_that_names_it(service: Any) -> None:
    running = await service()
    for body, message in (
        ({"query": ["a"], "labels": []}, "1 query, but 0 labels"),
        ({"query": ["a"], "label": ["a"]}, "label"),
        ({"queries": ["a"]}, "query"),
        ({"query": "a"}, "query"),
    ):
        status, problem = await post(running.url, **body)
        assert (status, message in problem["detail"]) == (422, True), problem


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "acuracy"}, "openrlhf_rewards: rewards.0.name = 'acuracy': unknown; did you"),
        ({"name": "format", "params": {"x": 1}}, "rewards.0.params.x: unknown"),
        ({"name": "format", "gate": {"reward": "accuracy", "at_least": 1}}, "not another reward"),
        ({"name": "format", "scale": "group"}, "scale = 'group' of 'format': each query comes"),
    ],
)  # fmt: skip
async def test_wrong_settings_are_found_when_the_api_starts(
    redis_url: str, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises((ConfigError, ValueError)) as caught:
        build_app(
            RewardSettings(redis_url=redis_url, openrlhf_rewards=[RewardSpec.model_validate(spec)])
        )
    assert message in str(caught.value)
