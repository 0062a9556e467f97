"""Entropies at each token: exact where 20 tokens have it all, else a bound from below."""

import math
import random

import pytest

from plaudit.errors import Unavailable
from plaudit.schemas.common import Message
from plaudit.schemas.rollout import RolloutPrompt, RolloutRequest, Sampling
from plaudit_rollout.engine import client as engine_client
from plaudit_rollout.engine.client import EngineClient
from plaudit_rollout.engine.entropy import entropy_of

FEW = [0.5, 0.25, 0.25]
MANY = [0.5, *[0.5 / 63] * 63]


def nats(shares: list[float]) -> float:
    return -sum(share * math.log(share) for share in shares if share > 0)


def logs(shares: list[float]) -> list[float]:
    return [math.log(share) if share > 0 else -9999.0 for share in shares]


@pytest.mark.parametrize(
    "shares", [[1.0], [1.0, 0.0], FEW, [0.05] * 20], ids=["sure", "impossible", "few", "twenty"]
)
def test_of_at_most_20_tokens_it_is_exact(shares: list[float]) -> None:
    assert entropy_of(logs(shares)) == pytest.approx(nats(shares), abs=1e-9)


def test_the_rest_counts_as_one_token_and_the_21st_that_vllm_adds_as_a_part_of_it() -> None:
    rest = 0.5 - 19 * 0.5 / 63
    wanted = nats([*MANY[:20], rest])
    assert entropy_of(logs(MANY)[:20]) == pytest.approx(wanted, abs=1e-9)
    assert entropy_of(logs(MANY)[:21]) == pytest.approx(wanted, abs=1e-9)


def test_it_is_never_over_the_true_one_and_never_negative() -> None:
    rng = random.Random(0)
    for size in (1, 2, 20, 21, 500):
        weights = [rng.expovariate(1.0) ** 4 + 1e-12 for _ in range(size)]
        shares = [weight / sum(weights) for weight in weights]
        known = sorted(logs(shares), reverse=True)[:20]
        assert 0.0 <= entropy_of(known) <= nats(shares) + 1e-9
    assert entropy_of([1e-7]) == 0.0, "float32 rounds over 1"


def asked(*, entropies: bool) -> RolloutRequest:
    prompt = [Message(role="user", content="hi")]
    sampling = Sampling(entropies=entropies)
    group = RolloutPrompt(group_id="a", prompt=prompt, n=2, sampling=sampling)
    return RolloutRequest(run_id="run", groups=[group])


@pytest.mark.parametrize(("entropies", "wanted"), [(True, [1.5 * math.log(2)] * 2), (False, None)])
async def test_completions_have_one_for_each_token_where_it_is_asked_for(
    client, engines, make_settings, run_worker, collect, entropies, wanted
):
    engine = await engines()
    engine.shares = FEW
    async with run_worker(make_settings(engine_url=engine.url)):
        await client.submit(asked(entropies=entropies))
        group = (await collect(client, 1))["a"]
    for completion in group.completions:
        assert completion.entropies == (wanted and pytest.approx(wanted))


async def test_an_engine_that_leaves_them_out_is_no_engine_to_believe(engines):
    engine = await engines()
    engine.forgets_likeliest = True
    connection = EngineClient(engine.url, 5.0, 5.0)
    try:
        with pytest.raises(Unavailable, match="likeliest tokens"):
            await connection.generate([1], 1, Sampling(entropies=True), "salt")
    finally:
        await connection.aclose()


async def test_an_answer_has_a_bound(engines, monkeypatch):
    engine = await engines()
    monkeypatch.setattr(engine_client, "MAX_ANSWER_BYTES", 100)
    connection = EngineClient(engine.url, 5.0, 5.0)
    try:
        with pytest.raises(Unavailable, match="more than 100 bytes"):
            await connection.generate([1], 1, Sampling(), "salt")
    finally:
        await connection.aclose()
