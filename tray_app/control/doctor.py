"""What may be wrong on this machine, looked at one thing after the other: each a sentence, and what mends it.

Changes nothing of its own accord; costs nothing: providers are asked only what they answer for free. Works beside the
running app and without one.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tray_app.control import configuration, surroundings
from tray_app.control.callers import HttpCaller, NotRunning, connect
from tray_app.control.check import Check
from tray_app.control.verbs import Refused
from tray_app.control.views import AppState
from tray_app.core.address import LOOPBACK
from tray_app.core.values import Phase
from tray_app.host import ports, settings
from tray_app.host.autostart import autostart_here, words_on
from tray_app.host.home import Home
from tray_app.host.settings import Settings
from tray_app.host.vault import Vault, VaultError, open_vault
from tray_app.ledger.checkup import check_up

__all__ = ["Check", "Doctor"]

LEAST_FREE = 200_000_000  # bytes of disk below which the history is in danger
_MEGA = 1_000_000
_ADD = ", then: o-switcher profiles add openrouter --label main"
_ODD_MS = 5 * 60_000  # so far a clock is never off by itself
_WALLETS = frozenset({"key", "account"})  # values.Scope
_WELL = frozenset({AppState.READY, AppState.DEGRADED})


Look = Callable[[], Iterable[Check]]


@dataclass(slots=True)
class Doctor:
    """Looks at the files of `home`. `version` is this program's; `more` are looks of the face that asks."""

    home: Home
    version: str
    autostart: Callable[[], bool | None] = lambda: autostart_here().enabled()
    switched_off: Callable[[], str | None] = lambda: autostart_here().switched_off()
    at_login: Callable[[], str | None] = lambda: autostart_here().program()
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    more: tuple[Look, ...] = ()
    _settings: Settings | None = None
    _vault: Vault | None = None
    _caller: HttpCaller | None = None
    _status: Mapping[str, Any] = field(default_factory=dict)
    _history_is_well: bool = True

    def examine(self) -> Iterator[Check]:
        """Every check, as soon as it is made."""
        for look in (
            self._look_at_settings,
            lambda: surroundings.home(self.home),
            lambda: surroundings.left_behind(self.home),
            self._look_at_app,
            self._look_at_keys,
            self._look_at_history,
            self._look_at_decisions,
            self._look_at_port,
            lambda: surroundings.proxies(self.environ),
            self._look_at_clients,
            *self.more,
            self._look_at_autostart,
            self._look_at_what_is_wanted,
            self._look_at_profiles,
        ):
            yield from look()

    # -- files

    def _look_at_settings(self) -> Iterator[Check]:
        found = configuration.check(self.home.config)
        for fault in found.faults:
            yield Check("settings", False, f"{found.path}: {fault}", "mend it there, then: o-switcher config check")
        if found.faults:
            return
        self._settings = settings.load(self.home.config)
        yield Check("settings", True, f"{found.path} is {'good' if found.exists else 'not there: defaults'}")

    def _look_at_keys(self) -> Iterator[Check]:
        store = self._settings.secrets.store if self._settings else "auto"
        try:
            self._vault = vault = open_vault(self.home.keys, store)
        except VaultError as error:
            yield Check("keys", False, str(error), self._way_to_keys(str(error), store))
            return
        count = len(vault.entries())
        yield Check("keys", True, f"{count} {'key' if count == 1 else 'keys'} in the {vault.store.name}")
        for notice in vault.notices:
            mend = _mend_of(notice)
            yield Check("keys", mend is None, notice, mend)

    def _way_to_keys(self, trouble: str, store: str) -> str:
        """What gives a store of keys again: a damaged file is moved away, what cannot be used is given up."""
        if str(self.home.keys) in trouble:
            return f"mv {shlex.quote(str(self.home.keys))} {shlex.quote(f'{self.home.keys}.damaged')}{_ADD}"
        return f"o-switcher config set secrets.store {_other(store)}"

    def _look_at_history(self) -> Iterator[Check]:
        path = self.home.history
        found = check_up(path)
        if found is not None and found.trouble is not None:
            self._history_is_well = False
            anew = "restart O-Switcher: it moves the file aside and begins a new one"
            mend = "end what holds it, then: o-switcher doctor" if found.held else anew
            yield Check("history", False, f"{path} {found.trouble}", mend)
        elif found is None:
            yield Check("history", True, f"{path} is not there yet: the first start makes it")
        else:
            yield Check("history", True, f"{path} is sound: {found.requests} requests, {found.size / _MEGA:.1f} MB")
            yield from self._clock(found.latest_at)
        yield self._disk(path)

    def _clock(self, latest_at: int | None) -> Iterator[Check]:
        ahead = (latest_at or 0) - self.clock()
        if ahead > _ODD_MS:
            words = f"the clock of this machine is {ahead / 60_000:,.0f} min behind the latest record of the history"
            yield Check("clock", False, words, "timedatectl set-ntp true, or set it by hand")

    def _disk(self, path: Path) -> Check:
        try:
            free = shutil.disk_usage(_nearest(path)).free
        except OSError as error:
            return Check("disk", False, f"{path.parent} cannot be looked at: {error.strerror}")
        words = f"{free / _MEGA:,.0f} MB free beside the history"
        return Check("disk", free >= LEAST_FREE, words, None if free >= LEAST_FREE else "make room")

    def _look_at_decisions(self) -> Iterator[Check]:
        path = self.home.decisions
        there = path if os.path.lexists(path) else _nearest(path)
        good = os.access(there, os.W_OK) and (there != path or path.is_file())
        named = shlex.quote(str(there))
        away = f"mv {named} {shlex.quote(f'{there}.away')}"
        mend = None if good else away if there == path and not path.is_file() else f"chmod u+w {named}"
        yield Check("decisions", good, f"{path} can{'' if good else 'not'} be written", mend)

    # -- the app

    def _look_at_app(self) -> Iterator[Check]:
        try:
            self._caller = connect(self.home.running, "cli")
            self._status = status = self._caller.ask("status")
        except NotRunning as error:
            silent = "does not answer" in str(error)
            yield Check("app", not silent, "is not running" if not silent else str(error), None)
            return
        except Refused as refused:
            yield Check("app", False, refused.message, "o-switcher stop, then: o-switcher")
            return
        where = f"{status['version']} at {status['url']}"
        if status["version"] != self.version:
            words = f"{where} runs, but this command is {self.version}"
            yield Check("app", False, words, "o-switcher stop, then: o-switcher")
        if status["state"] == AppState.OFFLINE:
            words = "no provider can be reached from this machine"
            yield Check("network", False, words, "look at the network; then: o-switcher retry-now --all")
        good = status["state"] in _WELL
        mend = None if good else "o-switcher status"
        yield Check("app", good, f"{where} runs: {status['headline']} [{status['state']}]", mend)
        if status["ledger"] != "ok":
            yield Check("history", False, status["ledger"], "make room, or end what locks the file")
        if status["dropped_facts"]:
            yield Check("history", False, f"{status['dropped_facts']} records could not be kept since the start")
        for notice in status["notices"]:
            yield Check("note", True, notice)

    def _look_at_port(self) -> Iterator[Check]:
        if self._settings is None:
            return
        host, port = self._settings.proxy.host, self._settings.proxy.port
        mine = int(self._status["url"].rpartition(":")[2]) if self._status else None
        if port == 0:
            yield Check("port", True, f"any free one; now {mine}" if mine else "any free one")
        elif mine == port:
            yield Check("port", True, f"{port} is this app's")
        else:
            yield from self._foreign_port(host, port, mine)

    def _look_at_clients(self) -> Iterator[Check]:
        if self._settings is None:
            return
        configured = self._settings.proxy.port or None
        port = int(self._status["url"].rpartition(":")[2]) if self._status else configured
        tokens = None if self._vault is None else self._vault.tokens().values()
        yield from surroundings.clients(self.environ, Path.home(), self._settings, port, tokens)

    def _look_at_what_is_wanted(self) -> Iterator[Check]:
        if self._settings is not None and self._vault is not None:
            yield from surroundings.not_taken(self.environ, Path.home(), self._settings, self._vault)
            yield from surroundings.targets(self._settings, self._vault)

    def _foreign_port(self, host: str, port: int, mine: int | None) -> Iterator[Check]:
        now = f"; the app listens on {mine}" if mine else ""
        try:
            bound = ports.bind(host, port)
        except ports.NoPort as error:
            mend = None if host in LOOPBACK else "o-switcher config set proxy.host 127.0.0.1"
            yield Check("port", False, str(error), mend)
            return
        bound.sock.close()
        if bound.notice is None:
            yield Check("port", True, f"{port} is free{now}")
            return
        why = bound.notice.partition(";")[0].removeprefix("port ")
        mend = f"end that program, or: o-switcher config set proxy.port {mine or bound.port}"
        yield Check("port", False, f"{why}{now}", mend)

    def _look_at_autostart(self) -> Iterator[Check]:
        try:
            state = self.autostart()
        except OSError as error:
            yield Check("login", False, f"launch at login cannot be looked at: {error}")
            return
        program = self.at_login() if state else None
        if program is not None and shutil.which(program) is None:
            words = f"launch at login starts {program}, which is not there any more"
            yield Check("login", False, words, "o-switcher autostart enable")
            return
        who = self.switched_off() if state is False else None
        yield Check("login", True, f"launch at login is {words_on(state)}" + (f": {who}" if who else ""))

    # -- profiles

    def _look_at_profiles(self) -> Iterator[Check]:
        try:
            profiles = self._profiles()
        except (NotRunning, Refused) as error:
            yield Check("profiles", False, str(error), "mend what stands above, then: o-switcher doctor")
            return
        if profiles is None:
            yield Check("profiles", True, "not looked at: what stands above comes first")
        elif not profiles:
            yield Check("profiles", False, "there are none yet", "o-switcher profiles add openrouter --label main")
        else:
            yield from self._each(profiles)
            yield from _shared(profiles)

    def _profiles(self) -> list[dict[str, Any]] | None:
        """Every profile as faces are shown it; None where it is better not to touch the files."""
        if self._caller is not None:
            return list(self._status.get("profiles", ()))
        if self._settings is None or self._vault is None or not self._history_is_well:
            return None
        if not self._vault.entries():
            return []
        from tray_app.control.cold import cold

        with cold(self.home) as caller:
            return list(caller.ask("profiles-list"))

    def _each(self, profiles: list[dict[str, Any]]) -> Iterator[Check]:
        asked: dict[str, Any] = {}
        if self._caller is not None:
            try:
                asked = {one["profile"]: one for one in self._caller.ask("quota")}
            except (NotRunning, Refused) as error:
                yield Check("profiles", False, f"providers could not be asked: {error}", "o-switcher quota")
        for profile in profiles:
            yield _profile(profile, asked.get(profile["id"]))


