"""An embedder that follows the policy: each group is of one version."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from plaudit.errors import ConfigError, Unavailable
from plaudit_reward.embedding import following
from plaudit_reward.embedding.embedders import Embedders
from plaudit_reward.embedding.following import FollowingEmbedder
from plaudit_reward.embedding.make import make_embedder
from plaudit_reward.embedding.spec import PolicySpec
from tests.reward.embedding.conftest import EmbeddingsServer, serving_embeddings

SERVES = "serving:run:{}:abc"


class Engine(EmbeddingsServer):
    """`stamps`: what it says of its weights, one after the other."""

    stamps: Iterator[str] = itertools.repeat(SERVES.format(0))

    async def weight_info(self, request: web.Request) -> web.Response:
        return web.json_response({"weight_version": next(self.stamps)})


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    found = Engine()
    async with serving_embeddings(found, [web.get("/weight_info", found.weight_info)]):
        yield found


@pytest.fixture
async def make_spec(engine: Engine) -> Callable[..., PolicySpec]:
    def make(**settings: Any) -> PolicySpec:
        values = {"timeout_s": 3.0, "follow": True, "batch_texts": 1} | settings
        return PolicySpec(kind="policy", base_url=engine.url, **values)

    return make


@pytest.fixture
async def embedder(make_spec: Callable[..., PolicySpec]) -> AsyncIterator[FollowingEmbedder]:
    found = make_embedder(make_spec())
    assert isinstance(found, FollowingEmbedder)
    yield found
    await found.aclose()


async def test_a_group_that_a_new_version_came_into_is_embedded_again(
    engine: Engine, embedder: FollowingEmbedder
) -> None:
    engine.stamps = itertools.chain(
        [SERVES.format(0), "loading:x"], itertools.repeat(SERVES.format(1))
    )
    assert (await embedder.embed(["a", "b"]))[:, 1].tolist() == [97.0, 98.0]
    assert [body["input"] for body in engine.bodies] == [["a"], ["b"]] * 2


async def test_the_same_version_loaded_twice_counts_as_two(
    engine: Engine, embedder: FollowingEmbedder
) -> None:
    engine.stamps = itertools.chain(["serving:run:0:x"], itertools.repeat("serving:run:0:y"))
    await embedder.embed(["a"])
    assert len(engine.bodies) == 2


async def test_it_waits_while_a_version_is_loaded(
    engine: Engine, embedder: FollowingEmbedder
) -> None:
    engine.stamps = itertools.chain(["default", "loading:x"], itertools.repeat(SERVES.format(0)))
    await embedder.embed(["a"])
    assert len(engine.bodies) == 1


async def test_without_a_proven_version_there_are_no_embeddings(
    engine: Engine, make_spec: Callable[..., PolicySpec]
) -> None:
    engine.stamps = itertools.repeat("default")
    embedder = FollowingEmbedder(make_spec(timeout_s=0.3))
    with pytest.raises(Unavailable, match=r"no proven version .* PLAUDIT_ROLLOUT_POOLING=true"):
        await embedder.embed(["a"])
    await embedder.aclose()
    assert engine.bodies == []


async def test_versions_that_never_stop_coming_are_an_error(
    engine: Engine, embedder: FollowingEmbedder
) -> None:
    engine.stamps = (SERVES.format(number) for number in itertools.count())
    with pytest.raises(Unavailable, match="got other weights 3 times"):
        await embedder.embed(["a"])
    assert len(engine.bodies) == following.MAX_TRIES


async def test_nothing_of_an_older_version_is_remembered(
    engine: Engine, make_spec: Callable[..., PolicySpec]
) -> None:
    async with Embedders({"hidden": make_spec()}, 2**20) as embedders:
        for _ in range(2):
            await embedders.embed("hidden", ["a", "a"])
    assert [body["input"] for body in engine.bodies] == [["a"], ["a"]]


async def test_what_is_kept_wants_weights_that_stay(make_spec: Callable[..., PolicySpec]) -> None:
    async with Embedders({"hidden": make_spec()}, 2**20) as embedders:
        with pytest.raises(ConfigError, match=r"follow = true\).*use an embedder with follow"):
            await embedders.embed("hidden", ["a"], fixed=True)


async def test_groups_do_not_wait_for_each_other(
    engine: Engine, embedder: FollowingEmbedder
) -> None:
    found = await asyncio.gather(*(embedder.embed([text]) for text in "abc"))
    assert [one[0][1] for one in found] == [97.0, 98.0, 99.0]
