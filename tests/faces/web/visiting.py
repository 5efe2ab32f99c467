"""A person before the pages of a running app: a real Chromium, and a session that is driven by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.rig import Rig, plain_http
from tray_app.control.callers import connect
from tray_app.faces.web.sessions import form_token

PATIENCE_MS = 12_000
POLICY = "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))"


class Visit:
    """A browser that came with a ticket, and whatever it complained of."""

    def __init__(self, context: BrowserContext, rig: Rig, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.add_init_script(POLICY)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._asked(asked.url, rig.url))
        self.page.goto(str(connect(rig.home.running).ask("report")["url"]))
        if address:
            self.page.goto(f"{rig.url}{address}")

    def _asked(self, url: str, own: str) -> None:
        if not url.startswith(own):
            self.complaints.append(url)

    def card(self, name: str) -> Locator:
        """The part of the page with that heading."""
        return self.page.locator(f"section:has(h2:text-is('{name}'))")

    def hears(self, words: str) -> None:
        """What is announced of a deed."""
        expect(self.page.locator("#said p")).to_have_text(words, timeout=PATIENCE_MS)

    def said(self) -> str:
        """The same, once there is any."""
        self.page.locator("#said p").wait_for()
        return " ".join(self.page.locator("#said p").inner_text().split())


@contextmanager
def visiting(
    browser: Browser,
    rig: Rig,
    address: str = "",
    *,
    width: int = 1000,
    dark: bool = False,
    locale: str = "en-GB",
    script: bool = True,
) -> Iterator[Visit]:
    """A visit, which must have had nothing to complain of, and asked nobody else."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        java_script_enabled=script,
        locale=locale,
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit = Visit(context, rig, address)
    try:
        yield visit
        assert not visit.complaints, visit.complaints
    finally:
        context.close()


@contextmanager
def guest_of(rig: Rig) -> Iterator[httpx.Client]:
    """A browser's session, driven by hand."""
    with httpx.Client(base_url=rig.url, transport=plain_http(), timeout=20) as client:
        assert client.get(str(connect(rig.home.running).ask("report")["url"])).status_code == 303
        yield client


def token_of(client: httpx.Client) -> str:
    """What the forms of that session's pages bring along."""
    return form_token(next(one.value or "" for one in client.cookies.jar if "session" in one.name))


def send(client: httpx.Client, address: str, **form: str) -> str:
    """What the page says, asked by a form as its script sends it."""
    done = client.post(address, data={"token": token_of(client), **form}, headers={"x-o-switcher-deed": "1"})
    assert done.status_code == 200, done.text
    return done.text
