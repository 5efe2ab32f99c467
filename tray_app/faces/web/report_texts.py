"""Every sentence of the usage report, in one table for each language.

Reasons, notices and the app's own headline come from elsewhere and are shown as they come. Counted
things are put as "upstream calls: 3", so that no language needs its plural forms here. How a rest, a quota
and a choice are put is the same for every face: `control.wording`.
"""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.control import wording
from tray_app.control.views import AppState
from tray_app.control.wording import Wording
from tray_app.core.values import Outcome, Phase


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language; braces are filled in by `report_formats` and by the templates."""

    lang: str
    wording: Wording
    grouping: str  # between thousands
    point: str  # before decimals
    months: tuple[str, ...]
    none: str

    milliseconds: str
    seconds: str
    minutes: str
    hours: str
    days: str
    sizes: tuple[str, ...]
    percent: str
    just_now: str
    seconds_ago: str
    minutes_ago: str
    hours_ago: str
    days_ago: str

    report: str
    as_of: str
    running_since: str
    states: Mapping[AppState, str]
    gone: str
    gone_title: str
    ended: str
    trouble: str

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
    phases: Mapping[str, str]
    serving: str
    preferred: str
    pinned: str
    strict: str
    chosen: str
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
    outcomes: Mapping[str, str]
    running: str
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
    promise: str

    signed_out: str
    signed_out_how: str


ENGLISH = Words(
    lang="en",
    wording=wording.ENGLISH,
    grouping=",",
    point=".",
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    none="–",
    milliseconds="{n} ms",
    seconds="{n} s",
    minutes="{n} min",
    hours="{n} h",
    days="{n} d",
    sizes=("{n} B", "{n} kB", "{n} MB", "{n} GB", "{n} TB"),
    percent="{n}%",
    just_now="just now",
    seconds_ago="{n} s ago",
    minutes_ago="{n} min ago",
    hours_ago="{n} h ago",
    days_ago="{n} d ago",
    report="Usage report",
    as_of="as of {time}",
    running_since="running since {time}",
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
    phases={phase: phase.value for phase in Phase},
    serving="serving",
    preferred="preferred",
    pinned="pinned",
    strict="strict",
    chosen="{id} is {words}",
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
    outcomes={
        Outcome.SERVED: "served",
        Outcome.FAILED: "failed",
        Outcome.EXHAUSTED: "exhausted",
        Outcome.REFUSED: "refused",
        Outcome.CLIENT_CANCELLED: "cancelled by the client",
        Outcome.INTERRUPTED: "interrupted",
    },
    running="running",
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
    promise="Prompts, answers and keys are never stored, and this page asks nothing of any other machine.",
    signed_out="This report is yours alone",
    signed_out_how="Open it from the O-Switcher icon in the tray, or run this in a terminal:",
)

RUSSIAN = Words(
    lang="ru",
    wording=wording.RUSSIAN,
    grouping="\u00a0",
    point=",",
    months=("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    none="–",
    milliseconds="{n} мс",
    seconds="{n} с",
    minutes="{n} мин",
    hours="{n} ч",
    days="{n} д",
    sizes=("{n} Б", "{n} кБ", "{n} МБ", "{n} ГБ", "{n} ТБ"),
    percent="{n} %",
    just_now="только что",
    seconds_ago="{n} с назад",
    minutes_ago="{n} мин назад",
    hours_ago="{n} ч назад",
    days_ago="{n} д назад",
    report="Отчёт об использовании",
    as_of="на {time}",
    running_since="работает с {time}",
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
    phases={
        Phase.READY: "готов",
        Phase.COOLING: "отдыхает",
        Phase.PROBING: "проверяется",
        Phase.OPEN: "отключён из-за сбоев",
        Phase.REAUTH: "ключ не принят",
        Phase.DRAINING: "завершает запросы",
        Phase.PAUSED: "приостановлен",
        Phase.DISABLED: "отключён",
    },
    serving="работает",
    preferred="предпочтён",
    pinned="закреплён",
    strict="строго",
    chosen="{id} {words}",
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
    outcomes={
        Outcome.SERVED: "успешно",
        Outcome.FAILED: "не удался",
        Outcome.EXHAUSTED: "ключи исчерпаны",
        Outcome.REFUSED: "отклонён",
        Outcome.CLIENT_CANCELLED: "отменён клиентом",
        Outcome.INTERRUPTED: "прерван",
    },
    running="идёт",
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
    promise="Запросы, ответы и ключи нигде не хранятся, а эта страница ни к каким другим машинам не обращается.",
    signed_out="Этот отчёт только для вас",
    signed_out_how="Откройте его значком O-Switcher в трее или выполните в терминале:",
)

LANGUAGES: Mapping[str, Words] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> Words:
    """The table for a locale such as `en`, `ru-RU` or `ru_RU.UTF-8`; English where there is none."""
    return LANGUAGES.get(locale.replace("_", "-").split("-")[0].lower(), ENGLISH)
