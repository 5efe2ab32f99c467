"""What happened besides requests, each event as a sentence. Pure.

One table for each language; reasons and names come from elsewhere and are said as they come.
"""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tray_app.control import wording
from tray_app.control.wording import Wording
from tray_app.core.history import PastEvent
from tray_app.core.values import Source

CIRCUIT = "circuit-"  # how the verb begins that stands for a change of a circuit


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language. `verbs` that stand in no table are said as they are."""

    wording: Wording
    switched: str
    chosen: str
    nobody: str
    quotas: Mapping[str, str]
    until: str
    resets: str
    left: str
    left_of: str
    stated: str
    found: str
    assumed: str
    circuits: Mapping[str, str]
    verbs: Mapping[str, str]
    of_profile: str
    because: str
    actors: Mapping[str, str]


ENGLISH = Words(
    wording=wording.ENGLISH,
    switched="Switched from {before} to {after}",
    chosen="{after} was chosen instead of {before}",
    nobody="nobody",
    quotas={
        "exhausted": "{profile} has used up its quota",
        "cooldown": "{profile} rests",
        "warned": "{profile} has little left",
        "reset": "{profile} can be used again",
        "probe": "{profile} was asked what is left",
        "reauth": "{profile} needs another key",
    },
    until=" until {time}",
    resets=", resets {time}",
    left=", {left} {unit} left",
    left_of=", {left} of {limit} {unit} left",
    stated="stated by the provider",
    found="found by asking",
    assumed="assumed",
    circuits={
        "circuit-open": "{profile} failed too often: its circuit opened",
        "circuit-half-open": "{profile} is tried again: its circuit is half open",
        "circuit-closed": "{profile} works again: its circuit closed",
    },
    verbs={
        "pause": "{profile} was paused",
        "resume": "{profile} was resumed",
        "drain": "{profile} is being drained",
        "disable": "{profile} was disabled",
        "enable": "{profile} was enabled",
        "use": "{profile} was preferred",
        "pin": "{profile} was pinned",
        "unpin": "{profile} is no longer pinned or preferred",
        "retry-now": "What was held against {profile} was cleared",
        "pause-all": "Everything was paused",
        "resume-all": "Everything was resumed",
        "profiles-add": "{profile} was added",
        "profiles-adopt": "{profile} was taken over",
        "profiles-remove": "{profile} was removed",
        "profiles-bring-back": "{profile} was brought back",
        "profiles-rename": "A profile was renamed to {profile}",
        "profiles-set": "{profile} was changed",
        "profiles-confirm": "The key of {profile} was confirmed",
        "connect": "A client was connected",
        "disconnect": "A client was disconnected",
        "token": "A client's token was made or revoked",
        "config-set": "A setting was changed",
        "config-reset": "A setting was put back",
        "autostart": "Launch at login was changed",
        "move-keys": "The keys were moved",
        "stop": "O-Switcher was stopped",
    },
    of_profile="{verb}: {profile}",
    because=": {reason}",
    actors={"app": "by itself", "web": "on a page", "tray": "in the tray", "cli": "in a terminal", "config": "in the "
            "settings", "api": "over the API", "mcp": "by an agent", "top": "in the live view"},
)  # fmt: skip

RUSSIAN = Words(
    wording=wording.RUSSIAN,
    switched="Переключение: {before} -> {after}",
    chosen="Выбран {after} вместо {before}",
    nobody="никто",
    quotas={
        "exhausted": "{profile}: квота исчерпана",
        "cooldown": "{profile} отдыхает",
        "warned": "{profile}: осталось мало",
        "reset": "{profile} снова можно использовать",
        "probe": "{profile}: остаток узнан по запросу",
        "reauth": "{profile}: нужен другой ключ",
    },
    until=" до {time}",
    resets=", сброс {time}",
    left=", осталось {left} {unit}",
    left_of=", осталось {left} из {limit} {unit}",
    stated="сообщил провайдер",
    found="узнано по запросу",
    assumed="предположительно",
    circuits={
        "circuit-open": "{profile}: слишком много сбоев, вызовы приостановлены",
        "circuit-half-open": "{profile}: пробный вызов после сбоев",
        "circuit-closed": "{profile} снова работает после сбоев",
    },
    verbs={
        "pause": "{profile} приостановлен",
        "resume": "{profile} возобновлён",
        "drain": "{profile} завершает запросы",
        "disable": "{profile} отключён",
        "enable": "{profile} включён",
        "use": "{profile} предпочтён",
        "pin": "{profile} закреплён",
        "unpin": "{profile} больше не закреплён и не предпочтён",
        "retry-now": "{profile}: отметки об ошибках сняты",
        "pause-all": "Всё приостановлено",
        "resume-all": "Всё возобновлено",
        "profiles-add": "{profile} добавлен",
        "profiles-adopt": "{profile} взят под управление",
        "profiles-remove": "{profile} удалён",
        "profiles-bring-back": "{profile} возвращён",
        "profiles-rename": "Профиль переименован в {profile}",
        "profiles-set": "{profile} изменён",
        "profiles-confirm": "Ключ {profile} подтверждён",
        "connect": "Подключён клиент",
        "disconnect": "Отключён клиент",
        "token": "Создан или отозван токен клиента",
        "config-set": "Изменена настройка",
        "config-reset": "Настройка возвращена",
        "autostart": "Изменён запуск при входе",
        "move-keys": "Ключи перемещены",
        "stop": "O-Switcher остановлен",
    },
    of_profile="{verb}: {profile}",
    because=": {reason}",
    actors={"app": "автоматически", "web": "на странице", "tray": "в трее", "cli": "в терминале", "config": "в "
            "настройках", "api": "через API", "mcp": "агентом", "top": "в живом виде"},
)  # fmt: skip


def sentence(event: PastEvent, clock: Callable[[int], str], words: Words = ENGLISH) -> str:
    """What happened, in one sentence; `clock` says a time (ms)."""
    match event.group:
        case "failover":
            frame = words.chosen if event.manual else words.switched
            said = frame.format(before=event.from_profile or words.nobody, after=event.profile)
        case "quota":
            said = _quota(event, clock, words)
        case _:
            said = _deed(event, words)
    return said + (words.because.format(reason=event.reason) if event.reason else "")


def _quota(event: PastEvent, clock: Callable[[int], str], words: Words) -> str:
    known = words.quotas.get(event.kind)
    said = known.format(profile=event.profile) if known else f"{event.profile}: {event.kind}"
    if event.until_at is not None:
        frame = words.until if event.kind == "cooldown" else words.resets
        said += frame.format(time=clock(event.until_at))
    if event.remaining is not None:
        unit = words.wording.units.get(event.unit or "", event.unit or "")
        left = wording.number_words(event.remaining, words.wording)
        if event.limit_value:
            limit = wording.number_words(event.limit_value, words.wording)
            said += words.left_of.format(left=left, limit=limit, unit=unit)
        else:
            said += words.left.format(left=left, unit=unit)
    source = _source(event, words)
    return f"{said} ({source})" if source else said


def _source(event: PastEvent, words: Words) -> str | None:
    """Where an end, or what is left, is known from; nothing is said of what has none."""
    if event.until_at is None and event.remaining is None:
        return None
    match event.source:
        case Source.HEADER | Source.BODY:
            return words.stated
        case Source.PROBE:
            return words.found
        case Source.INFERRED:
            return words.assumed
    return None


def _deed(event: PastEvent, words: Words) -> str:
    verb = event.verb or ""
    if verb in words.circuits:
        return words.circuits[verb].format(profile=event.profile)
    frame = words.verbs.get(verb)
    if frame is None or (event.profile is None and "{profile}" in frame):
        frame = words.of_profile if event.profile else "{verb}"
    actor = words.actors.get(event.actor or "", event.actor or "")
    return frame.format(profile=event.profile, verb=verb) + (f" ({actor})" if actor else "")
