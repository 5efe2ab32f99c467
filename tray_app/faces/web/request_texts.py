"""Every sentence of the pages of requests. The steps of a trace are told by `control.tracing`."""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.control import tracing
from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    lang: str
    tracing: tracing.Words
    search: str
    from_time: str
    to_time: str
    profile: str
    model: str
    client: str
    provider: str
    outcome: str
    any_outcome: str
    error_class: str
    any_class: str
    error: str
    id: str
    more: str
    find: str
    clear: str
    hint: str
    no_moment: str
    found: str
    newest_first: str
    time: str
    attempts: str
    failovers: str
    first_byte: str
    duration: str
    tokens: str
    tokens_note: str
    cost: str
    cost_unknown: str
    reason: str
    streamed: str
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
    fresh: str
    take: str
    take_as: str
    title: str
    back: str
    when: str
    path: str
    protocol: str
    status: str
    waited: str
    sent: str
    support_id: str
    support_note: str
    upstream_ids: str
    nobody: str
    waterfall: str
    waterfall_note: str
    first_byte_after: str
    as_text: str
    copy_text: str
    copy_json: str
    copy_id: str
    copied: str
    not_copied: str
    show_json: str
    cached: str
    no_steps: str


ENGLISH = Words(
    lang="en",
    tracing=tracing.ENGLISH,
    search="Search",
    from_time="From",
    to_time="To",
    profile="Profile",
    model="Model",
    client="Client",
    provider="Provider",
    outcome="Outcome",
    any_outcome="any",
    error_class="Error class of a call",
    any_class="any",
    error="Words of an error",
    id="Id begins with",
    more="More to search by",
    find="Search",
    clear="Show all",
    hint="In profile, model, client and provider a * stands for anything.",
    no_moment="{text} is no date and time",
    found="Requests",
    newest_first="newest first",
    time="Time",
    attempts="Calls",
    failovers="Switches",
    first_byte="First byte",
    duration="Took",
    tokens="Tokens",
    tokens_note="in / out",
    cost="Cost",
    cost_unknown="unknown",
    reason="Why",
    streamed="streamed",
    none_found="No such requests.",
    none_found_how="Leave a filter away, or widen the time.",
    none_yet="No requests yet.",
    none_yet_how="Point a client at O-Switcher, and each of its requests is listed here.",
    reached="So far back to {time}; there may be more.",
    further="Look further back",
    pages="Pages of the list",
    newest="Newest",
    newer="Newer",
    older="Older",
    fresh="Show new ones: {n}",
    take="Export",
    take_as="The requests that are selected, or all of their calls, as a file:",
    title="Request {id}",
    back="All requests",
    when="Asked",
    path="Address",
    protocol="Protocol",
    status="Status",
    waited="Waited",
    sent="Sent, received",
    support_id="Request id",
    support_note="the client was told it as x-o-switcher-request-id",
    upstream_ids="The provider's own ids, for its support",
    nobody="nobody",
    waterfall="What happened",
    waterfall_note="on one axis of time; the lighter part of a call is its wait for the first byte",
    first_byte_after="first byte after {time}",
    as_text="As text, as o-switcher inspect prints it",
    copy_text="Copy the text",
    copy_json="Copy as JSON",
    copy_id="Copy the id",
    copied="Copied",
    not_copied="It could not be copied; select it and copy it by hand",
    show_json="JSON",
    cached="{n} from the cache",
    no_steps="No call was made for it.",
)

RUSSIAN = Words(
    lang="ru",
    tracing=tracing.RUSSIAN,
    search="Поиск",
    from_time="С",
    to_time="До",
    profile="Профиль",
    model="Модель",
    client="Клиент",
    provider="Провайдер",
    outcome="Исход",
    any_outcome="любой",
    error_class="Класс ошибки вызова",
    any_class="любой",
    error="Слова из ошибки",
    id="Начало идентификатора",
    more="Ещё условия",
    find="Найти",
    clear="Показать все",
    hint="В полях профиля, модели, клиента и провайдера * заменяет что угодно.",
    no_moment="{text} не дата и не время",
    found="Запросы",
    newest_first="сначала новые",
    time="Время",
    attempts="Вызовов",
    failovers="Переключений",
    first_byte="Первый байт",
    duration="Длился",
    tokens="Токены",
    tokens_note="вход / выход",
    cost="Стоимость",
    cost_unknown="неизвестна",
    reason="Почему",
    streamed="потоком",
    none_found="Таких запросов нет.",
    none_found_how="Уберите условие или расширьте время.",
    none_yet="Запросов ещё не было.",
    none_yet_how="Направьте клиента на O-Switcher, и каждый его запрос появится здесь.",
    reached="Просмотрено назад до {time}; дальше могут быть ещё.",
    further="Искать дальше",
    pages="Страницы списка",
    newest="Новейшие",
    newer="Новее",
    older="Старше",
    fresh="Показать новые: {n}",
    take="Выгрузить",
    take_as="Выбранные запросы или все их вызовы в виде файла:",
    title="Запрос {id}",
    back="Все запросы",
    when="Задан",
    path="Адрес",
    protocol="Протокол",
    status="Статус",
    waited="Ожидание",
    sent="Послано, получено",
    support_id="Идентификатор",
    support_note="клиенту он сообщён как x-o-switcher-request-id",
    upstream_ids="Идентификаторы провайдера, для его поддержки",
    nobody="никто",
    waterfall="Что произошло",
    waterfall_note="на одной оси времени; светлая часть вызова — ожидание первого байта",
    first_byte_after="первый байт через {time}",
    as_text="Текстом, как печатает o-switcher inspect",
    copy_text="Скопировать текст",
    copy_json="Скопировать JSON",
    copy_id="Скопировать идентификатор",
    copied="Скопировано",
    not_copied="Скопировать не удалось; выделите и скопируйте вручную",
    show_json="JSON",
    cached="из кэша {n}",
    no_steps="Вызовов для него не было.",
)

LANGUAGES: Mapping[str, Words] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> Words:
    """The words of these pages in the language of a locale."""
    return table_for(LANGUAGES, locale)
