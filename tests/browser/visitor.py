"""A person at the console with a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.programs import require

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but this machine is ever asked.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PATIENCE_MS = 60_000
"""How long one look may wait for what it expects; the machine may be busy with other things."""
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
LIGHT, DARK = "light", "dark"
_WIDER_THAN_THE_WINDOW = """() => [...document.querySelectorAll('body *')]
  .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
                  && getComputedStyle(each).position !== 'absolute')
  .map(each => each.outerHTML.slice(0, 200))"""
_CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary"
# Now replaces its content every few seconds: not while its controls are counted.
_WATCH_THE_FOCUS = """() => { document.getElementById('content').replaceChildren = () => {};
  window.reached = []; document.activeElement.blur();
  document.addEventListener('focusin', ({target: it}) => { const style = getComputedStyle(it);
    if (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)
      window.reached.push(it); }); }"""
_MISSED = """of => [...document.querySelectorAll(of)]
  .filter(each => !window.reached.includes(each)).map(each => each.outerHTML.slice(0, 160))"""
_MORE_TABS = 3
"""Presses that the browser's own controls may take on the way around a page."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own. Skips the test, or fails it, where Chromium is not installed."""
    program = require("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visitor:
    """One window of a browser, with everything in it that a person or a machine would complain of.

    `complaints` are what the browser wrote on its console as an error (a violation of the
    Content-Security-Policy is one), what a script threw, and each answer of 500 and above.
    """

    base: str
    page: Page
    complaints: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """How many bytes of body came from each address since `sizes` was last cleared."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on("response", self._look_at)
        self.page.on("requestfinished", self._weigh)

    def open(self, path: str) -> None:
        """Go to an address of the console, such as `/console/rules`."""
        self.page.goto(f"{self.base}{path}")

    def sign_in(self, token: str) -> None:
        """Sign in as the holder of a token."""
        self.open("/console/sign-in")
        self.page.get_by_label("Your token of the API").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Now", exact=True).wait_for()

    def follow(self, link: str) -> None:
        """Press the first link of exactly this name."""
        self.page.get_by_role("link", name=link, exact=True).first.click()

    def press(self, button: str) -> None:
        """Press the button of exactly this name."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def confirm(self, question: str, why: str) -> None:
        """Say why, on a page that asks, and send its form."""
        self.page.get_by_role("heading", name=f"{question}?").wait_for()
        self.page.get_by_label("Why, in a few words.").fill(why)
        self.press(question)
        self.page.get_by_role("heading", name="Done").wait_for()

    def read(self, *parts: str) -> None:
        """Wait until all of these words are on the page, one after another or not."""
        for each in parts:
            self.page.locator("main").filter(has_text=each).wait_for()

    def unfold(self) -> None:
        """Open everything that is folded away."""
        self.page.evaluate("() => document.querySelectorAll('details').forEach(it => it.open = 1)")

    def headings(self) -> list[str]:
        """The headings of the page, in their order."""
        return self.page.locator("h1, h2, h3").all_inner_texts()

    def controls(self) -> int:
        """How many links, buttons and fields the page has."""
        return self.page.locator(_CONTROLS).count()

    @property
    def words(self) -> str:
        """What is to be read on the page, with one space between two words."""
        return " ".join(self.page.locator("main").inner_text().split())

    def barriers(self) -> list[str]:
        """What axe finds: each rule that is broken, and where."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def cut_off(self) -> list[str]:
        """The elements that are wider than the window."""
        found: list[str] = self.page.evaluate(_WIDER_THAN_THE_WINDOW)
        return found

    def missed_by_the_keyboard(self) -> list[str]:
        """The controls that the Tab key does not reach, or where the focus is not to be seen."""
        self.page.evaluate(_WATCH_THE_FOCUS)
        for _ in range(self.controls() + _MORE_TABS):
            self.page.keyboard.press("Tab")
        missed: list[str] = self.page.evaluate(_MISSED, _CONTROLS)
        return missed

    def picture(self, path: Path) -> None:
        """Keep what is to be seen without scrolling as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def _complain(self, what: str) -> None:
        self.complaints.append(f"{self.page.url}: {what}")

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self._complain(said.text)

    def _look_at(self, response: Response) -> None:
        if response.status >= 500:
            self._complain(f"{response.url} answers {response.status}")

    def _weigh(self, request: Request) -> None:
        sizes = request.sizes()
        self.sizes[request.url] = sizes["responseBodySize"] + sizes["responseHeadersSize"]


@contextmanager
def visitor(
    browser: Browser,
    base: str,
    size: Mapping[str, int],
    scheme: str = LIGHT,
    *,
    scripts: bool = True,
    zone: str = "UTC",
) -> Iterator[Visitor]:
    """A new window without cookies: of that size, in light or dark, in that time zone."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if scheme == DARK else "light",
        java_script_enabled=scripts,
        timezone_id=zone,
        locale="en-GB",
        has_touch=size is PHONE,
    )
    yield Visitor(base, context.new_page())
    context.close()
