"""The manual: the Markdown pages of `tray_app/docs`, as they lie in the package, made into parts of a web page.

Nothing is fetched and no HTML of a page's own is let through. A page that a language has not stands in English.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

ADDRESS = "/help"
FIRST = (
    "installing",
    "operating",
    "clients",
    "providers",
    "failover",
    "settings",
    "report",
    "history",
    "queries",
    "security",
)
THEN = ("troubleshooting", "api", "simulator", "contributing", "releasing", "changelog")
DEEPEST = 3  # headings that are listed
_NAME = re.compile(r"[a-z][a-z-]*")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a page: how deep it stands, and the name by which a link leads to it."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Outline:
    """What a list tells of a page: its title, its headings below that, and the language that it is in."""

    name: str
    title: str
    headings: tuple[Heading, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Article(Outline):
    """A page with its text as HTML."""

    html: str


@dataclass(frozen=True, slots=True)
class Words:
    """What stands on a page beside its text."""

    copy: str
    table: str


def names() -> tuple[str, ...]:
    """The pages, in the order in which they are listed."""
    found = {one.name.removesuffix(".md") for one in _folder("en").iterdir() if one.name.endswith(".md")}
    known = [name for name in (*FIRST, *THEN) if name in found]
    return (*known, *sorted(found - set(known)))


@lru_cache(maxsize=8)
def article(name: str, language: str, words: Words) -> Article | None:
    """The page of that name; None where there is none."""
    for spoken in dict.fromkeys((language, "en")):
        text = _text(name, spoken)
        if text is not None:
            return _made(name, spoken, text, words)
    return None


@lru_cache(maxsize=64)
def outline(name: str, language: str) -> Outline | None:
    """The outline of the page of that name, read without its being made; None where there is none."""
    for spoken in dict.fromkeys((language, "en")):
        text = _text(name, spoken)
        if text is not None:
            found: list[Heading] = []
            for mark, line in _HEADING.findall(_FENCE.sub("", text)):
                plain = _LINK.sub(r"\1", line).replace("`", "").strip()
                found.append(Heading(len(mark), plain, anchor_of(plain, [one.anchor for one in found])))
            return _outlined(name, spoken, found)
    return None


def anchor_of(text: str, taken: Sequence[str] = ()) -> str:
    """The name by which a link leads to a heading, made as the usual hosts of repositories make it."""
    plain = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
    number, anchor = 0, plain
    while anchor in taken:
        number += 1
        anchor = f"{plain}-{number}"
    return anchor


def _text(name: str, language: str) -> str | None:
    if not _NAME.fullmatch(name):
        return None
    file = _folder(language) / f"{name}.md"
    return file.read_text("utf-8") if file.is_file() else None


def _folder(language: str) -> Traversable:
    docs = resources.files("tray_app") / "docs"
    return docs if language == "en" else docs / language


def _made(name: str, language: str, text: str, words: Words) -> Article:
    reader = _reader(words)
    tokens = reader.parse(text)
    headings = _with_anchors(tokens)
    html = reader.renderer.render(tokens, reader.options, {})
    shape = _outlined(name, language, headings)
    return Article(name, shape.title, shape.headings, language, html)


def _outlined(name: str, language: str, headings: Sequence[Heading]) -> Outline:
    title = next((heading.text for heading in headings if heading.level == 1), name)
    listed = tuple(heading for heading in headings if 1 < heading.level <= DEEPEST)
    return Outline(name, title, listed, language)


def _with_anchors(tokens: Sequence[Token]) -> list[Heading]:
    found: list[Heading] = []
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open":
            text = "".join(one.content for one in inline.children or () if one.type in ("text", "code_inline"))
            anchor = anchor_of(text, [heading.anchor for heading in found])
            token.attrSet("id", anchor)
            found.append(Heading(int(token.tag[1:]), text, anchor))
    return found


def _reader(words: Words) -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("link_open", _link_open)
    reader.add_render_rule("table_open", lambda *_: _table_open(words))
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    reader.add_render_rule("heading_close", _heading_close)
    for kind in ("fence", "code_block"):
        reader.add_render_rule(kind, lambda _, tokens, at, *__: _code(tokens[at], words))
    return reader


def _link_open(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    token.attrSet("href", target(str(token.attrGet("href") or "")))
    if str(token.attrGet("href")).startswith("http"):
        token.attrSet("rel", "noreferrer")
    return str(renderer.renderToken(tokens, at, options, env))


def target(href: str) -> str:
    """Where a link of a page leads when the page is served: other pages are here, files of the repository are not."""
    path, mark, anchor = href.partition("#")
    page = path.removeprefix("../").removeprefix("ru/")
    if not path or "://" in path:
        return href
    if page.endswith(".md") and "/" not in page and page != "README.md":
        return f"{ADDRESS}/{page.removesuffix('.md')}{mark}{anchor}"
    return ADDRESS


def _table_open(words: Words) -> str:
    return f'<div class="scroll" role="region" aria-label="{escape(words.table)}" tabindex="0"><table>\n'


def _heading_close(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    opened = tokens[at - 2]
    anchor = escape(str(opened.attrGet("id") or ""))
    return f' <a class="anchor" href="#{anchor}" aria-hidden="true" tabindex="-1">#</a></{tokens[at].tag}>\n'


def _code(token: Token, words: Words) -> str:
    button = f'<button type="button" class="copy" hidden>{escape(words.copy)}</button>'
    kind = escape(token.info.strip() or "text")
    return (
        f'<div class="code"><pre tabindex="0" data-kind="{kind}"><code>{escape(token.content)}</code></pre>'
        f"{button}</div>\n"
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the index, with those of its headings that were asked for."""

    page: Outline
    headings: tuple[Heading, ...]


def index(language: str, asked: str = "") -> tuple[Found, ...]:
    """All pages and their headings, or those in whose titles or headings all words of `asked` stand."""
    wanted = asked.lower().split()
    found = []
    for name in names():
        one = outline(name, language)
        if one is None:
            continue
        if _holds(one.title, wanted):
            found.append(Found(one, one.headings))
        elif headings := tuple(heading for heading in one.headings if _holds(f"{one.title} {heading.text}", wanted)):
            found.append(Found(one, headings))
    return tuple(found)


def _holds(text: str, words: Sequence[str]) -> bool:
    return all(word in text.lower() for word in words)


def neighbours(name: str, language: str) -> Mapping[str, Outline | None]:
    """The pages before and after that one."""
    order = names()
    at = order.index(name)
    before = outline(order[at - 1], language) if at else None
    after = outline(order[at + 1], language) if at + 1 < len(order) else None
    return {"before": before, "after": after}
