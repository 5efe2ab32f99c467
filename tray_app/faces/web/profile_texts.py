"""Every sentence of the start page and of the page that manages profiles, in one table for each language."""

# ruff: noqa: RUF001  # Cyrillic letters are what Russian is written in

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class ProfileWords:
    """The words of one language; braces are filled in by the page."""

    lang: str
    title: str
    start: str
    start_how: str
    paste: str
    paste_how: str
    provider: str
    key: str
    label: str
    label_how: str
    account: str
    account_how: str
    address: str
    address_how: str
    more: str
    anyway: str
    add: str
    here: str
    here_how: str
    none_here: str
    take: str
    demo: str
    demo_how: str
    profiles: str
    priority: str
    priority_how: str
    save: str
    pause: str
    resume: str
    enable: str
    retry: str
    confirm: str
    remove: str
    undo: str
    ends_in: str
    found_in: str
    standings: Mapping[str, str]
    promise: str
    # what is said of what was done
    unknown: str
    no_key: str
    no_number: str
    refused: str
    unchecked: str
    taken: str
    nothing: str
    unchanged: str


ENGLISH = ProfileWords(
    lang="en",
    title="Profiles",
    start="Let's begin with a key",
    start_how="O-Switcher needs at least one API key. Give it several, and it goes on with the next when one runs dry.",
    paste="Paste a key",
    paste_how="It is shown to its provider, by a question that costs nothing, before it is kept.",
    provider="Provider",
    key="API key",
    label="Label",
    label_how="such as main or backup",
    account="Account",
    account_how="keys of one account share its limits",
    address="Address",
    address_how="another than the provider's own",
    more="More",
    anyway="Keep it even if it cannot be checked",
    add="Check and keep",
    here="Take over what is here",
    here_how="These were found on this machine. Nothing of theirs is changed.",
    none_here="OpenCode, Claude Code, Codex and the environment hold no key.",
    take="Take over {n}",
    demo="Try it without a key",
    demo_how="Practice profiles on a simulated provider; in a terminal:",
    profiles="Your profiles",
    priority="Priority",
    priority_how="higher is preferred",
    save="Save",
    pause="Pause",
    resume="Resume",
    enable="Enable",
    retry="Try again",
    confirm="Its key may go there",
    remove="Remove",
    undo="Undo",
    ends_in="key ending in {tail}",
    found_in="from {source}",
    standings={"new": "new", "asks": "of a project", "held": "held", "removed": "removed", "skipped": "not taken"},
    promise="Keys lie in the system's keyring or in a file that only you can read, and are never shown again.",
    unknown="This page asked for something that O-Switcher does not know; reload it.",
    no_key="Choose a provider and paste its key.",
    no_number="The priority is a whole number.",
    refused="It was not kept.",
    unchecked="It was not kept; tick the box to keep it all the same.",
    taken="Taken over: {names}",
    nothing="There was nothing to take over.",
    unchanged="Nothing was changed.",
)

RUSSIAN = ProfileWords(
    lang="ru",
    title="Профили",
    start="Начнём с ключа",
    start_how="Нужен хотя бы один ключ API. Дайте несколько, и O-Switcher перейдёт к следующему, когда один иссякнет.",
    paste="Вставьте ключ",
    paste_how="Прежде чем сохранить, его покажут провайдеру бесплатным запросом.",
    provider="Провайдер",
    key="Ключ API",
    label="Метка",
    label_how="например main или backup",
    account="Счёт",
    account_how="у ключей одного счёта общие ограничения",
    address="Адрес",
    address_how="если не собственный адрес провайдера",
    more="Ещё",
    anyway="Сохранить, даже если проверить нельзя",
    add="Проверить и сохранить",
    here="Взять то, что уже есть",
    here_how="Найдено на этой машине. Там ничего не меняется.",
    none_here="В OpenCode, Claude Code, Codex и переменных окружения ключей нет.",
    take="Взять: {n}",
    demo="Попробовать без ключа",
    demo_how="Учебные профили у имитации провайдера; в терминале:",
    profiles="Ваши профили",
    priority="Приоритет",
    priority_how="больше значит раньше",
    save="Сохранить",
    pause="Приостановить",
    resume="Продолжить",
    enable="Включить",
    retry="Попробовать снова",
    confirm="Ключ можно отправлять туда",
    remove="Удалить",
    undo="Вернуть",
    ends_in="ключ оканчивается на {tail}",
    found_in="из {source}",
    standings={"new": "новый", "asks": "из проекта", "held": "есть", "removed": "удалён", "skipped": "не берётся"},
    promise="Ключи лежат в хранилище системы или в файле, доступном только вам, и больше не показываются.",
    unknown="Страница попросила неизвестное; обновите её.",
    no_key="Выберите провайдера и вставьте его ключ.",
    no_number="Приоритет должен быть целым числом.",
    refused="Ключ не сохранён.",
    unchecked="Ключ не сохранён; отметьте галочку, чтобы сохранить его всё равно.",
    taken="Взято: {names}",
    nothing="Брать было нечего.",
    unchanged="Ничего не изменено.",
)

LANGUAGES: Mapping[str, ProfileWords] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> ProfileWords:
    """The table for a locale; English where there is none."""
    return table_for(LANGUAGES, locale)
