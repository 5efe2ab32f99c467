"""OpenCode: keys in its `auth.json` and in the `provider` blocks of its configuration.

Layout as OpenCode 1.x writes it: `auth.json` holds one entry a provider; configuration is merged
from the global file, the one that `OPENCODE_CONFIG` names, and the project's, later ones winning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tray_app.agents.found import Found, provider_at
from tray_app.core.providers import BUILT_IN, Provider, canonical

MAX_FILE = 4 * 1024 * 1024
_NAMES = ("opencode.json", "opencode.jsonc")
_VARIABLE = re.compile(r"\{(env|file):([^}]+)\}")
_Table = dict[str, object]


def discover(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> Iterator[Found]:
    """The keys that OpenCode has, logins first. `project` is the folder that a project is looked for in."""
    yield from _logins(environ, home)
    merged: dict[str, tuple[_Table, Path]] = {}
    for path in config_files(environ, home, project):
        for name, block in _tables(read_jsonc(path).get("provider")):
            options = {**_options(merged[name][0] if name in merged else {}), **_options(block)}
            merged[name] = ({**block, "options": options}, path)
    for name, (block, path) in merged.items():
        if (found := _from_block(name, block, path, environ, known)) is not None:
            yield found


def auth_file(environ: Mapping[str, str], home: Path) -> Path:
    """Where OpenCode keeps its logins."""
    data = environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    return Path(data) / "opencode" / "auth.json"


def _logins(environ: Mapping[str, str], home: Path) -> Iterator[Found]:
    path = auth_file(environ, home)
    for name, entry in _tables(read_jsonc(path)):
        key = entry.get("key")
        if entry.get("type") == "api" and isinstance(key, str):
            yield Found(canonical(name), "opencode", "OpenCode's auth.json", key)


def config_files(environ: Mapping[str, str], home: Path, project: Path) -> Iterator[Path]:
    """OpenCode's configuration files that exist, in the order in which they are merged."""
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    places = [config / name for name in ("config.json", *_NAMES)]
    if named := environ.get("OPENCODE_CONFIG"):
        places.append(Path(named).expanduser())
    for folder in reversed(_project_folders(project)):
        places += [folder / name for name in _NAMES]
    yield from (path for path in dict.fromkeys(places) if path.is_file())


def _project_folders(start: Path) -> list[Path]:
    """`start` and its parents up to the root of its git checkout; `start` alone outside of one."""
    folders = []
    for folder in (start, *start.parents):
        folders.append(folder)
        if (folder / ".git").exists():
            return folders
    return [start]


def _options(block: _Table) -> _Table:
    options = block.get("options")
    own: _Table = {name: block[name] for name in ("apiKey", "baseURL") if name in block}
    return {**own, **options} if isinstance(options, dict) else own


def _from_block(
    name: str, block: _Table, path: Path, environ: Mapping[str, str], known: Mapping[str, Provider]
) -> Found | None:
    options = _options(block)
    key = _resolved(options.get("apiKey"), path, environ)
    url = _resolved(options.get("baseURL"), path, environ)
    if key is None:
        return None
    provider = canonical(name)
    if url is not None:
        provider = provider_at(url, known) or provider
    if provider not in known:
        return None
    label = "config" if provider == canonical(name) else _label(name)
    return Found(provider, label, f"OpenCode's {path.name}", key, url if provider not in BUILT_IN else None)


def _label(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "config"


def _resolved(value: object, path: Path, environ: Mapping[str, str]) -> str | None:
    """`value` with `{env:NAME}` and `{file:PATH}` put in, or None where it is no text or names nothing."""
    if not isinstance(value, str):
        return None
    missing = False

    def put_in(match: re.Match[str]) -> str:
        nonlocal missing
        kind, name = match.groups()
        text = environ.get(name) if kind == "env" else _file(path, name)
        missing = missing or not text
        return text or ""

    text = _VARIABLE.sub(put_in, value).strip()
    return None if missing or not text else text


def _file(config: Path, name: str) -> str | None:
    path = Path(name.strip()).expanduser()
    path = path if path.is_absolute() else config.parent / path
    try:
        return path.read_text("utf-8").strip() if path.stat().st_size < MAX_FILE else None
    except (OSError, UnicodeDecodeError):
        return None


def read_jsonc(path: Path) -> _Table:
    """The object in a JSON file, comments and trailing commas allowed; empty where there is none."""
    try:
        if path.stat().st_size > MAX_FILE:
            return {}
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return {}
    try:
        document: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = _lenient(data)
    return document if isinstance(document, dict) else {}


def _lenient(data: bytes) -> object:
    import json5

    try:
        return json5.loads(data.decode("utf-8"))
    except Exception:
        return None


def _tables(document: object) -> Iterator[tuple[str, _Table]]:
    if isinstance(document, dict):
        yield from ((str(key), value) for key, value in document.items() if isinstance(value, dict))
