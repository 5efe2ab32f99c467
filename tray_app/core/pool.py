"""The pool: every profile with its independent states, as an immutable value, and the cell that holds it.

Four axes that never overwrite one another: what the operator wants, whether the key is accepted,
which limits rest it, what its calls have shown of it. The label shown is derived from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from tray_app.core.providers import Provider
from tray_app.core.quota import NAMES_A_MODEL, is_free
from tray_app.core.values import Admin, Cooldown, Phase, Profile, Protocol, Scope, Source
from tray_app.core.vitals import UNKNOWN, Ramp, Vitals
from tray_app.core.widening import Limits

_STRENGTH = {Source.INFERRED: 0, Source.PROBE: 1, Source.BODY: 2, Source.HEADER: 2}
_ACCOUNT_SCOPES = frozenset({Scope.ACCOUNT, Scope.ACCOUNT_MODEL, Scope.ACCOUNT_FREE_MODELS})
_PROVIDER_SCOPES = frozenset({Scope.PROVIDER, Scope.ENVIRONMENT, Scope.MODEL})  # nobody's own: all rest
_ENABLED = Admin.ENABLED  # a member of an enum costs ten times as much to look up on its class
MODELS_KEPT = 64  # of models whose current profile is another than their provider's
ALIVE_MS = 60_000  # an address that answered so long ago shows that this machine has a network


class Member(Struct, frozen=True):
    """One profile in the pool. `admin_until_at` ends a pause by itself; `vitals` is what its calls have shown."""

    profile: Profile
    admin: Admin = Admin.ENABLED
    admin_until_at: int | None = None
    reauth: str | None = None  # why the key is refused, or None
    cooldowns: tuple[Cooldown, ...] = ()
    in_flight: int = 0
    vitals: Vitals = UNKNOWN

    def carrying(self, in_flight: int, vitals: Vitals | None = None) -> Member:
        """This member with that many calls in flight. Twice for every call: spelled out, since replace() is slow."""
        kept = self.vitals if vitals is None else vitals
        return Member(self.profile, self.admin, self.admin_until_at, self.reauth, self.cooldowns, in_flight, kept)

    def admin_now(self, now: int) -> Admin:
        """The operator's state, a pause that has run out counted as over."""
        over = self.admin_until_at is not None and now >= self.admin_until_at
        return Admin.ENABLED if over else self.admin

    def resting(self, now: int, model: str | None) -> Cooldown | None:
        """The longest cooldown that keeps a call for `model` away now. None for `model`: whole-key ones only."""
        longest = None
        for cooldown in self.cooldowns:  # spelled out: asked for every profile at each choice
            if cooldown.until_at > now and (longest is None or cooldown.until_at > longest.until_at):
                longest = cooldown if _covers(cooldown, model) else longest
        return longest

    def phase(self, now: int, model: str | None = None) -> Phase:
        """The one label for this profile, the strongest reason first."""
        admin = self.admin_now(now)
        if admin is not Admin.ENABLED:
            return _ADMIN_PHASE[admin]
        if not self.profile.enabled:
            return Phase.DISABLED
        if self.reauth is not None:
            return Phase.REAUTH
        open_until = self.vitals.open_until
        if open_until is not None and now < open_until:
            return Phase.OPEN
        if self.cooldowns and self.resting(now, model):
            return Phase.COOLING
        return Phase.READY if open_until is None else Phase.PROBING

    def serves(self, now: int, model: str | None) -> bool:
        """Whether a call for `model` may go here now. Asked for every profile at each choice: spelled out."""
        if self.admin is not _ENABLED or self.reauth is not None or self.vitals.open_until is not None:
            return self.phase(now, model) in (Phase.READY, Phase.PROBING)
        return self.profile.enabled and not (self.cooldowns and self.resting(now, model))


_ADMIN_PHASE = {Admin.DISABLED: Phase.DISABLED, Admin.DRAINING: Phase.DRAINING, Admin.PAUSED: Phase.PAUSED}


def _covers(cooldown: Cooldown, model: str | None) -> bool:
    if cooldown.scope in NAMES_A_MODEL:
        return cooldown.model is None or cooldown.model == model
    return cooldown.scope is not Scope.ACCOUNT_FREE_MODELS or is_free(model)


