"""OpenCode: keys in its `auth.json`, its `opencode.db`, and the `provider` blocks of its configuration.

Layout as OpenCode 1.x writes it: `auth.json` holds one entry a provider; configuration is merged
from the global files, the one that `OPENCODE_CONFIG` names, the project's, those in `.opencode`
folders, and `OPENCODE_CONFIG_CONTENT`, later ones winning (https://opencode.ai/docs/config).

A project's file may come from a stranger: a key in it is taken only for the origin that its block names, and only
when asked; and it cannot have us read a file beyond the project, or a variable that is no provider's key.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tray_app.agents import opencode_database
from tray_app.agents.found import LOGIN, Finding, Found, PassedOver, elsewhere, provider_at
from tray_app.agents.jsonc import parsed
from tray_app.agents.reading import Table, read, read_jsonc, tables
from tray_app.core.providers import BUILT_IN, Provider, canonical

LOGINS = "OpenCode's auth.json"

MAX_KEY_FILE = 64 * 1024
_NAMES = ("opencode.json", "opencode.jsonc")
_VARIABLE = re.compile(r"\{(env|file):([^}]+)\}")
_Options = dict[str, str | None]


def discover(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> Iterator[Finding]:
    """The keys that OpenCode has, logins first. `project` is the folder that a project is looked for in."""
    yield from _logins(environ, home, known)
    yield from opencode_database.discover(database_file(environ, home), known)
    documents = list(_documents(environ, home, project))
    own = list(_from_blocks([one for one in documents if not one.within], environ, home, known))
    yield from own
    for one in _from_blocks(documents, environ, home, known):
        if isinstance(one, Found) and not any(one.secret == it.secret for it in own if isinstance(it, Found)):
            yield Found(one.provider, one.label, one.source, one.secret, one.base_url, project=True)
        elif isinstance(one, PassedOver) and one not in own:
            yield one


def logins_are_as(environ: Mapping[str, str], home: Path) -> tuple[str, str]:
    """What changes whenever `auth.json` is written, and what changes only with its content."""
    path = auth_file(environ, home)
    try:
        found = path.stat()
        return f"{found.st_mtime_ns} {found.st_ino}", hashlib.sha256(read(path)).hexdigest()
    except (OSError, ValueError):
        return "", ""


def watched(environ: Mapping[str, str], home: Path) -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """The folders in which OpenCode keeps keys, and the names of their files there."""
    data, config = auth_file(environ, home), _config_folder(environ, home)
    database = database_file(environ, home)
    return (
        (data.parent, (data.name,)),
        (database.parent, (database.name, f"{database.name}-wal")),
        (config, ("config.json", *_NAMES)),
    )


# -- logins


def auth_file(environ: Mapping[str, str], home: Path) -> Path:
    """Where OpenCode keeps its logins."""
    data = environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    return Path(data) / "opencode" / "auth.json"


def database_file(environ: Mapping[str, str], home: Path) -> Path:
    """Where OpenCode keeps its sessions, and credentials with them."""
    return opencode_database.place(environ, auth_file(environ, home).parent)


def _logins(environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]) -> Iterator[Finding]:
    document = parsed(environ.get("OPENCODE_AUTH_CONTENT", "").encode())
    if isinstance(document, dict):
        yield from logins_in(document, "OPENCODE_AUTH_CONTENT", known)
    else:
        yield from logins_in(read_jsonc(auth_file(environ, home)), LOGINS, known)


def logins_in(document: Table, place: str, known: Mapping[str, Provider]) -> Iterator[Finding]:
    """The keys in an `auth.json`."""
    for name, entry in tables(document):
        key, url = entry.get("key"), entry.get("baseURL")
        if entry.get("type") == "oauth":
            yield PassedOver(name, place, LOGIN)
        elif entry.get("type") == "api" and isinstance(key, str):
            options = {"apiKey": key.strip(), "baseURL": url if isinstance(url, str) else None}
            if (found := _from_block(name, options, place, known, "opencode")) is not None:
                yield found


# -- configuration


@dataclass(frozen=True, slots=True)
class _Document:
    """A configuration. Its relative paths begin at `folder`; `within`: the project that it is of, and may not leave."""

    place: str
    folder: Path
    content: Table
    within: Path | None = None


def config_files(environ: Mapping[str, str], home: Path, project: Path) -> Iterator[Path]:
    """OpenCode's configuration files that exist, in the order in which they are merged."""
    yield from _config_files(environ, home, project)


