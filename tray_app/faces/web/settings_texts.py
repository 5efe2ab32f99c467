"""Every sentence of the page of settings, in one table for each language."""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class SettingsWords:
    """The words of one language; braces are filled in by the page. `names` are by key, `sections` by name."""

    lang: str
    title: str
    how: str
    faulty: str
    sections: Mapping[str, str]
    names: Mapping[str, str]
    choices: Mapping[str, str]
    from_default: str
    from_file: str
    from_command_line: str
    default: str
    at_start: str
    waits: str
    reasons: Mapping[str, str]
    none: str
    on: str
    off: str
    save: str
    reset: str
    undo: str
    changed: str
    changed_at_start: str
    taken_back: str
    is_reset: str
    or_word: str
    several: str
    login: str
    login_not_offered: str
    login_on: str
    login_off: str
    keys: str
    keys_in: str
    keys_move: str
    about: str
    version: str
    licence: str
    data: str
    config: str
    history: str
    decisions: str
    by_environment: str
    running_since: str
    address: str


ENGLISH = SettingsWords(
    lang="en",
    title="Settings",
    how="What is in force, and where it comes from. A change edits that one line of the file and nothing else in it.",
    faulty="The file has faults, so it is not obeyed: what you see are the last good settings.",
    sections={
        "login": "Start",
        "routing": "Who serves",
        "waiting": "Attempts and waiting",
        "breaker": "When a profile fails",
        "score": "The score",
        "timeouts": "Timeouts",
        "quota": "Quotas",
        "notifications": "Notifications",
        "history": "History",
        "proxy": "The proxy",
        "file": "Only in the file",
    },
    names={
        "switcher.retry": "Further calls on the same profile after the first",
        "switcher.retry_budget": "Further calls on the same profile after the first",
        "switcher.failover_budget": "Changes of profile in one request",
        "switcher.max_attempts": "Calls in one request at most",
        "switcher.timeout": "Latency that counts as slow (ms)",
        "switcher.max_expected_latency_ms": "Latency that counts as slow (ms)",
        "switcher.backoff.base_ms": "First wait between calls (ms)",
        "switcher.backoff.multiplier": "Each further wait is so many times as long",
        "switcher.backoff.max_ms": "Longest wait between calls (ms)",
        "switcher.backoff.jitter": "Chance in the waits",
        "switcher.routing_weights.health": "Weight of health",
        "switcher.routing_weights.latency": "Weight of latency",
        "switcher.routing_weights.failure": "Weight of failures",
        "switcher.routing_weights.priority": "Weight of the priority",
        "switcher.concurrency_limit": "Calls at once on one profile",
        "switcher.queue_limit": "Requests that may wait for a place",
        "switcher.backpressure_threshold": "Waiting requests from which it is said",
        "switcher.circuit_breaker.failure_threshold": "Failures in a row that open the circuit",
        "switcher.circuit_breaker.failure_rate_threshold": "Share of failures that opens it (0 to 1)",
        "switcher.circuit_breaker.sliding_window_size": "Latest calls of which that share is taken",
        "switcher.circuit_breaker.half_open_after_ms": "Tried again after (ms)",
        "switcher.circuit_breaker.half_open_max_probes": "Calls at once that try it",
        "switcher.circuit_breaker.success_threshold": "Successes that close it",
        "switcher.strategy": "Whom a new conversation goes to",
        "switcher.on_auth_error": "When a key is refused",
        "switcher.hold_until_reset_s": "Wait so long for a reset before saying that nothing can serve (s)",
        "switcher.short_wait_s": "A rate limit that is over so soon is waited for (s)",
        "switcher.failback_after_s": "A preferred profile takes over again once well for (s)",
        "targets": "Targets: single profiles",
        "timeouts.connect": "To connect (s)",
        "timeouts.first_byte": "To the first byte (s)",
        "timeouts.idle": "Between two pieces of an answer (s)",
        "timeouts.total_non_stream": "For an answer that is not streamed (s)",
        "streams.continue": "Go on with a stream that breaks off",
        "proxy.port": "Port",
        "proxy.host": "Address to listen on",
        "proxy.allow_remote": "Let other machines in",
        "proxy.max_body_mb": "Largest request (MB)",
        "providers": "Providers of your own",
        "routes": "Routes: one name for several models",
        "history.keep_days": "Days that requests are kept",
        "history.max_size_mb": "Size from which the oldest days go (MB)",
        "secrets.store": "Where keys are kept",
        "quota.polling": "Ask providers what is left",
        "quota.warn_at": "Tell when so many per cent are used",
        "quota.reserve_percent": "Leave a profile when no more per cent are left",
        "notifications.enabled": "Tell me on the desktop",
        "notifications.switched": "Another profile took over",
        "notifications.warned": "A quota is nearly used up",
        "notifications.exhausted": "A profile is out of quota",
        "notifications.back": "A profile is back",
        "notifications.reauth": "A profile needs a new key",
        "notifications.all_exhausted": "None can serve",
        "notifications.connected": "A client was connected",
        "discovery.enabled": "Take over keys that agents and the environment hold",
        "prices": "Prices of your own",
    },
    choices={
        "sticky": "the current profile",
        "priority": "the highest priority",
        "round_robin": "each in turn",
        "least_used": "the least used",
        "soonest_reset": "what expires first",
        "score": "the best score",
        "failover": "another profile serves",
        "stop": "the request ends",
        "full": "full",
        "equal": "half",
        "none": "none",
        "auto": "automatic",
        "off": "off",
        "keyring": "the system's keyring",
        "file": "a file",
    },
    from_default="default",
    from_file="{file}, line {line}",
    from_command_line="command line: --port",
    default="default: {value}",
    at_start="counts from the next start on",
    waits="in force after: o-switcher restart",
    reasons={
        "remote": "It decides who can reach the proxy. In a terminal: {command}",
        "keys": "It moves your keys. In a terminal: {command}",
        "tables": "It is made of tables: edit {file}.",
    },
    none="none",
    on="on",
    off="off",
    save="Save",
    reset="Default",
    undo="Undo the change of {key}",
    changed="{key} was changed, and is in force.",
    changed_at_start="{key} was changed; it counts from the next start on.",
    taken_back="The change of {key} was taken back: the file is as it was before.",
    is_reset="{key} has its default again.",
    or_word="a number, or {words}",
    several="numbers, separated by commas",
    login="Start at login",
    login_not_offered="not offered on this system",
    login_on="O-Switcher starts at login from now on.",
    login_off="O-Switcher does not start at login any more.",
    keys="Keys",
    keys_in="They are in the {place}.",
    keys_move="Move them, in a terminal:",
    about="About",
    version="Version",
    licence="Licence",
    data="Data folder",
    config="Settings file",
    history="History",
    decisions="Decisions log",
    by_environment="said by the environment: O_SWITCHER_HOME",
    running_since="Running since",
    address="Address",
)

