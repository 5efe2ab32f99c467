"""Every sentence of the overview, in one table for each language."""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language; braces are filled in by the templates."""

    lang: str
    report: str
    as_of: str
    running_since: str

    filters: str
    last_days: Mapping[str, str]
    since_day: str
    until_day: str
    provider: str
    all_of: Mapping[str, str]
    show: str
    clear: str
    usage: str
    of_day: str
    of_days: str
    none_there: str
    all_finished: str
    cancelled: str
    served_without: str
    failed_of: str
    saved: str
    saved_note: str
    spared: str
    spared_note: str
    spared_stated: str
    first_byte_note: str
    cost: str
    cost_known: str
    cost_unknown: str
    unknown: str
    tokens: str
    tokens_note: str
    how: str
    how_told: Mapping[str, str]
    by_step: Mapping[str, str]
    slot: Mapping[str, str]
    not_served: str
    requests_told: str
    costs: str
    costs_told: str
    no_costs: str
    latency: str
    latency_told: str
    no_latency: str
    errors: str
    errors_told: str
    no_errors: str
    error_class: str
    calls: str
    errors_classes: Mapping[str, str]
    failovers_else: str
    others: str
    no_requests_there: str
    all_requests: str

    notices: str
    ledger: str
    dropped: str

    requests: str
    served: str
    failed: str
    failovers: str
    first_byte: str

    as_table: str

    profiles: str
    profile: str
    state: str
    preferred: str
    pinned: str
    strict: str
    key: str
    key_from: str
    account: str
    in_flight: str
    waiting: str
    removed: str
    unassigned: str
    unassigned_note: str
    manage: str
    no_profiles: str
    no_profiles_how: str

    switches: str
    by_hand: str
    no_switches: str

    recent: str
    newest_first: str
    time: str
    request: str
    client: str
    model: str
    streamed: str
    outcome: str
    attempts: str
    duration: str
    waited: str
    reason: str
    sent_received: str
    no_requests: str
    no_requests_how: str
    no_requests_or: str

    history_path: str
    config_path: str
    address: str
    version: str
    autostart: str
    autostart_states: Mapping[bool | None, str]


ENGLISH = Words(
    lang="en",
    report="Usage report",
    as_of="as of {time}",
    running_since="running since {time}",
    filters="What is shown",
    last_days={
        "1": "Today",
        "7": "7 days",
        "30": "30 days",
    },
    since_day="From",
    until_day="To",
    provider="Provider",
    all_of={
        "profile": "All profiles",
        "model": "All models",
        "client": "All clients",
        "provider": "All providers",
    },
    show="Show",
    clear="Clear the filters",
    usage="Usage",
    of_day="{day}",
    of_days="{first} to {last}",
    none_there="none in these days",
    all_finished="all finished",
    cancelled="cancelled by clients: {n}",
    served_without="without failing over: {share}",
    failed_of="{share} of {whole} finished",
    saved="Saved by failing over",
    saved_note="failovers: {n}",
    spared="Waiting spared",
    spared_stated="by their providers' own words",
    spared_note="paid and not lost: {money}",
    first_byte_note="median; 95%: {p95}, 99%: {p99}",
    cost="Cost",
    cost_known="of all calls that told their usage",
    unknown="unknown: {n}",
    cost_unknown="calls of unknown cost: {n}",
    tokens="Tokens",
    tokens_note="read {read} ({cached} from caches), written {written}",
    how="How this is counted",
    how_told={
        "served": "Served is the share of the requests that ended one way or the other; those that their "
        "client left say nothing of the pool. Without failing over, those that only another profile could"
        " serve would have failed too.",
        "spared": "Waiting spared: when a profile is at its limit and the pool moves on, the time until "
        "that profile would have been free again by its provider's own words, an hour at most for each "
        "move, less what the answer took to begin elsewhere. What providers do not state counts as "
        "nothing.",
        "money": "Paid and not lost: what was paid for answers that broke off and that another profile "
        "went on with, as far as the cost is known.",
        "cost": "Cost is what providers stated, or your own prices, or a list that comes with the app. A "
        "call whose tokens are known and whose price is not counts as unknown, never as nothing; calls "
        "that told no usage are in neither.",
        "time": "Days and hours are those of this machine's clock. An hour belongs to the day in which it"
        " begins; how long answers took is summed up by days of UTC.",
    },
    by_step={
        "hour": "by the hour",
        "day": "by the day",
        "days": "by several days",
    },
    slot={
        "hour": "Hour",
        "day": "Day",
        "days": "From",
    },
    not_served="Not served",
    requests_told="Requests: {requests}; served: {served}; failovers: {failovers}.",
    costs="Cost by profile",
    costs_told="Known cost: {cost}, by profile in the table below.",
    no_costs="No cost is known for these days.",
    latency="Time to the first byte",
    latency_told="Of the served requests, half began to be answered within {p50}, 95% within {p95}, 99% within {p99}.",
    no_latency="Nothing was served in these days.",
    errors="Errors by class",
    errors_told="Calls that failed: {calls}.",
    no_errors="No call has failed in these days.",
    error_class="Class",
    calls="Calls",
    errors_classes={
        "rate_limited": "rate limit",
        "quota_exhausted": "quota used up",
        "auth": "key refused",
        "model_unavailable": "model unavailable",
        "server_error": "server error",
        "overloaded": "overloaded",
        "timeout": "timeout",
        "network": "network",
        "bad_request": "bad request",
        "content_filter": "content filter",
        "context_length": "context too long",
        "mid_stream_error": "broken off",
    },
    failovers_else="for other reasons",
    others="others",
    no_requests_there="No requests in these days.",
    all_requests="All requests",
    notices="What you should know",
    ledger="History file:",
    dropped="Records that had to be dropped since the start: {n}",
    requests="Requests",
    served="Served",
    failed="Failed",
    failovers="Failovers",
    first_byte="First byte",
    as_table="Show as a table",
    profiles="Profiles",
    profile="Profile",
    state="State",
    preferred="preferred",
    pinned="pinned",
    strict="strict",
    key="Key",
    key_from="from",
    account="Account",
    in_flight="In flight",
    waiting="Waiting for a place",
    removed="no longer in the pool",
    unassigned="no profile",
    unassigned_note="ended before a profile could serve",
    manage="Add and manage",
    no_profiles="No keys yet.",
    no_profiles_how="Add one, or take over what this machine already holds:",
    switches="Last switches",
    by_hand="by hand",
    no_switches="No switch yet: every request has stayed on its profile.",
    recent="Recent requests",
    newest_first="the newest first",
    time="Time",
    request="Request",
    client="Client",
    model="Model",
    streamed="streamed",
    outcome="Outcome",
    attempts="Attempts",
    duration="Duration",
    waited="waited {time}",
    reason="Reason",
    sent_received="{sent} → {received}",
    no_requests="Nothing yet.",
    no_requests_how="Point an agent at",
    no_requests_or="with a token of its own, or let O-Switcher do it:",
    history_path="History",
    config_path="Settings",
    address="Address",
    version="Version",
    autostart="Start at login",
    autostart_states={True: "on", False: "off", None: "not offered here"},
)

RUSSIAN = Words(
    lang="ru",
    report="Отчёт об использовании",
    as_of="на {time}",
    running_since="работает с {time}",
    filters="Что показано",
    last_days={
        "1": "Сегодня",
        "7": "7 дней",
        "30": "30 дней",
    },
    since_day="С",
    until_day="По",
    provider="Провайдер",
    all_of={
        "profile": "Все профили",
        "model": "Все модели",
        "client": "Все клиенты",
        "provider": "Все провайдеры",
    },
    show="Показать",
    clear="Снять фильтры",
    usage="Использование",
    of_day="{day}",
    of_days="{first} – {last}",
    none_there="за эти дни нет",
    all_finished="все завершены",
    cancelled="отменены клиентами: {n}",
    served_without="без переходов: {share}",
    failed_of="{share} из {whole} завершённых",
    saved="Спасено переходом",
    saved_note="переходов: {n}",
    spared="Ожидания избежали",
    spared_stated="по словам провайдеров",
    spared_note="оплачено и не потеряно: {money}",
    first_byte_note="медиана; 95%: {p95}, 99%: {p99}",
    cost="Стоимость",
    cost_known="всех вызовов с известным расходом",
    unknown="неизвестно: {n}",
    cost_unknown="вызовов неизвестной цены: {n}",
    tokens="Токены",
    tokens_note="прочитано {read} ({cached} из кэша), записано {written}",
    how="Как это считается",
    how_told={
        "served": "«Успешно» — доля запросов, которые чем-то завершились; отменённые клиентом о пуле "
        "ничего не говорят. Без переходов не удались бы и те, что смог обслужить только другой профиль.",
        "spared": "Ожидания избежали: когда профиль упёрся в предел и пул перешёл дальше, считается время"
        " до того, как он освободился бы по словам самого провайдера, не больше часа на переход, за "
        "вычетом того, сколько ждали начала ответа в другом месте. Чего провайдер не назвал, то не "
        "считается.",
        "money": "Оплачено и не потеряно: сколько стоили оборвавшиеся ответы, которые продолжил другой "
        "профиль, насколько цена известна.",
        "cost": "Стоимость — та, что назвал провайдер, или по вашим ценам, или по списку, который идёт с "
        "программой. Вызов с известными токенами и неизвестной ценой считается неизвестным, а не нулём; "
        "вызовы без сведений о расходе не входят никуда.",
        "time": "Дни и часы — по часам этой машины. Час относится ко дню, в котором начинается; "
        "длительность ответов сложена по суткам UTC.",
    },
    by_step={
        "hour": "по часам",
        "day": "по дням",
        "days": "по нескольку дней",
    },
    slot={
        "hour": "Час",
        "day": "День",
        "days": "С",
    },
    not_served="Неуспешно",
    requests_told="Запросов: {requests}; успешно: {served}; переходов: {failovers}.",
    costs="Стоимость по профилям",
    costs_told="Известная стоимость: {cost}; по профилям — в таблице ниже.",
    no_costs="За эти дни стоимость неизвестна.",
    latency="Время до первого байта",
    latency_told="Ответ начался: у половины успешных запросов не позже {p50}, у 95% — {p95}, у 99% — {p99}.",
    no_latency="За эти дни ничего не обслужено.",
    errors="Ошибки по классам",
    errors_told="Неудачных вызовов: {calls}.",
    no_errors="За эти дни ни один вызов не сорвался.",
    error_class="Класс",
    calls="Вызовы",
    errors_classes={
        "rate_limited": "предел частоты",
        "quota_exhausted": "квота исчерпана",
        "auth": "ключ отвергнут",
        "model_unavailable": "модель недоступна",
        "server_error": "сбой сервера",
        "overloaded": "перегрузка",
        "timeout": "тайм-аут",
        "network": "сеть",
        "bad_request": "неверный запрос",
        "content_filter": "фильтр содержимого",
        "context_length": "контекст велик",
        "mid_stream_error": "обрыв ответа",
    },
    failovers_else="по другим причинам",
    others="прочие",
    no_requests_there="За эти дни запросов не было.",
    all_requests="Все запросы",
    notices="Что стоит знать",
    ledger="Файл истории:",
    dropped="Записей потеряно с момента запуска: {n}",
    requests="Запросы",
    served="Успешно",
    failed="Не удалось",
    failovers="Переходы",
    first_byte="Первый байт",
    as_table="Показать таблицей",
    profiles="Профили",
    profile="Профиль",
    state="Состояние",
    preferred="предпочтён",
    pinned="закреплён",
    strict="строго",
    key="Ключ",
    key_from="из",
    account="Счёт",
    in_flight="В работе",
    waiting="Ждут места",
    removed="больше не в пуле",
    unassigned="без профиля",
    unassigned_note="завершены до выбора профиля",
    manage="Добавить и изменить",
    no_profiles="Ключей ещё нет.",
    no_profiles_how="Добавьте ключ или возьмите те, что уже есть на этой машине:",
    switches="Последние переходы",
    by_hand="вручную",
    no_switches="Переходов ещё не было: каждый запрос оставался на своём профиле.",
    recent="Последние запросы",
    newest_first="сначала новые",
    time="Время",
    request="Запрос",
    client="Клиент",
    model="Модель",
    streamed="поток",
    outcome="Исход",
    attempts="Попытки",
    duration="Длилось",
    waited="ожидание {time}",
    reason="Причина",
    sent_received="{sent} → {received}",
    no_requests="Пока ничего.",
    no_requests_how="Направьте агента на",
    no_requests_or="с его собственным токеном или поручите это O-Switcher:",
    history_path="История",
    config_path="Настройки",
    address="Адрес",
    version="Версия",
    autostart="Запуск при входе",
    autostart_states={True: "включён", False: "выключен", None: "здесь не предлагается"},
)

LANGUAGES: Mapping[str, Words] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> Words:
    """The table for a locale; English where there is none."""
    return table_for(LANGUAGES, locale)
