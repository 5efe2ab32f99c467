"""Every sentence of the page of events. The events themselves are told by `control.happening`."""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.control import happening
from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    lang: str
    happening: happening.Words
    search: str
    kind: str
    kinds: Mapping[str, str]
    any_kind: str
    profile: str
    from_time: str
    to_time: str
    find: str
    clear: str
    hint: str
    found: str
    newest_first: str
    request: str
    none_found: str
    none_found_how: str
    none_yet: str
    none_yet_how: str
    reached: str
    further: str
    pages: str
    newest: str
    newer: str
    older: str
    pause: str
    go_on: str
    held: str
    live: str
    take: str
    take_as: str
    files: Mapping[str, str]


ENGLISH = Words(
    lang="en",
    happening=happening.ENGLISH,
    search="Search",
    kind="Kind",
    kinds={
        "failover": "Failovers",
        "quota": "Limits and quotas",
        "operator": "Operators and the app",
        "exhausted": "Quota used up",
        "cooldown": "Rests",
        "warned": "Warnings",
        "reset": "Back again",
        "probe": "Asked what is left",
        "reauth": "Keys refused",
    },
    any_kind="everything",
    profile="Profile",
    from_time="From",
    to_time="To",
    find="Search",
    clear="Show all",
    hint="In the profile a * stands for anything.",
    found="Events",
    newest_first="newest first",
    request="request {id}",
    none_found="No such events.",
    none_found_how="Leave a filter away, or widen the time.",
    none_yet="Nothing has happened yet.",
    none_yet_how="Failovers, limits and what you do to profiles are listed here.",
    reached="So far back to {time}; there may be more.",
    further="Look further back",
    pages="Pages of the list",
    newest="Newest",
    newer="Newer",
    older="Older",
    pause="Pause",
    go_on="Go on",
    held="Held back: {n}",
    live="New events appear by themselves.",
    take="Export",
    take_as="The events of the selected time and profile as a file:",
    files={"failovers": "Failovers", "quota-events": "Limits and quotas", "operator-events": "Operators and the app"},
)

RUSSIAN = Words(
    lang="ru",
    happening=happening.RUSSIAN,
    search="Поиск",
    kind="Вид",
    kinds={
        "failover": "Переключения",
        "quota": "Лимиты и квоты",
        "operator": "Операторы и приложение",
        "exhausted": "Квота исчерпана",
        "cooldown": "Отдых",
        "warned": "Предупреждения",
        "reset": "Снова доступно",
        "probe": "Узнан остаток",
        "reauth": "Ключ не принят",
    },
    any_kind="все",
    profile="Профиль",
    from_time="С",
    to_time="До",
    find="Найти",
    clear="Показать все",
    hint="В поле профиля * заменяет что угодно.",
    found="События",
    newest_first="сначала новые",
    request="запрос {id}",
    none_found="Таких событий нет.",
    none_found_how="Уберите условие или расширьте время.",
    none_yet="Пока ничего не происходило.",
    none_yet_how="Здесь появятся переключения, лимиты и всё, что вы делаете с профилями.",
    reached="Просмотрено назад до {time}; дальше могут быть ещё.",
    further="Искать дальше",
    pages="Страницы списка",
    newest="Новейшие",
    newer="Новее",
    older="Старше",
    pause="Приостановить",
    go_on="Продолжить",
    held="Придержано: {n}",
    live="Новые события появляются сами.",
    take="Выгрузить",
    take_as="События выбранного времени и профиля в виде файла:",
    files={"failovers": "Переключения", "quota-events": "Лимиты и квоты", "operator-events": "Операторы и приложение"},
)

LANGUAGES: Mapping[str, Words] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> Words:
    """The words of this page in the language of a locale."""
    return table_for(LANGUAGES, locale)
