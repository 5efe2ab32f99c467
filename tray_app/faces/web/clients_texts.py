"""Every sentence of the page of clients, in one table for each language."""

# ruff: noqa: RUF001, S106  # Cyrillic letters are what Russian is written in; tokens are spoken of, none is here

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tray_app.faces.web.shell_texts import table_for


@dataclass(frozen=True, slots=True)
class ClientWords:
    """The words of one language; braces are filled in by the page."""

    lang: str
    title: str
    how: str
    agents: str
    states: Mapping[str, str]
    to: str
    since: str
    connect: str
    disconnect: str
    would_refuse: str
    models: str
    models_how: str
    see_connect: str
    see_disconnect: str
    shown_before: str
    nothing_to_change: str
    do_connect: str
    do_disconnect: str
    cancel: str
    force: str
    lines: str
    lines_env: str
    lines_form: str
    run: str
    copy: str
    token: str
    no_token: str
    has_token: str
    show_token: str
    token_shown: str
    hide: str
    revoke: str
    revoked: str
    never_used: str
    last_used: str
    used: str
    spent: str
    unpriced: str
    tokens: str
    tokens_how: str
    new_token: str
    new_token_how: str
    make_token: str
    unfit_name: str
    sdk: str
    sdk_how: str
    default_pool: str
    connected: str
    disconnected: str
    files: Mapping[str, str]


ENGLISH = ClientWords(
    lang="en",
    title="Clients",
    how="Which agents go through O-Switcher. Connecting makes the smallest edit of a client's own files, shown before; "
    "disconnecting puts back what stood there.",
    agents="Agents on this machine",
    states={
        "connected": "connected",
        "changed": "changed since",
        "old address": "points elsewhere",
        "not connected": "not connected",
    },
    to="{provider} at {url}",
    since="since {at}",
    connect="Connect",
    disconnect="Disconnect",
    would_refuse="Cannot be connected now: {why}",
    models="Models",
    models_how="as the provider spells them, separated by commas",
    see_connect="Connect…",
    see_disconnect="Disconnect…",
    shown_before="This is what would be changed:",
    nothing_to_change="Nothing would be changed in its files.",
    do_connect="Connect now",
    do_disconnect="Disconnect now",
    cancel="Cancel",
    force="Disconnect all the same",
    lines="Show what to set",
    lines_env="Put these into its environment:",
    lines_form="Put these into its settings:",
    run="Or without touching a file:",
    copy="Copy",
    token="Token",
    no_token="no token yet",
    has_token="has a token",
    show_token="Show its token",
    token_shown="The token of {client}. Whoever has it can use your keys through O-Switcher; in a minute it is hidden.",
    hide="Hide",
    revoke="Revoke its token",
    revoked="The token of {client} counts no longer.",
    never_used="not used in the last 30 days",
    last_used="last used {when}",
    used="{requests} requests in 30 days, {served} served",
    spent="{tokens} tokens, {cost}",
    unpriced="{n} calls of unknown cost",
    tokens="Other tokens",
    tokens_how="Each token names a program, and what it used is counted under that name.",
    new_token="Name of a program",
    new_token_how="letters, digits, - and _",
    make_token="Make a token",
    unfit_name="A name is made of letters, digits, - and _, at most 40.",
    sdk="Any SDK or program",
    sdk_how="Give it one of these addresses, and a token as its API key.",
    default_pool="every profile, and routes",
    connected="{client} is connected; restart it if it runs.",
    disconnected="{client} is as it was before.",
    files={
        "made": "made",
        "changed": "changed",
        "restored": "put back",
        "removed": "removed",
        "untouched": "untouched",
    },
)

RUSSIAN = ClientWords(
    lang="ru",
    title="Клиенты",
    how="Какие агенты идут через O-Switcher. Подключение делает наименьшую правку в файлах клиента и показывает её "
    "заранее; отключение возвращает то, что там стояло.",
    agents="Агенты на этой машине",
    states={
        "connected": "подключён",
        "changed": "изменён с тех пор",
        "old address": "указывает не сюда",
        "not connected": "не подключён",
    },
    to="{provider} по адресу {url}",
    since="с {at}",
    connect="Подключить",
    disconnect="Отключить",
    would_refuse="Сейчас подключить нельзя: {why}",
    models="Модели",
    models_how="как их пишет провайдер, через запятую",
    see_connect="Подключить…",
    see_disconnect="Отключить…",
    shown_before="Вот что изменится:",
    nothing_to_change="В его файлах ничего не изменится.",
    do_connect="Подключить сейчас",
    do_disconnect="Отключить сейчас",
    cancel="Отмена",
    force="Всё равно отключить",
    lines="Показать, что задать",
    lines_env="Задайте в его окружении:",
    lines_form="Задайте в его настройках:",
    run="Или не трогая файлов:",
    copy="Копировать",
    token="Токен",
    no_token="токена ещё нет",
    has_token="есть токен",
    show_token="Показать токен",
    token_shown="Токен {client}; кто его знает, может пользоваться вашими ключами через O-Switcher. Через минуту "
    "скроется.",
    hide="Скрыть",
    revoke="Отозвать токен",
    revoked="Токен {client} больше не действует.",
    never_used="за 30 дней не использован",
    last_used="в последний раз {when}",
    used="запросов за 30 дней: {requests}, успешно: {served}",
    spent="токенов: {tokens}, {cost}",
    unpriced="вызовов неизвестной цены: {n}",
    tokens="Другие токены",
    tokens_how="Каждый токен называет программу, и под этим именем считается её расход.",
    new_token="Имя программы",
    new_token_how="латинские буквы, цифры, - и _",
    make_token="Сделать токен",
    unfit_name="Имя состоит из латинских букв, цифр, - и _, не больше 40.",
    sdk="Любой SDK или программа",
    sdk_how="Задайте ей один из этих адресов, а токен как ключ API.",
    default_pool="все профили и маршруты",
    connected="{client}: подключён; перезапустите, если работает.",
    disconnected="{client}: всё как было.",
    files={
        "made": "создан",
        "changed": "изменён",
        "restored": "возвращён",
        "removed": "удалён",
        "untouched": "не тронут",
    },
)

LANGUAGES: Mapping[str, ClientWords] = {words.lang: words for words in (ENGLISH, RUSSIAN)}


def words_for(locale: str) -> ClientWords:
    """The words in the language of a locale."""
    return table_for(LANGUAGES, locale)
