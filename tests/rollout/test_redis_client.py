"""Redis connections of the rollout service."""

import asyncio

from plaudit_rollout.redis_client import MAX_CONNECTIONS, connect


async def test_any_number_of_calls_at_once_share_the_connections(redis_url: str):
    async with connect(redis_url) as client:
        answers = await asyncio.gather(*(client.echo(str(number)) for number in range(500)))

        assert answers == [str(number).encode() for number in range(500)]
        assert int((await client.info("clients"))["connected_clients"]) <= MAX_CONNECTIONS + 1
