"""The verbs carried out: whatever a face asks for happens here, on the event-loop thread, and is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tray_app.agents.found import Finding, Found
from tray_app.agents.wiring.clients import has_files
from tray_app.control import discovery, summary
from tray_app.control.answers import (
    Administered,
    Changed,
    Chosen,
    Cleared,
    Done,
    Folder,
    Halted,
    KeyStanding,
    KeyStore,
    LaunchAtLogin,
    Link,
    Renamed,
    Said,
    SettingChanged,
)
from tray_app.control.client_verbs import CLIENT_VERBS, Clients, detail_of, noted, takes_over
from tray_app.control.configuration import Configuration
from tray_app.control.demonstration import Demonstration
from tray_app.control.discovery import FoundView
from tray_app.control.feed import Feed
from tray_app.control.live import Live
from tray_app.control.overview import report_view, span_of
from tray_app.control.profile_verbs import PROFILE_VERBS
from tray_app.control.registry import CHOICE, HALT, Registry, Standing, unknown_profile
from tray_app.control.searching import answered, events_wanted, found, traced, wanted
from tray_app.control.tally import Tally
from tray_app.control.verbs import LONGEST_S, MAX_LIMIT, PAGES, Argument, Refused, verb_named
from tray_app.control.views import (
    AskedView,
    ClientView,
    ConfigurationView,
    DemoView,
    ProfileView,
    QuotaView,
    RemovedView,
    ReportView,
    Selection,
    Status,
)
from tray_app.core.affinity import Conversations
from tray_app.core.history import Choices, ClientTotal, Events, FoundRequests, PastRequest, Trace, UsageTotal
from tray_app.core.policy import Rules
from tray_app.core.pool import Cell, Choice, Halt, Member
from tray_app.core.probes import Told
from tray_app.core.providers import Provider
from tray_app.core.redact import redact
from tray_app.core.values import (
    Admin,
    CooldownCleared,
    CooldownSet,
    Fact,
    FailedOver,
    OperatorActed,
    Phase,
    ProfileSeen,
    ReauthChanged,
)
from tray_app.host.autostart import told as told_of_login
from tray_app.host.vault import fingerprint

if TYPE_CHECKING:
    from tray_app.host.autostart import Autostart
    from tray_app.ledger.queries import History
    from tray_app.ledger.writer import Health
    from tray_app.proxy.key_check import KeyCheck

_Answer = TypeVar("_Answer")
HOUR_MS = 3_600_000
USED_DAYS = 30  # what is told of clients


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the app runs."""

    version: str
    url: str
    history_path: str
    config_path: str
    started_at: int


