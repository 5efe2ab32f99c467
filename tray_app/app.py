"""The composition root: builds every part, wires them, runs them, and stops them in reverse order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import secrets
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tray_app import __version__
from tray_app.agents import opencode
from tray_app.agents.found import Finding
from tray_app.control.client_verbs import Clients
from tray_app.control.configuration import Configuration
from tray_app.control.connecting import Connecting
from tray_app.control.demonstration import Demonstration
from tray_app.control.feed import Feed
from tray_app.control.live import SHOWN, Live
from tray_app.control.login_watch import LoginWatch
from tray_app.control.registry import Registry
from tray_app.control.service import About, Service
from tray_app.control.tally import Tally
from tray_app.control.verbs import Refused
from tray_app.core.affinity import Conversations
from tray_app.core.cost import Price
from tray_app.core.policy import Rules
from tray_app.core.pool import Cell
from tray_app.core.probes import Told
from tray_app.core.providers import Provider
from tray_app.core.storm import Storms
from tray_app.core.values import (
    Fact,
    Lifecycle,
    OperatorActed,
    Profile,
    RequestEnded,
)
from tray_app.faces.web.sessions import COOKIE, Sessions
from tray_app.faces.web.site import Site
from tray_app.host import instance, logs, peers, ports, settings
from tray_app.host.autostart import autostart_here
from tray_app.host.home import Home
from tray_app.host.program import command_line
from tray_app.host.settings import Settings
from tray_app.host.vault import Vault, VaultError, open_vault
from tray_app.host.watch import Watch
from tray_app.ledger import database
from tray_app.ledger.prices import PriceList
from tray_app.ledger.retention import Limits
from tray_app.ledger.writer import Writer
from tray_app.proxy.admission import Admission
from tray_app.proxy.asgi import answering
from tray_app.proxy.attempt import Step
from tray_app.proxy.door import Door, House
from tray_app.proxy.key_check import KeyCheck, check_key
from tray_app.proxy.knowledge import Knowledge
from tray_app.proxy.listener import Serving
from tray_app.proxy.means import Means
from tray_app.proxy.prober import Prober
from tray_app.proxy.upstream import Timeouts, Upstream
from tray_app.starting import AlreadyRunning, CannotStart, claim, ending_signals

if TYPE_CHECKING:
    from tray_app.ledger.queries import History

__all__ = ["AlreadyRunning", "App", "CannotStart", "begin", "build", "end", "run"]

_log = logging.getLogger(__name__)
GRACE_S = 5.0
REARM_S = 300.0
TIDY_AFTER_S = 60.0  # a start has other things to do; from then on once a day
DAY_MS = 86_400_000
LEAP_MS = 2_000  # the clocks of a machine drift apart slowly; this much at once was somebody's doing


def now_ms() -> int:
    """UTC milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _skew() -> int:
    """How far the wall clock is ahead of the one that nobody sets, in ms."""
    return now_ms() - time.monotonic_ns() // 1_000_000


