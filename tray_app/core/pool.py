"""The pool: every profile with its independent states, as an immutable value, and the cell that holds it.

Four axes that never overwrite one another: what the operator wants, whether the key is accepted,
which limits rest it, how many calls are in flight. The label shown is derived from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tray_app.core.providers import Provider
from tray_app.core.quota import NAMES_A_MODEL, is_free
from tray_app.core.values import Admin, Cooldown, Phase, Profile, Protocol, Scope, Source

_STRENGTH = {Source.INFERRED: 0, Source.PROBE: 1, Source.BODY: 2, Source.HEADER: 2}
_ACCOUNT_SCOPES = frozenset({Scope.ACCOUNT, Scope.ACCOUNT_MODEL, Scope.ACCOUNT_FREE_MODELS})


@dataclass(frozen=True, slots=True)
class Member:
    """One profile in the pool. `admin_until_at` ends a pause by itself."""

    profile: Profile
    admin: Admin = Admin.ENABLED
    admin_until_at: int | None = None
    reauth: str | None = None  # why the key is refused, or None
    cooldowns: tuple[Cooldown, ...] = ()
    in_flight: int = 0

    def carrying(self, in_flight: int) -> Member:
        """This member with that many calls in flight. Twice for every call: spelled out, since replace() is slow."""
        return Member(self.profile, self.admin, self.admin_until_at, self.reauth, self.cooldowns, in_flight)

    def admin_now(self, now: int) -> Admin:
        """The operator's state, a pause that has run out counted as over."""
        over = self.admin_until_at is not None and now >= self.admin_until_at
        return Admin.ENABLED if over else self.admin

    def resting(self, now: int, model: str | None) -> Cooldown | None:
        """The longest cooldown that keeps a call for `model` away now. None for `model`: whole-key ones only."""
        active = [cooldown for cooldown in self.cooldowns if cooldown.until_at > now and _covers(cooldown, model)]
        return max(active, key=lambda cooldown: cooldown.until_at, default=None)

    def phase(self, now: int, model: str | None = None) -> Phase:
        """The one label for this profile, the strongest reason first."""
        admin = self.admin_now(now)
        if admin is not Admin.ENABLED:
            return _ADMIN_PHASE[admin]
        if self.reauth is not None:
            return Phase.REAUTH
        return Phase.COOLING if self.resting(now, model) else Phase.READY


_ADMIN_PHASE = {Admin.DISABLED: Phase.DISABLED, Admin.DRAINING: Phase.DRAINING, Admin.PAUSED: Phase.PAUSED}


def _covers(cooldown: Cooldown, model: str | None) -> bool:
    if cooldown.scope in NAMES_A_MODEL:
        return cooldown.model is None or cooldown.model == model
    return cooldown.scope is not Scope.ACCOUNT_FREE_MODELS or is_free(model)