class Choice(Struct, frozen=True):
    """What the operator chose. Preferring begins there and moves on when it fails; a pin comes back to it at once.

    `strict` switches failover off. `until_at` ends it by itself.
    """

    profile_id: str
    pinned: bool = False
    strict: bool = False
    until_at: int | None = None


class Halt(Struct, frozen=True):
    """The operator has paused everything, profiles left as they are. `until_at` ends it by itself."""

    until_at: int | None = None


class Reach(Struct, frozen=True):
    """When an address last answered, and when it last could not be reached, in ms."""

    answered_at: int = 0
    failed_at: int = 0

    def shifted(self, by_ms: int) -> Reach:
        """With both times moved along with the clock; 0 is never."""
        return Reach(self.answered_at and self.answered_at + by_ms, self.failed_at and self.failed_at + by_ms)


class Pool(Struct, frozen=True):
    """All members in their order, who is current for each provider, whom the operator chose, what can be reached."""

    members: Mapping[str, Member] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)  # by provider, and by `_of_model` where that one differs
    choice: Choice | None = None
    reach: Mapping[str, Reach] = field(default_factory=dict)  # by base URL
    limits: Limits = ()  # the latest that accounts have met
    roster: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # each provider's profiles, by priority
    halt: Halt | None = None

    def halted(self, now: int) -> bool:
        """Whether the operator lets nothing pass at `now` (ms)."""
        halt = self.halt
        return halt is not None and (halt.until_at is None or now < halt.until_at)

    def choice_at(self, now: int) -> Choice | None:
        """What the operator chose, unless its time is over at `now` (ms)."""
        choice = self.choice
        over = choice is None or (choice.until_at is not None and now >= choice.until_at)
        return None if over else choice

    @property
    def preferred(self) -> str | None:
        """The profile that the operator chose."""
        return self.choice.profile_id if self.choice else None

    # -- membership

    def joined(self, member: Member) -> Pool:
        """With `member` added, or its profile's settings replaced while its states stay."""
        known = self.members.get(member.profile.id)
        kept = replace(known, profile=member.profile) if known else self._newcomer(member)
        members = {**self.members, member.profile.id: kept}
        return replace(self, members=members, roster=_roster(members))

    def _newcomer(self, member: Member) -> Member:
        """As one of the provider's others: it has not every call to itself until it has served as many."""
        alike = [one.vitals.served for one in self.members.values() if one.profile.provider == member.profile.provider]
        served = min(alike, default=0)
        if served > member.vitals.served:
            member = replace(member, vitals=replace(member.vitals, served=served))
        return self._with_shared_rests(member)

    def _with_shared_rests(self, member: Member) -> Member:
        """A newcomer rests where its account or its provider does."""
        profile, held = member.profile, {one.key for one in member.cooldowns}
        shared = {}
        for other in self.members.values():
            if other.profile.provider == profile.provider:
                wallet = _PROVIDER_SCOPES | (
                    _ACCOUNT_SCOPES if other.profile.account == profile.account else frozenset()
                )
                mine = (replace(one, profile_id=profile.id) for one in other.cooldowns if one.scope in wallet)
                shared.update({one.key: one for one in mine if one.key not in held})
        return replace(member, cooldowns=(*member.cooldowns, *shared.values())) if shared else member

    def left(self, profile_id: str) -> Pool:
        """Without that profile."""
        members = {key: member for key, member in self.members.items() if key != profile_id}
        current = {provider: held for provider, held in self.current.items() if held != profile_id}
        choice = None if self.preferred == profile_id else self.choice
        return replace(self, members=members, current=current, choice=choice, roster=_roster(members))

    def arranged(self, order: Sequence[str]) -> Pool:
        """With its members in that order; whoever is not named comes last."""
        named = [name for name in order if name in self.members]
        members = {name: self.members[name] for name in dict.fromkeys((*named, *self.members))}
        return replace(self, members=members, roster=_roster(members))

    def renamed(self, profile_id: str, member: Member) -> Pool:
        """With that profile replaced by `member`, in its place: current and preferred as before."""
        new = member.profile.id
        members = {(new if key == profile_id else key): held for key, held in self.members.items()}
        members[new] = member
        current = {name: new if held == profile_id else held for name, held in self.current.items()}
        choice = self.choice
        if choice is not None and choice.profile_id == profile_id:
            choice = replace(choice, profile_id=new)
        return replace(self, members=members, current=current, choice=choice, roster=_roster(members))

    def adjusted(self, adjust: Callable[[Profile], Profile]) -> Pool:
        """With every profile as `adjust` has it, which leaves its id alone; states stay."""
        members = {key: replace(member, profile=adjust(member.profile)) for key, member in self.members.items()}
        return replace(self, members=members, roster=_roster(members))

    def _with(self, member: Member) -> Pool:
        members = {**self.members, member.profile.id: member}
        return Pool(members, self.current, self.choice, self.reach, self.limits, self.roster, self.halt)

    # -- leases

    def leased(self, profile_id: str) -> Pool:
        """One more call in flight on that profile."""
        member = self.members[profile_id]
        return self._with(member.carrying(member.in_flight + 1))

    def released(self, profile_id: str, vitals: Vitals | None = None) -> Pool:
        """One call fewer in flight, and what it has shown; a profile that left meanwhile stays gone."""
        member = self.members.get(profile_id)
        if member is None:
            return self
        return self._with(member.carrying(max(0, member.in_flight - 1), vitals))

    def known(self, profile_id: str, vitals: Vitals) -> Pool:
        """With what is known of that profile's health."""
        member = self.members[profile_id]
        return self if member.vitals is vitals else self._with(member.carrying(member.in_flight, vitals))

    # -- the network

    def reached(self, base_url: str, now: int) -> Pool:
        """That address has answered. The pool itself where that is no news."""
        seen = self.reach.get(base_url)
        if seen is not None and seen.answered_at > seen.failed_at and now - seen.answered_at < ALIVE_MS // 2:
            return self
        return replace(self, reach={**self.reach, base_url: Reach(now, 0)})

    def unreachable(self, base_url: str, now: int) -> Pool:
        """That address could not be reached. Where none can be, nobody was to blame, and open circuits are closed."""
        seen = self.reach.get(base_url, Reach())
        pool = replace(self, reach={**self.reach, base_url: replace(seen, failed_at=now)})
        if self.offline or not pool.offline:
            return pool
        for member in self.members.values():
            if member.vitals.open_until is not None:
                pool = pool.known(member.profile.id, member.vitals.closed())
        return pool

    @property
    def offline(self) -> bool:
        """Whether no address of any profile can be reached: then it is this machine that is cut off."""
        urls = {m.profile.base_url for m in self.members.values() if m.profile.enabled}
        return bool(urls) and all((seen := self.reach.get(url)) and seen.failed_at > seen.answered_at for url in urls)

    def blames(self, base_url: str, now: int) -> bool:
        """Whether that address itself is to blame when it cannot be reached: another answered a while ago."""
        return any(
            url != base_url and seen.answered_at > max(seen.failed_at, now - ALIVE_MS)
            for url, seen in self.reach.items()
        )

    # -- limits

    def rested(self, cooldown: Cooldown) -> tuple[Pool, tuple[Cooldown, ...]]:
        """With the scope of `cooldown` at rest, and the cooldowns that are new or longer than before.

        An account's cooldown rests every profile of that account. None is shortened by a weaker
        source, and none at all by the same answer said again.
        """
        pool, changed = self, []
        for member in self._sharers(cooldown):
            mine = replace(cooldown, profile_id=member.profile.id)
            kept = _stronger(next((old for old in member.cooldowns if old.key == mine.key), None), mine)
            if kept is mine:
                others = tuple(old for old in member.cooldowns if old.key != mine.key)
                pool = pool._with(replace(pool.members[member.profile.id], cooldowns=(*others, mine)))
                changed.append(mine)
        return pool, tuple(changed)

    def _sharers(self, cooldown: Cooldown) -> list[Member]:
        origin = self.members.get(cooldown.profile_id)
        if origin is None:
            return []
        if cooldown.scope in _PROVIDER_SCOPES:
            return [m for m in self.members.values() if m.profile.provider == origin.profile.provider]
        if cooldown.scope not in _ACCOUNT_SCOPES:
            return [origin]
        wallet = (origin.profile.provider, origin.profile.account)
        return [m for m in self.members.values() if (m.profile.provider, m.profile.account) == wallet]

    def cleared(self, profile_id: str) -> tuple[Pool, tuple[Cooldown, ...]]:
        """Without anything held against that profile or its address, and the cooldowns that were there."""
        member = self.members[profile_id]
        pool = self._with(replace(member, cooldowns=(), reauth=None, vitals=member.vitals.forgiven()))
        url = member.profile.base_url
        reach = {one: replace(seen, failed_at=0) if one == url else seen for one, seen in self.reach.items()}
        return replace(pool, reach=reach), member.cooldowns

    def lifted(self, profile_id: str, keys: Iterable[tuple[str, Scope, str | None]]) -> Pool:
        """Without those of the profile's cooldowns."""
        member, gone = self.members[profile_id], set(keys)
        return self._with(replace(member, cooldowns=tuple(one for one in member.cooldowns if one.key not in gone)))

    def shifted(self, by_ms: int) -> Pool:
        """With every deadline moved: the clock was set, and what was so many minutes away still is."""
        members = {key: _shifted(member, by_ms) for key, member in self.members.items()}
        choice = self.choice
        if choice is not None and choice.until_at is not None:
            choice = replace(choice, until_at=choice.until_at + by_ms)
        halt = self.halt
        if halt is not None and halt.until_at is not None:
            halt = Halt(halt.until_at + by_ms)
        reach = {url: seen.shifted(by_ms) for url, seen in self.reach.items()}
        return replace(self, members=members, choice=choice, reach=reach, halt=halt)

    def expired(self, now: int) -> tuple[Pool, tuple[Cooldown, ...], tuple[str, ...]]:
        """Without what has run out by `now`: the cooldowns that ended, the profiles whose pause ended."""
        pool, ended, resumed = self, [], []
        for key, member in self.members.items():
            over = [cooldown for cooldown in member.cooldowns if cooldown.until_at <= now]
            back = member.admin is not Admin.ENABLED and member.admin_now(now) is Admin.ENABLED
            if over:
                kept = tuple(cooldown for cooldown in member.cooldowns if cooldown.until_at > now)
                vitals = replace(member.vitals, back_at=max(cooldown.until_at for cooldown in over))
                pool = pool._with(replace(pool.members[key], cooldowns=kept, vitals=vitals))
                ended += over
            if back:
                pool = pool.administered(key, Admin.ENABLED, None)
                resumed.append(key)
        if pool.choice is not None and pool.choice.until_at is not None and pool.choice.until_at <= now:
            pool = replace(pool, choice=None)
        if pool.halt is not None and not pool.halted(now):
            pool = replace(pool, halt=None)
        return pool, tuple(ended), tuple(resumed)

    def next_expiry(self) -> int | None:
        """When `expired` will next have something to do."""
        members = self.members.values()
        times = [cooldown.until_at for member in members for cooldown in member.cooldowns]
        times += [m.admin_until_at for m in members if m.admin_until_at is not None and m.admin is not Admin.ENABLED]
        if self.choice is not None and self.choice.until_at is not None:
            times.append(self.choice.until_at)
        if self.halt is not None and self.halt.until_at is not None:
            times.append(self.halt.until_at)
        return min(times, default=None)

    # -- marks

    def marked(self, profile_id: str, reauth: str | None) -> Pool:
        """With the re-authentication mark set to that reason, or taken off."""
        return self._with(replace(self.members[profile_id], reauth=reauth))

    def administered(self, profile_id: str, admin: Admin, until_at: int | None) -> Pool:
        """With the operator's state set."""
        return self._with(replace(self.members[profile_id], admin=admin, admin_until_at=until_at))

    def chosen(self, choice: Choice | None) -> Pool:
        """With the operator's choice set, and made current at once."""
        pool = replace(self, choice=choice)
        if choice is None:
            return pool
        return pool.moved(self.members[choice.profile_id].profile.provider, choice.profile_id)

    def moved(
        self,
        provider: str,
        profile_id: str,
        *,
        fled_at: int | None = None,
        model: str | None = None,
        left: str | None = None,
    ) -> Pool:
        """With that profile current for its provider, or for one model of it alone.

        `fled_at`: the one before failed at that time, or `left`, which need not be of that provider. Then it must be
        well for a while before it is wanted again, and the next, which takes over a crowd, is not to be stormed.
        """
        pool = replace(self, current=self._current_with(provider, profile_id, model))
        if fled_at is None:
            return pool
        member = self.members.get(profile_id)
        for name in sorted({self.holder(provider, model) or "", left or ""} - {"", profile_id}):
            if (before := self.members.get(name)) is not None:
                back_at = max(before.vitals.back_at, fled_at)
                pool = pool.known(before.profile.id, replace(before.vitals, back_at=back_at, fled_to=profile_id))
        if member is not None:
            pool = pool.known(profile_id, replace(member.vitals, ramp=Ramp(fled_at, member.in_flight)))
        return pool

    def _current_with(self, provider: str, profile_id: str, model: str | None) -> dict[str, str]:
        if model is not None and provider in self.current:
            own = _of_model(provider, model)
            kept = {key: held for key, held in self.current.items() if key != own}
            if kept[provider] == profile_id:
                return kept
            oldest = [key for key in kept if " " in key][: 1 - MODELS_KEPT]  # names may be anything a client makes up
            return {key: held for key, held in kept.items() if key not in oldest} | {own: profile_id}
        others = {key: held for key, held in self.current.items() if key.partition(" ")[0] != provider}
        return {**others, provider: profile_id}

    def holder(self, provider: str, model: str | None) -> str | None:
        """The profile that is current for calls of that model."""
        if model is not None and (own := self.current.get(_of_model(provider, model))) is not None:
            return own
        return self.current.get(provider)

    # -- questions

    def ordered(self, provider: str) -> tuple[Member, ...]:
        """A provider's members in the order in which they are wanted: current, then priority, then as given."""
        held = self.current.get(provider)
        mine = [member for member in self.members.values() if member.profile.provider == provider]
        mine.sort(key=lambda member: (member.profile.id != held, -member.profile.priority))
        return tuple(mine)

    def routable(self, provider: str, model: str | None, now: int) -> tuple[Member, ...]:
        """Those of `ordered` that may take a call for `model` now."""
        return tuple(m for m in self.ordered(provider) if m.serves(now, model))

    def default_provider(self, protocol: Protocol, known: Mapping[str, Provider]) -> str | None:
        """The provider of the default pool for calls of `protocol`: the preferred profile's, else the first's."""
        wanted = sorted(self.members.values(), key=lambda m: (m.profile.id != self.preferred, -m.profile.priority))
        for member in wanted:
            provider = known.get(member.profile.provider)
            if provider is not None and protocol in provider.protocols:
                return provider.name
        return None


