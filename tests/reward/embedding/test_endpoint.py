"""An endpoint that speaks OpenAI's POST /embeddings."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from plaudit.errors import ConfigError, Rejected, Unavailable
from plaudit.testing import free_port
from plaudit_reward.embedding.endpoint import openai_embedder, policy_embedder
from plaudit_reward.embedding.spec import OpenAISpec, PolicySpec


@pytest.fixture
async def embed(server: Any) -> Any:
    """`await embed("a", "b", batch_texts=1)`."""

    async def call(*texts: str, **settings: Any) -> list[list[float]]:
        values = {"base_url": server.url, "model": "small", "timeout_s": 3.0} | settings
        embedder = openai_embedder(OpenAISpec(kind="openai", **values))
        try:
            return (await embedder.embed(texts)).tolist()
        finally:
            await embedder.aclose()

    return call


async def test_embeddings_are_in_the_order_of_the_texts(embed: Any, server: Any) -> None:
    assert await embed("abc", "d") == [[3, 97, 99, 1], [1, 100, 100, 1]]
    assert server.bodies == [{"model": "small", "input": ["abc", "d"], "encoding_format": "float"}]


async def test_batches_are_bounded(embed: Any, server: Any) -> None:
    found = await embed(*(("x" * n) for n in range(1, 6)), batch_texts=2)
    assert [one[0] for one in found] == [1, 2, 3, 4, 5]
    assert [len(body["input"]) for body in server.bodies] == [2, 2, 1]


async def test_long_texts_are_cut_by_bytes_between_characters(embed: Any, server: Any) -> None:
    await embed("a" * 9 + "b", "ab\u20ac\u20ac", max_text_bytes=7)
    assert server.bodies[0]["input"] == ["a" * 7, "ab\u20ac"]


async def test_dimensions_are_asked_for_and_checked(embed: Any, server: Any) -> None:
    await embed("a", dimensions=4)
    assert server.bodies[0]["dimensions"] == 4
    with pytest.raises(Unavailable, match="an embedding of 4 dimensions, not 3"):
        await embed("a", dimensions=3)


async def test_dimensions_do_not_change_on_the_way(server: Any) -> None:
    embedder = openai_embedder(OpenAISpec(kind="openai", base_url=server.url, model="small"))
    await embedder.embed(["a"])
    server.answer = lambda body: rows(body, [1.0, 2.0])
    with pytest.raises(Unavailable, match="of 2 dimensions, not 4"):
        await embedder.embed(["b"])
    await embedder.aclose()


async def test_it_tries_again(embed: Any, server: Any) -> None:
    def busy_once(body: dict[str, Any]) -> web.Response:
        server.answer = server.plain
        return web.Response(status=429, headers={"retry-after": "0"})

    server.answer = busy_once
    assert await embed("a") == [[1, 97, 97, 1]]
    assert len(server.bodies) == 2


async def test_it_gives_up_at_its_deadline(server: Any, embed: Any) -> None:
    server.answer = lambda body: web.Response(status=503)
    with pytest.raises(Unavailable):
        await embed("a", timeout_s=0.5)


async def test_nobody_there_is_unavailable(embed: Any) -> None:
    with pytest.raises(Unavailable, match="base_url"):
        await embed("a", base_url=f"http://127.0.0.1:{free_port()}/v1", timeout_s=0.5)


async def test_a_refusal_is_not_tried_again(server: Any, embed: Any) -> None:
    server.answer = lambda body: web.json_response({"error": {"message": "too long"}}, status=400)
    with pytest.raises(Rejected, match="too long"):
        await embed("a")
    assert len(server.bodies) == 1


def rows(body: dict[str, Any], row: Any, *, shift: int = 0) -> web.Response:
    data = [{"index": index + shift, "embedding": row} for index in range(len(body["input"]))]
    return web.json_response({"data": data})


@pytest.mark.parametrize(
    "answer",
    [
        lambda body: rows(body, [1.0], shift=1),
        lambda body: web.json_response({"data": []}),
        lambda body: rows(body, []),
        lambda body: rows(body, ["NaN"]),
        lambda body: rows(body, [1.0] * 8193),
        lambda body: web.Response(text='{"data": [{"index": 0, "embedding": [NaN]}]}'),
        lambda body: web.Response(text="<html>"),
    ],
    ids=["index", "none", "empty", "nan", "large", "bare nan", "html"],
)
async def test_garbage_is_unavailable(server: Any, embed: Any, answer: Any) -> None:
    server.answer = answer
    with pytest.raises(Unavailable):
        await embed("a", timeout_s=0.3)


async def test_the_key_comes_from_where_the_settings_say(
    server: Any, embed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-environment")
    (tmp_path / "key").write_text("sk-file\n")
    await embed("a", api_key_env="SOME_KEY")
    await embed("a", api_key_file=tmp_path / "key")
    await embed("a")
    assert server.keys == ["Bearer sk-environment", "Bearer sk-file", None]


async def test_a_missing_key_is_a_setting_to_correct(embed: Any) -> None:
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        await embed("a", api_key_env="NO_SUCH_KEY")


async def test_a_vllm_is_asked_to_cut_what_is_over_its_context(server: Any) -> None:
    embedder = policy_embedder(PolicySpec(kind="policy", base_url=server.url))
    await embedder.embed(["a"])
    await embedder.aclose()
    cut = {"truncate_prompt_tokens": -1, "truncation_side": "right"}
    plain = {"model": "policy", "input": ["a"], "encoding_format": "float"}
    assert server.bodies == [plain | cut]
