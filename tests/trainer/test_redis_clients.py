"""Redis connections of the trainer's processes."""

import asyncio

from plaudit_trainer.redis_clients import MAX_CONNECTIONS, connect_async


async def test_any_number_of_calls_at_once_share_the_connections(redis_url: str):
    async with connect_async(redis_url) as client:
        answers = await asyncio.gather(*(client.echo(str(number)) for number in range(500)))

        assert answers == [str(number).encode() for number in range(500)]
        assert int((await client.info("clients"))["connected_clients"]) <= MAX_CONNECTIONS + 1
