"""The start page and the management of profiles: in a real Chromium, and against those who have no business there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.control.test_demonstration import folders
from tests.faces.web.report_harness import SCRIPT, chromium
from tests.faces.web.test_report_page import FAINT, GROUNDS
from tests.faces.web.visiting import guest_of, send, token_of, visiting
from tests.rig import Key, Rig, key_of, running, script_of
from tray_app.control.callers import connect
from tray_app.faces.web.clients import HERE as CLIENTS
from tray_app.faces.web.profile_texts import ENGLISH, RUSSIAN
from tray_app.faces.web.settings import HERE as SETTINGS
from tray_app.faces.web.shell_texts import ENGLISH as SHELL

OK = '{do="ok"}'
HERE = "/profiles"


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


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """An app with profiles in several states."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    keys = {"a": Key(OK), "b": Key(OK), "limited": Key('{do="rate_limit", retry_after=3000}')}
    with running(tmp_path / "home", keys) as found:
        caller = connect(found.home.running)
        caller.ask("use", profile="openrouter-limited")
        found.chat()
        caller.ask("unpin")
        yield found


def paste(card: object, key: str, **more: str) -> None:
    card.get_by_label(ENGLISH.provider).select_option("openrouter")  # type: ignore[attr-defined]
    card.get_by_label(ENGLISH.key).fill(key)  # type: ignore[attr-defined]
    for label, value in more.items():
        card.get_by_label(label, exact=True).fill(value)  # type: ignore[attr-defined]
    card.get_by_role("button", name=ENGLISH.add).click()  # type: ignore[attr-defined]


