"""What stands around the manual's pages, one table a language; the pages themselves lie in `tray_app/docs`."""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.faces.web.manual import Words
from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class HelpWords:
    """The words of one language."""

    lang: str
    title: str
    lead: str
    search: str
    go: str
    nothing: str
    everything: str
    contents: str
    back: str
    only_english: str
    before: str
    after: str
    copied: str
    beside: Words


ENGLISH = HelpWords(
    lang="en",
    title="The manual",
    lead="Everything here comes with the app and is read without a network.",
    search="Search the headings",
    go="Search",
    nothing="No heading holds these words.",
    everything="Show all pages",
    contents="On this page",
    back="All pages",
    only_english="This page is in English only.",
    before="Before this",
    after="Next",
    copied="Copied",
    beside=Words(copy="Copy", table="Table; it can be scrolled sideways"),
)

RUSSIAN = HelpWords(
    lang="ru",
    title="Руководство",
    lead="Все страницы поставляются вместе с приложением и читаются без сети.",
    search="Поиск по заголовкам",
    go="Найти",
    nothing="Ни в одном заголовке этих слов нет.",
    everything="Показать все страницы",
    contents="На этой странице",
    back="Все страницы",
    only_english="Эта страница есть только на английском.",
    before="Назад",
    after="Дальше",
    copied="Скопировано",
    beside=Words(copy="Копировать", table="Таблица; её можно прокрутить вбок"),
)

LANGUAGES: Mapping[str, HelpWords] = {"en": ENGLISH, "ru": RUSSIAN}


def words_for(locale: str) -> HelpWords:
    """The words of a locale's language."""
    return table_for(LANGUAGES, locale)