@dataclass
class App:
    """The app, built but not running. `start` and `stop` may be called from the main thread."""

    home: Home
    settings: Settings
    bound: ports.Bound
    claimed: instance.Instance
    vault: Vault
    writer: Writer
    cell: Cell
    live: Live
    admin_token: str
    notices: list[str]
    listeners: list[Callable[[Fact], None]] = field(default_factory=list)
    on_change: Callable[[], None] = lambda: None
    on_stop: Callable[[], None] = lambda: None
    cut: int = 0  # answers that the end has cut short
    again: bool = False  # once it has stopped, it is to be started anew
    survey: Callable[[Mapping[str, Provider]], list[Finding]] = lambda _: []
    logins: LoginWatch | None = None
    asked_port: int | None = None  # by the command line
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: bool = False
    _ended: asyncio.Event | None = None
    _failure: BaseException | None = None

    def __post_init__(self) -> None:
        self.url = ports.url_of(self.bound.host, self.bound.port)
        self.local_url = ports.local_url(self.bound.host, self.bound.port)
        self.started_at = now_ms()
        self.sessions = Sessions(self.admin_token, time.monotonic, self._client_of, f"{COOKIE}_{self.bound.port}")
        self.instance = secrets.token_hex(8)
        self.feed = Feed(self.listeners, self.instance)
        self.tally = Tally()
        self.conversations = Conversations()
        self.admission: Admission[Step] = Admission(now_ms, self._changed)
        self.knowledge = Knowledge(self.cell, self.record, lambda: self._rules, now_ms)
        self._obey(self.settings)
        self._settings_mark = _mark(self.home.config)
        self._settings_seen = 0.0
        self._clients: dict[bytes, str] = {}
        self._edition: object = None  # of the vault, that `_clients` is of
        self._history: History | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._tidying: asyncio.TimerHandle | None = None
        self._prober: Prober | None = None
        self._skew = _skew()
        self._change_due = False
        self.registry = Registry(
            self.cell,
            self.vault,
            lambda: self._providers,
            self.record,
            now_ms,
            lambda: self.bound.port,
            self._overlaid,
        )
        self.demonstration = Demonstration(
            (*command_line(), "demo", "--beside"),
            self.home.history.parent,
            os.environ,
            {"PYTHONPATH": str(Path(__file__).parent.parent)},
            lambda: self.in_loop(self._changed),
        )
        self.connecting = Connecting(self.home.connections, self.vault, now_ms)
        about = About(__version__, self.url, str(self.home.history), str(self.home.config), self.started_at)
        self.service = Service(
            self.cell,
            self.registry,
            self.live,
            lambda: self._providers,
            self.record,
            now_ms,
            about,
            lambda: self.writer.health,
            self._open_history,
            self._ticket,
            autostart_here(),
            self.request_stop,
            lambda: tuple(self.notices),
            self.conversations,
            lambda: len(self.admission),
            lambda: self.settings.switcher.backpressure_threshold,
            self._ask,
            lambda: self._rules,
            lambda: self.survey(self._providers),
            self.home.keys,
            self._check_key,
            lambda: self.admission.since,
            str(self.home.decisions),
            Clients(self.connecting, self.registry, lambda: self.local_url, lambda: self._routes, self._discovers),
            self.feed,
            self.tally,
            configuration=Configuration(
                self.home.config, lambda: self.settings, self.settings, self.asked_port, self.reload
            ),
            demonstration=self.demonstration,
            restart=self.request_restart,
        )

    # -- facts

    def record(self, *facts: Fact) -> None:
        """Every fact of the house passes here: to the ledger, to what faces are shown, to listeners."""
        self.writer.record(*facts)
        self.tally.see(*facts)
        for fact in facts:
            if type(fact) in SHOWN and self.live.see(fact):
                self._changed()
        if type(facts[-1]) is RequestEnded and self._prober is not None:
            self._prober.served()
        if self.listeners:
            self._tell(facts)

    def begun(self, *facts: Fact) -> None:
        """The same for what has only begun: there is nothing to count or to show yet."""
        self.writer.record(*facts)
        if self.listeners:
            self._tell(facts)

    def _tell(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            for listener in self.listeners:
                listener(fact)

    def own_prices(self) -> Mapping[str, Price]:
        """What the user's settings say of prices."""
        return self.settings.overrides()

    def _changed(self) -> None:
        """Something that a person could see has changed: paint once, after this turn of the loop."""
        if self._loop is None or self._change_due or self._stopping:
            return
        self._change_due = True
        self._loop.call_soon(self._after_change)

    def _after_change(self) -> None:
        self._change_due = False
        self._arm_expiry()
        self.admission.pump()  # a profile may have come back, or come in
        if self._prober is not None:
            self._prober.arm()
        self.on_change()

    def _arm_expiry(self) -> None:
        """Wake when the next cooldown or pause ends, or a removed key is to be forgotten; never without need."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        times = [at for at in (self.cell.pool.next_expiry(), self.registry.forgets_at()) if at is not None]
        if times and self._loop is not None:
            soonest = min(times)
            delay = min(max(soonest - now_ms(), 0) / 1000 + 0.01, REARM_S)
            self._expiry = self._loop.call_later(delay, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self._check_clock()
        self.service.expire()
        self._arm_expiry()

    def wake(self) -> None:
        """The machine has slept: look at once at what was to end meanwhile. On the loop's thread."""
        self._expire()
        self._changed()

    def _check_clock(self) -> None:
        """Notice a clock that was set back: what was so many minutes away still is, and no longer.

        One that leaps ahead was asleep, or was wrong before: deadlines stand, and what is over is over.
        """
        skew = _skew()
        leap, self._skew = skew - self._skew, skew
        if abs(leap) < LEAP_MS:
            return
        words = f"the clock leapt by {leap / 1000:.0f} s; deadlines were looked at again"
        self.record(Lifecycle("clock.leap", now_ms(), words))
        if leap < 0:
            self.cell.set(self.cell.pool.shifted(leap))
            self.service.save_deadlines()
        self.service.expire()

    def _tidy(self) -> None:
        """Have the history kept within its limits, now and once a day, soon after a day of its own has ended."""
        if self._loop is None or self._stopping:
            return
        if self._tidying is not None:
            self._tidying.cancel()
        now, table = now_ms(), self.settings.history
        self.writer.tidy(Limits(table.keep_days, table.max_size_mb * 1024 * 1024), now)
        self._tidying = self._loop.call_later((DAY_MS - now % DAY_MS) / 1000 + TIDY_AFTER_S, self._tidy)

    # -- quota

    def _ask(self, profile_id: str) -> Awaitable[Told | None] | None:
        """Ask a profile's provider what is left; None where it cannot be asked."""
        if self._prober is None or not self._prober.can_ask(profile_id):
            return None
        return self._prober.ask(profile_id)

    async def _check_key(self, provider: str, base_url: str, secret: str) -> KeyCheck:
        """Ask a provider whether it takes a key that is not held yet."""
        known = self._providers[provider]
        return await check_key(known, base_url, secret, lambda: self._providers, lambda: self._timeouts, now_ms())

    def _told(self, profile_id: str, told: Told) -> None:
        """A provider said what a profile has left, and perhaps whose key it is."""
        if told.account is not None and (news := self.registry.belongs(profile_id, told.account)):
            self.notices.append(news)
        self.knowledge.told(profile_id, told.allowances, told.note)

    # -- settings

    def _overlaid(self, profile: Profile) -> Profile:
        return self.settings.overlaid(profile)

    def _discovers(self) -> bool:
        """Whether keys that others hold are taken over."""
        return self.settings.discovers

    def _obey(self, chosen: Settings) -> None:
        """Let `chosen` be in force from now on."""
        self.settings = chosen
        self._providers = chosen.known_providers()
        self._rules = chosen.rules()
        self._routes = chosen.ways()
        table = chosen.timeouts
        self._timeouts = Timeouts(table.connect, table.first_byte, table.idle, table.total_non_stream)

    def _fresh_rules(self) -> Rules:
        """The rules in force; looks at most once a second whether the file has changed."""
        seen = time.monotonic()
        if seen - self._settings_seen > 1.0:
            self._settings_seen = seen
            self.reload()
            self._check_clock()
            if self.logins is not None:
                self.logins.look()
        return self._rules

    def reload(self) -> None:
        """Read the settings again if their file has changed; a faulty file changes nothing."""
        mark = _mark(self.home.config)
        if mark == self._settings_mark:
            return
        self._settings_mark = mark
        before = self.settings.history
        self.notices[:] = [notice for notice in self.notices if not notice.startswith(_RELOAD)]
        try:
            self._obey(settings.load(self.home.config))
        except settings.Faulty as error:
            words = f"{_RELOAD} refused, the settings from before stay in force: {error}"
            self.notices.append(words)
            self.record(Lifecycle("config.reload", now_ms(), words))
        else:
            self.registry.refresh()
            if self.logins is not None:
                self.logins.follow()
            self.record(Lifecycle("config.reload", now_ms(), "the changed settings are in force"))
            if self.settings.history != before:
                self._tidy()
        self._changed()

    # -- what others are given

    def _open_history(self) -> History:
        if self._history is None:
            from tray_app.ledger.queries import History

            self._history = History(self.home.history)
        return self._history

    def _ticket(self, page: str) -> str:
        return f"{self.url}/report?{urlencode({'ticket': self.sessions.ticket(), 'page': page})}"

    def _client_of(self, digest: bytes) -> str | None:
        """The client whose token has that SHA-256."""
        edition = self.vault.edition()
        if edition is not self._edition:
            import hashlib

            self._edition, tokens = edition, self.vault.tokens()
            self._clients = {hashlib.sha256(token.encode()).digest(): client for client, token in tokens.items()}
        return self._clients.get(digest)

    def _secret(self, profile: Profile) -> str | None:
        return self.vault.secret(profile.id, profile.base_url)

    def _own_names(self) -> frozenset[bytes]:
        names = {self.bound.host, "127.0.0.1", "localhost", "[::1]"}
        return frozenset(f"{name}:{self.bound.port}".encode() for name in names)

    def _door(self, upstream: Upstream) -> Door:
        means = Means(
            self.cell,
            upstream,
            self._fresh_rules,
            lambda: self._providers,
            self.record,
            self.begun,
            self.writer.settled,
            now_ms,
            time.monotonic,
            random.random,
            lambda: self._stopping,
            lambda model: self._routes.get(model, ()),
            self.knowledge.heard,
            self.conversations,
            Storms(),
            self.admission,
        )
        hosts = self._own_names()
        origins = frozenset(b"http://" + host for host in hosts)
        house = House(
            self._client_of,
            self.vault.edition,
            lambda: self._providers,
            lambda: hosts,
            lambda: origins,
            lambda: self.settings.proxy.max_body_mb * 1024 * 1024,
            random.getrandbits,
        )
        health = {"app": "o-switcher", "version": __version__, "instance": self.instance}
        return Door(means, house, answering(Site(lambda: self.service, self.sessions, health, self._is_foreign)))

    def _is_foreign(self, client: peers.Address, server: peers.Address) -> bool:
        """Whether another user of this machine is at the other end, who has no business with this one's sessions."""
        return not self.settings.proxy.allow_remote and peers.is_foreign(client, server)

    # -- running

    def start(self) -> None:
        """Start the loop thread and wait until the proxy listens.

        Raises:
            CannotStart: it does not come up.
        """
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="loop", daemon=True)
        self._thread.start()
        ready.wait(30)
        if self._failure is not None or not ready.is_set():
            raise CannotStart(f"the proxy did not come up: {self._failure or 'no answer within 30 s'}")
        try:
            self.claimed.announce(
                instance.Running(os.getpid(), self.url, self.admin_token, self.started_at, __version__)
            )
        except OSError as error:
            raise CannotStart(f"{self.home.running} cannot be written: {error.strerror or error}") from error

    def _run(self, ready: threading.Event) -> None:
        runner = asyncio.Runner(loop_factory=_loop_factory())
        try:
            with runner:
                runner.run(self._serve(ready))
        except BaseException as error:
            self._failure = error
        finally:
            ready.set()
            self.on_stop()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self.writer.start(self._loop)
        self.cell.watch(self._changed)
        upstream = Upstream(self._secret, lambda: self._providers, lambda: self._timeouts)
        self._prober = Prober(
            self.cell, upstream, self._told, lambda: self.settings.quota.polling, now_ms, random.random
        )
        serving = Serving(self._door(upstream))
        await serving.open(self.bound.sock)
        self.record(Lifecycle("app.start", now_ms(), f"listening on {self.url}", __version__))
        self._arm_expiry()
        self._tidying = self._loop.call_later(TIDY_AFTER_S, self._tidy)
        gc.collect()
        gc.freeze()  # what is there now stays: no need to look at it again
        gc.set_threshold(10_000, 20, 50)
        self._prober.arm()
        if self.logins is not None:
            self.logins.start(self._loop)
        settings_file = Watch([(self.home.config.parent, (self.home.config.name,))], self.reload)
        settings_file.start(self._loop)
        ready.set()
        await self._ended.wait()
        settings_file.close()
        if self.logins is not None:
            self.logins.close()
        self._prober.close()
        self.feed.close()
        self.cut = await serving.close(GRACE_S)
        upstream.close()
        await self.demonstration.stop()
        with suppress(Refused):  # at the next start, then
            self.registry.forget_due(all_of_them=True)
        words = f"stopped; {self.cut} answers were cut" if self.cut else "stopped"
        self.record(Lifecycle("app.stop", now_ms(), words))
        if not await asyncio.to_thread(self.writer.stop):
            _log.warning("not every record could be written: %s", self.writer.health.trouble or "no time was left")

    def request_stop(self) -> None:
        """Ask the app to stop; from any thread."""
        self._stopping = True
        loop, ended = self._loop, self._ended
        if loop is not None and ended is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

    def request_restart(self) -> None:
        """Ask the app to stop, and whoever started it to start it anew; from any thread."""
        self.again = True
        self.request_stop()

    def stop(self) -> None:
        """Stop, and wait until everything is written and given back."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join(GRACE_S + 10)
        else:
            self.bound.sock.close()  # nobody has begun to listen there
        self.writer.stop()
        self.claimed.release()

    def in_loop(self, work: Callable[[], Any]) -> None:
        """Have `work` called on the loop's thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(work)

    @property
    def failure(self) -> BaseException | None:
        """What ended the loop thread, if it was not asked to end."""
        return self._failure

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; there is one once `start` has returned."""
        assert self._loop is not None  # noqa: S101
        return self._loop


_RELOAD = "changed settings were"


def _mark(path: Path) -> tuple[int, int] | None:
    """Tells whether a file has changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform != "win32":
        with suppress(ImportError):
            import uvloop

            return uvloop.new_event_loop
    return asyncio.new_event_loop


