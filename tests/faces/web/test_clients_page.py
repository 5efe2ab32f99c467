"""The page of clients: connecting with the change shown before, tokens on request alone, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.faces.web.report_harness import chromium
from tests.faces.web.visiting import Visit, guest_of, send, visiting
from tests.rig import CHAT, MODEL, Rig, plain_http, running, script_of
from tray_app.agents.wiring.plan import PLACES
from tray_app.faces.web.clients import HERE
from tray_app.faces.web.clients_texts import ENGLISH


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    return tmp_path / "user"


@pytest.fixture
def rig(tmp_path: Path, user: Path) -> Iterator[Rig]:
    with running(tmp_path / "home", script_of(a='{do="ok"}')) as found:
        yield found


@pytest.fixture
def bare(tmp_path: Path, user: Path) -> Iterator[Rig]:
    """An app without a profile."""
    with running(tmp_path / "home", script_of(a='{do="ok"}'), names=[]) as found:
        yield found


def clipboard(visit: Visit) -> str:
    return str(visit.page.evaluate("navigator.clipboard.readText()"))


def test_a_client_is_connected_after_its_change_was_shown_and_disconnected(
    browser: Browser, rig: Rig, user: Path
) -> None:
    settings = user / ".config/opencode/opencode.json"
    settings.parent.mkdir(parents=True)
    before = '{\n  // mine\n  "theme": "dark"\n}\n'
    settings.write_text(before)
    with visiting(browser, rig, HERE) as visit:
        page, card = visit.page, visit.page.locator("#opencode")
        expect(card.locator(".state")).to_have_text(ENGLISH.states["not connected"])
        card.get_by_role("button", name=ENGLISH.see_connect).click()
        panel = card.locator(".panel")
        expect(panel.locator(".added").filter(has_text=rig.url).first).to_be_visible()
        expect(page.locator("#answer-opencode")).to_be_focused()
        assert settings.read_text() == before and "opencode" not in rig.app.vault.tokens()
        rig.chat()  # the page goes on, and the panel stays
        expect(page.locator("li[data-key=test]")).to_contain_text("1 requests in 30 days, 1 served")
        expect(panel).to_be_visible()
        panel.get_by_role("button", name=ENGLISH.cancel).click()
        expect(panel).to_have_count(0)
        card.get_by_role("button", name=ENGLISH.see_connect).click()
        panel.get_by_role("button", name=ENGLISH.do_connect).click()
        expect(page.locator("#said p")).to_contain_text(ENGLISH.connected.format(client="OpenCode"))
        assert rig.url in settings.read_text() and "// mine" in settings.read_text()
        expect(card.locator(".state")).to_contain_text("connected openrouter at")
        expect(card).to_contain_text(str(settings))
        assert rig.app.vault.tokens()["opencode"] not in page.content()
        settings.write_text(settings.read_text().replace(rig.url, "http://127.0.0.1:9"))
        page.reload()
        expect(card.locator(".state")).to_contain_text(ENGLISH.states["changed"])
        card.get_by_role("button", name=ENGLISH.see_disconnect).click()
        expect(page.locator("#said")).to_contain_text("somebody has changed")
        page.locator("#said").get_by_role("button", name=ENGLISH.force).click()
        expect(card.locator(".state")).to_have_text(ENGLISH.states["not connected"])
        assert settings.read_text() == before
        card.get_by_role("button", name=ENGLISH.see_connect).click()
        panel.get_by_role("button", name=ENGLISH.do_connect).click()
        expect(card.locator(".state")).to_contain_text("connected openrouter")
        card.get_by_role("button", name=ENGLISH.see_disconnect).click()
        panel.get_by_role("button", name=ENGLISH.do_disconnect).click()
        visit.hears(ENGLISH.disconnected.format(client="OpenCode"))
        assert settings.read_text() == before
    rig.eventually("SELECT 1 FROM operator_event WHERE verb = 'disconnect' LIMIT 1 OFFSET 1")
    verbs = rig.eventually("SELECT verb FROM operator_event WHERE actor = 'api' AND verb LIKE '%connect'")
    assert [row["verb"] for row in verbs] == ["connect", "disconnect", "connect", "disconnect"]


def test_what_cannot_be_connected_says_why(browser: Browser, bare: Rig, user: Path) -> None:
    with visiting(browser, bare, HERE) as visit:
        card = visit.page.locator("#opencode")
        expect(card).to_contain_text("Cannot be connected now: ")
        expect(card.get_by_role("button")).to_have_count(0)
    assert list(user.iterdir()) == []


def test_a_client_that_must_be_told_its_models_is_told(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        card = visit.page.locator("#llm")
        expect(card).to_contain_text("has to be told which models there are")
        card.get_by_label(ENGLISH.models).fill(MODEL)
        card.get_by_role("button", name=ENGLISH.see_connect).click()
        expect(card.locator(".panel")).to_contain_text(MODEL)
        card.get_by_role("button", name=ENGLISH.do_connect).click()
        expect(card.locator(".state")).to_contain_text("connected")


def test_a_token_is_shown_on_request_alone_and_revoked(browser: Browser, rig: Rig) -> None:
    token = rig.app.vault.token("test")
    rig.chat()
    with visiting(browser, rig, HERE) as visit:
        page, row = visit.page, visit.page.locator("li[data-key=test]")
        assert token not in page.content()
        expect(row).to_contain_text("1 requests in 30 days, 1 served")
        row.get_by_role("button", name=ENGLISH.show_token).click()
        expect(row.locator("code")).to_have_text(token)
        row.get_by_role("button", name=ENGLISH.copy).click()
        expect(page.locator("#toasts")).to_contain_text("Copied.")
        assert clipboard(visit) == token
        row.get_by_role("button", name=ENGLISH.hide).click()
        assert token not in page.content()
        row.get_by_role("button", name=ENGLISH.show_token).click()
        expect(row.locator("code")).to_have_text(token)
        page.reload()
        assert token not in page.content()
        row.get_by_role("button", name=ENGLISH.revoke).click()
        visit.hears(ENGLISH.revoked.format(client="test"))
        expect(row).to_contain_text(ENGLISH.no_token)
    assert "test" not in rig.app.vault.tokens() and rig.chat().status_code == 401


def test_a_shown_token_is_hidden_by_itself(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        page, row = visit.page, visit.page.locator("li[data-key=test]")
        row.get_by_role("button", name=ENGLISH.show_token).click()
        expect(row.locator("code")).to_be_visible()
        page.evaluate("document.querySelector('[data-secret]').dataset.since = performance.now() - 60_000")
        expect(row.locator("code")).to_have_count(0)


def test_any_program_is_given_an_address_and_a_token(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        page, card = visit.page, visit.card(ENGLISH.sdk)
        card.get_by_role("button", name=ENGLISH.copy).nth(1).click()
        expect(page.locator("#toasts")).to_contain_text("Copied.")
        address = clipboard(visit)
        assert address == f"{rig.url}/openrouter/v1"
        card.get_by_role("button", name=ENGLISH.show_token).click()
        token = card.locator(".panel code").inner_text()
        with httpx.Client(headers={"authorization": f"Bearer {token}"}, transport=plain_http(), timeout=20) as sdk:
            body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
            assert sdk.post(f"{address}/chat/completions", json=body).status_code == 200
        lines = page.locator("#openai-sdk")
        lines.get_by_role("button", name=ENGLISH.lines).click()
        expect(lines.locator("pre")).to_contain_text("OPENAI_API_KEY=osw-openai-sdk-")
        expect(page.locator("#codex")).to_contain_text("o-switcher run -- codex")
        visit.card(ENGLISH.tokens).get_by_label(ENGLISH.new_token).fill("notebook")
        page.get_by_role("button", name=ENGLISH.make_token).click()
        expect(page.locator("li[data-key=notebook] code")).to_have_text(rig.app.vault.token("notebook"))
        page.get_by_label(ENGLISH.new_token).fill("no good!")
        page.get_by_role("button", name=ENGLISH.make_token).click()
        visit.hears(ENGLISH.unfit_name)
    assert rig.eventually("SELECT client FROM request WHERE client = 'sdk'")
    assert CHAT.startswith("/openrouter")


def test_without_a_script_a_change_is_shown_and_made(browser: Browser, rig: Rig, user: Path) -> None:
    with visiting(browser, rig, HERE, script=False, width=360) as visit:
        page = visit.page
        page.locator("#claude-code").get_by_role("button", name=ENGLISH.see_connect).click()
        page.locator("#claude-code .panel").get_by_role("button", name=ENGLISH.do_connect).click()
        expect(page.locator("#said p")).to_contain_text(ENGLISH.connected.format(client="Claude Code"))
        page.locator("#claude-code").get_by_role("button", name=ENGLISH.show_token).click()
        token = rig.app.vault.tokens()["claude-code"]
        expect(page.locator("#token-claude-code")).to_have_text(token)
        page.goto(f"{rig.url}{HERE}")
        assert token not in page.content()
    assert rig.url in json.dumps(json.loads((user / ".claude/settings.json").read_text()))


# -- by hand


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An app in which nothing is to happen."""
    folder = tmp_path_factory.mktemp("still")
    with pytest.MonkeyPatch.context() as patch:
        for name in PLACES:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(folder))
        with running(folder / "home", script_of(a='{do="ok"}')) as found:
            yield found


