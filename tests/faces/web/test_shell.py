"""What stands around every page: the way a browser wants pages is kept, and leads nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faces.web.visiting import guest_of
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.faces.web.pages import PAGES
from tray_app.faces.web.shell import LOOK, Page, way_back
from tray_app.faces.web.shell_texts import RUSSIAN


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path / "home", script_of(a='{do="ok"}'), names=["a"]) as found:
        yield found


@pytest.fixture
def guest(rig: Rig) -> Iterator[httpx.Client]:
    """A browser's session, driven by hand."""
    with guest_of(rig) as client:
        yield client


def test_a_theme_and_a_language_are_kept_for_every_page(guest: httpx.Client) -> None:
    assert 'data-theme="system"' in guest.get("/report").text
    for choice in ({"theme": "dark"}, {"language": "ru"}):
        done = guest.post(LOOK, data={**choice, "back": "/profiles?x=1"})
        assert (done.status_code, done.headers["location"]) == (303, "/profiles?x=1")
        assert done.headers["set-cookie"].lower().count("samesite=strict") == 1
    for page in PAGES:
        shown = guest.get(page.address).text
        assert '<html lang="ru" data-theme="dark">' in shown
        assert f'aria-current="page">{RUSSIAN.pages[page.name]}<' in shown


def test_what_is_no_theme_or_language_is_not_kept(guest: httpx.Client) -> None:
    done = guest.post(LOOK, data={"theme": '"><script>', "language": "xx", "back": "/report"})
    assert (done.status_code, "set-cookie" in done.headers) == (303, False)
    guest.cookies.set("o_switcher_theme", "plaid")
    guest.cookies.set("o_switcher_language", "xx")
    assert '<html lang="en" data-theme="system">' in guest.get("/report").text


def test_a_look_that_is_no_form_is_refused(guest: httpx.Client) -> None:
    assert guest.post(LOOK, json={"theme": "dark"}).status_code == 400
    assert guest.post(LOOK, data={"theme": "dark"}, headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("address", "back"),
    [
        ("/report?days=7", "/report?days=7"),
        ("/report/requests", "/report/requests"),
        ("/profiles", "/profiles"),
        ("/profilesx", "/report"),
        ("//evil.example/report", "/report"),
        ("https://evil.example/report", "/report"),
        ("", "/report"),
        ("javascript:alert(1)", "/report"),
        ("http://[", "/report"),
    ],
)
def test_the_way_back_leads_to_a_page_of_ours_only(address: str, back: str) -> None:
    assert way_back(address, PAGES) == back


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_ticket_leads_to_the_page_it_names(rig: Rig, page: Page) -> None:
    name, address = page.name, page.address
    url = httpx.URL(str(connect(rig.home.running).ask("report")["url"])).copy_merge_params({"page": name})
    assert httpx.get(url, trust_env=False).headers["location"] == address


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_without_a_session_no_page_is_shown(rig: Rig, page: Page) -> None:
    answer = httpx.get(f"{rig.url}{page.address}", trust_env=False)
    assert answer.status_code == 401
    assert "o-switcher report" in answer.text


def test_whoever_does_not_read_gzip_gets_pages_and_files_as_they_are(guest: httpx.Client) -> None:
    for address in ("/profiles", "/report", "/static/report.css"):
        plain = guest.get(address, headers={"accept-encoding": "identity"})
        packed = guest.get(address)
        assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
        assert plain.text.split()[:3] == packed.text.split()[:3], address
