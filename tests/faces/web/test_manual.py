"""The manual: every page of the documentation, in both languages, with links that lead somewhere; in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.faces.web.report_harness import chromium
from tests.faces.web.visiting import guest_of
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.faces.web import help_texts, manual
from tray_app.faces.web.manual import ADDRESS, anchor_of, target

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "tray_app" / "docs"
ENGLISH, RUSSIAN = help_texts.ENGLISH, help_texts.RUSSIAN
NAMES = sorted(path.stem for path in DOCS.glob("*.md"))


def article(name: str, language: str) -> manual.Article:
    found = manual.article(name, language, help_texts.LANGUAGES[language].beside)
    assert found is not None
    return found


# -- pages


def test_every_file_of_the_documentation_is_a_page() -> None:
    assert sorted(manual.names()) == NAMES
    assert set(manual.FIRST) <= set(NAMES), "what is listed first is there"


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("name", NAMES)
def test_links_within_the_manual_lead_to_a_heading_that_is_there(name: str, language: str) -> None:
    page = article(name, language)
    for href in map(unescape, re.findall(r'href="([^"]+)"', page.html)):
        path, _, anchor = unquote(href).partition("#")
        if "://" in href:
            continue
        assert path in ("", ADDRESS) or path.startswith(f"{ADDRESS}/"), href
        other = article(path.rpartition("/")[2], page.language) if path.startswith(f"{ADDRESS}/") else page
        assert not anchor or f'id="{anchor}"' in other.html, href


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_title_and_all_of_its_text(name: str) -> None:
    page = article(name, "en")
    source = (DOCS / f"{name}.md").read_text()
    assert f"# {page.title}\n" in source
    assert page.html.count('<div class="code">') == len(re.findall(r"^```", source, re.MULTILINE)) / 2
    assert (
        page.html.count("<table>")
        == page.html.count('class="scroll"')
        == len(re.findall(r"^\|-", source, re.MULTILINE))
    )


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("name", NAMES)
def test_the_outline_of_a_page_is_that_of_the_page(name: str, language: str) -> None:
    page, shape = article(name, language), manual.outline(name, language)
    assert shape is not None
    assert (shape.title, shape.headings, shape.language) == (page.title, page.headings, page.language)


@pytest.mark.parametrize("name", ["../../pyproject", "README", "ru/README", "", "no-such", "operating.md", "Operating"])
def test_nothing_else_is_a_page(name: str) -> None:
    assert manual.article(name, "en", ENGLISH.beside) is None


def test_a_page_that_a_language_has_not_is_shown_in_english() -> None:
    assert article("contributing", "ru").language == "en"
    assert article("security", "ru").language == "ru"


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("The tray", "the-tray"),
        ("`run`", "run"),
        ("aider, llm, SDKs", "aider-llm-sdks"),
        ("The command `/switcher`, and tools", "the-command-switcher-and-tools"),
        ("Что значит «отдых»?", "что-значит-отдых"),
    ],
)
def test_anchors_are_those_that_hosts_of_repositories_make(heading: str, anchor: str) -> None:
    assert anchor_of(heading.replace("`", "")) == anchor
    assert anchor_of(heading.replace("`", ""), [anchor, f"{anchor}-1"]) == f"{anchor}-2"


@pytest.mark.parametrize(
    ("href", "leads_to"),
    [
        ("security.md", "/help/security"),
        ("security.md#where-they-go", "/help/security#where-they-go"),
        ("../security.md", "/help/security"),
        ("#here", "#here"),
        ("https://example.org/x.md", "https://example.org/x.md"),
        ("../../README.md", "/help"),
        ("../../LICENSE", "/help"),
    ],
)
def test_links_of_the_files_become_links_of_the_manual(href: str, leads_to: str) -> None:
    assert target(href) == leads_to


def test_no_html_of_a_file_is_let_through() -> None:
    text = "# T <b>x</b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n\n```<i>\n</code><b>\n```\n"
    html = manual._made("x", "en", text, ENGLISH.beside).html
    assert "<script" not in html and "<b>" not in html and "<i>" not in html and 'href="javascript' not in html


def test_the_search_looks_at_titles_and_headings() -> None:
    everything = manual.index("en")
    assert [found.page.name for found in everything] == list(manual.names())
    (found,) = manual.index("en", "CHOOSING profile")
    assert [heading.anchor for heading in found.headings] == ["choosing-a-profile"]
    assert [one.page.name for one in manual.index("en", "troubleshooting")] == ["troubleshooting"]
    assert manual.index("en", "zzz") == ()


# -- served


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("manual"), script_of(a='{do="ok"}'), names=["a"]) as found:
        yield found


@pytest.fixture
def guest(rig: Rig) -> Iterator[httpx.Client]:
    with guest_of(rig) as client:
        yield client


def test_pages_are_for_this_user_in_the_language_of_the_page(rig: Rig, guest: httpx.Client) -> None:
    assert httpx.get(f"{rig.url}/help/security", trust_env=False).status_code == 401
    english = guest.get("/help/security")
    assert (english.status_code, "<h1" in english.text, '<article lang="en">' in english.text) == (200, True, True)
    russian = guest.get("/help/security", headers={"accept-language": "ru-RU,ru;q=0.9"}).text
    assert '<html lang="ru"' in russian and '<article lang="ru">' in russian
    only = guest.get("/help/contributing", headers={"accept-language": "ru"}).text
    assert RUSSIAN.only_english in only and '<article lang="en">' in only
    for missing in ("/help/no-such", "/help/..%2f..%2fpyproject", "/help/README"):
        assert guest.get(missing).status_code == 404


def test_the_index_can_be_searched_without_a_script(guest: httpx.Client) -> None:
    assert guest.get("/help").text.count('class="card book"') == len(NAMES)
    found = guest.get("/help", params={"q": "<b>choosing"}).text
    assert "<b>choosing" not in found and ENGLISH.nothing in found
    assert guest.get("/help", params={"q": "choosing"}).text.count('class="card book"') == 1


# -- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_a_person_finds_a_page_copies_a_command_and_goes_on(rig: Rig, browser: Browser) -> None:
    context = browser.new_context(
        viewport={"width": 1200, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda asked: None if asked.url.startswith(rig.url) else complaints.append(asked.url))
    page.goto(str(connect(rig.home.running).ask("report")["url"]) + "&page=help")
    page.get_by_label(ENGLISH.search).fill("choosing a prof")
    expect(page.locator(".book:visible")).to_have_count(1)
    page.get_by_label(ENGLISH.search).fill("no such thing")
    expect(page.locator("#nothing")).to_be_visible()
    page.get_by_label(ENGLISH.search).fill("choosing")
    page.get_by_role("link", name="Choosing a profile").click()
    expect(page).to_have_url(re.compile(r"/help/operating#choosing-a-profile$"))
    block = page.locator(".code", has_text="o-switcher unpin").first
    block.hover()
    block.get_by_role("button", name=ENGLISH.beside.copy).click()
    expect(block.get_by_role("button")).to_have_text(ENGLISH.copied)
    assert page.evaluate("navigator.clipboard.readText()").startswith("o-switcher use openrouter-backup")
    page.locator(".contents a", has_text="When something is wrong").click()
    expect(page).to_have_url(re.compile(r"#when-something-is-wrong$"))
    assert complaints == []
    context.close()


def test_every_page_fits_a_phone_in_both_languages(rig: Rig, browser: Browser) -> None:
    for locale in ("en-GB", "ru-RU"):
        context = browser.new_context(viewport={"width": 360, "height": 740}, locale=locale)
        page = context.new_page()
        page.goto(str(connect(rig.home.running).ask("report")["url"]) + "&page=help")
        for name in ("", *(f"/{name}" for name in NAMES)):
            page.goto(f"{rig.url}{ADDRESS}{name}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, (name, wide)
        context.close()