def build(
    home: Home,
    *,
    claimed: instance.Instance | None = None,
    port: int | None = None,
    environ: Mapping[str, str] = os.environ,
    project: Path | None = None,
) -> App:
    """Read settings, keys and history, claim the port, and the instance where that is not done; it is ours now.

    Raises:
        CannotStart: something is wrong that the user must mend.
        AlreadyRunning: the app runs in another process.
    """
    claimed = claimed or claim(home)
    try:
        chosen = _settings(home)
        bound = _bind(chosen, port)
        try:
            app = _build(home, chosen, claimed, bound, environ, project or Path.cwd(), port)
            app.demonstration.begin()
        except BaseException:
            bound.sock.close()
            raise
        return app
    except BaseException:
        claimed.release()
        raise


def _settings(home: Home) -> Settings:
    try:
        return settings.load(home.config)
    except settings.Faulty as error:
        raise CannotStart("\n".join(f"{error.path}: {fault}" for fault in error.faults)) from error


def _bind(chosen: Settings, port: int | None) -> ports.Bound:
    try:
        return ports.bind(chosen.proxy.host, chosen.proxy.port if port is None else port)
    except ports.NoPort as error:
        raise CannotStart(str(error)) from error


def _build(
    home: Home,
    chosen: Settings,
    claimed: instance.Instance,
    bound: ports.Bound,
    environ: Mapping[str, str],
    project: Path,
    port: int | None,
) -> App:
    notices = [bound.notice] if bound.notice else []
    try:
        vault = open_vault(home.keys, chosen.secrets.store, move=True)
    except VaultError as error:
        raise CannotStart(str(error)) from error
    notices += vault.notices
    connection = _ledger(home, notices)
    live = Live(day_at=_midnight())
    prices = PriceList()
    writer = Writer(home.history, home.decisions, connection, prices)
    token = secrets.token_urlsafe(32)
    app = App(home, chosen, bound, claimed, vault, writer, Cell(), live, token, notices, asked_port=port)
    writer.on_change = app._changed
    prices.overrides = app.own_prices
    try:
        _fill(app, connection, environ, project)
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return app