@dataclass(frozen=True, slots=True)
class Pool:
    """All members in their order, who is current for each provider, and whom the operator prefers."""

    members: Mapping[str, Member] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)
    preferred: str | None = None

    # -- membership

    def joined(self, member: Member) -> Pool:
        """With `member` added, or its profile's settings replaced while its states stay."""
        known = self.members.get(member.profile.id)
        kept = replace(known, profile=member.profile) if known else member
        return self._with(kept)

    def left(self, profile_id: str) -> Pool:
        """Without that profile."""
        members = {key: member for key, member in self.members.items() if key != profile_id}
        current = {provider: held for provider, held in self.current.items() if held != profile_id}
        return Pool(members, current, None if self.preferred == profile_id else self.preferred)

    def renamed(self, profile_id: str, member: Member) -> Pool:
        """With that profile replaced by `member`, in its place: current and preferred as before."""
        new = member.profile.id
        members = {(new if key == profile_id else key): held for key, held in self.members.items()}
        members[new] = member
        current = {name: new if held == profile_id else held for name, held in self.current.items()}
        return Pool(members, current, new if self.preferred == profile_id else self.preferred)

    def _with(self, member: Member) -> Pool:
        return Pool({**self.members, member.profile.id: member}, self.current, self.preferred)

    # -- leases

    def leased(self, profile_id: str) -> Pool:
        """One more call in flight on that profile."""
        member = self.members[profile_id]
        return self._with(member.carrying(member.in_flight + 1))

    def released(self, profile_id: str) -> Pool:
        """One call fewer in flight; a profile that left meanwhile stays gone."""
        member = self.members.get(profile_id)
        if member is None:
            return self
        return self._with(member.carrying(max(0, member.in_flight - 1)))

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
        if cooldown.scope not in _ACCOUNT_SCOPES:
            return [origin]
        wallet = (origin.profile.provider, origin.profile.account)
        return [m for m in self.members.values() if (m.profile.provider, m.profile.account) == wallet]

    def cleared(self, profile_id: str) -> tuple[Pool, tuple[Cooldown, ...]]:
        """Without any cooldown or re-authentication mark on that profile, and the cooldowns that were there."""
        member = self.members[profile_id]
        return self._with(replace(member, cooldowns=(), reauth=None)), member.cooldowns

    def expired(self, now: int) -> tuple[Pool, tuple[Cooldown, ...], tuple[str, ...]]:
        """Without what has run out by `now`: the cooldowns that ended, the profiles whose pause ended."""
        pool, ended, resumed = self, [], []
        for key, member in self.members.items():
            over = [cooldown for cooldown in member.cooldowns if cooldown.until_at <= now]
            back = member.admin is not Admin.ENABLED and member.admin_now(now) is Admin.ENABLED
            if over:
                kept = tuple(cooldown for cooldown in member.cooldowns if cooldown.until_at > now)
                pool = pool._with(replace(pool.members[key], cooldowns=kept))
                ended += over
            if back:
                pool = pool.administered(key, Admin.ENABLED, None)
                resumed.append(key)
        return pool, tuple(ended), tuple(resumed)

    def next_expiry(self) -> int | None:
        """When `expired` will next have something to do."""
        members = self.members.values()
        times = [cooldown.until_at for member in members for cooldown in member.cooldowns]
        times += [m.admin_until_at for m in members if m.admin_until_at is not None and m.admin is not Admin.ENABLED]
        return min(times, default=None)

    # -- marks

    def marked(self, profile_id: str, reauth: str | None) -> Pool:
        """With the re-authentication mark set to that reason, or taken off."""
        return self._with(replace(self.members[profile_id], reauth=reauth))

    def administered(self, profile_id: str, admin: Admin, until_at: int | None) -> Pool:
        """With the operator's state set."""
        return self._with(replace(self.members[profile_id], admin=admin, admin_until_at=until_at))

    def prefers(self, profile_id: str | None) -> Pool:
        """With the operator's preference set, and made current at once."""
        pool = replace(self, preferred=profile_id)
        if profile_id is None:
            return pool
        return pool.moved(self.members[profile_id].profile.provider, profile_id)

    def moved(self, provider: str, profile_id: str) -> Pool:
        """With that profile current for its provider."""
        return replace(self, current={**self.current, provider: profile_id})

    # -- questions

    def ordered(self, provider: str) -> tuple[Member, ...]:
        """A provider's members in the order in which they are wanted: current, then priority, then as given."""
        held = self.current.get(provider)
        mine = [member for member in self.members.values() if member.profile.provider == provider]
        mine.sort(key=lambda member: (member.profile.id != held, -member.profile.priority))
        return tuple(mine)

    def routable(self, provider: str, model: str | None, now: int) -> tuple[Member, ...]:
        """Those of `ordered` that may take a call for `model` now."""
        return tuple(m for m in self.ordered(provider) if m.phase(now, model) is Phase.READY)

    def default_provider(self, protocol: Protocol, known: Mapping[str, Provider]) -> str | None:
        """The provider of the default pool for calls of `protocol`: the preferred profile's, else the first's."""
        wanted = sorted(self.members.values(), key=lambda m: (m.profile.id != self.preferred, -m.profile.priority))
        for member in wanted:
            provider = known.get(member.profile.provider)
            if provider is not None and protocol in provider.protocols:
                return provider.name
        return None


def _stronger(old: Cooldown | None, new: Cooldown) -> Cooldown:
    """The cooldown that holds: the later end, unless a better source now states an earlier one."""
    if old is None or new.until_at > old.until_at:
        return new
    return new if _STRENGTH[new.source] > _STRENGTH[old.source] else old


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
    return Pool({member.profile.id: member for member in members})
