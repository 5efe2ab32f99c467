"""Every sentence the tray shows, in one table for each language.

Reasons, notices and provider names come from elsewhere and are shown as they come. How a rest, a quota
and a choice are put is the same for every face: `control.wording`.
"""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.control import wording
from tray_app.control.views import AppState
from tray_app.control.wording import Wording


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """The words of one language; braces are filled in by `menu` and `notices`. Compared by identity, for caches."""

    wording: Wording
    headlines: Mapping[AppState, str] | None  # None: the status's own sentence, which is English
    exhausted_until: str
    chosen: str
    chosen_elsewhere: str
    no_keys: str
    switched: str
    profile: str
    nobody: str
    at: str
    paused_all: str
    paused_all_until: str
    why_preferred: str
    why_priority: str
    why_first: str
    why_others_out: str
    why_stays: str
    use: str
    pin_hour: str
    pin_today: str
    pin: str
    unpin: str
    unprefer: str
    pause_half_hour: str
    pause_two_hours: str
    pause_reset: str
    pause: str
    resume: str
    drain: str
    retry_now: str
    report: str
    clients: str
    client: str
    connected: str
    not_connected: str
    copy: str
    pause_all: str
    autostart: str
    add: str
    folder: str
    about: str
    since: str
    quit: str
    note_switched: str
    note_switches: str
    note_because: str
    note_warned: str
    note_exhausted: str
    note_back: str
    note_back_means: str
    note_reauth: str
    note_give_key: str
    note_all_exhausted: str
    note_first: str
    note_retry: str
    note_connected: str
    note_connected_means: str
    copied: str
    copied_means: str
    not_copied: str
    not_copied_means: str
    starting: str
    cannot_start: str
    stopped: str
    cut: str
    ready_count: str
    no_session: str
    no_bus: str
    bus_refused: str
    no_host: str
    no_library: str


ENGLISH = Texts(
    wording=wording.ENGLISH,
    headlines=None,
    exhausted_until="no profile can serve; {id} is {back}",
    chosen="{headline}, {words}",
    chosen_elsewhere="{headline}; {id} is {words}",
    no_keys="No keys yet: o-switcher profiles add openrouter --label main",
    switched="{time} switched to {to}: {reason}",
    profile="{id}: {state}",
    nobody="nobody",
    at="at {time}",
    paused_all="everything is paused",
    paused_all_until="everything is paused; it ends {when}",
    why_preferred="in use because you prefer it",
    why_priority="in use because it has the highest priority",
    why_first="in use because it comes first",
    why_others_out="in use because those before it cannot serve",
    why_stays="stays in use as long as it can serve",
    use="Use {id}",
    pin_hour="Pin {id} for 1 hour",
    pin_today="Pin {id} for today",
    pin="Pin {id} until unpinned",
    unpin="Unpin {id}",
    unprefer="No longer prefer {id}",
    pause_half_hour="Pause {id} for 30 min",
    pause_two_hours="Pause {id} for 2 h",
    pause_reset="Pause {id} until its limit resets",
    pause="Pause {id} until resumed",
    resume="Resume {id}",
    drain="Drain {id}: finish, take nothing new",
    retry_now="Retry {id} now",
    report="Open usage report",
    clients="Connect clients",
    client="{title}: {state}",
    connected="connected",
    not_connected="not connected",
    copy="Copy address and token for an SDK",
    pause_all="Pause everything",
    autostart="Start at login",
    add="Add a profile...",
    folder="Logs and data folder",
    about="About O-Switcher",
    since="running since {time}",
    quit="Quit O-Switcher",
    note_switched="Switched to {to}",
    note_switches="{count} switches in a minute, now {to}",
    note_because="{id}: {reason}",
    note_warned="{ids}: quota{used} used",
    note_exhausted="{ids}: out of quota",
    note_back="{ids}: back again",
    note_back_means="It can serve requests from now on.",
    note_reauth="{ids}: a new key is needed",
    note_give_key="Give a new key",
    note_all_exhausted="No profile can serve",
    note_first="{id} is the first, {back}",
    note_retry="Retry now",
    note_connected="{ids}: connected",
    note_connected_means="Its requests go through O-Switcher from its next start on.",
    copied="Address and token copied",
    copied_means="Paste them where your program reads its environment.",
    not_copied="Nothing was copied",
    not_copied_means="This desktop has no clipboard that can be reached. See: o-switcher token sdk",
    starting="O-Switcher is starting",
    cannot_start="O-Switcher cannot start",
    stopped="O-Switcher has stopped",
    cut="Answers that were cut short: {count}",
    ready_count="{ready} of {all} profiles ready",
    no_session="no desktop session: running headless",
    no_bus="this desktop session has no D-Bus session bus: running headless",
    bus_refused="the D-Bus session bus cannot be used ({reason}): running headless",
    no_host="no tray host is there yet: the icon appears as soon as one starts",
    no_library="no tray on this system ({reason}): running headless",
)

