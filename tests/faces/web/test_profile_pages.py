"""The start page and the management of profiles: in a real Chromium, and against those who have no business there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.faces.web.report_harness import chromium
from tests.faces.web.test_report_page import FAINT, GROUNDS
from tests.rig import Rig, key_of, running, script_of
from tray_app.control.callers import connect
from tray_app.faces.web.profile_texts import ENGLISH, RUSSIAN
from tray_app.faces.web.sessions import form_token

OK = '{do="ok"}'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """An app without a profile; the simulator is OpenRouter, and takes the keys a and b."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    with running(tmp_path / "home", script_of(a=OK, b=OK), names=[]) as found:
        found.home.config.write_text(
            found.home.config.read_text() + f'[providers.openrouter]\nbase_url = "{found.simulator.url}"\n'
        )
        found.in_loop(found.app.reload)
        yield found


class Visit:
    """A browser that came with a ticket, and whatever it complained of."""

    def __init__(self, context: BrowserContext, rig: Rig) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(12_000)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda asked: self._asked(asked.url, rig.url))
        self.page.goto(str(connect(rig.home.running).ask("report")["url"]))

    def _asked(self, url: str, own: str) -> None:
        if not url.startswith(own):
            self.complaints.append(url)

    def card(self, name: str) -> str:
        return f"section:has(h2:text-is('{name}'))"

    def paste(self, key: str, **more: str) -> None:
        card = self.page.locator(self.card(ENGLISH.paste))
        card.get_by_label(ENGLISH.provider).select_option("openrouter")
        card.get_by_label(ENGLISH.key).fill(key)
        for label, value in more.items():
            card.get_by_label(label).fill(value)
        card.get_by_role("button", name=ENGLISH.add).click()

    def said(self) -> str:
        return " ".join(self.page.locator(".said p").inner_text().split())


@contextmanager
def visiting(
    browser: Browser, rig: Rig, *, width: int = 1000, dark: bool = False, locale: str = "en-GB"
) -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        java_script_enabled=True,
        locale=locale,
    )
    visit = Visit(context, rig)
    try:
        yield visit
        assert not visit.complaints, visit.complaints
    finally:
        context.close()


