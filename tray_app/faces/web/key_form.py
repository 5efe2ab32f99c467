"""The form that takes a key: for a new profile, or in place of the one that a profile has. A key is never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tray_app.control.service import Service
from tray_app.control.verbs import Refused


@dataclass(frozen=True, slots=True)
class FormWords:
    """The words of one language."""

    lang: str
    add: str
    replace: str
    where: str
    provider: str
    label: str
    label_hint: str
    key: str
    save: str
    back: str


ENGLISH = FormWords(
    lang="en",
    add="Add a profile",
    replace="A new key for {profile}",
    where="The key is kept in the system's keyring, or in a file that only you can read. It goes to its provider only.",
    provider="Provider",
    label="Name",
    label_hint="What to call this key, such as main or work",
    key="API key",
    save="Save",
    back="Usage report",
)

RUSSIAN = FormWords(
    lang="ru",
    add="Добавить профиль",
    replace="Новый ключ для {profile}",
    where="Ключ хранится в связке ключей системы или в файле, доступном только вам, и уходит лишь своему провайдеру.",
    provider="Провайдер",
    label="Имя",
    label_hint="Как назвать этот ключ, например main или work",
    key="Ключ API",
    save="Сохранить",
    back="Отчёт",
)


def words_for(locale: str) -> FormWords:
    """The words for a locale such as `ru_RU`."""
    return RUSSIAN if locale.replace("_", "-").split("-")[0].lower() == "ru" else ENGLISH


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form, without the key."""

    profile: str | None = None  # whose key is to be replaced
    provider: str = "openrouter"
    label: str = "main"


def render(service: Service, entered: Entered, locale: str, trouble: str | None = None) -> str:
    """The page, as HTML."""
    from tray_app.faces.web.report import environment

    providers = sorted((one.name, one.title) for one in service.providers().values())
    template = environment().get_template("key.html")
    return template.render(w=words_for(locale), entered=entered, providers=providers, trouble=trouble)


def read(body: bytes) -> dict[str, str]:
    """The fields of a form that was sent. Of a field that comes twice, the last counts."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Refused("bad_argument", "this is no form") from error
    return {name: values[-1] for name, values in fields.items()}


def entered_in(fields: Mapping[str, str]) -> Entered:
    """What is shown again when something was wrong."""
    usual = Entered()
    return Entered(
        fields.get("profile") or None,
        fields.get("provider", usual.provider),
        fields.get("label", usual.label),
    )


async def save(service: Service, fields: Mapping[str, str]) -> None:
    """Take the key.

    Raises:
        Refused: it cannot be taken; says why.
    """
    entered, secret = entered_in(fields), fields.get("key", "").strip()
    if not secret:
        raise Refused("bad_argument", "the key is empty")
    if entered.profile is not None:
        given: dict[str, Any] = {"profile": entered.profile, "secret": secret}
        await service.perform("profiles-set", given, "web")
        return
    given = {"provider": entered.provider, "label": entered.label, "secret": secret}
    await service.perform("profiles-add", given, "web")
