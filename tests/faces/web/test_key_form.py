"""The form that takes a key: who may see it, what it does, and that a key is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.faces.web.report_harness import chromium
from tests.rig import Rig, key_of, running, script_of
from tray_app.control.callers import connect
from tray_app.control.verbs import Refused
from tray_app.faces.web import key_form

SECRET = "sk-or-v1-a-new-key-0123456789"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="unauthorized"}', b='{do="ok"}'), names=["a"]) as found:
        yield found


@pytest.fixture
def browser(rig: Rig) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=rig.url, trust_env=False, timeout=20, follow_redirects=True) as client:
        yield client


def enter(rig: Rig, browser: httpx.Client, **where: str) -> httpx.Response:
    return browser.get(connect(rig.home.running).ask("report", **where)["url"])


def test_a_profile_is_added_in_the_browser(rig: Rig, browser: httpx.Client) -> None:
    page = enter(rig, browser, page="add")
    assert page.url.path == "/report/key" and "ticket" not in str(page.url)
    assert "<h1>Add a profile</h1>" in page.text and '<option value="groq">' in page.text
    fields = {"provider": "openrouter", "label": "new", "key": f" {SECRET}\n"}
    done = browser.post("/report/key", data=fields)
    assert done.url.path == "/report" and "openrouter-new" in done.text
    assert SECRET not in done.text
    added = next(one for one in connect(rig.home.running).ask("status")["profiles"] if one["label"] == "new")
    assert added["key_tail"] == SECRET[-4:]
    events = rig.eventually("SELECT actor, verb FROM operator_event WHERE profile_id = 'openrouter-new'")
    assert events == [{"actor": "web", "verb": "profiles-add"}]


def test_a_refused_key_is_replaced_in_the_browser(rig: Rig, browser: httpx.Client) -> None:
    rig.chat()
    assert rig.phase("openrouter-a") == "needs re-authentication"
    page = enter(rig, browser, page="key", profile="openrouter-a")
    assert "A new key for openrouter-a" in page.text and "<select" not in page.text
    browser.post("/report/key", data={"profile": "openrouter-a", "key": key_of("b")})
    assert rig.phase("openrouter-a") == "ready"
    assert rig.chat().status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"provider": "openrouter", "label": "x", "key": " "}, 422, "the key is empty"),
        ({"provider": "openrouter", "label": "No Good", "key": SECRET}, 422, "must be lower-case letters"),
        ({"provider": "openrouter", "label": "a", "key": SECRET}, 409, "exists already"),
        ({"provider": "nobody", "label": "x", "key": SECRET}, 404, "no provider is called"),
        ({"profile": "openrouter-gone", "key": SECRET}, 404, "no profile is called"),
        ({"provider": "openrouter", "label": "<b>x", "key": SECRET}, 422, "must be lower-case letters"),
        ({"provider": "openrouter", "label": "x", "key": "sk with spaces"}, 422, "characters that no key has"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays_but_the_key(
    rig: Rig, browser: httpx.Client, fields: dict[str, str], status: int, words: str
) -> None:
    enter(rig, browser, page="add")
    page = browser.post("/report/key", data=fields)
    assert page.status_code == status and 'role="alert"' in page.text
    assert words in page.text.replace("&#39;", "'")
    assert SECRET not in page.text and "<b>" not in page.text
    assert len(connect(rig.home.running).ask("status")["profiles"]) == 1


def test_without_a_session_there_is_no_form_and_nothing_is_taken(rig: Rig, browser: httpx.Client) -> None:
    assert browser.get("/report/key").status_code == 401
    fields = {"provider": "openrouter", "label": "x", "key": SECRET}
    assert browser.post("/report/key", data=fields).status_code == 401
    assert browser.get("/report/key?ticket=wrong").status_code == 401


def test_a_page_of_another_site_cannot_send_it(rig: Rig, browser: httpx.Client) -> None:
    enter(rig, browser, page="add")
    fields = {"provider": "openrouter", "label": "x", "key": SECRET}
    evil = {"origin": "https://evil.example"}
    assert browser.post("/report/key", data=fields, headers=evil).status_code == 403


def test_nonsense_and_too_much_are_refused(rig: Rig, browser: httpx.Client) -> None:
    enter(rig, browser, page="add")
    assert browser.post("/report/key", content=b"\xff\xfe=1").status_code == 422
    assert browser.post("/report/key", content=b"key=" + b"x" * 70_000).status_code == 422


def test_it_speaks_russian_too(rig: Rig, browser: httpx.Client) -> None:
    enter(rig, browser, page="add")
    page = browser.get("/report/key", headers={"accept-language": "ru-RU,ru;q=0.9"})
    assert f"<h1>{key_form.RUSSIAN.add}</h1>" in page.text and '<html lang="ru">' in page.text


def test_other_pages_and_profiles_that_are_not_there_are_refused(rig: Rig) -> None:
    caller = connect(rig.home.running)
    for where in ({"page": "nowhere"}, {"page": "key"}, {"page": "add", "profile": "openrouter-a"}):
        with pytest.raises(Refused):
            caller.ask("report", **where)
    with pytest.raises(Refused, match="no profile is called"):
        caller.ask("report", page="key", profile="openrouter-gone")


def test_a_real_browser_can_send_it_and_shows_what_is_wrong(rig: Rig) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(connect(rig.home.running).ask("report", page="add")["url"])
        page.fill("#label", "a")
        page.fill("#key", SECRET)
        page.click("button")
        expect(page.locator("[role=alert]")).to_contain_text("exists already")
        assert page.input_value("#label") == "a" and page.input_value("#key") == ""
        page.fill("#label", "second")
        page.fill("#key", SECRET)
        page.press("#key", "Enter")
        page.wait_for_url("**/report#profiles")
    assert "openrouter-second" in rig.app.cell.pool.members
