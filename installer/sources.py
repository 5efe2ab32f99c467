"""Where packages come from: the user's own pip settings, read once and handed to every downloader.

One reading serves all three: the download of pip itself, pip, and uv (which knows nothing of pip's
settings). Only what says *where from and how to get there* is kept; options such as `user`, `target`
or `constraint` would put packages elsewhere or contradict the lock, and are left out on purpose.
Precedence follows pip: https://pip.pypa.io/en/stable/topics/configuration/
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_INDEX = "https://pypi.org/simple"
KEPT = frozenset(
    {
        "index-url",
        "extra-index-url",
        "no-index",
        "find-links",
        "trusted-host",
        "cert",
        "client-cert",
        "proxy",
        "default-timeout",
        "timeout",
        "retries",
        "cache-dir",
        "no-cache-dir",
        "keyring-provider",
    }
)
QUICK = {"retries": "2"}  # pip's own 5 make "no network" take a minute to be told


@dataclass(frozen=True, slots=True)
class Sources:
    """Pip's settings by their long option name, without the dashes."""

    settings: Mapping[str, str]

    def indexes(self) -> list[str]:
        """The package indexes to ask, in order."""
        if self.settings.get("no-index", "").lower() in {"1", "true", "yes", "on", "y", "t"}:
            return []
        main = self.settings.get("index-url", DEFAULT_INDEX)
        return [main, *self.settings.get("extra-index-url", "").split()]

    def folders(self) -> list[str]:
        """The `find-links` places: folders or pages that list files."""
        return self.settings.get("find-links", "").split()

    def timeout(self) -> float:
        """Seconds to wait for an answer."""
        value = self.settings.get("timeout") or self.settings.get("default-timeout") or "15"
        try:
            return float(value)
        except ValueError:
            return 15.0

    def for_pip(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables for a pip that sees these settings and no others."""
        variables = _without(environ, "PIP_", "PYTHON")
        for name, value in {**QUICK, **self.settings}.items():
            variables["PIP_" + name.upper().replace("-", "_")] = value
        variables["PIP_CONFIG_FILE"] = os.devnull  # documented to switch every settings file off
        variables["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        variables["PIP_NO_INPUT"] = "1"
        return variables

    def for_uv(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables for uv: the user's own uv settings win, pip's fill what those leave open."""
        variables = _without(environ, "PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX")
        # uv stops at the first index that knows a name; every file is fixed by its hash, so looking
        # further is safe, and needed where a local index holds only some versions.
        filled = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
        if not any(name in environ for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_NO_INDEX")):
            filled |= self._uv_indexes()
        if "find-links" in self.settings:
            filled["UV_FIND_LINKS"] = ",".join(self.folders())
        if "cert" in self.settings:
            filled["SSL_CERT_FILE"] = self.settings["cert"]
        if "proxy" in self.settings:
            filled |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), proxy_url(self.settings["proxy"]))
        return {**filled, **variables}

    def _uv_indexes(self) -> dict[str, str]:
        indexes = self.indexes()
        if not indexes:
            return {"UV_NO_INDEX": "1"}
        found = {"UV_INDEX": " ".join(indexes[1:])} if indexes[1:] else {}
        return found if indexes[0] == DEFAULT_INDEX else {**found, "UV_DEFAULT_INDEX": indexes[0]}


def read_sources(environ: Mapping[str, str] = os.environ) -> Sources:
    """Pip's settings in force: files first, variables over them."""
    found: dict[str, str] = {}
    by_command: dict[str, str] = {}
    for path in _files(environ):
        sections = _parse(path)
        found |= sections.get("global", {})
        by_command |= sections.get("install", {})
    found |= by_command
    found |= {_name(key[4:]): value for key, value in environ.items() if key.startswith("PIP_") and value}
    return Sources({name: value for name, value in found.items() if name in KEPT and value})


def proxy_url(proxy: str) -> str:
    """Pip takes a proxy without its scheme; others do not."""
    return proxy if "://" in proxy else f"http://{proxy}"


def _name(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def _without(environ: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    return {key: value for key, value in environ.items() if not key.startswith(prefixes)}


def _files(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    return [*_system_files(environ), *_user_files(environ), *([Path(named)] if named else [])]


def _system_files(environ: Mapping[str, str]) -> list[Path]:
    if sys.platform == "win32":
        return [Path(environ.get("PROGRAMDATA", r"C:\ProgramData"), "pip", "pip.ini")]
    if sys.platform == "darwin":
        return [Path("/Library/Application Support/pip/pip.conf")]
    folders = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [*(Path(folder, "pip", "pip.conf") for folder in folders.split(":")), Path("/etc/pip.conf")]


def _user_files(environ: Mapping[str, str]) -> list[Path]:
    try:
        home = Path.home()
    except RuntimeError:
        return []
    if sys.platform == "win32":
        return [home / "pip" / "pip.ini", Path(environ.get("APPDATA", home), "pip", "pip.ini")]
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    if sys.platform == "darwin":
        library = home / "Library" / "Application Support" / "pip"
        own = library / "pip.conf" if library.is_dir() else own
    return [home / ".pip" / "pip.conf", own]


def _parse(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # absent, or not readable for us: pip's defaults hold
    return {
        section: {_name(key): " ".join(value.split()) for key, value in parser.items(section)}
        for section in parser.sections()
    }