@pytest.fixture
def guest(still: Rig) -> Iterator[httpx.Client]:
    with guest_of(still) as client:
        yield client


def test_a_token_is_not_kept_by_the_browser_and_in_no_page_that_did_not_ask(still: Rig, guest: httpx.Client) -> None:
    token = still.app.vault.token("test")
    page = guest.get(HERE)
    assert token not in page.text and page.headers["cache-control"] == "no-store"
    said = guest.post(
        HERE,
        data={"token": _form_token(page.text), "do": "token", "about": "test"},
        headers={"x-o-switcher-deed": "1"},
    )
    assert token in said.text and said.headers["cache-control"] == "no-store"
    assert token not in guest.get(HERE).text
    assert guest.post("/api/v1/verbs/token", json={"client": "test"}).status_code == 403, "the API gives a page none"


def _form_token(page: str) -> str:
    return page.partition('name="token" value="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"do": "see-connect", "about": "nobody"}, "no client is called"),
        ({"do": "connect", "about": "<script>"}, "no client is called"),
        ({"do": "see-disconnect", "about": "codex"}, "is not connected"),
        ({"do": "disconnect", "about": "codex"}, "is not connected"),
        ({"do": "force", "about": "codex"}, "is not connected"),
        ({"do": "revoke", "about": "nobody"}, "has no token"),
        ({"do": "token"}, ENGLISH.unfit_name),
        ({"do": "token", "name": "x" * 41}, ENGLISH.unfit_name),
    ],
)
def test_what_cannot_be_done_is_said(guest: httpx.Client, form: dict[str, str], words: str) -> None:
    assert words in send(guest, HERE, **form)


def test_a_key_in_the_place_of_a_name_is_not_said_back(still: Rig, guest: httpx.Client) -> None:
    key = "sk-or-v1-0123456789abcdef0123456789"
    for deed in ("token", "revoke", "connect", "see-connect", "see-disconnect", "lines"):
        assert key not in send(guest, HERE, do=deed, about=key)
    assert still.app.vault.tokens().keys() == {"test"}
