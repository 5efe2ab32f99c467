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
    ends_in: str
    found_in: str
    standings: Mapping[str, str]
    promise: str
    key_new: str
    key_new_how: str
    tags: str
    tags_how: str
    until: str
    rests: str
    circuits: Mapping[str, str]
    health: str
    circuit: str
    in_flight: str
    score: str
    terms: Mapping[str, str]
    measured: str
    never_measured: str
    failed_share: str
    resets: str
    as_told: str
    unknown_quota: str
    resume_all: str
    use: str
    pin: str
    pin_ways: Mapping[str, str]
    unpin: str
    pause_ways: Mapping[str, str]
    drain: str
    disable: str
    edit: str
    other: str
    other_of: str
    preferred: str
    pinned: str
    removed: str
    removed_how: str
    forget: str
    filter: str
    add_one: str
    demo_start: str
    demo_open: str
    demo_end: str
    demo_until: str
    # what is said of what was done
    demo_runs: str
    done: Mapping[str, str]
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
    add="Check and add",
    here="Import keys found here",
    here_how="These were found on this machine. Nothing of theirs is changed.",
    none_here="OpenCode, Claude Code, Codex and the environment hold no key.",
    take="Import {n}",
    demo="Try it without a key",
    demo_how="Three practice keys on a simulated provider, for ten minutes. It runs apart from all that is yours, and "
    "leaves nothing behind.",
    profiles="Your profiles",
    priority="Priority",
    priority_how="higher is preferred",
    save="Save",
    pause="Pause",
    resume="Resume",
    enable="Switch on",
    retry="Retry now",
    confirm="Its key may go there",
    remove="Remove",
    ends_in="key ending in {tail}",
    found_in="from {source}",
    standings={"new": "new", "asks": "of a project", "held": "held", "removed": "removed", "skipped": "not taken"},
    promise="Keys lie in the system's keyring or in a file that only you can read, and are never shown again.",
    key_new="New key",
    key_new_how="only to replace it; it is checked first",
    tags="Tags",
    tags_how="separated by commas",
    until="until {at}",
    rests="{what}: {rest}",
    circuits={"closed": "closed", "open": "open", "half_open": "half open"},
    health="Health",
    circuit="Circuit",
    in_flight="In flight",
    score="Score",
    terms={"health": "health", "latency": "latency", "failure": "failures", "priority": "priority"},
    measured="first byte after {time} on average",
    never_measured="not called yet",
    failed_share="{share} of its latest calls failed",
    resets="resets {when}",
    as_told="known {ago}",
    unknown_quota="What is left is not known: nothing has told it yet.",
    resume_all="Resume everything",
    use="Use",
    pin="Pin",
    pin_ways={"1h": "For 1 hour", "today": "For today", "": "Until unpinned"},
    unpin="Unpin",
    pause_ways={"30m": "For 30 minutes", "2h": "For 2 hours", "reset": "Until its limit resets", "": "Until resumed"},
    drain="Drain: finish, take nothing new",
    disable="Switch off",
    edit="Edit",
    other="More",
    other_of="More for {id}",
    preferred="preferred",
    pinned="pinned",
    removed="Removed",
    removed_how="its key is forgotten {when}, or when O-Switcher stops",
    forget="Forget its key now",
    filter="Find a profile",
    add_one="Add a profile",
    demo_start="Try the demo",
    demo_open="Open its report",
    demo_end="End the demo",
    demo_until="It runs at {url}, apart from everything of yours, and ends by itself {when}.",
    demo_runs="The demo runs at {url}.",
    done={
        "use": "{id} is preferred now.",
        "pin": "{id} is pinned.",
        "unpin": "Nothing is pinned or preferred any more.",
        "pause": "{id} is paused.",
        "resume": "{id} is ready for use.",
        "enable": "{id} is ready for use.",
        "resume-all": "Requests pass again; every profile is as it was.",
        "disable": "{id} is switched off.",
        "drain": "{id} finishes what it does and takes nothing new.",
        "profiles-confirm": "The key of {id} may go to its provider's new address.",
        "profiles-remove": "{id} was removed. Its key is forgotten in {minutes} minutes, or when O-Switcher stops.",
        "profiles-bring-back": "{id} is back, with its key, as it was.",
        "profiles-forget": "The key of {id} is forgotten.",
        "demo-stop": "The demo has ended; nothing of it is left.",
    },
    no_key="Choose a provider and paste its key.",
    no_number="The priority is a whole number.",
    refused="It was not kept.",
    unchecked="It was not kept; tick the box to keep it all the same.",
    taken="Imported: {names}",
    nothing="There was nothing to import.",
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
    add="Проверить и добавить",
    here="Импорт найденных ключей",
    here_how="Найдено на этой машине. Там ничего не меняется.",
    none_here="В OpenCode, Claude Code, Codex и переменных окружения ключей нет.",
    take="Импортировать: {n}",
    demo="Попробовать без ключа",
    demo_how="Три учебных ключа у имитации провайдера, на десять минут. Работает отдельно от всего вашего и ничего не "
    "оставляет.",
    profiles="Ваши профили",
    priority="Приоритет",
    priority_how="больше значит раньше",
    save="Сохранить",
    pause="Приостановить",
    resume="Продолжить",
    enable="Включить",
    retry="Попробовать сейчас",
    confirm="Ключ можно отправлять туда",
    remove="Удалить",
    ends_in="ключ оканчивается на {tail}",
    found_in="из {source}",
    standings={"new": "новый", "asks": "из проекта", "held": "есть", "removed": "удалён", "skipped": "не берётся"},
    promise="Ключи лежат в хранилище системы или в файле, доступном только вам, и больше не показываются.",
    key_new="Новый ключ",
    key_new_how="только чтобы заменить; сначала проверяется",
    tags="Теги",
    tags_how="через запятую",
    until="до {at}",
    rests="{what}: {rest}",
    circuits={"closed": "замкнута", "open": "разомкнута", "half_open": "проверяется"},
    health="Здоровье",
    circuit="Цепь",
    in_flight="В работе",
    score="Оценка",
    terms={"health": "здоровье", "latency": "задержка", "failure": "сбои", "priority": "приоритет"},
    measured="первый байт в среднем через {time}",
    never_measured="ещё не вызывался",
    failed_share="не удалось из последних вызовов: {share}",
    resets="сброс {when}",
    as_told="узнано {ago}",
    unknown_quota="Сколько осталось, неизвестно: пока никто не сообщил.",
    resume_all="Возобновить всё",
    use="Использовать",
    pin="Закрепить",
    pin_ways={"1h": "На 1 час", "today": "На сегодня", "": "До отмены"},
    unpin="Открепить",
    pause_ways={"30m": "На 30 минут", "2h": "На 2 часа", "reset": "До сброса лимита", "": "До возобновления"},
    drain="Завершить начатое, нового не брать",
    disable="Выключить",
    edit="Изменить",
    other="Ещё",
    other_of="Ещё для {id}",
    preferred="предпочтён",
    pinned="закреплён",
    removed="Удалённые",
    removed_how="ключ будет забыт {when} или при остановке O-Switcher",
    forget="Забыть ключ сейчас",
    filter="Найти профиль",
    add_one="Добавить профиль",
    demo_start="Запустить демонстрацию",
    demo_open="Открыть её отчёт",
    demo_end="Завершить демонстрацию",
    demo_until="Работает по адресу {url}, отдельно от всего вашего, и завершится сама {when}.",
    demo_runs="Демонстрация работает по адресу {url}.",
    done={
        "use": "Профиль {id} теперь предпочтён.",
        "pin": "Профиль {id} закреплён.",
        "unpin": "Больше ничего не закреплено и не предпочтено.",
        "pause": "Профиль {id} приостановлен.",
        "resume": "Профиль {id} снова в деле.",
        "enable": "Профиль {id} снова в деле.",
        "resume-all": "Запросы снова проходят; все профили как были.",
        "disable": "Профиль {id} выключен.",
        "drain": "Профиль {id} завершает начатое и нового не берёт.",
        "profiles-confirm": "Ключ {id} можно отправлять по новому адресу провайдера.",
        "profiles-remove": "Профиль {id} удалён. Ключ будет забыт через {minutes} мин или при остановке O-Switcher.",
        "profiles-bring-back": "Профиль {id} вернулся, с ключом, каким был.",
        "profiles-forget": "Ключ {id} забыт.",
        "demo-stop": "Демонстрация завершена, ничего от неё не осталось.",
    },
    no_key="Выберите провайдера и вставьте его ключ.",
    no_number="Приоритет должен быть целым числом.",
    refused="Ключ не сохранён.",
    unchecked="Ключ не сохранён; отметьте галочку, чтобы сохранить его всё равно.",
    taken="Импортировано: {names}",
    nothing="Брать было нечего.",
    unchanged="Ничего не изменено.",
)

LANGUAGES: Mapping[str, ProfileWords] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> ProfileWords:
    """The table for a locale; English where there is none."""
    return table_for(LANGUAGES, locale)
