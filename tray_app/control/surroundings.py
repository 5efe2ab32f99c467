"""What may be wrong around the app: in the system, in clients, in files that others left. Looks only."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tray_app.agents.catalog import discover
from tray_app.agents.pointers import pointers
from tray_app.control.check import Check
from tray_app.core.address import base_of
from tray_app.host.home import Home
from tray_app.host.instance import find_running, lives
from tray_app.host.settings import Settings
from tray_app.host.vault import Vault, fingerprint

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_LOOPBACK = ("127.0.0.1", "localhost")


def home(files: Home) -> Iterator[Check]:
    """Whether the app's folders can be written, and what is in them is for this user alone."""
    for folder in files.folders:
        there = folder if folder.exists() else next(one for one in folder.absolute().parents if one.exists())
        named = shlex.quote(str(there))
        if not there.is_dir():
            mend = f"set O_SWITCHER_HOME to a folder, or: mv {named} {shlex.quote(f'{there}.away')}"
            yield Check("home", False, f"{there} is no folder", mend)
        elif not os.access(there, os.W_OK | os.X_OK):
            yield Check("home", False, f"{there} cannot be written by this user", f"chmod u+rwx {named}")
    told = (files.keys, files.running) if lives(files.lock) else (files.keys,)  # a token of a dead app opens nothing
    for path in told:
        if (mode := _open_to_others(path)) is not None:
            mend = f"chmod 600 {shlex.quote(str(path))}"
            yield Check("home", False, f"{path} can be read by other users (mode {mode:04o})", mend)


def _open_to_others(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    return mode if mode & 0o077 else None


def left_behind(files: Home) -> Iterator[Check]:
    """An announcement of a process that was killed."""
    running = find_running(files.running)
    if running is not None and not lives(files.lock):
        words = f"{files.running} is of process {running.pid}, which ended without taking it away"
        yield Check("lock", False, words, "start it again: o-switcher")


def proxies(environ: Mapping[str, str]) -> Iterator[Check]:
    """Proxy variables by which clients would ask a proxy for the loopback."""
    given = {name.upper(): value for name, value in environ.items() if value}
    named = [name for name in _PROXIES if name in given]
    spared = {part.strip() for part in given.get("NO_PROXY", "").split(",")}
    if not named or "*" in spared:
        return
    missing = [place for place in _LOOPBACK if place not in spared]
    if missing:
        words = f"{' and '.join(named)} would lead clients away from O-Switcher: NO_PROXY lacks {','.join(missing)}"
        spare = shlex.quote(",".join(filter(None, [*sorted(spared), *missing])))
        names = ("NO_PROXY", *(("no_proxy",) if environ.get("no_proxy") else ()))  # which of them counts differs
        yield Check("proxy", False, words, " ".join(["export", *(f"{name}={spare}" for name in names)]))
    else:
        yield Check("proxy", True, f"{' and '.join(named)} leave the loopback alone")


def clients(
    environ: Mapping[str, str], user: Path, settings: Settings, port: int | None, tokens: Collection[str] | None
) -> Iterator[Check]:
    """Clients that are sent to a port where O-Switcher is not, or with a token that it does not know.

    `port` None and `tokens` None: not known now.
    """
    for one in pointers(environ, user, Path.cwd(), settings.known_providers()):
        mend = f"o-switcher connect {one.client}"
        if port is not None and one.port != port:
            where = f"{base_of(one.url).origin}, but O-Switcher is at port {port}"
            yield Check("client", False, f"{one.place} leads to {where}", mend)
        elif tokens is not None and one.token.startswith("osw-") and one.token not in tokens:
            yield Check("client", False, f"{one.place} has a token that O-Switcher does not know", mend)
        else:
            yield Check("client", True, f"{one.place} leads here")


def not_taken(environ: Mapping[str, str], user: Path, settings: Settings, vault: Vault) -> Iterator[Check]:
    """Keys of this folder's project that wait for consent."""
    held = {entry.fingerprint for entry in vault.entries().values()}
    for one in discover(environ, user, Path.cwd(), settings.known_providers()):
        mark = fingerprint(one.secret)
        if one.project and mark not in held and not vault.is_unwanted(mark):
            words = f"a key for {one.provider} in {one.source} of this project is not used"
            yield Check("discovery", False, words, "o-switcher discover --apply")


def targets(settings: Settings, vault: Vault) -> Iterator[Check]:
    """Targets and routes of the settings that nobody can serve."""
    held = vault.entries()
    providers = {entry.provider for entry in held.values()}
    for table in settings.targets:
        name = table.profile_id
        if name not in held and name.removesuffix("-*") not in providers:
            words = f"a target of config.toml names {name}, but there is no such profile"
            yield Check("targets", False, words, "o-switcher profiles list, then correct it: o-switcher config path")
    for model, lanes in settings.ways().items():
        if not any(lane.provider in providers for lane in lanes):
            words = f"nobody can serve the route {model}: none of its providers has a profile"
            yield Check("routes", False, words, f"o-switcher profiles add {lanes[0].provider} --label main")