def _profile(profile: Mapping[str, Any], asked: Mapping[str, Any] | None) -> Check:
    name = profile["id"]
    reason = str(profile["reason"])
    if profile["state"] == Phase.REAUTH and "profiles confirm" in reason:
        return Check(name, False, reason.partition(";")[0], f"o-switcher profiles confirm {name}")
    if profile["state"] == Phase.REAUTH:
        return Check(name, False, reason, f"o-switcher profiles set {name} --key")
    if profile["state"] == Phase.COOLING and _is_out(profile):
        return Check(name, False, str(profile["rest"]), f"top it up, then: o-switcher retry-now {name}")
    if asked is None:
        return Check(name, True, "not asked: O-Switcher is not running")
    if asked["asked"] and not asked["answered"]:
        return Check(name, False, asked["words"], f"look at the network, then: o-switcher quota {name}")
    if asked["answered"]:
        return Check(name, True, f"{profile['title']} answers: {asked['words']}")
    return Check(name, True, str(asked["words"]))


def _is_out(profile: Mapping[str, Any]) -> bool:
    """Whether it rests for want of credit or quota, which somebody may do something about; not for a rate limit."""
    return any(rest["scope"] in _WALLETS and "rate limit" not in rest["reason"] for rest in profile["rests"])


def _shared(profiles: Iterable[Mapping[str, Any]]) -> Iterator[Check]:
    """Keys of one account: more of them is no more of anything."""
    wallets: dict[tuple[str, str], list[str]] = {}
    for one in profiles:
        wallets.setdefault((one["title"], one["account"]), []).append(one["id"])
    for (title, _), names in wallets.items():
        if len(names) > 1:
            words = f"{', '.join(names)} are of one account at {title}"
            yield Check("account", True, f"{words}: several keys of one account do not add free capacity")


def _other(store: str) -> str:
    return "file" if store != "file" else "keyring"


def _mend_of(notice: str) -> str | None:
    """What is to be done about what the vault says; None where it is only good to know."""
    if "not used" in notice:
        return _use_them(notice)
    if "keyring fail" in notice or "does not answer" in notice:
        return "unlock it and start again, or stay with the file: o-switcher config set secrets.store file"
    if "could be read by other users" in notice:
        return "if others use this machine, give new keys: o-switcher profiles set PROFILE --key"
    return None


def _use_them(notice: str) -> str:
    """Keys lie in a store that is not looked into."""
    wanted = "keyring" if notice.startswith("keys that are in the system's keyring") else "file"
    return f"o-switcher config set secrets.store {wanted}"


def _nearest(path: Path) -> Path:
    """The folder in which `path` is, or would be made."""
    return next(folder for folder in path.absolute().parents if folder.exists())
