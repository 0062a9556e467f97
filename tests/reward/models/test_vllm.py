"""The kind `vllm` with servers that misbehave; test_real_vllm.py has one that does not."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from plaudit.testing import free_port
from plaudit_reward.models.pool import ModelPool
from plaudit_reward.models.spec import VllmSpec
from plaudit_reward.models.vllm import ignores_activation
from plaudit_reward.rewards.reward_model import RewardModelParams, reward_model
from plaudit_reward.scoring import GroupContext, Resources

Answer = Callable[[dict[str, Any], int], Any]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Answer], Any]]:
    """`url, asked = await serve(answer)`: `answer(body, num_calls_before)` is what POST /classify
    gives. To be named before `pool`, whose connections then close first."""
    async with AsyncExitStack() as stack:

        async def start(answer: Answer) -> tuple[str, list[web.Request]]:
            asked: list[web.Request] = []

            async def classify(request: web.Request) -> web.Response:
                asked.append(request)
                found = answer(await request.json(), len(asked) - 1)
                return found if isinstance(found, web.Response) else web.json_response(found)

            app = web.Application()
            app.router.add_post("/classify", classify)
            server = await stack.enter_async_context(TestServer(app))
            return str(server.make_url("")), asked

        yield start


def classified(*values: float) -> dict[str, Any]:
    data = {"index": 0, "label": "LABEL_0", "probs": list(values), "num_classes": len(values)}
    return {"id": "x", "object": "list", "model": "m", "data": [data], "usage": {}}


def text_of(body: dict[str, Any]) -> str:
    return body["messages"][-1]["content"]


def honest(body: dict[str, Any], _: int) -> Any:
    logit = float(len(text_of(body)))
    return classified(1 / (1 + math.exp(-logit)) if body["use_activation"] else logit)


def spec(url: str, **more: Any) -> VllmSpec:
    return VllmSpec(**{"kind": "vllm", "base_url": url, "timeout_s": 5.0, **more})


async def test_each_text_is_one_call_and_the_check_is_made_once(serve, pool, score, ask) -> None:
    url, asked = await serve(honest)
    models = await pool(default=spec(url))
    assert await score(models, "reward_model", ask("four", "4")) == [4.0, 1.0]
    assert len(asked) == 4 + 4 + 2
    assert await score(models, "reward_model", ask("4")) == [1.0]
    assert len(asked) == 11


async def test_groups_that_come_at_once_share_the_check(serve, pool, score, ask) -> None:
    url, asked = await serve(honest)
    models = await pool(default=spec(url))
    values = await asyncio.gather(*(score(models, "reward_model", ask("4")) for _ in range(5)))
    assert values == [[1.0]] * 5
    assert len(asked) == 4 + 4 + 5


async def test_a_check_that_failed_is_made_again(serve, pool, score, ask) -> None:
    def mended(body: dict[str, Any], num_calls: int) -> Any:
        return honest(body, 0) if num_calls >= 8 else classified(0.5)

    url, _ = await serve(mended)
    models = await pool(default=spec(url))
    [refused] = await score(models, "reward_model", ask("4"))
    assert "seems to squash" in refused
    assert await score(models, "reward_model", ask("4")) == [1.0]


async def test_a_server_that_squashes_all_the_same_is_not_believed(serve, pool, score, ask) -> None:
    def deaf(body: dict[str, Any], _: int) -> Any:
        return classified(1 / (1 + math.exp(-len(text_of(body)))))

    url, _ = await serve(deaf)
    models = await pool(default=spec(url), trusted=spec(url, check_activation=False))
    [value] = await score(models, "reward_model", ask("4"))
    assert "it seems to squash what should be logits" in value
    assert "--pooler-config '{\"use_activation\": false}'" in value
    [value] = await score(models, "reward_model", ask("4"), model="trusted")
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("raw", "squashed", "ignored"),
    [
        ([[0.9], [0.2]], [[0.9], [0.2]], True),
        ([[0.9], [0.2]], [[0.71], [0.55]], False),
        # A model without an activation, whose logits no sigmoid could give.
        ([[0.9], [-0.2]], [[0.9], [-0.2]], False),
        ([[0.6, 0.4]], [[0.6, 0.4]], True),
    ],
)
def test_what_gives_a_deaf_server_away(raw, squashed, ignored) -> None:
    assert ignores_activation(raw, squashed) is ignored


async def test_what_may_pass_is_tried_again(serve, pool, score, ask) -> None:
    def busy(body: dict[str, Any], num_calls: int) -> Any:
        return honest(body, 0) if num_calls else web.json_response({"error": "busy"}, status=503)

    url, _ = await serve(busy)
    models = await pool(default=spec(url, check_activation=False))
    assert await score(models, "reward_model", ask("4")) == [1.0]


@pytest.mark.parametrize("check", [True, False])
async def test_a_server_that_is_down_is_null_and_may_be_asked_again(ask, pool, check) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    models = await pool(default=spec(url, timeout_s=0.5, check_activation=check))
    group = ask("4")
    context = GroupContext(group, Resources(others={ModelPool: models}))
    [missing] = await reward_model(group, RewardModelParams(), context)
    assert missing.retryable
    assert "start it, or correct its base_url in [reward.models]" in missing.reason


BROKEN: list[tuple[str, Any, str]] = [
    ("labels", classified(1.0, 2.0), "has 2 labels; say which: label"),
    ("two", {"data": classified(1.0)["data"] * 2}, "gave 2 answers for one text"),
    ("none", classified(), "something that is no"),
    ("other", {"error": "?"}, "something that is no"),
    ("refused", None, "refused the text"),
]


@pytest.mark.parametrize(("name", "answer", "message"), BROKEN, ids=[one[0] for one in BROKEN])
async def test_an_answer_that_is_none_is_null(
    serve, pool, score, ask, name, answer, message
) -> None:
    refusal = {"error": {"message": "too long"}}
    url, _ = await serve(lambda *_: answer or web.json_response(refusal, status=400))
    models = await pool(default=spec(url, check_activation=False, timeout_s=1.0))
    [value] = await score(models, "reward_model", ask("4"))
    assert message in value


async def test_label_says_which_of_several_is_the_reward(serve, pool, score, ask) -> None:
    url, _ = await serve(lambda *_: classified(1.0, 2.0))
    specs = {f"label{i}": spec(url, label=i, check_activation=False) for i in (1, 2)}
    models = await pool(**specs)
    assert await score(models, "reward_model", ask("4"), model="label1") == [2.0]
    [value] = await score(models, "reward_model", ask("4"), model="label2")
    assert value == "label = 2: the reward model has 2 labels"


async def test_the_key_is_sent(serve, pool, score, ask, monkeypatch) -> None:
    monkeypatch.setenv("THEIR_KEY", "s3cret")
    url, asked = await serve(honest)
    models = await pool(default=spec(url, api_key_env="THEIR_KEY", check_activation=False))
    assert await score(models, "reward_model", ask("4")) == [1.0]
    assert asked[0].headers["authorization"] == "Bearer s3cret"