def test_a_first_visit_begins_with_a_key(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        page = visit.page
        assert page.url == f"{rig.url}/profiles"
        expect(page.locator("h1")).to_have_text(ENGLISH.start)
        expect(page.locator("h2")).to_have_text([ENGLISH.paste, ENGLISH.here, ENGLISH.demo])
        visit.paste("sk-or-v1-nobody-knows-this-key")
        assert visit.said().startswith("OpenRouter refuses this key") and visit.said().endswith(ENGLISH.refused)
        assert rig.app.vault.entries() == {}
        visit.paste(key_of("a"), Label="first")
        assert visit.said() == (
            f"OpenRouter takes this key. openrouter-first was added (key ending in {key_of('a')[-4:]})"
        )
        assert key_of("a") not in page.content()
        assert rig.app.vault.entries()["openrouter-first"].secret == key_of("a")
        assert rig.calls() == {}, "what was asked costs nothing"
        expect(page.locator("h1")).to_have_text(ENGLISH.title)
        page.goto(f"{rig.url}/report")
        assert page.url == f"{rig.url}/report", "there is something to report of now"
        page.get_by_role("link", name="Add and manage").click()
        expect(page.locator("h3")).to_have_text(["openrouter-first"])
    assert rig.chat().status_code == 200


def test_a_key_that_cannot_be_checked_is_kept_only_if_that_is_meant(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        visit.page.get_by_text(ENGLISH.more, exact=True).click()
        visit.paste(key_of("a"), Address="http://127.0.0.1:1/v1", Account="mine")
        assert visit.said().startswith("OpenRouter could not be asked: http://127.0.0.1:1 cannot be reached")
        assert rig.app.vault.entries() == {}
        assert visit.page.get_by_label(ENGLISH.account, exact=False).first.input_value() == "mine"
        visit.page.get_by_label(ENGLISH.anyway).check()
        visit.paste(key_of("a"))
        assert visit.said().endswith(f"openrouter-main was added (key ending in {key_of('a')[-4:]})")
        assert rig.app.vault.entries()["openrouter-main"].account == "mine"


def test_a_key_for_an_address_in_the_clear_goes_nowhere(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        visit.page.get_by_text(ENGLISH.more, exact=True).click()
        visit.paste(key_of("a"), Address="http://example.com/v1")
        assert "would carry the key in the clear" in visit.said()


def test_what_is_on_the_machine_is_shown_and_taken_over(browser: Browser, rig: Rig, tmp_path: Path) -> None:
    logins = tmp_path / "user/.local/share/opencode/auth.json"
    logins.parent.mkdir(parents=True)
    logins.write_text(json.dumps({"openrouter": {"type": "api", "key": key_of("b")}, "x": {"type": "oauth"}}))
    with visiting(browser, rig) as visit:
        expect(visit.page.locator(".found li")).to_have_text([
            f"new openrouter …{key_of('b')[-4:]} · OpenCode's auth.jsoncan be taken over",
            "not taken x · OpenCode's auth.jsona consumer login, not an API key: only API keys are pooled",
        ])  # fmt: skip
        visit.page.get_by_role("button", name="Take over 1").click()
        assert visit.said() == "Taken over: openrouter-opencode"
    assert list(rig.app.vault.entries()) == ["openrouter-opencode"]


def test_a_profile_is_changed_paused_removed_and_had_back(browser: Browser, rig: Rig) -> None:
    connect(rig.home.running).ask("profiles-add", provider="openrouter", label="main", secret=key_of("a"))
    with visiting(browser, rig) as visit:
        page = visit.page
        page.goto(f"{rig.url}/profiles")
        held = page.locator(".held > li")
        held.get_by_label(ENGLISH.label).fill("work")
        held.get_by_label(ENGLISH.account).fill("team")
        held.get_by_label(ENGLISH.priority).fill("7")
        held.get_by_role("button", name=ENGLISH.save).click()
        assert visit.said() == (
            "openrouter-main: account, priority changed; openrouter-main is called openrouter-work now"
        )
        entry = rig.app.vault.entries()["openrouter-work"]
        assert (entry.account, entry.priority, entry.secret) == ("team", 7, key_of("a"))
        held.get_by_role("button", name=ENGLISH.save).click()
        assert visit.said() == ENGLISH.unchanged
        held.get_by_label(ENGLISH.label).fill("Not Fit!")
        held.get_by_role("button", name=ENGLISH.save).click()
        assert "must be lower-case letters" in visit.said()
        held.get_by_role("button", name=ENGLISH.pause).click()
        assert rig.phase("openrouter-work") == "paused"
        held.get_by_role("button", name=ENGLISH.resume).click()
        assert rig.phase("openrouter-work") == "ready"
        held.get_by_role("button", name=ENGLISH.remove).click()
        assert visit.said() == "openrouter-work and its key were removed"
        assert rig.app.vault.entries() == {}
        page.get_by_role("button", name=ENGLISH.undo).click()
        assert visit.said() == "openrouter-work is back, with its key"
        assert rig.app.vault.entries()["openrouter-work"].secret == key_of("a")
    assert rig.chat().status_code == 200
    events = rig.eventually("SELECT actor, verb FROM operator_event WHERE verb = 'profiles-bring-back'")
    assert events == [{"actor": "api", "verb": "profiles-bring-back"}]


def test_a_provider_that_moved_is_confirmed_on_the_page(browser: Browser, rig: Rig) -> None:
    connect(rig.home.running).ask("profiles-add", provider="openrouter", label="main", secret=key_of("a"))
    text = rig.home.config.read_text().replace(rig.simulator.url, "http://127.0.0.1:1/v1")
    rig.home.config.write_text(text)
    rig.in_loop(rig.app.reload)
    with visiting(browser, rig) as visit:
        visit.page.goto(f"{rig.url}/profiles")
        visit.page.get_by_role("button", name=ENGLISH.confirm).click()
        assert visit.said() == "openrouter-main: its key may go to http://127.0.0.1:1/v1 now"


@pytest.mark.parametrize("colours", GROUNDS)
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_well_to_read_on_every_screen(
    browser: Browser, rig: Rig, tmp_path: Path, width: int, colours: Literal["light", "dark"]
) -> None:
    codex = tmp_path / "user/.codex/auth.json"
    codex.parent.mkdir()
    codex.write_text(json.dumps({"OPENAI_API_KEY": "sk-0123456789abcdef"}))
    with visiting(browser, rig, width=width, dark=colours == "dark") as visit:
        for _ in range(2):  # the start page, then the management
            page = visit.page
            assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == GROUNDS[colours]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(FAINT) == []
            low = "[...document.querySelectorAll('button, select')].filter((one) => one.offsetHeight < 40).length"
            assert page.evaluate(low) == 0
            bare = (
                "[...document.querySelectorAll('input:not([type=hidden]), select')].filter((one) => !one.labels.length)"
            )
            assert page.evaluate(f"{bare}.length") == 0
            connect(rig.home.running).ask(
                "profiles-add", provider="openrouter", label=f"a-rather-long-name-of-a-key-{width}", secret=key_of("a")
            ) if _ == 0 else None
            page.goto(f"{rig.url}/profiles")


def test_it_speaks_russian_too(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, locale="ru-RU") as visit:
        expect(visit.page.locator("h1")).to_have_text(RUSSIAN.start)


# -- those who have no business there


@pytest.fixture
def guest(rig: Rig) -> Iterator[httpx.Client]:
    """A browser's session, driven by hand."""
    with httpx.Client(base_url=rig.url, trust_env=False, timeout=20) as client:
        assert client.get(str(connect(rig.home.running).ask("report")["url"])).status_code == 303
        yield client


def token_of(client: httpx.Client) -> str:
    return form_token(next(iter(client.cookies.jar)).value or "")


def add(client: httpx.Client, **more: str) -> httpx.Response:
    form = {"do": "add", "provider": "openrouter", "label": "x", "secret": key_of("a"), **more}
    return client.post("/profiles", data=form)


def test_a_form_of_this_sessions_page_counts(rig: Rig, guest: httpx.Client) -> None:
    done = add(guest, token=token_of(guest))
    assert (done.status_code, done.headers["location"]) == (303, "/profiles")
    assert list(rig.app.vault.entries()) == ["openrouter-x"]


def test_without_a_session_nothing_is_shown_or_done(rig: Rig) -> None:
    with httpx.Client(base_url=rig.url, trust_env=False) as stranger:
        assert stranger.get("/profiles").status_code == 401
        assert add(stranger, token="x").status_code == 401
    assert rig.app.vault.entries() == {}


@pytest.mark.parametrize("token", ["", "0" * 64, "\u00e9"])
def test_a_form_without_the_pages_token_does_nothing(rig: Rig, guest: httpx.Client, token: str) -> None:
    assert add(guest, token=token).status_code == 403
    assert rig.app.vault.entries() == {}


def test_the_token_of_another_session_does_nothing(rig: Rig, guest: httpx.Client) -> None:
    with httpx.Client(base_url=rig.url, trust_env=False) as other:
        other.get(str(connect(rig.home.running).ask("report")["url"]))
        foreign = token_of(other)
    assert add(guest, token=foreign).status_code == 403
    assert rig.app.vault.entries() == {}


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}]
)
def test_another_sites_page_does_nothing(rig: Rig, guest: httpx.Client, headers: dict[str, str]) -> None:
    form = {"do": "add", "provider": "openrouter", "secret": key_of("a"), "token": token_of(guest)}
    assert guest.post("/profiles", data=form, headers=headers).status_code in (403, 421)
    assert rig.app.vault.entries() == {}


