"""A page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NOT_DRAWN = ".chart:not([data-drawn])"


def find_browser() -> str | None:
    """Return the program of a Chromium that is installed, or none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """A headless browser with one page at a time.

    Attributes:
        complaints: What the page's console said, and what the page asked for and did not get.
        requests: The addresses that the page asked for.
    """

    def __init__(self) -> None:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=find_browser(), args=list(_QUIET))
        self._page: Page | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []

    @property
    def page(self) -> Page:
        """The page that was opened last."""
        assert self._page is not None, "open a page first"
        return self._page

    def open(
        self,
        path: Path,
        *,
        width: int = 1200,
        height: int = 900,
        scheme: Any = None,
    ) -> None:
        """Open a file, and wait until its figures are drawn."""
        if self._page is not None:
            self._page.context.close()
        context = self._browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self._page = context.new_page()
        self.complaints, self.requests = [], []
        self._page.on("console", self._hear)
        self._page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._page.on("requestfailed", lambda request: self.complaints.append(f"{request.url} failed"))
        self._page.on("request", lambda request: self.requests.append(request.url))
        self._page.goto(path.as_uri())
        self._page.wait_for_selector(_NOT_DRAWN, state="detached", timeout=60_000)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.page.evaluate(script)

    def close(self) -> None:
        """End the browser."""
        self._browser.close()
        self._playwright.stop()

    def _hear(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)
