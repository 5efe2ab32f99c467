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
from tray_app.core.values import Phase


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language; braces are filled in by `menu`."""

    wording: Wording
    headlines: Mapping[AppState, str] | None  # None: the status's own sentence, which is English
    exhausted_until: str
    chosen: str
    chosen_elsewhere: str
    no_keys: str
    switched: str
    profile: str
    phases: Mapping[str, str]  # values.Phase in words
    serving: str
    nobody: str
    managing: str
    pin_hour: str
    pin_today: str
    pin: str
    unpin: str
    unprefer: str
    pause: str
    resume: str
    retry_now: str
    report: str
    autostart: str
    quit: str
    ready_count: str
    months: tuple[str, ...]
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
    phases={phase: phase.value for phase in Phase},
    serving="serving",
    nobody="nobody",
    managing="Pause, pin, retry",
    pin_hour="Pin {id} for 1 hour",
    pin_today="Pin {id} for today",
    pin="Pin {id} until unpinned",
    unpin="Unpin {id}",
    unprefer="No longer prefer {id}",
    pause="Pause {id}",
    resume="Resume {id}",
    retry_now="Retry {id} now",
    report="Open usage report",
    autostart="Start at login",
    quit="Quit O-Switcher",
    ready_count="{ready} of {all} profiles ready",
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
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
    nobody="никто",
    managing="Пауза, закрепление, повтор",
    pin_hour="Закрепить {id} на 1 час",
    pin_today="Закрепить {id} на сегодня",
    pin="Закрепить {id} до отмены",
    unpin="Открепить {id}",
    unprefer="Больше не предпочитать {id}",
    pause="Приостановить {id}",
    resume="Вернуть {id}",
    retry_now="Попробовать {id} сейчас",
    report="Открыть отчёт",
    autostart="Запускать при входе",
    quit="Выйти из O-Switcher",
    ready_count="готовы {ready} из {all}",
    months=("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    no_session="нет рабочего стола: работаю без значка",
    no_bus="у сеанса нет шины D-Bus: работаю без значка",
    bus_refused="шина D-Bus недоступна ({reason}): работаю без значка",
    no_host="панели со значками пока нет: значок появится, как только она запустится",
    no_library="в этой системе нет значков ({reason}): работаю без значка",
)
