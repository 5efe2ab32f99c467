"""The verbs that need no running app: profiles, tokens, and what the history holds."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tray_app.control import summary
from tray_app.control.callers import NotRunning
from tray_app.control.client_verbs import CLIENT_VERBS, Clients, detail_of, noted, takes_over
from tray_app.control.connecting import Connecting
from tray_app.control.profile_verbs import PROFILE_VERBS
from tray_app.control.registry import Registry
from tray_app.control.searching import answered, traced, wanted
from tray_app.control.verbs import Argument, Refused, verb_named
from tray_app.core.policy import Rules
from tray_app.core.pool import Cell
from tray_app.core.values import Fact, OperatorActed
from tray_app.host import instance, settings
from tray_app.host.home import Home
from tray_app.host.ports import local_url
from tray_app.host.vault import VaultError, open_vault
from tray_app.ledger import batch, database

if TYPE_CHECKING:
    from tray_app.ledger.queries import History

_Answer = TypeVar("_Answer")


class ColdCaller:
    """Carries out verbs on the files themselves while no app runs. `cold` makes one."""

    def __init__(
        self,
        home: Home,
        registry: Registry,
        facts: list[Fact],
        rules: Rules,
        clients: Clients,
        notices: tuple[str, ...] = (),
    ) -> None:
        self._home = home
        self._rules = rules
        self._registry = registry
        self._facts = facts
        self._clients = clients
        self._notices = notices

    def ask(self, verb: str, **arguments: object) -> Any:
        """Have a verb carried out; its result as plain JSON values.

        Raises:
            NotRunning: this verb needs the running app.
            Refused: it cannot be done.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if verb in PROFILE_VERBS:
            done = PROFILE_VERBS[verb](self._registry, **verb_named(verb).checked(given))
            self._facts.append(OperatorActed(_now(), "cli", verb, done["profile"], "while the app was not running"))
            if "secret" in given:
                done["message"] = "\n".join((done["message"], *self._notices))
            return done
        if verb in CLIENT_VERBS:
            return self._client(verb, verb_named(verb).checked(given))
        handler = _HANDLERS.get(verb)
        if handler is None:
            raise NotRunning("O-Switcher is not running; start it with: o-switcher")
        checked = verb_named(verb).checked(given) if verb != "profiles-list" else {}
        return msgspec.to_builtins(handler(self, checked))

    def _list(self, _: Mapping[str, Argument]) -> object:
        return summary.profile_views(self._registry.cell.pool, _now(), self._rules, self._registry.providers())

    def _client(self, verb: str, given: Mapping[str, Argument]) -> object:
        news: tuple[str, ...] = ()
        if takes_over(verb, given):
            news = self._clients.adopt(self._clients.found(given.get("places")))
        done = noted(CLIENT_VERBS[verb](self._clients, **given), news)
        if (detail := detail_of(verb, given, done)) is not None:
            self._facts.append(OperatorActed(_now(), "cli", verb, None, detail))
        told = msgspec.to_builtins(done)
        if verb == "connect":
            told["notes"] = [*told["notes"], "O-Switcher is not running now; start it with: o-switcher"]
        return told

    def _move_keys(self, given: Mapping[str, Argument]) -> object:
        return self._registry.move_keys(self._home.keys, str(given["store"]))

    def _known_key(self, given: Mapping[str, Argument]) -> object:
        standing, profile = self._registry.standing(str(given["mark"]), str(given["base_url"]))
        return {"standing": standing, "profile": profile}

    def _inspect(self, given: Mapping[str, Argument]) -> object:
        from tray_app.ledger.queries import History

        path, log = self._home.history, str(self._home.decisions)
        return traced(lambda: History(path), str(path), log, str(given["request_id"]), _now())

    def _unknown_answers(self, _: Mapping[str, Argument]) -> object:
        return summary.unknown_lines(self._answered(lambda history: history.unknown_answers()))

    def _history(self, given: Mapping[str, Argument]) -> object:
        limit = int(given.get("limit") or 20)
        asked = wanted({name: value for name, value in given.items() if name != "limit"})
        return self._answered(lambda history: history.recent(limit, asked))

    def _answered(self, question: Callable[[History], _Answer]) -> _Answer:
        from tray_app.ledger.queries import History

        return answered(lambda: History(self._home.history), str(self._home.history), question)


_HANDLERS: Mapping[str, Callable[[ColdCaller, Mapping[str, Argument]], object]] = {
    "profiles-list": ColdCaller._list,
    "unknown-answers": ColdCaller._unknown_answers,
    "known-key": ColdCaller._known_key,
    "move-keys": ColdCaller._move_keys,
    "inspect": ColdCaller._inspect,
    "history": ColdCaller._history,
}


def _now() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def cold(home: Home) -> Iterator[ColdCaller]:
    """A caller on the files, which no app may use meanwhile. What it changed is written at the end.

    Raises:
        NotRunning: an app holds the files but does not answer.
        Refused: settings or keys cannot be read.
    """
    try:
        held = instance.claim(home.lock, home.running)
    except OSError as error:
        raise Refused("unavailable", f"{home.lock.parent} cannot be written: {error.strerror or error}") from error
    if held is None:
        raise NotRunning("O-Switcher is starting or stopping; try again in a moment")
    try:
        with _opened(home) as caller:
            yield caller
    finally:
        held.release()


def _discovers(chosen: settings.Settings) -> bool:
    return chosen.discovers


def _url(chosen: settings.Settings) -> str | None:
    """Where the proxy will be, if nothing comes in between; None where it takes any free port."""
    return local_url(chosen.proxy.host, chosen.proxy.port) if chosen.proxy.port else None


@contextmanager
def _opened(home: Home) -> Iterator[ColdCaller]:
    try:
        chosen = settings.load(home.config)
        vault = open_vault(home.keys, chosen.secrets.store, move=True)
    except settings.Faulty as error:
        raise Refused("conflict", str(error)) from error
    except VaultError as error:
        raise Refused("unavailable", str(error)) from error
    facts: list[Fact] = []
    providers = chosen.known_providers()
    registry = Registry(
        Cell(), vault, lambda: providers, facts.append, _now, lambda: chosen.proxy.port, chosen.overlaid
    )
    try:
        connection = database.open_for_writing(home.history, _now()).connection
    except (OSError, sqlite3.Error) as error:
        raise Refused("unavailable", f"{home.history} cannot be opened: {error}") from error
    try:
        remembered = database.remember(connection)
        registry.restore(remembered.pool.members)
        clients = Clients(
            Connecting(home.connections, vault, _now),
            registry,
            lambda: _url(chosen),
            chosen.ways,
            lambda: _discovers(chosen),
        )
        yield ColdCaller(home, registry, facts, chosen.rules(), clients, vault.notices)
        batch.write(connection, facts, batch.Unfinished())
    finally:
        connection.close()