@dataclass(frozen=True, slots=True)
class Service:
    """One surface for every face. Made by the composition root; for the event-loop thread only."""

    cell: Cell
    registry: Registry
    live: Live
    providers: Callable[[], Mapping[str, Provider]]
    record: Callable[[Fact], None]
    clock: Callable[[], int]
    about: About
    health: Callable[[], Health]
    history: Callable[[], History]
    ticket: Callable[[str], str]
    autostart: Autostart
    stop: Callable[[], None]
    notices: Callable[[], tuple[str, ...]]
    conversations: Conversations
    waiting: Callable[[], int]
    pressure_from: Callable[[], int]
    ask: Callable[[str], Awaitable[Told | None] | None]
    rules: Callable[[], Rules]
    survey: Callable[[], list[Finding]]
    keys: Path
    check_key: Callable[[str, str, str], Awaitable[KeyCheck]]
    waiting_since: Callable[[], int | None]
    decisions_path: str
    clients: Clients
    feed: Feed
    tally: Tally
    configuration: Configuration
    demonstration: Demonstration
    restart: Callable[[], None]

    # -- what is shown

    def status(self) -> Status:
        """The state of the moment."""
        now, pool = self.clock(), self.cell.pool
        active = summary.active_profile(pool, self.providers(), now)
        state = summary.app_state(pool, active, now)
        waiting = self.waiting()
        health = self.health()
        ledger = "ok" if health.trouble is None else f"{health.trouble}; {health.held} records are held in memory"
        notices = (*self.notices(), *([health.notice] if health.notice else []))
        if waiting >= self.pressure_from():
            notices = (*notices, f"{waiting} requests wait for a place: agents ask for more than the profiles take")
        return Status(
            self.about.version,
            self.about.url,
            state,
            summary.headline(state, active, pool, now),
            active,
            summary.profile_views(pool, now, self.rules(), self.providers()),
            self.live.last_switch,
            self.live.requests_today,
            ledger,
            health.dropped,
            self.autostart.enabled(),
            self.about.history_path,
            self.about.config_path,
            self.about.started_at,
            notices,
            waiting,
            summary.choice_view(pool, now),
            pool.halted(now),
            pool.halt.until_at if pool.halt else None,
            self.waiting_since(),
            self.live.clients,
            self._removed(),
        )

    def _removed(self) -> tuple[RemovedView, ...]:
        """The removed profiles that can be had back."""
        aside = self.registry.vault.aside()
        return tuple(
            RemovedView(name, one.entry.provider, one.entry.tail, one.until_at)
            for name, one in sorted(aside.items(), key=lambda item: item[1].until_at)
        )

    def profile(self, profile: str) -> ProfileView:
        """One profile as it is shown.

        Raises:
            Refused: there is none of that name.
        """
        self._member(profile)
        return next(view for view in self.status().profiles if view.id == profile)

    def quotas(self) -> tuple[QuotaView, ...]:
        """Every allowance that is known, without anybody being asked."""
        pool, now = self.cell.pool, self.clock()
        return tuple(view for name in pool.members for view in summary.quota_views(pool, name, now))

    async def usage(self) -> Sequence[UsageTotal]:
        """All tokens and costs that the history knows of, by profile and model; at most some seconds old."""
        return await self.tally.usage(self._usage)

    def _usage(self) -> Sequence[UsageTotal]:
        return answered(self.history, self.about.history_path, lambda history: history.usage_totals())

    async def report_view(self, asked: Selection) -> ReportView:
        """What the overview shows now.

        Raises:
            Refused: no such days can be shown, or the history cannot be read.
        """
        now, status = self.clock(), self.status()
        span, starts = span_of(asked, now)
        return await self.ask_history(lambda history: report_view(history, status, asked, span, starts, now))

    async def ask_history(self, question: Callable[[History], _Answer]) -> _Answer:
        """What the history answers to `question`, which is asked while nobody else is kept waiting.

        Raises:
            Refused: the history cannot be read.
        """
        return await asyncio.to_thread(answered, self.history, self.about.history_path, question)

    # -- what is asked

    async def perform(self, name: str, arguments: Mapping[str, object], actor: str) -> object:
        """Carry out a verb. `actor` is who asks: `tray`, `cli`, `api`, `mcp`.

        Raises:
            Refused: it cannot be done; says why and what to do.
        """
        verb = verb_named(name)
        checked = verb.checked(arguments)
        if name in PROFILE_VERBS:
            return self._profile(name, actor, checked)
        if name in CLIENT_VERBS:
            return await self._client(name, actor, checked)
        handler = _HANDLERS[name]
        result = handler(self, actor, **checked)
        if asyncio.iscoroutine(result):
            return await result
        return result

    def _act(self, actor: str, verb: str, profile: str | None, detail: str | None = None) -> None:
        self.record(OperatorActed(self.clock(), actor, verb, profile, detail))

    def _member(self, profile: str) -> Member:
        member = self.cell.pool.members.get(profile)
        if member is None:
            raise unknown_profile(profile, self.cell.pool.members)
        return member

    def _use(self, actor: str, profile: str, strict: bool = False) -> Chosen:
        return self._choose(actor, "use", Choice(profile, strict=strict))

    def _pin(self, actor: str, profile: str, for_s: float | None = None, strict: bool = False) -> Chosen:
        until = None if for_s is None else self.clock() + round(_span(for_s, "a pin") * 1000)
        return self._choose(actor, "pin", Choice(profile, pinned=True, strict=strict, until_at=until))

    def _choose(self, actor: str, verb: str, choice: Choice) -> Chosen:
        """Let that profile serve, from the next request on and in every conversation of its provider."""
        profile = choice.profile_id
        member = self._member(profile)
        before = self._current(member.profile.provider)
        self._begin_anew(member)
        self.cell.set(self.cell.pool.chosen(choice))
        self.registry.remember_choice()
        view = summary.choice_view(self.cell.pool, self.clock())
        words = view.words if view else ""
        self._act(actor, verb, profile, words)
        if before not in (None, profile):
            self.record(FailedOver(None, self.clock(), before, profile, f"chosen by the operator ({actor})", True))
        phase = member.phase(self.clock())
        others = "nobody serves" if choice.strict else "others serve"
        note = "" if phase is Phase.READY else f"; it is {phase.value} now, so {others} until it is back"
        return {"profile": profile, "until_at": choice.until_at, "message": f"{profile} is {words}{note}"}

    def _begin_anew(self, member: Member) -> None:
        """Conversations on the provider's other profiles go along with what the operator chose."""
        for name, other in self.cell.pool.members.items():
            if other.profile.provider == member.profile.provider and name != member.profile.id:
                self.conversations.leave(name)

    def _unpin(self, actor: str) -> Done:
        choice = self.cell.pool.choice
        if choice is None:
            raise Refused("conflict", "nothing is pinned or preferred")
        self.cell.set(self.cell.pool.chosen(None))
        self.registry.remember_choice()
        self._act(actor, "unpin", choice.profile_id)
        return {"profile": choice.profile_id, "message": f"{choice.profile_id} is no longer {_kind(choice)}"}

    def recall(self, state: Mapping[str, str]) -> None:
        """At the start: what the operator said before."""
        with suppress(msgspec.DecodeError):
            halt = msgspec.json.decode(state.get(HALT, ""), type=Halt)
            self.cell.set(msgspec.structs.replace(self.cell.pool, halt=halt))
        try:
            choice = msgspec.json.decode(state.get(CHOICE, ""), type=Choice)
        except msgspec.DecodeError:
            return
        if choice.profile_id in self.cell.pool.members:
            self.cell.set(self.cell.pool.chosen(choice))

    def save_deadlines(self) -> None:
        """Have the record hold every cooldown and pause as it is now."""
        now = self.clock()
        for member in self.cell.pool.members.values():
            for rest in member.cooldowns:
                self.record(CooldownSet(rest, member.profile.account, None, now))
            if member.admin_until_at is not None:
                self.record(ProfileSeen(member.profile, member.admin, member.admin_until_at, now, new=False))
        self.registry.remember_choice()
        self.registry.remember_halt()

    def _current(self, provider: str) -> str | None:
        ready = self.cell.pool.routable(provider, None, self.clock())
        return ready[0].profile.id if ready else None

    def _next(self, actor: str) -> Chosen:
        active = summary.active_profile(self.cell.pool, self.providers(), self.clock())
        if active is None:
            raise Refused("conflict", "no profile can serve now, so there is no next one; see: o-switcher status")
        provider = self.cell.pool.members[active].profile.provider
        others = [key for key, member in self.cell.pool.members.items() if member.profile.provider == provider]
        start = others.index(active)
        for candidate in (*others[start + 1 :], *others[:start]):
            if self.cell.pool.members[candidate].phase(self.clock()) is Phase.READY:
                return self._use(actor, candidate)
        raise Refused("conflict", f"{active} is the only profile of {provider} that can serve now")

    def _pause(self, actor: str, profile: str, for_s: float | None = None, until_reset: bool = False) -> Administered:
        member = self._member(profile)
        until, detail = None, "until resumed"
        if until_reset:
            resting = member.resting(self.clock(), None)
            if resting is None:
                raise Refused("conflict", f"{profile} waits for no reset; pause it with --for 2h, or without an end")
            until, detail = resting.until_at, "until its limit resets"
        elif for_s is not None:
            until, detail = self.clock() + round(_span(for_s, "a pause") * 1000), f"for {in_words(for_s)}"
        return self._administer(actor, "pause", profile, Admin.PAUSED, until, detail)

    def _pause_all(self, actor: str, for_s: float | None = None) -> Halted:
        until = None if for_s is None else self.clock() + round(_span(for_s, "a pause") * 1000)
        detail = "until resumed" if for_s is None else f"for {in_words(for_s)}"
        self._halt(actor, "pause-all", Halt(until), detail)
        return {"until_at": until, "message": f"everything is paused {detail}; requests are refused and told why"}

    def _resume_all(self, actor: str) -> Said:
        if not self.cell.pool.halted(self.clock()):
            raise Refused(
                "conflict", "not everything is paused; one profile is resumed with: o-switcher resume PROFILE"
            )
        self._halt(actor, "resume-all", None, None)
        return {"message": "requests pass again; every profile is as it was before"}

    def _halt(self, actor: str, verb: str, halt: Halt | None, detail: str | None) -> None:
        self.cell.set(msgspec.structs.replace(self.cell.pool, halt=halt))
        self.registry.remember_halt()
        self._act(actor, verb, None, detail)

    def _resume(self, actor: str, profile: str) -> Administered:
        return self._administer(actor, "resume", profile, Admin.ENABLED, None, None)

    def _enable(self, actor: str, profile: str) -> Administered:
        return self._administer(actor, "enable", profile, Admin.ENABLED, None, None)

    def _drain(self, actor: str, profile: str) -> Administered:
        return self._administer(actor, "drain", profile, Admin.DRAINING, None, None)

    def _disable(self, actor: str, profile: str) -> Administered:
        return self._administer(actor, "disable", profile, Admin.DISABLED, None, None)

    def _administer(
        self, actor: str, verb: str, profile: str, admin: Admin, until: int | None, detail: str | None
    ) -> Administered:
        member = self._member(profile)
        self.cell.set(self.cell.pool.administered(profile, admin, until))
        self.record(ProfileSeen(member.profile, admin, until, self.clock(), new=False))
        self._act(actor, verb, profile, detail)
        said = "ready for use" if admin is Admin.ENABLED else admin.value
        return {
            "profile": profile,
            "admin_state": admin.value,
            "until_at": until,
            "message": f"{profile} is {said}" + (f" {detail}" if detail else ""),
        }

    async def _retry_now(self, actor: str, profile: str | None = None, all: bool = False) -> Cleared:
        if (profile is None) == (not all):
            raise Refused("bad_argument", "name one profile, or say --all")
        names = list(self.cell.pool.members) if profile is None else [self._member(profile).profile.id]
        cleared = [name for name in names if self._cleared(name, f"asked for by the operator ({actor})")]
        self._act(actor, "retry-now", profile)
        words = f"cleared: {', '.join(cleared)}" if cleared else "nothing was held against them"
        told = await self._asked(names)
        pool, now = self.cell.pool, self.clock()
        left = {name: summary.quota_words(pool, name, now) for name in told if told[name] and name in pool.members}
        answers = [f"{name}: {words}" for name, words in left.items() if words is not None]
        return {"profiles": cleared, "message": "; ".join([words, *answers])}

    async def _quota(self, actor: str, profile: str | None = None) -> list[AskedView]:
        """Ask, and tell what is known now."""
        names = list(self.cell.pool.members) if profile is None else [self._member(profile).profile.id]
        told = await self._asked(names)
        pool, known, now = self.cell.pool, self.providers(), self.clock()
        return [
            summary.asked_view(pool, name, name in told, bool(told.get(name)), known, now)
            for name in names
            if name in pool.members  # one may have gone meanwhile
        ]

    async def _asked(self, names: list[str]) -> dict[str, Told | None]:
        """What the providers of those profiles tell; those that cannot be asked are left out."""
        asked = {name: asking for name in names if (asking := self.ask(name)) is not None}
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))

    def _cleared(self, name: str, reason: str) -> bool:
        member, now = self.cell.pool.members[name], self.clock()
        pool, cooldowns = self.cell.pool.cleared(name)
        self.cell.set(pool)
        for cooldown in cooldowns:
            self.record(CooldownCleared(cooldown, member.profile.account, now, reason))
        if member.reauth is not None:
            self.record(ReauthChanged(name, member.profile.account, now, False, reason))
            self.registry.restrain()
        return bool(cooldowns) or member.reauth is not None

    async def _inspect(self, actor: str, request_id: str) -> Trace:
        return await self.trace(request_id)

    async def trace(self, request_id: str) -> Trace:
        """All that is known of a request.

        Raises:
            Refused: there is no such request, or the history cannot be read.
        """
        path, log = self.about.history_path, self.decisions_path
        return await asyncio.to_thread(traced, self.history, path, log, request_id, self.clock())

    async def _history(
        self,
        actor: str,
        limit: int = 20,
        **given: Any,
    ) -> list[PastRequest]:
        if not 1 <= limit <= MAX_LIMIT:
            raise Refused("bad_argument", f"--limit must be from 1 to {MAX_LIMIT}")
        asked = wanted(given)
        return await self.ask_history(lambda history: history.recent(limit, asked))

    async def found(
        self, asked: Mapping[str, Argument], limit: int, patience_s: float
    ) -> tuple[FoundRequests, Choices]:
        """Requests by the arguments of `history`, as far as so much time of the processor allows; and whom there are.

        Raises:
            Refused: an argument can mean nothing, or the history cannot be read.
        """
        search = wanted(asked)
        return await self.ask_history(lambda history: (found(history, search, limit, patience_s), history.choices()))

    async def happened(self, asked: Mapping[str, Argument], limit: int) -> tuple[Events, Choices]:
        """What happened besides requests, by the arguments of `searching.events_wanted`; and whom there are.

        Raises:
            Refused: an argument can mean nothing, or the history cannot be read.
        """
        search = events_wanted(asked)
        return await self.ask_history(lambda history: (history.events(limit, search), history.choices()))

    async def export(self, what: str, form: str, asked: Mapping[str, Argument]) -> AsyncIterator[bytes]:
        """What is asked for of one kind, oldest first, in pieces; each is read while nobody else is kept waiting.

        Raises:
            Refused: it cannot be done.
        """
        from tray_app.control import archive

        pages = await asyncio.to_thread(archive.exported, Path(self.about.history_path), what, form, asked)
        first = await asyncio.to_thread(next, pages)

        async def pieces() -> AsyncIterator[bytes]:
            page: archive.Page | None = first
            while page is not None:
                yield page.data
                page = await asyncio.to_thread(next, pages, None)

        return pieces()

    async def _unknown_answers(self, actor: str) -> list[dict[str, object]]:
        return summary.unknown_lines(await self.ask_history(lambda history: history.unknown_answers()))

    def _profile(self, verb: str, actor: str, given: Mapping[str, Argument]) -> Done | Renamed | Changed:
        done = PROFILE_VERBS[verb](self.registry, **given)
        news: Mapping[str, object] = done
        was, changed = news.get("was"), news.get("changed")
        detail = f"was {was}" if was else None if changed is None else str(changed)
        if was:
            self.conversations.rename(str(was), done["profile"])
        self._act(actor, verb, done["profile"], detail)
        return done

    async def _client(self, verb: str, actor: str, given: Mapping[str, Argument]) -> object:
        news: tuple[str, ...] = ()
        if takes_over(verb, given):
            news = self.clients.adopt(await asyncio.to_thread(self.clients.found, given.get("places")))
        done = noted(await asyncio.to_thread(CLIENT_VERBS[verb], self.clients, **given), news)
        if (detail := detail_of(verb, given, done)) is not None:
            self._act(actor, verb, None, detail)
            await self.look_at_clients()
        return done

    async def look_at_clients(self) -> None:
        """Have the status tell which clients are connected; their files are read in another thread."""
        found = await asyncio.to_thread(self.clients.connections)
        views = (one for one in found if one.connected or has_files(one.client))
        self.live.clients = tuple(ClientView(one.client, one.title, one.connected) for one in views)
        self.cell.set(self.cell.pool)  # the tray shows it

    def _report(self, actor: str, page: str = "report", profile: str | None = None) -> Link:
        if page not in PAGES:
            raise Refused("bad_argument", f"there is no page {page!r}; there are: {', '.join(PAGES)}")
        if profile is not None and page != "profiles":
            raise Refused("bad_argument", "a profile is named for the page profiles alone")
        place = "" if profile is None else f"#{self._member(profile).profile.id}"
        return {"url": self.ticket(page) + place}

    def _folder(self, actor: str) -> Folder:
        files = (self.about.history_path, self.decisions_path, self.about.config_path)
        return {"path": str(PurePath(self.about.history_path).parent), "files": files, "message": "\n".join(files)}

    async def _move_keys(self, actor: str, store: str) -> KeyStore:
        done = await asyncio.to_thread(self.registry.move_keys, self.keys, store)
        self.registry.catch_up()
        self._act(actor, "move-keys", None, str(done["store"]))
        return KeyStore(store=str(done["store"]), message=str(done["message"]))

    def _known_key(self, actor: str, mark: str, base_url: str) -> KeyStanding:
        standing, profile = self.registry.standing(mark, base_url)
        return {"standing": standing.value, "profile": profile}

    async def _discover(self, actor: str, apply: bool = False) -> list[FoundView]:
        """What the app itself can see; a project's keys are for a shell in that project."""
        findings = await asyncio.to_thread(self.survey)
        return discovery.views(findings, self._known, (lambda one: self._take(actor, one)) if apply else None)

    def _known(self, one: Found) -> tuple[Standing, str | None]:
        standing, profile = self.registry.standing(fingerprint(one.secret), self.registry.address_of(one))
        return discovery.asking(standing, one), profile

    def _take(self, actor: str, one: Found) -> str:
        profile = self.registry.take(one.provider, one.label, one.secret, one.base_url, one.source)
        self._act(actor, "profiles-adopt", profile.id)
        return profile.id

    async def _client_usage(self, actor: str) -> list[ClientTotal]:
        since = self.clock() - USED_DAYS * 24 * HOUR_MS
        return await self.ask_history(lambda history: history.client_totals(since))

    def _config_show(self, actor: str) -> ConfigurationView:
        return self.configuration.view()

    def _config_set(self, actor: str, key: str, value: str) -> SettingChanged:
        message = self.configuration.set(key, value)
        self._act(actor, "config-set", None, redact(message))
        return {"key": key, "message": message}

    def _config_reset(self, actor: str, key: str) -> SettingChanged:
        message = self.configuration.reset(key)
        self._act(actor, "config-reset", None, message)
        return {"key": key, "message": message}

    def _config_undo(self, actor: str) -> SettingChanged:
        key, message = self.configuration.undo()
        self._act(actor, "config-undo", None, key)
        return {"key": key, "message": message}

    def _demo_status(self, actor: str) -> DemoView:
        return self.demonstration.view()

    async def _demo_start(self, actor: str) -> DemoView:
        return await self.demonstration.start()

    async def _demo_stop(self, actor: str) -> Said:
        ran = await self.demonstration.stop()
        return {"message": "the demo has ended; nothing of it is left" if ran else "the demo does not run"}

    async def _demo_report(self, actor: str) -> Link:
        return {"url": await self.demonstration.report()}

    def _autostart(self, actor: str, enabled: bool | None = None) -> LaunchAtLogin:
        if enabled is not None:
            try:
                self.autostart.set(enabled)
            except OSError as error:
                raise Refused("unavailable", f"launch at login could not be changed: {error}") from error
            self._act(actor, "autostart", None, "on" if enabled else "off")
            self.cell.set(self.cell.pool)  # the tray shows it
        return {"enabled": self.autostart.enabled(), "message": told_of_login(self.autostart)}

    def _status(self, actor: str) -> Status:
        return self.status()

    def _stop(self, actor: str) -> Said:
        self._act(actor, "stop", None)
        self.stop()
        return {"message": "stopping"}

    def _restart(self, actor: str) -> Said:
        self._act(actor, "restart", None)
        self.restart()
        return {"message": "restarting"}

    # -- what happens by itself

    def expire(self) -> None:
        """End the cooldowns and pauses whose time has come, and the time in which removed keys can be had back."""
        with suppress(Refused):  # the vault cannot be written now: it is tried again
            self.registry.forget_due()
        now = self.clock()
        before = self.cell.pool
        pool, ended, resumed = before.expired(now)
        if pool is before:
            return
        self.cell.set(pool)
        if before.choice is not None and pool.choice is None:
            self.registry.remember_choice()
            self._act("app", "unpin", before.choice.profile_id, "its time is over")
        if before.halt is not None and pool.halt is None:
            self.registry.remember_halt()
            self._act("app", "resume-all", None, "the pause is over")
        for cooldown in ended:
            member = pool.members.get(cooldown.profile_id)
            account = member.profile.account if member else cooldown.profile_id
            self.record(CooldownCleared(cooldown, account, now, "its time is over"))
        for name in resumed:
            self.record(ProfileSeen(pool.members[name].profile, Admin.ENABLED, None, now, new=False))
            self._act("app", "resume", name, "the pause is over")


