"""A stand-in for a vLLM that pools, with a model of two matrices, and versions of that model."""

import hashlib
import json
from pathlib import Path

import numpy as np
from aiohttp import web
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from plaudit.schemas.policy import (
    MANIFEST_NAME,
    PolicyAnnouncement,
    PolicyFile,
    PolicyManifest,
    Probe,
    ProbeSequence,
)
from tests.rollout.fake_vllm import FakeVllm

VOCABULARY, WIDTH = 50, 8
PROBES = ([3, 20, 30, 40, 49, 7], [5, 6])


Weights = dict[str, NDArray[np.float32]]


def make_weights(seed: int) -> Weights:
    shape = VOCABULARY, WIDTH
    random = np.random.default_rng(seed)
    return {
        name: random.normal(size=shape).astype(np.float32)
        for name in ("model.embed_tokens.weight", "lm_head.weight")
    }


def hidden(weights: Weights, token_ids: list[int]) -> NDArray[np.float64]:
    """Of each token, with half of the one before it."""
    states = weights["model.embed_tokens.weight"][token_ids].astype(np.float64)
    states[1:] += 0.5 * states[:-1]
    return states


def logprobs(weights: Weights, token_ids: list[int]) -> list[float]:
    logits = hidden(weights, token_ids)[:-1] @ weights["lm_head.weight"].T
    logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return logits[np.arange(len(logits)), token_ids[1:]].tolist()


def publish(
    root: Path, version: int, seed: int, *, claimed: int | None = None, run_id: str = "run"
) -> PolicyAnnouncement:
    """`claimed`: the seed of the weights that the probe is of."""
    directory = root / f"v{version:06d}"
    directory.mkdir(parents=True)
    save_file(make_weights(seed), directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps({"tie_word_embeddings": False}))
    claimed_weights = make_weights(seed if claimed is None else claimed)
    probe = [
        ProbeSequence(token_ids=ids, logprobs=logprobs(claimed_weights, ids)) for ids in PROBES
    ]
    manifest = PolicyManifest(
        run_id=run_id,
        version=version,
        step=version,
        files={path.name: _described(path) for path in directory.iterdir()},
        probe=Probe(sequences=probe),
    )
    raw = manifest.model_dump_json().encode()
    (directory / MANIFEST_NAME).write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    return PolicyAnnouncement(
        run_id=run_id, version=version, path=str(directory), manifest_sha256=digest
    )


def _described(path: Path) -> PolicyFile:
    raw = path.read_bytes()
    return PolicyFile(sha256=hashlib.sha256(raw).hexdigest(), num_bytes=len(raw))


class FakePooling(FakeVllm):
    """`stamps`: all that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = make_weights(0)
        self.stamps: list[str] = []
        self.num_embedded = 0

    def _routes(self) -> list[web.RouteDef]:
        return [*super()._routes(), web.post("/v1/embeddings", self._embeddings)]

    def _load(self, path: Path) -> None:
        self.weights = load_file(path / "model.safetensors")

    async def _stamp(self, request: web.Request) -> web.Response:
        answer = await super()._stamp(request)
        self.stamps.append(self.stamp)
        return answer

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["use_activation"] is False
        await self.running.wait()
        self.num_embedded += 1
        data = [
            {"index": index, "embedding": hidden(self.weights, ids).mean(0).tolist()}
            for index, ids in enumerate(body["input"])
        ]
        return web.json_response({"data": data[::-1]})