def _ledger(home: Home, notices: list[str]) -> sqlite3.Connection | None:
    """The write connection; None where the file cannot be opened now: the writer will try again."""
    try:
        opened = database.open_for_writing(home.history, now_ms())
    except (OSError, sqlite3.Error) as error:
        notices.append(f"{home.history} cannot be opened ({error}); records are held in memory until it can")
        return None
    if opened.moved_aside:
        notices.append(opened.moved_aside)
    return opened.connection


def _fill(app: App, connection: sqlite3.Connection | None, environ: Mapping[str, str], project: Path) -> None:
    remembered = database.remember(connection) if connection else database.NOTHING
    app.live.requests_today = database.requests_since(connection, app.live.day_at) if connection else 0
    app.registry.restore(remembered.pool.members)
    home = Path.home()
    app.survey = lambda known: _survey(environ, home, project, known)
    app.logins = LoginWatch(
        opencode.watched(environ, home),
        lambda: opencode.logins_are_as(environ, home),
        lambda: app.survey(app.settings.known_providers()),
        app.registry,
        lambda: app.settings.discovery.enabled,
        lambda: app.settings.discovers,
        app.notices.append,
    )
    app.logins.begin()
    _move_clients(app)
    app.service.recall(remembered.state)
    app.service.expire()


