"""Pages in a real browser: where Chromium is, and an application that listens on this machine."""

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from serving import PATIENCE_S

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def served(app: FastAPI) -> Iterator[str]:
    """The address of an application that listens on this machine."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="on"))
    started = threading.Event()
    startup = server.startup

    async def telling(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        started.set()

    server.startup = telling  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(PATIENCE_S)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
