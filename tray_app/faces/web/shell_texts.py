"""Every sentence that the pages share: figures, states, the navigation. One table for each language.

Reasons, notices and the app's own headline come from elsewhere and are shown as they come. Counted
things are put as "upstream calls: 3", so that no language needs its plural forms here. How a rest, a quota
and a choice are put is the same for every face: `control.wording`. A page's own sentences have a module of their own.
"""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from tray_app.control import wording
from tray_app.control.views import AppState
from tray_app.control.wording import Wording
from tray_app.core.values import Outcome

Table = TypeVar("Table")


@dataclass(frozen=True, slots=True)
class ShellWords:
    """The words of one language; braces are filled in by `report_formats` and by the templates."""

    lang: str
    wording: Wording
    none: str  # what stands where nothing is known
    sizes: tuple[str, ...]
    percent: str
    money: str
    thousands: tuple[str, ...]
    just_now: str
    seconds_ago: str
    minutes_ago: str
    hours_ago: str
    days_ago: str
    states: Mapping[AppState, str]
    gone: str
    gone_title: str
    ended: str
    trouble: str
    outcomes: Mapping[str, str]
    running: str
    promise: str
    signed_out: str
    signed_out_how: str
    unavailable: str
    chosen: str
    menu: str
    pages: Mapping[str, str]
    skip: str
    theme: str
    themes: Mapping[str, str]
    language: str
    stale: str
    unknown_deed: str
    undo: str
    in_seconds: str
    copied: str
    not_copied: str
    dismiss: str


ENGLISH = ShellWords(
    lang="en",
    wording=wording.ENGLISH,
    none="–",
    sizes=("{n} B", "{n} kB", "{n} MB", "{n} GB", "{n} TB"),
    percent="{n}%",
    money="${n}",
    thousands=("{n}", "{n}k", "{n}M", "{n}B", "{n}T"),
    just_now="just now",
    seconds_ago="{n} s ago",
    minutes_ago="{n} min ago",
    hours_ago="{n} h ago",
    days_ago="{n} d ago",
    states={
        AppState.READY: "Ready",
        AppState.DEGRADED: "Degraded",
        AppState.EXHAUSTED: "Exhausted",
        AppState.OFFLINE: "Offline",
        AppState.PAUSED: "Paused",
        AppState.NEEDS_YOU: "Needs you",
    },
    gone="O-Switcher is not running. What you see is what it showed last; this page goes on by itself as soon as "
    "it is back.",
    gone_title="Not running",
    ended="This page is signed out, because O-Switcher was started anew. Open the report from the tray, or run: "
    "o-switcher report",
    trouble="O-Switcher could not make this page just now. What you see is what it showed last; it is asked again "
    "every few seconds.",
    outcomes={
        Outcome.SERVED: "served",
        Outcome.FAILED: "failed",
        Outcome.EXHAUSTED: "exhausted",
        Outcome.REFUSED: "refused",
        Outcome.CLIENT_CANCELLED: "cancelled by the client",
        Outcome.INTERRUPTED: "interrupted",
    },
    running="running",
    promise="Prompts, answers and keys are never stored, and this page asks nothing of any other machine.",
    signed_out="This report is yours alone",
    signed_out_how="Open it from the O-Switcher icon in the tray, or run this in a terminal:",
    unavailable="This page cannot be shown just now",
    chosen="{id} is {words}",
    menu="Pages",
    pages={
        "overview": "Overview",
        "profiles": "Profiles",
        "requests": "Requests",
        "events": "Events",
        "settings": "Settings",
        "clients": "Clients",
        "help": "Help",
    },
    skip="Skip to the content",
    theme="Colours",
    themes={"light": "Light", "system": "As the system", "dark": "Dark"},
    language="Language",
    stale="This page was from an earlier session. Open it again: o-switcher report",
    unknown_deed="This page asked for something that O-Switcher does not know; reload it.",
    undo="Undo",
    in_seconds="in {n} s",
    copied="Copied.",
    not_copied="The browser did not let it be copied; select it and copy it by hand.",
    dismiss="Dismiss",
)

RUSSIAN = ShellWords(
    lang="ru",
    wording=wording.RUSSIAN,
    none="–",
    sizes=("{n} Б", "{n} кБ", "{n} МБ", "{n} ГБ", "{n} ТБ"),
    percent="{n} %",
    money="{n}\u00a0$",
    thousands=("{n}", "{n}\u00a0тыс.", "{n}\u00a0млн", "{n}\u00a0млрд", "{n}\u00a0трлн"),
    just_now="только что",
    seconds_ago="{n} с назад",
    minutes_ago="{n} мин назад",
    hours_ago="{n} ч назад",
    days_ago="{n} д назад",
    states={
        AppState.READY: "Готов",
        AppState.DEGRADED: "Работает с потерями",
        AppState.EXHAUSTED: "Исчерпан",
        AppState.OFFLINE: "Нет связи",
        AppState.PAUSED: "Приостановлен",
        AppState.NEEDS_YOU: "Нужны вы",
    },
    gone="O-Switcher не запущен. Здесь то, что он показал в последний раз; страница продолжит сама, как только он "
    "вернётся.",
    gone_title="Не запущен",
    ended="Страница больше не подписана: O-Switcher был запущен заново. Откройте отчёт из трея или выполните: "
    "o-switcher report",
    trouble="O-Switcher сейчас не смог составить эту страницу. Здесь то, что он показал в последний раз; запрос "
    "повторяется каждые несколько секунд.",
    outcomes={
        Outcome.SERVED: "успешно",
        Outcome.FAILED: "не удался",
        Outcome.EXHAUSTED: "ключи исчерпаны",
        Outcome.REFUSED: "отклонён",
        Outcome.CLIENT_CANCELLED: "отменён клиентом",
        Outcome.INTERRUPTED: "прерван",
    },
    running="идёт",
    promise="Запросы, ответы и ключи нигде не хранятся, а эта страница ни к каким другим машинам не обращается.",
    signed_out="Этот отчёт только для вас",
    signed_out_how="Откройте его значком O-Switcher в трее или выполните в терминале:",
    unavailable="Эту страницу сейчас нельзя показать",
    chosen="{id} {words}",
    menu="Страницы",
    pages={
        "overview": "Обзор",
        "profiles": "Профили",
        "requests": "Запросы",
        "events": "События",
        "settings": "Настройки",
        "clients": "Клиенты",
        "help": "Справка",
    },
    skip="К содержанию",
    theme="Цвета",
    themes={"light": "Светлые", "system": "Как в системе", "dark": "Тёмные"},
    language="Язык",
    stale="Страница осталась от прежнего сеанса. Откройте её заново: o-switcher report",
    unknown_deed="Страница попросила о неизвестном; обновите её.",
    undo="Вернуть",
    in_seconds="через {n} с",
    copied="Скопировано.",
    not_copied="Браузер не дал скопировать; выделите и скопируйте вручную.",
    dismiss="Закрыть",
)

LANGUAGES: Mapping[str, ShellWords] = {words.lang: words for words in (ENGLISH, RUSSIAN)}
LANGUAGE_NAMES: Mapping[str, tuple[str, str]] = {"en": ("EN", "English"), "ru": ("RU", "Русский")}


def table_for(tables: Mapping[str, Table], locale: str) -> Table:
    """The table for a locale such as `en`, `ru-RU` or `ru_RU.UTF-8`; the English one where there is none."""
    return tables.get(locale.replace("_", "-").split("-")[0].lower(), tables["en"])


def words_for(locale: str) -> ShellWords:
    """What the pages share, in the language of a locale."""
    return table_for(LANGUAGES, locale)