def _move_clients(app: App) -> None:
    """Connected clients are pointed at another address than ours, where the port had to change: have them follow."""
    for client, trouble in app.connecting.move(app.local_url):
        if not client:
            app.notices.append(f"{trouble}; connected clients may point at another address")
        elif trouble is None:
            app.notices.append(f"{client} is pointed at {app.local_url} now; restart it if it runs")
            app.record(OperatorActed(now_ms(), "app", "connect", None, f"{client}: moved to {app.local_url}"))
        else:
            app.notices.append(f"{client} still is pointed at another address: {trouble}")


def _survey(environ: Mapping[str, str], home: Path, project: Path, known: Mapping[str, Provider]) -> list[Finding]:
    from tray_app.agents.catalog import survey

    return survey(environ, home, project, known)


def _midnight() -> int:
    """The latest local midnight, in ms since the epoch."""
    return round(datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


Say = Callable[[str], None]


def run(app: App, say: Say) -> int:
    """Run the built app, without a tray, until it is told to stop; the exit code."""
    stop = threading.Event()
    app.on_stop = stop.set
    for number in ending_signals():
        signal.signal(number, lambda *_: stop.set())
    try:
        begin(app, say)
    except CannotStart as error:
        app.stop()
        say(str(error))
        return 1
    stop.wait()
    return end(app, say)


def begin(app: App, say: Say) -> None:
    """Start the built app, and say where it is and what its user should know.

    Raises:
        CannotStart: it does not come up.
    """
    logs.set_up()
    app.start()
    say(_greeting(app))
    for notice in app.notices:
        say(notice)


def end(app: App, say: Say) -> int:
    """Stop the app, and say what was cut and what went wrong; the exit code."""
    app.stop()
    if app.cut:
        say(f"O-Switcher stopped after {GRACE_S:.0f} s; answers that were cut short: {app.cut}")
    if app.failure is not None:
        say(f"O-Switcher stopped because of a fault of its own: {app.failure!r}")
        return 1
    return 0


def _greeting(app: App) -> str:
    count = len(app.cell.pool.members)
    keys = "1 profile" if count == 1 else f"{count} profiles"
    return f"O-Switcher {__version__} listens on {app.url} with {keys}. Stop it with Ctrl-C or: o-switcher stop"