ODD = [
    ({"content": b"{}", "headers": {"content-type": "application/json"}}, 400),
    ({"data": {"token": "x" * 20_000}}, 400),
    ({"data": {str(number): "x" for number in range(30)}}, 400),
    ({"content": b"\xff=1", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 400),
]


@pytest.mark.parametrize(("sent", "status"), ODD, ids=["JSON", "too long", "too many fields", "no text"])
def test_what_is_no_form_of_the_page_is_refused(guest: httpx.Client, sent: dict[str, object], status: int) -> None:
    assert guest.post("/profiles", **sent).status_code == status  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"do": "nonsense"}, ENGLISH.unknown),
        ({"do": "add", "provider": "nobody"}, ENGLISH.no_key),
        ({"do": "add", "secret": " "}, ENGLISH.no_key),
        ({"do": "remove", "profile": "nobody"}, "no profile is called"),
        ({"do": "change", "profile": "nobody"}, "no profile is called"),
        ({"do": "undo", "profile": "nobody"}, "was not removed since O-Switcher started"),
        ({"do": "take-over"}, ENGLISH.nothing),
    ],
)
def test_what_cannot_be_done_is_said_once(guest: httpx.Client, form: dict[str, str], words: str) -> None:
    assert guest.post("/profiles", data={**form, "token": token_of(guest)}).status_code == 303
    assert words.replace("'", "&#39;") in guest.get("/profiles").text
    assert words not in guest.get("/profiles").text


def test_a_priority_that_is_no_number_is_said(rig: Rig, guest: httpx.Client) -> None:
    add(guest, token=token_of(guest))
    form = {"do": "change", "profile": "openrouter-x", "label": "x", "priority": "high", "token": token_of(guest)}
    guest.post("/profiles", data=form)
    assert ENGLISH.no_number in guest.get("/profiles").text


def test_what_was_removed_is_not_had_back_over_something_else(rig: Rig, guest: httpx.Client) -> None:
    token = token_of(guest)
    add(guest, token=token)
    guest.post("/profiles", data={"do": "remove", "profile": "openrouter-x", "token": token})
    add(guest, token=token, label="y")
    guest.post("/profiles", data={"do": "undo", "profile": "openrouter-x", "token": token})
    assert "is in use again, by openrouter-y" in guest.get("/profiles").text
