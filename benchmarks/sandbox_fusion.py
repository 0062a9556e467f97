"""Serves SandboxFusion's own `POST /run_code` from its source tree; run by benchmarks/sandbox.py.

    PYTHON sandbox_fusion.py CHECKOUT PORT

PYTHON is that of a virtual environment with `fastapi uvicorn pydantic structlog psutil aiofiles
databases[aiosqlite] pyyaml`. Its configuration is its default one, `isolation: none`. It looks for
the Python that runs programs in a conda installation; this environment stands in for one.
"""

import os
import sys
from importlib import import_module


def main() -> None:
    checkout, port = sys.argv[1:]
    os.makedirs(os.path.join(sys.prefix, "condabin"), exist_ok=True)
    # In place of this directory, whose sandbox.py would hide the package of that name.
    sys.path[0] = checkout
    import uvicorn
    from fastapi import FastAPI

    import_module("sandbox.utils.logging").configure_logging()
    app = FastAPI()
    app.include_router(import_module("sandbox.server.sandbox_api").sandbox_router)

    @app.get("/livez")
    async def livez() -> str:
        return "alive"

    uvicorn.run(app, port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