def _of_model(provider: str, model: str) -> str:
    """Under this name stands who is current for one model; names of providers have no spaces."""
    return f"{provider} {model}"


def _shifted(member: Member, by_ms: int) -> Member:
    rests = tuple(
        replace(one, until_at=one.until_at + by_ms, since_at=one.since_at + by_ms) for one in member.cooldowns
    )
    until = None if member.admin_until_at is None else member.admin_until_at + by_ms
    return replace(member, cooldowns=rests, admin_until_at=until, vitals=member.vitals.shifted(by_ms))


def _stronger(old: Cooldown | None, new: Cooldown) -> Cooldown:
    """The cooldown that holds. For one kind of limit the best source counts; of several alike, and of several kinds,
    the latest end.

    So the order in which calls under way hear of a limit makes no difference.
    """
    if old is None or old.until_at <= new.since_at:
        return new
    strength = _STRENGTH[new.source] - _STRENGTH[old.source]
    if strength and new.error_class is old.error_class:
        return new if strength > 0 else old
    return new if new.until_at > old.until_at else old


class Cell:
    """The one mutable place: holds the current pool. For the event-loop thread only; readers elsewhere see a value."""

    def __init__(self, pool: Pool | None = None) -> None:
        self.pool = pool or Pool()
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called after each change that a person could see."""
        self._watchers.append(changed)

    def set(self, pool: Pool, *, visible: bool = True) -> None:
        """Hold `pool` from now on."""
        self.pool = pool
        if visible:
            for changed in self._watchers:
                changed()


def pool_of(members: Iterable[Member]) -> Pool:
    """A pool of `members`, in their order."""
    made = {member.profile.id: member for member in members}
    return Pool(made, roster=_roster(made))


def _roster(members: Mapping[str, Member]) -> dict[str, tuple[str, ...]]:
    """The ids of each provider's profiles: by priority, then in the order given."""
    names: dict[str, list[str]] = {}
    for member in sorted(members.values(), key=lambda member: -member.profile.priority):
        names.setdefault(member.profile.provider, []).append(member.profile.id)
    return {provider: tuple(ids) for provider, ids in names.items()}