def _span(for_s: float, what: str) -> float:
    if not 0 < for_s <= LONGEST_S:
        raise Refused("bad_argument", f"{what} lasts more than nothing and at most a year")
    return for_s


def _kind(choice: Choice) -> str:
    return "pinned" if choice.pinned else "preferred"


def in_words(seconds: float) -> str:
    """A length of time as people say it: `45 s`, `30 min`, `2 h 15 min`, `3 d`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60 % 60, whole // 3600 % 24, whole // 86_400
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


_HANDLERS: Mapping[str, Callable[..., object]] = {
    "status": Service._status,
    "use": Service._use,
    "next": Service._next,
    "pin": Service._pin,
    "unpin": Service._unpin,
    "quota": Service._quota,
    "pause": Service._pause,
    "pause-all": Service._pause_all,
    "resume-all": Service._resume_all,
    "resume": Service._resume,
    "drain": Service._drain,
    "disable": Service._disable,
    "enable": Service._enable,
    "retry-now": Service._retry_now,
    "inspect": Service._inspect,
    "history": Service._history,
    "unknown-answers": Service._unknown_answers,
    "known-key": Service._known_key,
    "move-keys": Service._move_keys,
    "discover": Service._discover,
    "report": Service._report,
    "folder": Service._folder,
    "client-usage": Service._client_usage,
    "config-show": Service._config_show,
    "config-set": Service._config_set,
    "config-reset": Service._config_reset,
    "config-undo": Service._config_undo,
    "demo-status": Service._demo_status,
    "demo-start": Service._demo_start,
    "demo-stop": Service._demo_stop,
    "demo-report": Service._demo_report,
    "autostart": Service._autostart,
    "stop": Service._stop,
    "restart": Service._restart,
}
