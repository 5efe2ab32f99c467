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

    notices: str
    ledger: str
    dropped: str

    today: str
    since_midnight: str
    requests: str
    requests_open: str
    requests_all: str
    none_yet: str
    served: str
    served_of: str
    saved: str
    saved_note: str
    failed: str
    failed_of: str
    failovers: str
    attempts_note: str
    first_byte: str
    first_byte_note: str

    per_hour: str
    last_day: str
    hour: str
    not_served: str
    busiest: str
    no_requests_in_day: str
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
    requests_today: str
    mean: str
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
    notices="What you should know",
    ledger="History file:",
    dropped="Records that had to be dropped since the start: {n}",
    today="Today",
    since_midnight="since midnight",
    requests="Requests",
    requests_open="cancelled or running: {n}",
    requests_all="all finished",
    none_yet="none yet",
    served="Served",
    served_of="{part} of {whole} finished",
    saved="Saved by failing over",
    saved_note="by another profile",
    failed="Failed",
    failed_of="{share} of {whole} finished",
    failovers="Failovers",
    attempts_note="upstream calls: {n}",
    first_byte="First byte",
    first_byte_note="median",
    per_hour="Requests per hour",
    last_day="the last 24 hours",
    hour="Hour",
    not_served="Not served",
    busiest="Requests in the last 24 hours: {requests}; failovers: {failovers}; the busiest hour began at {time} "
    "with {most}.",
    no_requests_in_day="No requests in the last 24 hours.",
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
    requests_today="Requests today",
    mean="Mean time",
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
    notices="Что стоит знать",
    ledger="Файл истории:",
    dropped="Записей потеряно с момента запуска: {n}",
    today="Сегодня",
    since_midnight="с полуночи",
    requests="Запросы",
    requests_open="отменены или идут: {n}",
    requests_all="все завершены",
    none_yet="пока нет",
    served="Успешно",
    served_of="{part} из {whole} завершённых",
    saved="Спасено переходом",
    saved_note="другим профилем",
    failed="Не удалось",
    failed_of="{share} из {whole} завершённых",
    failovers="Переходы",
    attempts_note="вызовов провайдера: {n}",
    first_byte="Первый байт",
    first_byte_note="медиана",
    per_hour="Запросы по часам",
    last_day="последние 24 часа",
    hour="Час",
    not_served="Неуспешно",
    busiest="Запросов за последние 24 часа: {requests}; переходов: {failovers}; самый занятый час начался в {time}: "
    "{most}.",
    no_requests_in_day="За последние 24 часа запросов не было.",
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
    requests_today="Запросы сегодня",
    mean="В среднем",
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