def test_a_first_visit_begins_with_a_key(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        page = visit.page
        assert page.url == f"{rig.url}/profiles"
        expect(page.locator("h1")).to_have_text(ENGLISH.start)
        expect(page.locator("h2")).to_have_text([ENGLISH.paste, ENGLISH.here, ENGLISH.demo])
        card = visit.card(ENGLISH.paste)
        paste(card, "sk-or-v1-nobody-knows-this-key")
        assert visit.said().startswith("OpenRouter refuses this key") and visit.said().endswith(ENGLISH.refused)
        expect(page.locator("#said")).to_have_attribute("role", "alert")
        assert rig.app.vault.entries() == {}
        paste(card, key_of("a"), Label="first")
        visit.hears(f"OpenRouter takes this key. openrouter-first was added (key ending in {key_of('a')[-4:]})")
        expect(page.locator("#said")).to_have_attribute("role", "status")
        expect(card.get_by_label(ENGLISH.key)).to_have_value("")
        assert key_of("a") not in page.content()
        assert rig.app.vault.entries()["openrouter-first"].secret == key_of("a")
        assert rig.calls() == {}, "what was asked costs nothing"
        expect(page.locator("h1")).to_have_text(ENGLISH.title)
        expect(page.locator("h3")).to_have_text(["openrouter-first"])
        page.goto(f"{rig.url}/report")
        assert page.url == f"{rig.url}/report", "there is something to report of now"
    assert rig.chat().status_code == 200


def test_a_key_that_cannot_be_checked_is_kept_only_if_that_is_meant(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        card = visit.card(ENGLISH.paste)
        card.get_by_text(ENGLISH.more, exact=True).click()
        paste(card, key_of("a"), Address="http://127.0.0.1:1/v1", Account="mine", Priority="3", Tags="x, y")
        assert visit.said().startswith("OpenRouter could not be asked: http://127.0.0.1:1 cannot be reached")
        assert rig.app.vault.entries() == {}
        expect(card.get_by_label(ENGLISH.account)).to_have_value("mine")
        card.get_by_label(ENGLISH.anyway).check()
        card.get_by_role("button", name=ENGLISH.add).click()
        expect(visit.page.locator("h3")).to_have_text(["openrouter-main"])
        entry = rig.app.vault.entries()["openrouter-main"]
        assert (entry.account, entry.priority, entry.tags) == ("mine", 3, ("x", "y"))


def test_a_key_for_an_address_in_the_clear_goes_nowhere(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        card = visit.card(ENGLISH.paste)
        card.get_by_text(ENGLISH.more, exact=True).click()
        paste(card, key_of("a"), Address="http://example.com/v1")
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
        visit.page.get_by_role("button", name=ENGLISH.take.format(n=1)).click()
        visit.hears(ENGLISH.taken.format(names="openrouter-opencode"))
    assert list(rig.app.vault.entries()) == ["openrouter-opencode"]


def test_the_demo_runs_on_a_click_and_leaves_nothing(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig) as visit:
        page, card = visit.page, visit.card(ENGLISH.demo)
        with page.context.expect_page(timeout=30_000) as opened:
            card.get_by_role("button", name=ENGLISH.demo_start).click()
        demo = opened.value
        demo.wait_for_url("**/report", timeout=30_000)
        url = rig.app.demonstration.view().url
        assert url is not None and demo.url == f"{url}/report" and url != rig.url
        expect(demo.get_by_text("this is the demo")).to_be_visible()
        expect(demo.get_by_text("openrouter-spare").first).to_be_visible()
        visit.hears(ENGLISH.demo_runs.format(url=url))
        assert rig.app.vault.entries() == {} and len(folders(rig)) == 1
        page.reload()
        assert page.url == f"{rig.url}/profiles", "the demo's session does not replace ours"
        with page.context.expect_page() as again:
            card.get_by_role("link", name=ENGLISH.demo_open).click()
        again.value.wait_for_url(f"{url}/report")
        card.get_by_role("button", name=ENGLISH.demo_end).click()
        visit.hears(ENGLISH.done["demo-stop"])
        assert folders(rig) == []
        expect(card.get_by_role("button", name=ENGLISH.demo_start)).to_be_visible()


def test_a_profile_is_edited_in_its_place(browser: Browser, rig: Rig) -> None:
    connect(rig.home.running).ask("profiles-add", provider="openrouter", label="main", secret=key_of("a"))
    with visiting(browser, rig, HERE) as visit:
        held = visit.page.locator(".held > li")
        held.get_by_text(ENGLISH.edit, exact=True).click()
        for label, value in ((ENGLISH.label, "work"), (ENGLISH.account, "team"), (ENGLISH.priority, "7")):
            held.get_by_label(label, exact=True).fill(value)
        held.get_by_label(ENGLISH.tags).fill("paid,eu")
        held.get_by_role("button", name=ENGLISH.save).click()
        visit.hears("openrouter-main: account, priority, tags changed; openrouter-main is called openrouter-work now")
        entry = rig.app.vault.entries()["openrouter-work"]
        assert (entry.account, entry.priority, entry.tags, entry.secret) == ("team", 7, ("paid", "eu"), key_of("a"))
        expect(held.locator("h3")).to_have_text("openrouter-work")
        held.get_by_text(ENGLISH.edit, exact=True).click()
        held.get_by_role("button", name=ENGLISH.save).click()
        visit.hears(ENGLISH.unchanged)
        held.get_by_label(ENGLISH.label, exact=True).fill("Not Fit!")
        held.get_by_role("button", name=ENGLISH.save).click()
        expect(visit.page.locator("#said p")).to_contain_text("must be lower-case letters")
        expect(held.get_by_label(ENGLISH.label, exact=True)).to_have_value("Not Fit!")
        held.get_by_label(ENGLISH.label, exact=True).fill("work")
        held.get_by_label(ENGLISH.key_new).fill("sk-or-v1-nobody-knows-this-key")
        held.get_by_role("button", name=ENGLISH.save).click()
        expect(visit.page.locator("#said p")).to_contain_text("refuses this key")
        assert rig.app.vault.entries()["openrouter-work"].secret == key_of("a"), "it is checked before"
        held.get_by_label(ENGLISH.key_new).fill(key_of("b"))
        held.get_by_role("button", name=ENGLISH.save).click()
        visit.hears("OpenRouter takes this key; openrouter-work: key changed")
        assert rig.app.vault.entries()["openrouter-work"].secret == key_of("b")


def test_every_word_of_the_operators_is_said_by_a_click(browser: Browser, full: Rig) -> None:
    pool = full.app.cell
    with visiting(browser, full, HERE) as visit:
        page = visit.page

        def on(name: str, button: str, menu: str | None = None) -> None:
            card = page.locator(f"[id='openrouter-{name}']")
            if menu:
                card.locator("summary", has_text=menu).first.click()
            card.get_by_role("button", name=button, exact=True).click()

        def hears(deed: str, name: str) -> None:
            visit.hears(ENGLISH.done[deed].format(id=f"openrouter-{name}", minutes=10))

        on("b", ENGLISH.use)
        hears("use", "b")
        assert pool.pool.preferred == "openrouter-b"
        for way, seconds in (("1h", 3600), ("today", None), ("", 0)):
            on("b", ENGLISH.pin_ways[way], ENGLISH.pin)
            expect(page.locator(".choices:visible")).to_have_count(0)
            expect(page.locator("#openrouter-b .badge")).to_have_text(ENGLISH.pinned)
            choice = pool.pool.choice
            assert choice is not None and choice.pinned
            left = (choice.until_at or full.app.service.clock()) - full.app.service.clock()
            assert (seconds is None and 0 < left <= 86_400_000) or abs(left - (seconds or 0) * 1000) < 10_000
        page.get_by_role("button", name=ENGLISH.unpin).click()
        visit.hears(ENGLISH.done["unpin"])
        for way, name in (("30m", "a"), ("2h", "b"), ("reset", "limited")):
            on(name, ENGLISH.pause_ways[way], ENGLISH.pause)
            hears("pause", name)
        members = pool.pool.members
        ends = {name: members[f"openrouter-{name}"].admin_until_at or 0 for name in ("a", "b", "limited")}
        now = full.app.service.clock()
        assert abs(ends["a"] - now - 1_800_000) < 10_000 and abs(ends["b"] - now - 7_200_000) < 10_000
        assert abs(ends["limited"] - now - 3_000_000) < 20_000
        for name in ends:
            on(name, ENGLISH.resume)
            hears("resume", name)
        on("a", ENGLISH.pause_ways[""], ENGLISH.pause)
        hears("pause", "a")
        assert members["openrouter-a"].admin_until_at != pool.pool.members["openrouter-a"].admin_until_at
        on("a", ENGLISH.resume)
        on("b", ENGLISH.drain, ENGLISH.other)
        hears("drain", "b")
        assert full.phase("openrouter-b") == "draining"
        on("b", ENGLISH.disable, ENGLISH.other)
        hears("disable", "b")
        on("b", ENGLISH.enable)
        hears("enable", "b")
        assert full.phase("openrouter-b") == "ready"
        connect(full.home.running).ask("pause-all", for_s=600)
        page.get_by_role("button", name=ENGLISH.resume_all).click()
        visit.hears(ENGLISH.done["resume-all"])
        assert full.app.cell.pool.halt is None
        on("limited", ENGLISH.retry)
        expect(page.locator("#said p")).to_contain_text("cleared: openrouter-limited")
        assert full.phase("openrouter-limited") == "ready"
    full.eventually("SELECT 1 FROM operator_event WHERE verb = 'retry-now'")
    verbs = {row["verb"] for row in full.rows("SELECT verb FROM operator_event WHERE actor = 'api'")}
    assert {"use", "pin", "unpin", "pause", "resume", "drain", "disable", "enable", "retry-now"} <= verbs


def test_a_profile_is_removed_and_had_back_or_forgotten(browser: Browser, full: Rig) -> None:
    with visiting(browser, full, HERE) as visit:
        page, card = visit.page, visit.page.locator("[id='openrouter-a']")

        def remove() -> None:
            card.locator("summary", has_text=ENGLISH.other).click()
            card.get_by_role("button", name=ENGLISH.remove).click()
            visit.hears(ENGLISH.done["profiles-remove"].format(id="openrouter-a", minutes=10))
            expect(card).to_have_count(0)

        remove()
        assert full.app.vault.secret("openrouter-a", full.simulator.url) is None
        assert key_of("a") in full.home.keys.read_text()
        page.locator("#said").get_by_role("button", name=SHELL.undo).click()
        visit.hears(ENGLISH.done["profiles-bring-back"].format(id="openrouter-a"))
        expect(page.locator("h3").first).to_have_text("openrouter-a")
        remove()
        page.reload()
        row = visit.card(ENGLISH.removed).locator("li")
        expect(row).to_contain_text("its key is forgotten in")
        row.get_by_role("button", name=SHELL.undo).click()
        expect(card).to_be_visible()
        remove()
        row.get_by_role("button", name=ENGLISH.forget).click()
        visit.hears(ENGLISH.done["profiles-forget"].format(id="openrouter-a"))
        assert key_of("a") not in full.home.keys.read_text()
        expect(visit.card(ENGLISH.removed)).to_have_count(0)


def test_what_happens_is_shown_at_once_and_nothing_in_hand_is_lost(browser: Browser, full: Rig) -> None:
    caller = connect(full.home.running)
    with visiting(browser, full, HERE) as visit:
        page = visit.page
        one, other = page.locator("[id='openrouter-a']"), page.locator("[id='openrouter-b']")
        state = page.locator("[id='openrouter-limited'] .state")
        expect(state).to_contain_text("cooling until")
        expect(state).to_contain_text("stated by OpenRouter")
        expect(state.locator("time")).to_have_text("in 50 min")
        one.get_by_text(ENGLISH.edit, exact=True).click()
        one.get_by_label(ENGLISH.account, exact=True).fill("half a na")
        other.locator("summary", has_text=ENGLISH.pin).click()
        one.get_by_label(ENGLISH.account, exact=True).focus()
        caller.ask("pause", profile="openrouter-b", for_s=90)
        expect(other.locator(".state")).to_contain_text("paused until")
        expect(other.locator(".state time")).to_have_text(f"in {89} s")  # seconds are counted down
        expect(one.get_by_label(ENGLISH.account, exact=True)).to_have_value("half a na")
        expect(one.get_by_label(ENGLISH.account, exact=True)).to_be_focused()
        caller.ask("profiles-remove", profile="openrouter-limited")
        expect(page.locator("[id='openrouter-limited']")).to_have_count(0)
        expect(one.get_by_label(ENGLISH.account, exact=True)).to_be_focused()


def test_it_is_driven_by_the_keyboard_alone(browser: Browser, full: Rig) -> None:
    with visiting(browser, full, HERE) as visit:
        page = visit.page
        pause = page.locator("[id='openrouter-a'] summary", has_text=ENGLISH.pause)
        pause.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(page.locator(".choices:visible")).to_have_count(0)
        expect(pause).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        visit.hears(ENGLISH.done["pause"].format(id="openrouter-a"))
        assert full.phase("openrouter-a") == "paused"
        expect(page.locator("#said")).to_be_focused()  # the menu has gone with the pause
        other = page.locator("[id='openrouter-b'] summary", has_text=ENGLISH.pin)
        other.click()
        page.locator("h1").click()
        expect(page.locator(".choices:visible")).to_have_count(0)


def test_without_a_script_the_same_is_done(browser: Browser, full: Rig) -> None:
    with visiting(browser, full, HERE, script=False) as visit:
        card = visit.page.locator("[id='openrouter-a']")
        card.locator("summary", has_text=ENGLISH.pause).click()
        card.get_by_role("button", name=ENGLISH.pause_ways["30m"]).click()
        visit.hears(ENGLISH.done["pause"].format(id="openrouter-a"))
        assert full.phase("openrouter-a") == "paused"
        card.locator("summary", has_text=ENGLISH.other).click()
        card.get_by_role("button", name=ENGLISH.remove).click()
        visit.page.locator("#said").get_by_role("button", name=SHELL.undo).click()
        visit.hears(ENGLISH.done["profiles-bring-back"].format(id="openrouter-a"))
        visit.page.reload()
        expect(visit.page.locator("#said p")).to_have_count(0)


def test_a_provider_that_moved_is_confirmed_on_the_page(browser: Browser, rig: Rig) -> None:
    connect(rig.home.running).ask("profiles-add", provider="openrouter", label="main", secret=key_of("a"))
    text = rig.home.config.read_text().replace(rig.simulator.url, "http://127.0.0.1:1/v1")
    rig.home.config.write_text(text)
    rig.in_loop(rig.app.reload)
    with visiting(browser, rig, HERE) as visit:
        visit.page.get_by_role("button", name=ENGLISH.confirm).click()
        visit.hears(ENGLISH.done["profiles-confirm"].format(id="openrouter-main"))
        assert rig.app.vault.entries()["openrouter-main"].base_url == "http://127.0.0.1:1/v1"


def test_fifty_profiles_can_be_looked_through(browser: Browser, tmp_path: Path) -> None:
    keys = {f"k{number:02}": Key(OK) for number in range(50)}
    with running(tmp_path, keys) as rig, visiting(browser, rig, HERE, width=360) as visit:
        page = visit.page
        expect(page.locator(".held > li")).to_have_count(50)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_label(ENGLISH.filter).fill("K07")
        expect(page.locator(".held > li:visible")).to_have_count(1)
        connect(rig.home.running).ask("pause", profile="openrouter-k07")
        expect(page.locator(".held > li:visible .state")).to_contain_text("paused")
        expect(page.locator(".held > li:visible")).to_have_count(1)
        whole = page.evaluate(
            "performance.getEntriesByType('navigation')[0].transferSize"
            " + performance.getEntriesByType('resource').filter((one) => one.initiatorType !== 'fetch')"
            ".reduce((sum, one) => sum + one.transferSize, 0)"
        )
        assert whole < 100_000


def test_words_that_mean_ill_are_shown_as_text(browser: Browser, full: Rig) -> None:
    caller, text = connect(full.home.running), f"\u202eabc {SCRIPT}"
    caller.ask("profiles-set", profile="openrouter-a", account=text, tags=text.replace(",", ""))
    caller.ask("token", client="x" * 40)
    with visiting(browser, full, HERE) as visit:
        expect(visit.page.locator("[id='openrouter-a'] .name")).to_contain_text(SCRIPT)
        visit.page.goto(f"{full.url}{CLIENTS}")
        expect(visit.page.get_by_text("x" * 40)).to_be_visible()


@pytest.mark.parametrize("colours", GROUNDS)
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_well_to_read_on_every_screen(
    browser: Browser, rig: Rig, tmp_path: Path, width: int, colours: Literal["light", "dark"]
) -> None:
    codex = tmp_path / "user/.codex/auth.json"
    codex.parent.mkdir()
    codex.write_text(json.dumps({"OPENAI_API_KEY": "sk-0123456789abcdef"}))
    label = f"a-rather-long-name-of-a-key-{width}"
    with visiting(browser, rig, width=width, dark=colours == "dark") as visit:
        for address in (HERE, HERE, CLIENTS, SETTINGS):  # the start page, then the management, and the others
            page = visit.page
            page.goto(f"{rig.url}{address}")
            page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((one) => one.open = true)")
            assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == GROUNDS[colours]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(FAINT) == []
            low = "[...document.querySelectorAll('button, select')].filter((one) => one.checkVisibility() && one.offsetHeight < 40)"
            assert page.evaluate(f"{low}.map((one) => one.outerHTML)") == []
            bare = "[...document.querySelectorAll('input:not([type=hidden]), select')].filter((one) => !one.labels.length && !one.hasAttribute('aria-labelledby'))"
            assert page.evaluate(f"{bare}.length") == 0
            ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
            assert len(ids) == len(set(ids))
            if not rig.app.vault.entries():
                connect(rig.home.running).ask("profiles-add", provider="openrouter", label=label, secret=key_of("a"))


def test_it_speaks_russian_too(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, locale="ru-RU") as visit:
        expect(visit.page.locator("h1")).to_have_text(RUSSIAN.start)


# -- those who have no business there


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An app without a profile, in which nothing is to happen."""
    folder = tmp_path_factory.mktemp("still")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder / "user"))
        with running(folder / "home", script_of(a=OK), names=[]) as found:
            yield found


@pytest.fixture
def guest(still: Rig) -> Iterator[httpx.Client]:
    with guest_of(still) as client:
        yield client


@pytest.fixture
def owner(rig: Rig) -> Iterator[httpx.Client]:
    with guest_of(rig) as client:
        yield client


def add(client: httpx.Client, **more: str) -> httpx.Response:
    form = {"do": "add", "provider": "openrouter", "label": "x", "secret": key_of("a"), **more}
    return client.post("/profiles", data=form)


def test_a_form_of_this_sessions_page_counts(rig: Rig, owner: httpx.Client) -> None:
    done = add(owner, token=token_of(owner))
    assert (done.status_code, done.headers["location"]) == (303, "/profiles")
    assert list(rig.app.vault.entries()) == ["openrouter-x"]


@pytest.mark.parametrize("address", [HERE, CLIENTS, SETTINGS])
def test_without_a_session_nothing_happens(still: Rig, address: str) -> None:
    with httpx.Client(base_url=still.url, trust_env=False) as stranger:
        assert stranger.get(address).status_code == 401
        assert stranger.post(address, data={"do": "add", "token": "x"}).status_code == 401
        assert stranger.get("/report/demo").status_code == 401


@pytest.mark.parametrize("address", [HERE, CLIENTS, SETTINGS])
@pytest.mark.parametrize("token", ["", "x", "ключ"])
def test_without_the_token_of_its_page_a_form_does_nothing(
    still: Rig, guest: httpx.Client, address: str, token: str
) -> None:
    before = still.home.config.read_bytes()
    for form in (
        {"do": "add", "provider": "openrouter", "label": "x", "secret": key_of("a")},
        {"do": "set", "about": "switcher.retry", "value": "9"},
        {"do": "token", "about": "sdk"},
    ):
        for headers in ({}, {"x-o-switcher-deed": "1"}):
            assert guest.post(address, data={**form, "token": token}, headers=headers).status_code == 403
    assert still.app.vault.entries() == {} and still.home.config.read_bytes() == before
    assert still.app.vault.tokens().keys() == {"test"}


def test_the_token_of_another_session_does_nothing(still: Rig, guest: httpx.Client) -> None:
    with guest_of(still) as other:
        foreign = token_of(other)
    assert add(guest, token=foreign).status_code == 403
    assert still.app.vault.entries() == {}


@pytest.mark.parametrize("address", [HERE, CLIENTS, SETTINGS])
@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}]
)
def test_another_sites_page_does_nothing(
    still: Rig, guest: httpx.Client, address: str, headers: dict[str, str]
) -> None:
    form = {"do": "add", "provider": "openrouter", "secret": key_of("a"), "token": token_of(guest)}
    assert guest.post(address, data=form, headers=headers).status_code in (403, 421)
    assert still.app.vault.entries() == {}


ODD = [
    ({"content": b"{}", "headers": {"content-type": "application/json"}}, 400),
    ({"data": {"token": "x" * 20_000}}, 400),
    ({"data": {str(number): "x" for number in range(40)}}, 400),
    ({"content": b"\xff=1", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 400),
]


@pytest.mark.parametrize(("sent", "status"), ODD, ids=["JSON", "too long", "too many fields", "no text"])
def test_what_is_no_form_of_the_page_is_refused(guest: httpx.Client, sent: dict[str, object], status: int) -> None:
    assert guest.post("/profiles", **sent).status_code == status  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"do": "nonsense"}, SHELL.unknown_deed),
        ({"do": ""}, SHELL.unknown_deed),
        ({"do": "add", "provider": "nobody"}, ENGLISH.no_key),
        ({"do": "add", "secret": " "}, ENGLISH.no_key),
        ({"do": "remove", "about": "nobody"}, "no profile is called"),
        ({"do": "change", "about": "nobody"}, "no profile is called"),
        ({"do": "pause:reset", "about": "nobody"}, "no profile is called"),
        ({"do": "undo", "about": "nobody"}, "cannot be had back any more"),
        ({"do": "forget", "about": "nobody"}, "no key of a removed profile"),
        ({"do": "take-over"}, ENGLISH.nothing),
        ({"do": "unpin"}, "nothing is pinned"),
        ({"do": "retry"}, "no profile is called"),
    ],
)
def test_what_cannot_be_done_is_said_once(guest: httpx.Client, form: dict[str, str], words: str) -> None:
    shown = words.replace("'", "&#39;")
    assert guest.post("/profiles", data={**form, "token": token_of(guest)}).status_code == 303
    assert shown in guest.get("/profiles").text
    assert shown not in guest.get("/profiles").text
    assert shown in send(guest, "/profiles", **form)


def test_a_priority_that_is_no_number_is_said(rig: Rig, owner: httpx.Client) -> None:
    add(owner, token=token_of(owner))
    said = send(owner, HERE, do="change", about="openrouter-x", label="x", priority="high")
    assert ENGLISH.no_number in said


def test_what_was_removed_is_not_had_back_over_something_else(rig: Rig, owner: httpx.Client) -> None:
    token = token_of(owner)
    add(owner, token=token)
    send(owner, HERE, do="remove", about="openrouter-x")
    add(owner, token=token, label="y")
    assert "cannot be had back any more" in send(owner, HERE, do="undo", about="openrouter-x")


def test_the_way_to_a_demo_that_does_not_run_leads_back(guest: httpx.Client) -> None:
    assert guest.get("/report/demo").headers["location"] == HERE
