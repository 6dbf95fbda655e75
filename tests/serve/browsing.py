"""Pages in a real browser: Chromium, an application that listens on this machine, and a page that is open."""

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from serving import PATIENCE_S

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
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


def chromium() -> Iterator[Any]:
    """A browser without a window."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"])
        yield found
        found.close()


class Opened:
    """A page that is open. Nothing may go wrong in it, and nothing be asked elsewhere: `troubles` says what did."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        context = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | context
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(1_000 * PATIENCE_S)
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda told: self.troubles.append(told.text) if told.type == "error" else None)
        self.page.on("request", lambda asked: self._asked(asked.url, url))
        self.page.on("response", lambda got: self._answered(got))
        self.page.goto(url)

    def texts(self, selector: str) -> list[str]:
        """What all of these say."""
        return [str(text) for text in self.page.locator(selector).all_text_contents()]

    def close(self) -> None:
        """Close it."""
        self.context.close()

    def _asked(self, asked: str, url: str) -> None:
        if not asked.startswith((f"{url}/", "blob:")):
            self.troubles.append(f"asked {asked}")

    def _answered(self, response: Any) -> None:
        """What came of a request; nothing is done with it here."""
