"""Which models are in memory."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from plaudit.errors import ConfigError, Unavailable
from plaudit_reward.models import residents
from plaudit_reward.models.residents import Residents


class Loader:
    """Notes what it loads; models are their names. `bad` fails."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.broken = {"bad"}
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, name: str) -> str:
        self.loads.append(name)
        await self.gate.wait()
        if name in self.broken:
            raise ConfigError(f"{name} is broken", fix="mend it")
        return name


@asynccontextmanager
async def made(max_resident: int):
    loader = Loader()
    found = Residents(loader, max_resident)
    yield loader, found
    await found.aclose()


async def use(found: Residents[str], name: str) -> str:
    async with found.using(name) as model:
        return model


async def test_a_model_is_loaded_when_it_is_first_used_and_once() -> None:
    async with made(2) as (loader, found):
        assert loader.loads == []
        assert await asyncio.gather(*(use(found, "a") for _ in range(5))) == ["a"] * 5
        assert loader.loads == ["a"]


async def test_the_one_unused_for_longest_makes_room() -> None:
    async with made(2) as (loader, found):
        for name in ("a", "b", "a", "c", "a", "b"):
            await use(found, name)
        assert loader.loads == ["a", "b", "c", "b"]


async def test_a_model_in_use_stays_and_the_next_waits_for_its_place() -> None:
    async with made(1) as (loader, found):
        async with found.using("a"):
            waiting = asyncio.create_task(use(found, "b"))
            await asyncio.sleep(0.05)
            assert loader.loads == ["a"] and not waiting.done()
        assert await asyncio.wait_for(waiting, 1) == "b"


async def test_many_models_with_one_place_all_get_their_turn() -> None:
    async with made(1) as (_, found):
        names = [f"m{i % 7}" for i in range(50)]
        uses = asyncio.gather(*(use(found, name) for name in names))
        assert await asyncio.wait_for(uses, 5) == names


async def test_a_model_that_cannot_be_loaded_is_not_tried_again_at_once(monkeypatch) -> None:
    async with made(1) as (loader, found):
        for _ in range(3):
            with pytest.raises(ConfigError, match="bad is broken Fix: mend it"):
                await use(found, "bad")
        assert loader.loads == ["bad"]
        assert await asyncio.wait_for(use(found, "a"), 1) == "a"
        monkeypatch.setattr(residents, "RETRY_LOAD_S", 0.0)
        loader.broken.clear()
        assert await use(found, "bad") == "bad"


async def test_what_a_library_raises_is_told_and_may_pass() -> None:
    async def load(name: str) -> str:
        raise RuntimeError("not enough memory")

    found = Residents(load, 1)
    for _ in range(2):
        with pytest.raises(Unavailable, match="'a' could not be loaded: RuntimeError: not enough"):
            await use(found, "a")


async def test_whoever_leaves_does_not_end_the_load_of_others() -> None:
    async with made(1) as (loader, found):
        loader.gate.clear()
        leaving, staying = (asyncio.create_task(use(found, "a")) for _ in range(2))
        await asyncio.sleep(0.02)
        leaving.cancel()
        next_model = asyncio.create_task(use(found, "b"))
        await asyncio.sleep(0.02)
        loader.gate.set()
        both = await asyncio.wait_for(asyncio.gather(staying, next_model), 1)
        assert list(both) == ["a", "b"]
        assert loader.loads == ["a", "b"]


async def test_a_load_that_all_have_left_frees_its_place_when_it_ends() -> None:
    for first in ("a", "bad"):
        async with made(1) as (loader, found):
            loader.gate.clear()
            leaving = asyncio.create_task(use(found, first))
            await asyncio.sleep(0.02)
            leaving.cancel()
            waiting = asyncio.create_task(use(found, "b"))
            await asyncio.sleep(0.02)
            loader.gate.set()
            assert await asyncio.wait_for(waiting, 1) == "b"
