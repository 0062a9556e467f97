"""Checks that tell whether a process is ready, and for what it waits when it is not."""

from dataclasses import dataclass

import httpx

_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class HttpReady:
    """Ready when `url` answers 200. Proxies of the environment are not asked."""

    url: str

    async def __call__(self) -> str | None:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S) as client:
                response = await client.get(self.url)
        except httpx.HTTPError as error:
            return f"{self.url}: {type(error).__name__}"
        if response.status_code == 200:
            return None
        return f"{self.url} answers {response.status_code}: {response.text[:300]}"