RUSSIAN = Texts(
    wording=wording.RUSSIAN,
    headlines={
        AppState.READY: "Работает {active}",
        AppState.DEGRADED: "Работает {active}, часть ключей на отдыхе",
        AppState.EXHAUSTED: "Все ключи исчерпаны",
        AppState.OFFLINE: "Нет связи с провайдерами",
        AppState.PAUSED: "Все ключи приостановлены",
        AppState.NEEDS_YOU: "Ни один ключ не принят",
    },
    exhausted_until="Все ключи исчерпаны; {id} {back}",
    chosen="{headline}, {words}",
    chosen_elsewhere="{headline}; {id} {words}",
    no_keys="Ключей ещё нет: o-switcher profiles add openrouter --label main",
    switched="{time} переключено на {to}: {reason}",
    profile="{id}: {state}",
    nobody="никто",
    at="в {time}",
    paused_all="Всё приостановлено",
    paused_all_until="Всё приостановлено, пауза кончится {when}",
    why_preferred="работает, потому что вы его предпочли",
    why_priority="работает, потому что у него высший приоритет",
    why_first="работает, потому что он первый по порядку",
    why_others_out="работает, потому что стоящие перед ним не могут",
    why_stays="остаётся в работе, пока может",
    use="Использовать {id}",
    pin_hour="Закрепить {id} на 1 час",
    pin_today="Закрепить {id} на сегодня",
    pin="Закрепить {id} до отмены",
    unpin="Открепить {id}",
    unprefer="Больше не предпочитать {id}",
    pause_half_hour="Приостановить {id} на 30 мин",
    pause_two_hours="Приостановить {id} на 2 ч",
    pause_reset="Приостановить {id} до сброса лимита",
    pause="Приостановить {id} до возобновления",
    resume="Вернуть {id}",
    drain="Завершить запросы {id} и не брать новых",
    retry_now="Попробовать {id} сейчас",
    report="Открыть отчёт",
    clients="Подключить клиентов",
    client="{title}: {state}",
    connected="подключён",
    not_connected="не подключён",
    copy="Скопировать адрес и токен для SDK",
    pause_all="Приостановить всё",
    autostart="Запускать при входе",
    add="Добавить профиль...",
    folder="Папка с журналами и данными",
    about="О программе O-Switcher",
    since="работает с {time}",
    quit="Выйти из O-Switcher",
    note_switched="Переключено на {to}",
    note_switches="Переключений за минуту: {count}, теперь {to}",
    note_because="{id}: {reason}",
    note_warned="{ids}: израсходовано{used} квоты",
    note_exhausted="{ids}: квота исчерпана",
    note_back="{ids}: снова работает",
    note_back_means="С этого момента может обслуживать запросы.",
    note_reauth="{ids}: нужен новый ключ",
    note_give_key="Ввести новый ключ",
    note_all_exhausted="Все ключи исчерпаны",
    note_first="Первым будет {id}: {back}",
    note_retry="Попробовать сейчас",
    note_connected="{ids}: подключено",
    note_connected_means="После следующего запуска запросы пойдут через O-Switcher.",
    copied="Адрес и токен скопированы",
    copied_means="Вставьте их туда, откуда ваша программа читает окружение.",
    not_copied="Ничего не скопировано",
    not_copied_means="У этого рабочего стола нет доступного буфера обмена. См.: o-switcher token sdk",
    starting="O-Switcher запускается",
    cannot_start="O-Switcher не может запуститься",
    stopped="O-Switcher остановлен",
    cut="Прервано ответов: {count}",
    ready_count="готовы {ready} из {all}",
    no_session="нет рабочего стола: работаю без значка",
    no_bus="у сеанса нет шины D-Bus: работаю без значка",
    bus_refused="шина D-Bus недоступна ({reason}): работаю без значка",
    no_host="панели со значками пока нет: значок появится, как только она запустится",
    no_library="в этой системе нет значков ({reason}): работаю без значка",
)
