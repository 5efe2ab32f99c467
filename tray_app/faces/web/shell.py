"""What stands around every page: which pages there are, and how this browser wants them (theme and language).

A page is registered in `pages.PAGES`, and then stands in the navigation, takes tickets and is checked by the tests of
all pages. Theme and language are cookies, so that the server draws a page right at once and nothing flickers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tray_app.control.service import Service
from tray_app.control.views import AppState
from tray_app.faces.web.sessions import Sessions
from tray_app.faces.web.shell_texts import ENGLISH, LANGUAGES, ShellWords, words_for

THEMES = ("light", "system", "dark")
LOOK = "/report/look"  # takes the choice of theme and language
THEME_COOKIE, LANGUAGE_COOKIE = "o_switcher_theme", "o_switcher_language"
_A_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Page:
    """A page in the navigation. `name` is that of its title in `ShellWords.pages`, and what a ticket leads to by."""

    name: str
    address: str
    routes: Callable[[Service, Sessions], list[Route]]


@dataclass(frozen=True, slots=True)
class Shell:
    """What the templates draw around a page."""

    words: ShellWords = ENGLISH
    pages: tuple[Page, ...] = ()
    here: str = ""  # the page's name
    address: str = "/report"  # the page's own address with its query
    theme: str = "system"
    state: AppState = AppState.READY


def shell_of(request: Request, here: str, state: AppState) -> Shell:
    """The shell of the page `here` as this browser wants it."""
    query = f"?{request.url.query}" if request.url.query else ""
    theme = request.cookies.get(THEME_COOKIE, "")
    return Shell(
        words=words_for(language_of(request)),
        pages=pages_of(request),
        here=here,
        address=request.url.path + query,
        theme=theme if theme in THEMES else "system",
        state=state,
    )


def language_of(request: Request) -> str:
    """The language that was chosen here, else the one that the browser likes best."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    wanted = request.headers.get("accept-language", "en").partition(",")[0].partition(";")[0]
    return wanted.strip().replace("-", "_")


def pages_of(request: Request) -> tuple[Page, ...]:
    """The pages that are registered."""
    pages: tuple[Page, ...] = request.app.state.pages
    return pages


def way_back(address: str, pages: tuple[Page, ...]) -> str:
    """`address`, if it is one of our pages', else the first page's."""
    path = address.partition("?")[0]
    ours = [page.address for page in pages]
    return address if any(path == one or path.startswith(f"{one}/") for one in ours) else ours[0]


def choose_look(request: Request, form: Mapping[str, str]) -> Response:
    """Remember the theme or the language that `form` asks for, and go back to the page that it stands on."""
    response = RedirectResponse(way_back(form.get("back", ""), pages_of(request)), 303)
    response.headers["cache-control"] = "no-store"
    for field, cookie, known in (("theme", THEME_COOKIE, THEMES), ("language", LANGUAGE_COOKIE, LANGUAGES)):
        if form.get(field) in known:
            response.set_cookie(cookie, form[field], max_age=_A_YEAR_S, httponly=True, samesite="strict", path="/")
    return response