def _config_files(environ: Mapping[str, str], home: Path, project: Path) -> dict[Path, Path | None]:
    """Those files in their order, each with the project that it is of."""
    config = _config_folder(environ, home)
    places: dict[Path, Path | None] = {config / name: None for name in ("config.json", *_NAMES)}
    if named := environ.get("OPENCODE_CONFIG"):
        places.setdefault(_expanded(named, home))
    folders = [] if environ.get("OPENCODE_DISABLE_PROJECT_CONFIG") in ("1", "true") else _project_folders(project)
    root = folders[-1] if folders else None
    for folder in (*reversed(folders), *(folder / ".opencode" for folder in folders if folder != home)):
        for name in _NAMES:
            places.setdefault(folder / name, root)
    hidden = [home / ".opencode"]
    if named := environ.get("OPENCODE_CONFIG_DIR"):
        hidden.append(_expanded(named, home))
    for folder in hidden:
        for name in _NAMES:
            places.setdefault(folder / name)
    return {path: within for path, within in places.items() if os.path.isfile(path)}  # noqa: PTH113 - Path's own may raise


def _config_folder(environ: Mapping[str, str], home: Path) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"


def _documents(environ: Mapping[str, str], home: Path, project: Path) -> Iterator[_Document]:
    for path, within in _config_files(environ, home, project).items():
        yield _Document(f"OpenCode's {path.name}", path.parent, read_jsonc(path), within)
    inline = parsed(environ.get("OPENCODE_CONFIG_CONTENT", "").encode())
    if isinstance(inline, dict):
        yield _Document("OPENCODE_CONFIG_CONTENT", project, inline)


def from_document(
    content: Table, path: Path, environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]
) -> Iterator[Finding]:
    """The keys in one configuration that the user hands over."""
    yield from _from_blocks([_Document(str(path), path.parent, content)], environ, home, known)


def _from_blocks(
    documents: list[_Document], environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]
) -> Iterator[Finding]:
    """The keys in these configurations, merged in their order."""
    merged: dict[str, _Options] = {}
    places: dict[str, str] = {}
    for one in documents:
        seen = environ if one.within is None else _keys_of_providers(environ, known)
        for name, block in tables(one.content.get("provider")):
            merged.setdefault(name, {}).update(_options(block, one, seen, home))
            places[name] = one.place
    for name, options in merged.items():
        if (found := _from_block(name, options, places[name], known)) is not None:
            yield found


def _keys_of_providers(environ: Mapping[str, str], known: Mapping[str, Provider]) -> dict[str, str]:
    """The variables that by their names hold a key of a provider, and no other secret."""
    documented = {name for provider in known.values() for name in provider.env}
    names = {word for provider in known.values() for word in (provider.name, *provider.aliases)}

    def is_one(name: str) -> bool:
        *words, last = name.lower().split("_")
        return name in documented or (last in ("key", "token") and not names.isdisjoint(words))

    return {name: value for name, value in environ.items() if is_one(name)}


def _expanded(name: str, home: Path) -> Path:
    return home / name[2:] if name.startswith("~/") else Path(name)


def _project_folders(start: Path) -> list[Path]:
    """`start` and its parents up to the root of its git checkout; `start` alone outside of one."""
    folders = []
    for folder in (start, *start.parents):
        folders.append(folder)
        if os.path.exists(folder / ".git"):  # noqa: PTH110 - Path's own raises where it may not look
            return folders
    return [start]


def _options(block: Table, document: _Document, environ: Mapping[str, str], home: Path) -> _Options:
    """Key and address as the block gives them, in `options` or beside it; None where one names nothing."""
    options = block.get("options")
    given = {**block, **options} if isinstance(options, dict) else block
    return {name: _resolved(given[name], document, environ, home) for name in ("apiKey", "baseURL") if name in given}


def _from_block(
    name: str, options: Mapping[str, str | None], place: str, known: Mapping[str, Provider], label: str = "config"
) -> Finding | None:
    key, url = options.get("apiKey"), options.get("baseURL")
    if key is None:
        return None
    provider = canonical(name) if url is None else provider_at(url, known)
    if provider is None:  # a key for an address that nobody here knows is not ours to send elsewhere
        return PassedOver(name, place, elsewhere(str(url)))
    if provider != canonical(name):
        label = _label(name)
    return Found(provider, label, place, key, url if provider in known and provider not in BUILT_IN else None)


def _label(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "config"


def _resolved(value: object, document: _Document, environ: Mapping[str, str], home: Path) -> str | None:
    """`value` with `{env:NAME}` and `{file:PATH}` put in, or None where it is no text or names nothing."""
    if not isinstance(value, str):
        return None
    missing = False

    def put_in(match: re.Match[str]) -> str:
        nonlocal missing
        kind, name = match.groups()
        text = environ.get(name) if kind == "env" else _file(name.strip(), document, home)
        missing = missing or not text
        return text or ""

    text = _VARIABLE.sub(put_in, value).strip()
    return None if missing or not text else text


def _file(name: str, document: _Document, home: Path) -> str | None:
    path = document.folder / _expanded(name, home)
    try:
        if document.within is not None and not path.resolve().is_relative_to(document.within.resolve()):
            return None
        return read(path, MAX_KEY_FILE).decode("utf-8").strip()
    except (OSError, ValueError, RuntimeError):
        return None