RUSSIAN = SettingsWords(
    lang="ru",
    title="Настройки",
    how="Что действует и откуда взято. Изменение правит одну строку файла и больше ничего в нём не трогает.",
    faulty="В файле ошибки, поэтому он не действует: здесь последние верные настройки.",
    sections={
        "login": "Запуск",
        "routing": "Кто отвечает",
        "waiting": "Попытки и ожидание",
        "breaker": "Когда профиль сбоит",
        "score": "Оценка",
        "timeouts": "Предельное время",
        "quota": "Лимиты",
        "notifications": "Уведомления",
        "history": "История",
        "proxy": "Прокси",
        "file": "Только в файле",
    },
    names={
        "switcher.retry": "Повторных вызовов того же профиля после первого",
        "switcher.retry_budget": "Повторных вызовов того же профиля после первого",
        "switcher.failover_budget": "Смен профиля за один запрос",
        "switcher.max_attempts": "Вызовов за один запрос, не больше",
        "switcher.timeout": "С какой задержки считать медленным (мс)",
        "switcher.max_expected_latency_ms": "С какой задержки считать медленным (мс)",
        "switcher.backoff.base_ms": "Первая пауза между вызовами (мс)",
        "switcher.backoff.multiplier": "Во сколько раз дольше каждая следующая",
        "switcher.backoff.max_ms": "Самая долгая пауза между вызовами (мс)",
        "switcher.backoff.jitter": "Случайность пауз",
        "switcher.routing_weights.health": "Вес здоровья",
        "switcher.routing_weights.latency": "Вес задержки",
        "switcher.routing_weights.failure": "Вес сбоев",
        "switcher.routing_weights.priority": "Вес приоритета",
        "switcher.concurrency_limit": "Одновременных вызовов на профиль",
        "switcher.queue_limit": "Запросов, которые могут ждать места",
        "switcher.backpressure_threshold": "С какого числа ждущих об этом говорить",
        "switcher.circuit_breaker.failure_threshold": "Сбоев подряд, чтобы разомкнуть цепь",
        "switcher.circuit_breaker.failure_rate_threshold": "Доля сбоев, чтобы разомкнуть (от 0 до 1)",
        "switcher.circuit_breaker.sliding_window_size": "Из скольких последних вызовов эта доля",
        "switcher.circuit_breaker.half_open_after_ms": "Когда пробовать снова (мс)",
        "switcher.circuit_breaker.half_open_max_probes": "Одновременных пробных вызовов",
        "switcher.circuit_breaker.success_threshold": "Удач, чтобы замкнуть",
        "switcher.strategy": "Кому достаётся новый разговор",
        "switcher.on_auth_error": "Когда ключ не принят",
        "switcher.hold_until_reset_s": "Сколько ждать сброса, прежде чем отказать (с)",
        "switcher.short_wait_s": "Лимит, который кончится так скоро, пережидают (с)",
        "switcher.failback_after_s": "Предпочтённый возвращается, если исправен уже (с)",
        "targets": "Цели: отдельные профили",
        "timeouts.connect": "На соединение (с)",
        "timeouts.first_byte": "До первого байта (с)",
        "timeouts.idle": "Между частями ответа (с)",
        "timeouts.total_non_stream": "На ответ без потока (с)",
        "streams.continue": "Продолжать оборвавшийся поток",
        "proxy.port": "Порт",
        "proxy.host": "Адрес, на котором слушать",
        "proxy.allow_remote": "Пускать другие машины",
        "proxy.max_body_mb": "Самый большой запрос (МБ)",
        "providers": "Ваши провайдеры",
        "routes": "Маршруты: одно имя для нескольких моделей",
        "history.keep_days": "Сколько дней хранить запросы",
        "history.max_size_mb": "С какого размера уходят старые дни (МБ)",
        "secrets.store": "Где хранятся ключи",
        "quota.polling": "Спрашивать провайдеров, сколько осталось",
        "quota.warn_at": "Сообщать, когда израсходовано процентов",
        "quota.reserve_percent": "Оставлять профиль, когда осталось не больше процентов",
        "notifications.enabled": "Сообщать мне на рабочем столе",
        "notifications.switched": "Вступил другой профиль",
        "notifications.warned": "Лимит почти израсходован",
        "notifications.exhausted": "Лимит профиля исчерпан",
        "notifications.back": "Профиль вернулся",
        "notifications.reauth": "Профилю нужен новый ключ",
        "notifications.all_exhausted": "Ответить не может никто",
        "notifications.connected": "Подключён клиент",
        "discovery.enabled": "Брать ключи у агентов и из окружения",
        "prices": "Ваши цены",
    },
    choices={
        "sticky": "текущему профилю",
        "priority": "наивысшему приоритету",
        "round_robin": "всем по очереди",
        "least_used": "наименее занятому",
        "soonest_reset": "тому, что истекает раньше",
        "score": "лучшей оценке",
        "failover": "отвечает другой профиль",
        "stop": "запрос заканчивается",
        "full": "полная",
        "equal": "половинная",
        "none": "нет",
        "auto": "само",
        "off": "нет",
        "keyring": "хранилище системы",
        "file": "файл",
    },
    from_default="по умолчанию",
    from_file="{file}, строка {line}",
    from_command_line="командная строка: --port",
    default="по умолчанию: {value}",
    at_start="действует со следующего запуска",
    waits="вступит в силу после: o-switcher restart",
    reasons={
        "remote": "От этого зависит, кому доступен прокси. В терминале: {command}",
        "keys": "При этом ключи переносятся. В терминале: {command}",
        "tables": "Состоит из таблиц: правьте {file}.",
    },
    none="нет",
    on="вкл",
    off="выкл",
    save="Сохранить",
    reset="По умолчанию",
    undo="Вернуть {key} как было",
    changed="{key}: изменено и действует.",
    changed_at_start="{key}: изменено, действует со следующего запуска.",
    taken_back="{key}: изменение отменено, файл такой же, как был.",
    is_reset="{key}: снова по умолчанию.",
    or_word="число или {words}",
    several="числа через запятую",
    login="Запускать при входе",
    login_not_offered="в этой системе не предлагается",
    login_on="Теперь O-Switcher запускается при входе.",
    login_off="O-Switcher больше не запускается при входе.",
    keys="Ключи",
    keys_in="Они хранятся здесь: {place}.",
    keys_move="Перенести их, в терминале:",
    about="О программе",
    version="Версия",
    licence="Лицензия",
    data="Папка с данными",
    config="Файл настроек",
    history="История",
    decisions="Журнал решений",
    by_environment="задано окружением: O_SWITCHER_HOME",
    running_since="Работает с",
    address="Адрес",
)

LANGUAGES: Mapping[str, SettingsWords] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> SettingsWords:
    """The words in the language of a locale."""
    return table_for(LANGUAGES, locale)
