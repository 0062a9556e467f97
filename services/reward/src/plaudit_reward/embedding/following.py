"""The policy's hidden states from an engine that goes with the policy, of one version at a time."""

import asyncio
from collections.abc import Sequence

from plaudit.client import ClientOptions
from plaudit.errors import Unavailable
from plaudit.schemas.policy import SERVING_STAMP
from plaudit_reward.embedding.embedder import Embeddings
from plaudit_reward.embedding.endpoint import Endpoint, policy_embedder
from plaudit_reward.embedding.spec import PolicySpec

MAX_TRIES = 3
"""Versions that may come while the same texts are embedded."""
POLL_S = 0.1


class FollowingEmbedder:
    """The engine's stamp names one load of a version, and is the same before and after."""

    def __init__(self, spec: PolicySpec) -> None:
        self._inner = policy_embedder(spec)
        options = ClientOptions(api_key=spec.read_api_key(), timeout_s=spec.timeout_s)
        self._engine = Endpoint(spec.base_url.rstrip("/").removesuffix("/v1"), options)
        self._timeout_s = spec.timeout_s

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        for _ in range(MAX_TRIES):
            before = await self._serving()
            found = await self._inner.embed(texts)
            if await self.stamp() == before:
                return found
        raise Unavailable(
            f"{self._engine.peer} got other weights {MAX_TRIES} times while it embedded a group.",
            fix="publish fewer versions, or embed with an engine that does not follow",
        )

    async def stamp(self) -> str:
        return await self._engine.stamp()

    async def aclose(self) -> None:
        await self._inner.aclose()
        await self._engine.aclose()

    async def _serving(self) -> str:
        """The stamp of a proven version, waited for while one is loaded."""
        end_s = asyncio.get_running_loop().time() + self._timeout_s
        while not (stamp := await self.stamp()).startswith(SERVING_STAMP):
            if asyncio.get_running_loop().time() >= end_s:
                raise Unavailable(
                    f"{self._engine.peer} holds no proven version of the policy "
                    f"(timeout_s = {self._timeout_s:g}).",
                    fix="run a rollout worker beside it, both with PLAUDIT_ROLLOUT_POOLING=true",
                )
            await asyncio.sleep(POLL_S)
        return stamp
