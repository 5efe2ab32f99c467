"""Codex: the address and the key of the provider that it uses, under the id that it has.

Codex shows only the sessions of the provider in use, so ids stay: a `[model_providers.ID]` of the user's gets our
address and token; the built-in `openai` is moved by `openai_base_url`, with the token in place of the key in
`auth.json`. With a ChatGPT login, whose tokens are for OpenAI only, a provider of our own is added instead.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tray_app.agents.jsonc import parsed
from tray_app.agents.wiring.plan import GONE, Aim, Client, FileChange, Launch, Plan, Setting, Where
from tray_app.core.providers import Provider
from tray_app.core.values import Protocol

PREFERRED = ("openai", "openrouter")
OWN_ID = "o-switcher"  # for ever: sessions are listed by it
_BUILT_IN = "openai"
_VARIABLE = "O_SWITCHER_TOKEN"
_ONE_SHOT = frozenset({"exec", "e", "review"})  # the commands that read `CODEX_API_KEY`


def plan(aim: Aim, where: Where) -> Plan:
    """The smallest change that leaves the provider's id alone."""
    provider = aim.pick(Protocol.RESPONSES, PREFERRED, CLIENT.title)
    folder = _folder(where)
    config, auth = folder / "config.toml", folder / "auth.json"
    document = _toml(where.text(config))
    used, place = _used(document)
    table = _own_table(document, used)
    if table is not None:
        settings = tuple(_moved(used, table, provider, aim))
        return Plan(provider.name, (FileChange(config, "toml", settings),))
    notes = _naming(provider)
    if used == _BUILT_IN and _has_plain_key(document, where.text(auth)):
        moved = FileChange(config, "toml", (Setting(("openai_base_url",), aim.base(provider)),))
        keyed = FileChange(auth, "json", (Setting(("OPENAI_API_KEY",), aim.token, secret=True),))
        return Plan(provider.name, (moved, keyed), notes)
    note = (
        f"Codex lists only sessions of the provider in use: those with {used!r} are there again after: "
        "o-switcher disconnect codex"
    )
    own = (*_own(provider, aim), Setting(place, OWN_ID))
    return Plan(provider.name, (FileChange(config, "toml", own),), (note, *notes))


def _naming(provider: Provider) -> tuple[str, ...]:
    if provider.name == _BUILT_IN:
        return ()
    return (f"Codex's own names of models are OpenAI's; set `model` to a name as {provider.title} spells it",)


def _folder(where: Where) -> Path:
    return where.folder("CODEX_HOME", where.home / ".codex")


def _toml(text: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text or "")
    except tomllib.TOMLDecodeError:
        return {}  # the edit itself will say what is wrong with it


def _used(document: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The id of the provider in use, and the place at which it is said."""
    profile = document.get("profile")
    profiles = document.get("profiles")
    chosen = profiles.get(profile) if isinstance(profiles, dict) and isinstance(profile, str) else None
    if isinstance(chosen, dict) and isinstance(chosen.get("model_provider"), str):
        return chosen["model_provider"], ("profiles", str(profile), "model_provider")
    used = document.get("model_provider")
    return (used if isinstance(used, str) else _BUILT_IN), ("model_provider",)


def _own_table(document: dict[str, Any], used: str) -> dict[str, Any] | None:
    tables = document.get("model_providers")
    table = tables.get(used) if isinstance(tables, dict) else None
    return table if isinstance(table, dict) else None


def _moved(used: str, table: dict[str, Any], provider: Provider, aim: Aim) -> Iterator[Setting]:
    path = ("model_providers", used)
    yield Setting((*path, "base_url"), aim.base(provider))
    if "env_key" in table:
        yield Setting((*path, "env_key"), GONE)  # it would win over the token, with a key that is not for us
    yield Setting((*path, "experimental_bearer_token"), aim.token, secret=True)


def _own(provider: Provider, aim: Aim) -> Iterator[Setting]:
    path = ("model_providers", OWN_ID)
    yield Setting((*path, "name"), "O-Switcher")
    yield Setting((*path, "base_url"), aim.base(provider))
    yield Setting((*path, "wire_api"), "responses")
    yield Setting((*path, "experimental_bearer_token"), aim.token, secret=True)


def _has_plain_key(document: dict[str, Any], auth: str | None) -> bool:
    """Whether Codex takes its key from `auth.json`, and no login of ChatGPT's is there."""
    if document.get("cli_auth_credentials_store", "file") != "file":
        return False
    login = parsed((auth or "{}").encode())
    return isinstance(login, dict) and not login.get("tokens") and login.get("auth_mode", "apikey") == "apikey"


def launch(aim: Aim, where: Where, arguments: Sequence[str]) -> Launch:
    """Overrides of its settings; the token is in the environment."""
    provider = aim.pick(Protocol.RESPONSES, PREFERRED, CLIENT.title)
    used, _ = _used(document := _toml(where.text(_folder(where) / "config.toml")))
    if used == _BUILT_IN and _own_table(document, used) is None and _is_one_shot(arguments):
        # the built-in provider takes its key from this variable, here alone
        overrides = {"openai_base_url": aim.base(provider)}
        return Launch({"CODEX_API_KEY": aim.token}, tuple(_as_arguments(overrides)))
    if _own_table(document, used) is not None:
        path = f"model_providers.{json.dumps(used)}" if not _is_bare(used) else f"model_providers.{used}"
        overrides = {f"{path}.base_url": aim.base(provider), f"{path}.env_key": _VARIABLE}
    else:
        path = f"model_providers.{OWN_ID}"
        overrides = {
            f"{path}.name": "O-Switcher",
            f"{path}.base_url": aim.base(provider),
            f"{path}.wire_api": "responses",
            f"{path}.env_key": _VARIABLE,
            "model_provider": OWN_ID,
        }
    return Launch({_VARIABLE: aim.token}, tuple(_as_arguments(overrides)))


def _is_bare(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum()


def _is_one_shot(arguments: Sequence[str]) -> bool:
    first = next((one for one in arguments if not one.startswith("-")), None)
    return first in _ONE_SHOT


def _as_arguments(overrides: dict[str, str]) -> Iterator[str]:
    for key, value in overrides.items():
        yield from ("-c", f"{key}={json.dumps(value)}")


CLIENT = Client(
    "codex", "Codex", plan, launch, programs=("codex",), mcp_by_hand="codex mcp add o-switcher -- o-switcher mcp"
)
