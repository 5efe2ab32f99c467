"""A pool of several profiles, accounts and providers against a model so plain that it can be seen to be right."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from tests.core.build import NOW, member
from tray_app.core.pool import Choice, Pool
from tray_app.core.values import Admin, Cooldown, ErrorClass, Phase, Profile, Scope, Source

PROVIDERS = ("openrouter", "groq")
ACCOUNTS = ("work", "home")
NAMES = tuple(f"{provider}-{number}" for provider in PROVIDERS for number in range(3))
MODELS = ("a/b", "a/b:free", "c/d")
OF_ACCOUNTS = (Scope.ACCOUNT, Scope.ACCOUNT_MODEL, Scope.ACCOUNT_FREE_MODELS)
OF_PROVIDERS = (Scope.MODEL, Scope.PROVIDER)
OF_MODELS = (Scope.KEY_MODEL, Scope.MODEL, Scope.MODEL_PROVIDER, Scope.ACCOUNT_MODEL)
SCOPES = (Scope.KEY, Scope.KEY_MODEL, Scope.MODEL, Scope.MODEL_PROVIDER, Scope.PROVIDER, *OF_ACCOUNTS)
BETTER = {
    Source.HEADER: (Source.PROBE, Source.INFERRED),
    Source.BODY: (Source.PROBE, Source.INFERRED),
    Source.PROBE: (Source.INFERRED,),
    Source.INFERRED: (),
}

Rest = tuple[Scope, str | None]


@dataclass
class Modelled:
    """One profile as the plain model sees it: four axes side by side."""

    profile: Profile
    admin: Admin = Admin.ENABLED
    until_at: int | None = None
    reauth: str | None = None
    in_flight: int = 0
    rests: dict[Rest, tuple[int, Source]] = field(default_factory=dict)

    def serves(self, model: str, now: int) -> bool:
        paused = self.admin is not Admin.ENABLED and (self.until_at is None or now < self.until_at)
        held = any(until > now and self.holds(rest, model) for rest, (until, _) in self.rests.items())
        return not paused and self.reauth is None and not held

    def holds(self, rest: Rest, model: str) -> bool:
        scope, named = rest
        if scope in OF_MODELS:
            return named in (None, model)
        return scope is not Scope.ACCOUNT_FREE_MODELS or model.endswith(":free")


class PoolMachine(RuleBasedStateMachine):
    """Everything that the app does to its pool, in any order, and what must hold after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.pool = Pool()
        self.model: dict[str, Modelled] = {}
        self.current: dict[tuple[str, str | None], str] = {}  # of a provider, and of a model of its
        self.preferred: str | None = None

    def some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model)), label="profile")

    # -- membership

    @initialize(accounts=st.lists(st.sampled_from(ACCOUNTS), min_size=len(NAMES), max_size=len(NAMES)))
    def begin(self, accounts: list[str]) -> None:
        for name, account in zip(NAMES[:4], accounts, strict=False):
            self.join(name, account, 0)

    @rule(name=st.sampled_from(NAMES), account=st.sampled_from(ACCOUNTS), priority=st.integers(0, 2))
    def join(self, name: str, account: str, priority: int) -> None:
        """A profile comes, or its settings change: then its states stay."""
        joining = member(name, provider=name.partition("-")[0], account=account, priority=priority)
        self.pool = self.pool.joined(joining)
        if name in self.model:
            self.model[name].profile = joining.profile
        else:
            self.model[name] = Modelled(joining.profile, rests=self._shared_with(joining.profile))

    def _shared_with(self, newcomer: Profile) -> dict[Rest, tuple[int, Source]]:
        """What a newcomer rests: as its account does, and its provider."""
        shared: dict[Rest, tuple[int, Source]] = {}
        for one in self.model.values():
            if one.profile.provider == newcomer.provider:
                scopes = OF_PROVIDERS + (OF_ACCOUNTS if one.profile.account == newcomer.account else ())
                shared.update({rest: held for rest, held in one.rests.items() if rest[0] in scopes})
        return shared

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = self.some(data)
        self.pool = self.pool.left(name)
        del self.model[name]
        self.current = {key: held for key, held in self.current.items() if held != name}
        self.preferred = None if self.preferred == name else self.preferred
        assert name not in self.pool.members
        assert name not in self.pool.current.values()
        assert self.pool.preferred != name

    @precondition(lambda self: self.model)
    @rule(data=st.data(), new=st.sampled_from(NAMES))
    def rename(self, data: st.DataObject, new: str) -> None:
        """A profile gets another name: its rests are told anew under it, everything else stays."""
        name = self.some(data)
        if new in self.model or new.partition("-")[0] != name.partition("-")[0]:
            return
        held = self.pool.members[name]
        rests = tuple(replace(cooldown, profile_id=new) for cooldown in held.cooldowns)
        self.pool = self.pool.renamed(name, replace(held, profile=replace(held.profile, id=new), cooldowns=rests))
        self.model = {new if key == name else key: one for key, one in self.model.items()}
        self.model[new].profile = replace(held.profile, id=new)
        self.current = {key: new if held == name else held for key, held in self.current.items()}
        self.preferred = new if self.preferred == name else self.preferred

    # -- leases

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def lease(self, data: st.DataObject) -> None:
        name = self.some(data)
        self.pool = self.pool.leased(name)
        self.model[name].in_flight += 1

    @rule(name=st.sampled_from(NAMES))
    def release(self, name: str) -> None:
        """A call ends, even of a profile that has left meanwhile."""
        self.pool = self.pool.released(name)
        if name in self.model:
            self.model[name].in_flight = max(0, self.model[name].in_flight - 1)

    # -- rests

    @rule(
        name=st.sampled_from(NAMES),
        scope=st.sampled_from(SCOPES),
        model=st.none() | st.sampled_from(MODELS),
        for_ms=st.integers(1, 100),
        source=st.sampled_from(Source),
    )
    def rest(self, name: str, scope: Scope, model: str | None, for_ms: int, source: Source) -> None:
        named = model if scope in OF_MODELS else None
        until = self.now + for_ms
        cooldown = Cooldown(name, scope, named, until, self.now, ErrorClass.RATE_LIMITED, source, "a limit")
        before = self.pool
        self.pool, changed = self.pool.rested(cooldown)
        reached = self._siblings(name, scope)
        expected = []
        for sibling in reached:
            old = self.model[sibling].rests.get((scope, named))
            alike = old is None or (source not in BETTER[old[1]] and old[1] not in BETTER[source])
            if old is None or old[0] <= self.now or old[1] in BETTER[source] or (alike and until > old[0]):
                self.model[sibling].rests[scope, named] = (until, source)
                expected.append(replace(cooldown, profile_id=sibling))
        assert sorted(changed, key=str) == sorted(expected, key=str)
        self._nobody_else_was_touched(before, reached)
        self._nothing_was_shortened_by_a_weaker_source(before, source)

    def _siblings(self, name: str, scope: Scope) -> list[str]:
        if name not in self.model:
            return []
        origin = self.model[name].profile
        if scope in OF_PROVIDERS:
            return [key for key, one in self.model.items() if one.profile.provider == origin.provider]
        if scope not in OF_ACCOUNTS:
            return [name]
        wallet = (origin.provider, origin.account)
        return [key for key, one in self.model.items() if (one.profile.provider, one.profile.account) == wallet]

    def _nobody_else_was_touched(self, before: Pool, reached: list[str]) -> None:
        for name, one in self.pool.members.items():
            assert name in reached or one is before.members[name]

    def _nothing_was_shortened_by_a_weaker_source(self, before: Pool, source: Source) -> None:
        for name, one in before.members.items():
            now = {cooldown.key: cooldown.until_at for cooldown in self.pool.members[name].cooldowns}
            for old in one.cooldowns:
                assert now[old.key] >= old.until_at or old.source in BETTER[source] or old.until_at <= self.now

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def clear(self, data: st.DataObject) -> None:
        """The operator says: try it now."""
        name = self.some(data)
        had = self.pool.members[name].cooldowns
        self.pool, gone = self.pool.cleared(name)
        assert gone == had
        self.model[name].rests, self.model[name].reauth = {}, None

    @rule(later_ms=st.integers(0, 60))
    def time_passes(self, later_ms: int) -> None:
        self.now += later_ms

    @rule()
    def expire(self) -> None:
        before = self.pool
        self.pool, ended, resumed = self.pool.expired(self.now)
        over = []
        for name, one in self.model.items():
            over += [(name, *rest) for rest, (until, _) in one.rests.items() if until <= self.now]
            one.rests = {rest: held for rest, held in one.rests.items() if held[0] > self.now}
            if one.admin is not Admin.ENABLED and one.until_at is not None and one.until_at <= self.now:
                one.admin, one.until_at = Admin.ENABLED, None
                assert name in resumed
        assert sorted(over, key=str) == sorted((cooldown.key for cooldown in ended), key=str)
        assert all(before.members[name].admin is not Admin.ENABLED for name in resumed)
        upcoming = self.pool.next_expiry()
        assert upcoming is None or upcoming > self.now

    # -- marks

    @precondition(lambda self: self.model)
    @rule(data=st.data(), reason=st.none() | st.just("the provider refuses the key"))
    def mark(self, data: st.DataObject, reason: str | None) -> None:
        name = self.some(data)
        self.pool = self.pool.marked(name, reason)
        self.model[name].reauth = reason

    @precondition(lambda self: self.model)
    @rule(data=st.data(), admin=st.sampled_from(Admin), for_ms=st.none() | st.integers(1, 100))
    def administer(self, data: st.DataObject, admin: Admin, for_ms: int | None) -> None:
        name = self.some(data)
        until = None if for_ms is None else self.now + for_ms
        self.pool = self.pool.administered(name, admin, until)
        self.model[name].admin, self.model[name].until_at = admin, until

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def prefer(self, data: st.DataObject) -> None:
        name = self.some(data)
        self.pool = self.pool.chosen(Choice(name))
        self.preferred = name
        self._moved(self.model[name].profile.provider, name)

    @rule()
    def prefer_nobody(self) -> None:
        self.pool = self.pool.chosen(None)
        self.preferred = None

    @precondition(lambda self: self.model)
    @rule(data=st.data(), model=st.none() | st.sampled_from(MODELS))
    def move(self, data: st.DataObject, model: str | None) -> None:
        """Another becomes current for its provider, or for one model where somebody is current already."""
        name = self.some(data)
        provider = self.model[name].profile.provider
        self.pool = self.pool.moved(provider, name, model=model)
        if model is None or (provider, None) not in self.current:
            self._moved(provider, name)
        else:
            self.current[provider, model] = name

    def _moved(self, provider: str, name: str) -> None:
        self.current = {key: held for key, held in self.current.items() if key[0] != provider}
        self.current[provider, None] = name

    # -- what holds always

    @invariant()
    def every_axis_is_as_modelled(self) -> None:
        """Each step moved its own axis alone: all four are compared for every profile."""
        assert list(self.pool.members) == list(self.model)
        for name, one in self.model.items():
            found = self.pool.members[name]
            assert (found.profile, found.admin, found.admin_until_at) == (one.profile, one.admin, one.until_at)
            assert (found.reauth, found.in_flight) == (one.reauth, one.in_flight)
            assert {(c.scope, c.model): (c.until_at, c.source) for c in found.cooldowns} == one.rests
            assert {c.profile_id for c in found.cooldowns} <= {name}
        assert self.pool.preferred == self.preferred

    @invariant()
    def who_is_current_is_as_modelled(self) -> None:
        for provider in PROVIDERS:
            of_all = self.current.get((provider, None))
            assert self.pool.holder(provider, None) == of_all
            for model in MODELS:
                assert self.pool.holder(provider, model) == self.current.get((provider, model), of_all)
        assert len(self.pool.current) <= len(self.current)

    @invariant()
    def no_lease_is_negative(self) -> None:
        assert all(one.in_flight >= 0 for one in self.pool.members.values())

    @invariant()
    def exactly_the_ready_are_routable(self) -> None:
        for provider in PROVIDERS:
            for model in MODELS:
                serving = {
                    name
                    for name, one in self.model.items()
                    if one.profile.provider == provider and one.serves(model, self.now)
                }
                routable = self.pool.routable(provider, model, self.now)
                assert {one.profile.id for one in routable} == serving
                assert all(one.phase(self.now, model) is Phase.READY for one in routable)

    @invariant()
    def the_current_profile_is_asked_first_and_then_by_priority(self) -> None:
        for provider in PROVIDERS:
            ordered = [one.profile for one in self.pool.ordered(provider)]
            assert {one.id for one in ordered} == {
                n for n, one in self.model.items() if one.profile.provider == provider
            }
            if self.current.get((provider, None)) in self.model:
                assert ordered.pop(0).id == self.current[provider, None]
            assert [one.priority for one in ordered] == sorted((one.priority for one in ordered), reverse=True)


TestPool = pytest.mark.many_cases(PoolMachine.TestCase)
TestPool.settings = settings(deadline=None, max_examples=100, stateful_step_count=40)
