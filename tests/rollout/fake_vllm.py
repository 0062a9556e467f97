"""A stand-in that speaks vLLM's wire format, for what the real one cannot be made to do."""

import asyncio
import math
from pathlib import Path

from aiohttp import web

MAX_MODEL_LEN = 64


class FakeVllm:
    """Its weights are one number, which is the log-probability of every token."""

    def __init__(self, seconds_per_request: float = 0.0) -> None:
        self.seconds_per_request = seconds_per_request
        self.value = 0.0
        self.stamp = "default"
        self.running = asyncio.Event()
        self.running.set()
        self.finish = asyncio.Event()
        self.finish.set()
        self.fail_generate = 0
        self.refuse_generate = False
        self.shares = [0.5, 0.25, 0.25]
        """Of the tokens that are drawn from, the likeliest first."""
        self.forgets_likeliest = False
        self.fail_reload = False
        self.num_generated = 0
        self.is_dead = False
        self.salts: list[str] = []
        self.loaded: list[str] = []
        self.max_lora_rank = 16
        self.adapters: dict[str, float] = {}
        self.unloaded: list[str] = []
        self.aborts = 0
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self._health),
            web.get("/weight_info", self._weight_info),
            web.post("/update_weight_version", self._stamp),
            web.post("/pause", self._pause),
            web.post("/resume", self._resume),
            web.post("/collective_rpc", self._reload),
            web.post("/abort_requests", self._abort),
            web.post("/v1/load_lora_adapter", self._load_adapter),
            web.post("/v1/unload_lora_adapter", self._unload_adapter),
            web.post("/tokenize", self._tokenize),
            web.post("/v1/completions", self._completions),
        ]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def restart(self) -> None:
        """As a new process: base weights, no stamp, nothing paused."""
        await self.stop()
        self.value, self.stamp, self.is_dead = 0.0, "default", False
        self.adapters = {}
        self.running.set()
        await self.start()

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=503 if self.is_dead else 200)

    async def _weight_info(self, request: web.Request) -> web.Response:
        if self.is_dead:  # nobody is left to answer, and vLLM waits
            await asyncio.sleep(60.0)
        return web.json_response({"weight_version": self.stamp})

    async def _stamp(self, request: web.Request) -> web.Response:
        self.stamp = (await request.json())["new_version"]
        return web.json_response({"success": True})

    async def _pause(self, request: web.Request) -> web.Response:
        assert request.query["mode"] == "keep"
        self.running.clear()
        return web.json_response({"status": "paused"})

    async def _resume(self, request: web.Request) -> web.Response:
        self.running.set()
        return web.json_response({"status": "resumed"})

    async def _reload(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["method"] == "reload_weights"
        path = body["kwargs"]["weights_path"]
        if self.fail_reload:
            self.fail_reload = False
            self.value = 123.0
            return web.json_response({"error": {"message": "shapes differ"}}, status=500)
        self._load(Path(path))
        self.loaded.append(path)
        return web.json_response({"results": [None]})

    def _load(self, path: Path) -> None:
        self.value = float((path / "model.safetensors").read_text())

    async def _abort(self, request: web.Request) -> web.Response:
        self.aborts += 1
        return web.json_response({"status": "aborted"})

    async def _load_adapter(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.max_lora_rank == 0:
            return web.json_response({"detail": "Not Found"}, status=404)
        assert body["lora_name"] not in self.adapters
        weights = Path(body["lora_path"]) / "adapter_model.safetensors"
        self.adapters[body["lora_name"]] = float(weights.read_text())
        return web.Response(text="Success")

    async def _unload_adapter(self, request: web.Request) -> web.Response:
        self.unloaded.append((await request.json())["lora_name"])
        del self.adapters[self.unloaded[-1]]
        return web.Response(text="Success")

    def _value_of(self, body: dict) -> float:
        """With an adapter, that is added to the weights beneath."""
        return self.value + (self.adapters[body["model"]] if "model" in body else 0.0)

    async def _tokenize(self, request: web.Request) -> web.Response:
        text = (await request.json())["messages"][-1]["content"]
        return web.json_response({"tokens": list(text.encode()), "max_model_len": MAX_MODEL_LEN})

    async def _completions(self, request: web.Request) -> web.Response:
        body = await request.json()
        if "prompt_logprobs" in body:
            await self.running.wait()
            return web.json_response({"choices": self._probed(body)})
        self.salts.append(body["cache_salt"])
        first = self._value_of(body)
        if self.refuse_generate:
            return web.json_response({"error": {"message": "no such parameter"}}, status=400)
        if self.fail_generate > 0 or self.is_dead:
            self.fail_generate -= 1
            return web.json_response({"error": {"message": "EngineDeadError"}}, status=500)
        await asyncio.sleep(self.seconds_per_request)
        await self.finish.wait()
        await self.running.wait()
        self.num_generated += 1
        values = [first, self._value_of(body)]
        choices = [self._choice(index, values) for index in range(body["n"])]
        if body["logprobs"] and not self.forgets_likeliest:
            for choice in choices:
                choice["logprobs"]["top_logprobs"] = [self._likeliest(body["logprobs"])] * 2
        return web.json_response({"choices": choices})

    def _probed(self, body: dict) -> list[dict]:
        return [
            {
                "index": index,
                "prompt_logprobs": [
                    None,
                    *(
                        {str(token): {"logprob": self._value_of(body), "rank": 1}}
                        for token in tokens[1:]
                    ),
                ],
            }
            for index, tokens in enumerate(body["prompt"])
        ]

    def _likeliest(self, number: int) -> dict[str, float]:
        """As vLLM: the drawn one, here the last of all, is there besides."""
        tokens = [len(self.shares) - 1, *range(number)]
        known = [token for token in tokens if token < len(self.shares)]
        return {f"token_id:{token}": math.log(self.shares[token]) for token in known}

    def _choice(self, index: int, logprobs: list[float]) -> dict:
        return {
            "index": index,
            "text": "ab",
            "token_ids": [1, 2],
            "logprobs": {"token_logprobs": logprobs, "tokens": ["token_id:1", "token_id:2"]},
            "finish_reason": "stop",
        }
