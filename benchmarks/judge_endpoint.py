"""A chat endpoint that answers in 200 ms and refuses more than 64 calls at once.

    python benchmarks/judge_endpoint.py PORT

It prefers the larger number. `GET /counts` says how many calls it answered and refused.
"""

import asyncio
import re
import sys

from aiohttp import web

LATENCY_S = 0.2
MAX_CALLS = 64
SHOWN = re.compile(r"A: (\d+)\nB: (\d+)$")


class Endpoint:
    def __init__(self) -> None:
        self.num_running = self.num_answered = self.num_refused = 0

    async def chat(self, request: web.Request) -> web.Response:
        if self.num_running >= MAX_CALLS:
            self.num_refused += 1
            return web.json_response({"error": {"message": "too many calls"}}, status=429)
        self.num_running += 1
        try:
            return await self.answer(await request.json())
        finally:
            self.num_running -= 1

    async def answer(self, body: dict[str, list[dict[str, str]]]) -> web.Response:
        await asyncio.sleep(LATENCY_S)
        self.num_answered += 1
        found = SHOWN.search(body["messages"][-1]["content"])
        assert found is not None, body
        letter = "A" if int(found[1]) > int(found[2]) else "B"
        message = {"role": "assistant", "content": f"Winner: response {letter}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 40, "completion_tokens": 4, "total_tokens": 44}
        return web.json_response(
            {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
            | {"choices": [choice], "usage": usage}
        )

    async def counts(self, request: web.Request) -> web.Response:
        return web.json_response({"answered": self.num_answered, "refused": self.num_refused})


def main() -> None:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.chat)
    app.router.add_get("/counts", endpoint.counts)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
