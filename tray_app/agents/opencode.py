"""OpenCode: keys in its `auth.json` and in the `provider` blocks of its configuration.

Layout as OpenCode 1.x writes it: `auth.json` holds one entry a provider; configuration is merged
from the global files, the one that `OPENCODE_CONFIG` names, the project's, those in `.opencode`
folders, and `OPENCODE_CONFIG_CONTENT`, later ones winning (https://opencode.ai/docs/config).

A project's file may come from a stranger: a key in it is taken only for the origin that its block names.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from tray_app.agents.found import Found, provider_at
from tray_app.agents.jsonc import parsed
from tray_app.core.providers import BUILT_IN, Provider, canonical

MAX_FILE = 4 * 1024 * 1024
MAX_KEY_FILE = 64 * 1024
_NAMES = ("opencode.json", "opencode.jsonc")
_VARIABLE = re.compile(r"\{(env|file):([^}]+)\}")
_Table = dict[str, object]


def discover(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> Iterator[Found]:
    """The keys that OpenCode has, logins first. `project` is the folder that a project is looked for in."""
    yield from _logins(environ, home, known)
    merged: dict[str, dict[str, str | None]] = {}
    places: dict[str, str] = {}
    for place, folder, document in _documents(environ, home, project):
        for name, block in _tables(document.get("provider")):
            merged.setdefault(name, {}).update(_options(block, folder, environ, home))
            places[name] = place
    for name, options in merged.items():
        if (found := _from_block(name, options, places[name], known)) is not None:
            yield found


# -- logins


def auth_file(environ: Mapping[str, str], home: Path) -> Path:
    """Where OpenCode keeps its logins."""
    data = environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    return Path(data) / "opencode" / "auth.json"


def _logins(environ: Mapping[str, str], home: Path, known: Mapping[str, Provider]) -> Iterator[Found]:
    place, document = "OpenCode's auth.json", parsed(environ.get("OPENCODE_AUTH_CONTENT", "").encode())
    if isinstance(document, dict):
        place = "OPENCODE_AUTH_CONTENT"
    else:
        document = read_jsonc(auth_file(environ, home))
    for name, entry in _tables(document):
        key, url = entry.get("key"), entry.get("baseURL")
        if entry.get("type") == "api" and isinstance(key, str):
            options = {"apiKey": key.strip(), "baseURL": url if isinstance(url, str) else None}
            if (found := _from_block(name, options, place, known, "opencode")) is not None:
                yield found


# -- configuration


def config_files(environ: Mapping[str, str], home: Path, project: Path) -> Iterator[Path]:
    """OpenCode's configuration files that exist, in the order in which they are merged."""
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    places = [config / name for name in ("config.json", *_NAMES)]
    if named := environ.get("OPENCODE_CONFIG"):
        places.append(_expanded(named, home))
    folders = [] if environ.get("OPENCODE_DISABLE_PROJECT_CONFIG") in ("1", "true") else _project_folders(project)
    places += [folder / name for folder in reversed(folders) for name in _NAMES]
    hidden = [folder / ".opencode" for folder in (*folders, home)]
    if named := environ.get("OPENCODE_CONFIG_DIR"):
        hidden.append(_expanded(named, home))
    places += [folder / name for folder in hidden for name in _NAMES]
    yield from (path for path in dict.fromkeys(places) if os.path.isfile(path))  # noqa: PTH113 - Path's own may raise


def _documents(environ: Mapping[str, str], home: Path, project: Path) -> Iterator[tuple[str, Path, _Table]]:
    """Each configuration with its name and the folder that its relative paths begin at."""
    for path in config_files(environ, home, project):
        yield f"OpenCode's {path.name}", path.parent, read_jsonc(path)
    inline = parsed(environ.get("OPENCODE_CONFIG_CONTENT", "").encode())
    if isinstance(inline, dict):
        yield "OPENCODE_CONFIG_CONTENT", project, inline


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


def _options(block: _Table, folder: Path, environ: Mapping[str, str], home: Path) -> dict[str, str | None]:
    """Key and address as the block gives them, in `options` or beside it; None where one names nothing."""
    options = block.get("options")
    given = {**block, **options} if isinstance(options, dict) else block
    return {name: _resolved(given[name], folder, environ, home) for name in ("apiKey", "baseURL") if name in given}


def _from_block(
    name: str, options: Mapping[str, str | None], place: str, known: Mapping[str, Provider], label: str = "config"
) -> Found | None:
    key, url = options.get("apiKey"), options.get("baseURL")
    provider = canonical(name) if url is None else provider_at(url, known)
    if key is None or provider is None or provider not in known:
        return None  # a key for an address that nobody here knows is not ours to send elsewhere
    if provider != canonical(name):
        label = _label(name)
    return Found(provider, label, place, key, url if provider not in BUILT_IN else None)


def _label(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "config"


def _resolved(value: object, folder: Path, environ: Mapping[str, str], home: Path) -> str | None:
    """`value` with `{env:NAME}` and `{file:PATH}` put in, or None where it is no text or names nothing."""
    if not isinstance(value, str):
        return None
    missing = False

    def put_in(match: re.Match[str]) -> str:
        nonlocal missing
        kind, name = match.groups()
        text = environ.get(name) if kind == "env" else _file(folder / _expanded(name.strip(), home))
        missing = missing or not text
        return text or ""

    text = _VARIABLE.sub(put_in, value).strip()
    return None if missing or not text else text


# -- files


def _file(path: Path) -> str | None:
    try:
        return _read(path, MAX_KEY_FILE).decode("utf-8").strip()
    except (OSError, ValueError):
        return None


def read_jsonc(path: Path) -> _Table:
    """The object in a JSON file, comments and trailing commas allowed; empty where there is none."""
    try:
        document = parsed(_read(path, MAX_FILE))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _read(path: Path, limit: int) -> bytes:
    """The bytes of an ordinary file of at most that size.

    Raises:
        OSError, ValueError: it cannot be read, is no file (a pipe would keep us waiting), or is too long.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        raise ValueError(f"{path} is no file, or too long")
    return path.read_bytes()


def _tables(document: object) -> Iterator[tuple[str, _Table]]:
    if isinstance(document, dict):
        yield from ((str(key), value) for key, value in document.items() if isinstance(value, dict))
