"""Profiles come, change and go: the keys in the vault and the members of the pool, kept in step."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tray_app.agents.found import Found
from tray_app.control.verbs import LABEL, LONGEST_UNDO_S, MOST_PRIORITY, Refused
from tray_app.core.address import BadAddress, Origin, base_of
from tray_app.core.pool import Cell, Choice, Member
from tray_app.core.providers import BUILT_IN, Provider, canonical
from tray_app.core.redact import redact
from tray_app.core.values import (
    CooldownCleared,
    CooldownSet,
    Fact,
    Profile,
    ProfileRemoved,
    ProfileSeen,
    ReauthChanged,
    Remember,
)
from tray_app.host.vault import Entry, Vault, VaultError, fingerprint

CHOICE = "choice"  # under this name the operator's choice is remembered
HALT = "halt"  # and under this one that everything is paused
_OF_PROVIDER = " account "  # in the name of an account that the provider has told
_LONGEST = round(LONGEST_UNDO_S * 1000)
_AGAIN_MS = 30_000  # a vault that cannot be written is tried again after so long
_MOVED = "its provider's address is now "  # so begins the mark of a key that may not go there yet
_LABEL = re.compile(LABEL)


class Standing(StrEnum):
    """How a key that was found stands to those that are held."""

    NEW = "new"
    ASKS = "asks"  # new, but of a project: it may come from a stranger
    HELD = "held"
    REMOVED = "removed"  # by the user, who does not want it back
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Gone:
    """A profile as it was when it was removed, before whom it stood, and what the operator had chosen of it."""

    member: Member
    order: tuple[str, ...]
    choice: Choice | None


@dataclass(frozen=True, slots=True)
class Registry:
    """Carries out what is asked about profiles. For the event-loop thread only.

    `own_port` is the port that the proxy listens on, 0 where it does not; `overlay` is what settings make of a profile.
    """

    cell: Cell
    vault: Vault
    providers: Callable[[], Mapping[str, Provider]]
    record: Callable[[Fact], None]
    clock: Callable[[], int]
    own_port: Callable[[], int]
    overlay: Callable[[Profile], Profile] = lambda profile: profile
    removed: dict[str, Gone] = field(default_factory=dict)  # in this run: what they were like when they went

    # -- at start

    def restore(self, remembered: Mapping[str, Member]) -> None:
        """Fill the pool from the vault, with the states that were remembered; others in the ledger are gone."""
        with suppress(Refused):  # a vault that cannot be written now is told of whenever something is to be kept
            self.forget_due()
        for profile_id, entry in self._in_order(remembered).items():
            known = remembered.get(profile_id)
            member = self._member(profile_id, entry, known)
            self.cell.set(self.cell.pool.joined(member))
            self._seen(member, new=known is None)
        for profile_id in remembered.keys() - self.cell.pool.members.keys():
            self.record(ProfileRemoved(profile_id, self.clock()))
        self.restrain()

    def catch_up(self) -> None:
        """Let whoever is in the vault and not in the pool join it."""
        for profile_id, entry in self.vault.entries().items():
            if profile_id not in self.cell.pool.members:
                member = self._member(profile_id, entry, None)
                self.cell.set(self.cell.pool.joined(member))
                self._seen(member, new=True)
        self.restrain()

    def _in_order(self, remembered: Mapping[str, Member]) -> dict[str, Entry]:
        """The vault's profiles, oldest first: the order in which they were given is the order of choice."""
        entries = self.vault.entries()
        return dict(sorted(entries.items(), key=lambda item: item[1].added_at))

    def _member(self, profile_id: str, entry: Entry, known: Member | None) -> Member:
        profile = self._profile(profile_id, entry, known)
        if known is None:
            return Member(profile)
        same_key = known.profile.fingerprint == profile.fingerprint
        return replace(known, profile=profile, reauth=known.reauth if same_key else None)

    def restrain(self) -> None:
        """Mark every profile whose provider has moved since its key was given, and none that has not."""
        for profile_id, entry in self.vault.entries().items():
            member = self.cell.pool.members.get(profile_id)
            if member is None:
                continue
            was_moved = member.reauth is not None and member.reauth.startswith(_MOVED)
            words = self._moved(profile_id, entry, member.profile.base_url)
            if words == member.reauth or (words is None and not was_moved):
                continue
            self.cell.set(self.cell.pool.marked(profile_id, words))
            reason = words or "its provider is where it was"
            self.record(ReauthChanged(profile_id, member.profile.account, self.clock(), words is not None, reason))

    def _moved(self, profile_id: str, entry: Entry, url: str) -> str | None:
        """Why its key is not given out: it is bound to another address than the profile has now."""
        there = _origin(url)
        if there is None or there == _origin(entry.base_url):
            return None  # an address that cannot be used is told by whoever would call it
        return f"{_MOVED}{there}; to let its key go there: o-switcher profiles confirm {profile_id}"

    def standing(self, mark: str, base_url: str) -> tuple[Standing, str | None]:
        """How the key of that fingerprint, for that address, stands to those held; and the profile that has it."""
        held = next((name for name, entry in self.vault.entries().items() if entry.fingerprint == mark), None)
        if held is not None:
            return Standing.HELD, held
        if self.vault.is_unwanted(mark):
            return Standing.REMOVED, None
        return (Standing.SKIPPED if self._is_ourselves(base_url) else Standing.NEW), None

    def adopt(self, found: Iterable[Found]) -> list[str]:
        """Take over keys that were found, are neither held nor unwanted, and ask for no consent; the new profiles."""
        added: list[str] = []
        for one in found:
            url = self.address_of(one)
            if not one.project and self.standing(fingerprint(one.secret), url)[0] is Standing.NEW:
                added.append(self.take(one.provider, one.label, one.secret, one.base_url, one.source).id)
        return added

    def address_of(self, one: Found) -> str:
        """Where a found key would go."""
        return one.base_url or self.providers()[canonical(one.provider)].base_url

    def take(self, provider: str, label: str, secret: str, base_url: str | None = None, source: str = "") -> Profile:
        """Take a key over from where it was found, under a label that is free.

        Raises:
            Refused: it is held already, was removed by the user, or cannot be used.
        """
        known = self._provider(provider, base_url)
        url = self.fit_address(base_url or known.base_url)
        standing, held = self.standing(fingerprint(secret.strip()), url)
        if standing is Standing.HELD:
            raise Refused("conflict", f"this key is held already, as {held}")
        if standing is Standing.REMOVED:
            raise Refused("conflict", "this key was removed; give it again with: o-switcher profiles add")
        label = self.free_label(known.name, self._fit_label(label))
        latest = max((entry.added_at for entry in self.vault.entries().values()), default=0)
        entry = Entry(
            secret=self.fit_secret(secret),
            provider=known.name,
            label=label,
            base_url=url,
            source=source or "found",
            added_at=max(self.clock(), latest + 1),  # the order in which they were found
            follows=base_url is None,
        )
        profile_id = self._join(f"{known.name}-{label}", entry)
        return self.cell.pool.members[profile_id].profile

    def given_again(self, marks: Collection[str], source: str) -> list[str]:
        """Keys that were refused and have been given again where they came from: they are tried again; which."""
        members = self.cell.pool.members
        again = [
            name
            for name, entry in self.vault.entries().items()
            if entry.fingerprint in marks and name in members and members[name].reauth is not None
        ]
        for name in again:
            self._accepted_again(name, f"the same key was given again in {source}")
        self.restrain()
        return again

    def free_label(self, provider: str, wanted: str) -> str:
        """`wanted`, with a number where that provider has a profile of that label."""
        label, number = wanted, 2
        while f"{provider}-{label}" in self.vault.entries():
            label, number = f"{wanted}-{number}", number + 1
        return label

    # -- verbs

    def add(
        self,
        provider: str,
        label: str,
        secret: str,
        account: str = "",
        base_url: str | None = None,
        priority: int = 0,
        tags: str = "",
    ) -> Profile:
        """Add a key. `tags` are separated by commas.

        Raises:
            Refused: the provider is unknown, the label is taken or unfit, the key or address cannot be used.
        """
        known = self._provider(provider, base_url)
        profile_id = f"{known.name}-{self._fit_label(label)}"
        if profile_id in self.vault.entries():
            raise Refused("conflict", f"{profile_id} exists already; change it with: o-switcher profiles set")
        for other, entry in self.vault.entries().items():
            if entry.fingerprint == fingerprint(secret.strip()):
                raise Refused("conflict", f"this key is held already, as {other}")
        entry = Entry(
            secret=self.fit_secret(secret),
            provider=known.name,
            label=label,
            base_url=self.fit_address(base_url or known.base_url),
            account=account,
            priority=_fit_priority(priority),
            tags=_tags(tags),
            added_at=self.clock(),
            follows=base_url is None,
        )
        self._join(profile_id, entry)
        return self.cell.pool.members[profile_id].profile

    def remove(self, profile: str, undo_s: float | None = None) -> int | None:
        """Take a profile away. Its key is forgotten at once, or set aside for so long; until when (ms), if it is.

        The key is in the vault either as the profile's or set aside, whenever this is interrupted.
        """
        self._entry(profile)
        until = None if undo_s is None else self.clock() + round(undo_s * 1000)
        self._save(lambda: self.vault.remove(profile) if until is None else self.vault.set_aside(profile, until))
        pool = self.cell.pool
        if until is not None:
            choice = pool.choice if pool.preferred == profile else None
            self.removed[profile] = Gone(pool.members[profile], tuple(pool.members), choice)
        self.cell.set(pool.left(profile))
        self.record(ProfileRemoved(profile, self.clock()))
        return until

    def bring_back(self, profile: str) -> Profile:
        """Have a profile back that was removed a short while ago, as it was and in its place.

        Raises:
            Refused: it was not, or something else has its place or its key now.
        """
        self.forget_due()
        kept = self.vault.aside().get(profile)
        if kept is None:
            raise Refused("not_found", f"{profile} cannot be had back any more; add its key again")
        held = self.standing(kept.entry.fingerprint, kept.entry.base_url)[1]
        if held is not None or profile in self.vault.entries():
            raise Refused("conflict", f"the key, or the name, of {profile} is in use again, by {held or profile}")
        self._save(lambda: self.vault.take_back(profile))
        gone = self.removed.pop(profile, None)
        known = None if gone is None else replace(gone.member, in_flight=0)  # its calls have ended, or end as nobody's
        member = self._member(profile, kept.entry, known)
        pool = self.cell.pool.joined(member)
        if gone is not None:
            pool = pool.arranged(gone.order)
            if gone.choice is not None and pool.choice is None:
                pool = pool.chosen(gone.choice)
        self.cell.set(pool)
        self._seen(pool.members[profile], new=True)
        for rest in pool.members[profile].cooldowns:
            self.record(CooldownSet(rest, member.profile.account, None, self.clock()))
        self.remember_choice()
        self.restrain()
        return pool.members[profile].profile

    def forget(self, profile: str) -> None:
        """Forget the key of a removed profile now.

        Raises:
            Refused: none of that name could be had back.
        """
        if profile not in self.vault.aside():
            raise Refused("not_found", f"no key of a removed profile {profile!r} is kept")
        self._forget([profile])

    def forget_due(self, *, all_of_them: bool = False) -> None:
        """Forget the keys of removed profiles whose time to be had back is over; all of them when the app ends."""
        now = self.clock()
        due = [
            name for name, one in self.vault.aside().items() if all_of_them or not 0 < one.until_at - now <= _LONGEST
        ]
        if due:
            self._forget(due)

    def forgets_at(self) -> int | None:
        """When the next such key is to be forgotten, in ms; a while from now where that has just failed."""
        soonest, now = min((one.until_at for one in self.vault.aside().values()), default=None), self.clock()
        return soonest if soonest is None or soonest > now else now + _AGAIN_MS

    def _forget(self, names: Collection[str]) -> None:
        self._save(lambda: self.vault.forget(names))
        for name in names:
            self.removed.pop(name, None)
        self.cell.set(self.cell.pool)  # whoever shows what can be had back shows it anew

    def rename(self, profile: str, label: str) -> str:
        """Give a profile another label; its new id."""
        entry = self._entry(profile)
        new = f"{entry.provider}-{self._fit_label(label)}"
        if new in self.vault.entries():
            raise Refused("conflict", f"{new} exists already")
        member = self.cell.pool.members[profile]
        self._save(lambda: self.vault.rename(profile, new, label))
        # calls in flight give their lease back under the old name, so none is taken along
        rests = tuple(replace(rest, profile_id=new) for rest in member.cooldowns)
        account = new if member.profile.account == profile else member.profile.account
        profile_now = replace(member.profile, id=new, label=label, account=account)
        renamed = replace(member, profile=profile_now, in_flight=0, cooldowns=rests)
        was_preferred = self.cell.pool.preferred == profile
        self.cell.set(self.cell.pool.renamed(profile, renamed))
        self._record_rename(member, renamed, was_preferred)
        self._seen(renamed, new=True)
        if renamed.reauth is not None:
            self.record(ReauthChanged(new, profile_now.account, self.clock(), True, renamed.reauth))
        return new

    def _record_rename(self, old: Member, new: Member, was_preferred: bool) -> None:
        now, account = self.clock(), new.profile.account
        self.record(ProfileRemoved(old.profile.id, now))
        for rest in old.cooldowns:
            self.record(CooldownCleared(rest, account, now, f"renamed to {new.profile.id}"))
        for rest in new.cooldowns:
            self.record(CooldownSet(rest, account, None, now))
        if was_preferred:
            self.remember_choice()

    def change(
        self,
        profile: str,
        secret: str | None = None,
        account: str | None = None,
        base_url: str | None = None,
        priority: int | None = None,
        tags: str | None = None,
    ) -> Profile:
        """Change what is given. Another origin needs the key again, since keys are bound to their origin."""
        entry = self._entry(profile)
        url = entry.base_url if base_url is None else self.fit_address(base_url)
        if secret is not None and base_url is None:
            url = self._url(entry)  # a key that is given now is for where its provider is now
        if secret is None and base_of(url).origin != base_of(entry.base_url).origin:
            raise Refused(
                "bad_argument", "a key is bound to its provider's address; give the key again together with the new one"
            )
        changed = Entry(
            secret=entry.secret if secret is None else self.fit_secret(secret),
            provider=entry.provider,
            label=entry.label,
            base_url=url,
            account=entry.account if account is None else account,
            source=entry.source if secret is None else "cli",
            priority=entry.priority if priority is None else _fit_priority(priority),
            tags=entry.tags if tags is None else _tags(tags),
            added_at=entry.added_at,
            follows=entry.follows and base_url is None,
        )
        self._join(profile, changed)
        if secret is not None:
            self._accepted_again(profile, "a new key was given")
        return self.cell.pool.members[profile].profile

    def confirm(self, profile: str) -> Profile:
        """Let a profile's key go to where its provider is now.

        Raises:
            Refused: there is nothing to confirm.
        """
        entry, url = self._entry(profile), self.cell.pool.members[profile].profile.base_url
        if self._moved(profile, entry, url) is None:
            raise Refused(
                "conflict", f"{profile} is bound to {base_of(url).origin} already: there is nothing to confirm"
            )
        self._save(lambda: self.vault.put(profile, replace(entry, base_url=url)))
        self._accepted_again(profile, f"its key may go to {base_of(url).origin}")
        return self.cell.pool.members[profile].profile

    def _accepted_again(self, profile: str, reason: str) -> None:
        """A new key starts without what was held against the old one."""
        member, now = self.cell.pool.members[profile], self.clock()
        pool, cooldowns = self.cell.pool.cleared(profile)
        self.cell.set(pool)
        for cooldown in cooldowns:
            self.record(CooldownCleared(cooldown, member.profile.account, now, reason))
        if member.reauth is not None:
            self.record(ReauthChanged(profile, member.profile.account, now, False, reason))

    def token(self, client: str) -> str:
        """That client's local token, made if it has none."""
        try:
            return self.vault.token(client)
        except VaultError as error:
            raise Refused("unavailable", str(error)) from error

    def require(self, profile: str) -> None:
        """Nothing, if there is such a profile.

        Raises:
            Refused: there is none.
        """
        self._entry(profile)

    def revoke(self, client: str) -> bool:
        """Let that client's token count no longer; whether there was one."""
        try:
            return self.vault.revoke(client)
        except VaultError as error:
            raise Refused("unavailable", str(error)) from error

    def move_keys(self, keys: Path, store: str) -> dict[str, object]:
        """Have the keys be where `store` says: `auto`, `keyring` or `file`.

        Raises:
            Refused: they cannot be there; they are where they were.
        """
        try:
            name = self.vault.settle(keys, store)
        except VaultError as error:
            raise Refused("unavailable", str(error)) from error
        return {"store": name, "message": "\n".join((f"keys are in the {name}", *self.vault.notices))}

    def remember_choice(self) -> None:
        """Have the operator's choice, or that there is none, survive a restart."""
        choice = self.cell.pool.choice
        self.record(Remember(CHOICE, msgspec.json.encode(choice).decode() if choice else ""))

    def remember_halt(self) -> None:
        """Have it survive a restart that everything is paused, or that it is not."""
        halt = self.cell.pool.halt
        self.record(Remember(HALT, msgspec.json.encode(halt).decode() if halt else ""))

    # -- what happens by itself

    def refresh(self) -> None:
        """Have every profile as the settings, which have changed, make it."""
        entries, members = self.vault.entries(), self.cell.pool.members
        fresh = {name: self._profile(name, entries[name], members[name]) for name in members if name in entries}
        self.cell.set(self.cell.pool.adjusted(lambda profile: fresh.get(profile.id, profile)))
        self.restrain()

    def belongs(self, profile: str, account: str) -> str | None:
        """The provider says which account a key is of. What a person should know of it, if it is news."""
        member, entry = self.cell.pool.members.get(profile), self.vault.entries().get(profile)
        if member is None or entry is None or entry.account:
            return None
        named = f"{entry.provider}{_OF_PROVIDER}{account}"
        if member.profile.account == named:
            return None
        self.cell.set(self.cell.pool.joined(replace(member, profile=replace(member.profile, account=named))))
        self._seen(self.cell.pool.members[profile], new=False)
        others = [name for name, one in self.cell.pool.members.items() if one.profile.account == named]
        if len(others) < 2:
            return None
        return f"{' and '.join(others)} are keys of one account at {entry.provider}: they share its limits"

    # -- shared

    def _profile(self, profile_id: str, entry: Entry, known: Member | None) -> Profile:
        account = entry.account
        same_key = known is not None and known.profile.fingerprint == entry.fingerprint
        if not account and known is not None and same_key and _OF_PROVIDER in known.profile.account:
            account = known.profile.account  # as the provider itself has said
        profile = Profile(
            profile_id,
            entry.provider,
            entry.label,
            account or profile_id,  # a key without a named account is an account of its own
            self._url(entry),
            entry.fingerprint,
            entry.tail,
            entry.source,
            entry.priority,
            entry.tags,
            entry.added_at,
        )
        return self.overlay(profile)

    def _url(self, entry: Entry) -> str:
        """Where its profile is: at an address of its own, or wherever the settings say that its provider is."""
        usual = BUILT_IN.get(entry.provider)
        follows = entry.follows or (usual is not None and entry.base_url == usual.base_url)
        provider = self.providers().get(entry.provider)
        return provider.base_url if follows and provider is not None else entry.base_url

    def _join(self, profile_id: str, entry: Entry) -> str:
        self._save(lambda: self.vault.put(profile_id, entry))
        known = self.cell.pool.members.get(profile_id)
        new = known is None
        self.cell.set(self.cell.pool.joined(Member(self._profile(profile_id, entry, known))))
        self._seen(self.cell.pool.members[profile_id], new=new)
        return profile_id

    def _seen(self, member: Member, *, new: bool) -> None:
        self.record(ProfileSeen(member.profile, member.admin, member.admin_until_at, self.clock(), new))

    def _save(self, change: Callable[[], None]) -> None:
        try:
            change()
        except VaultError as error:
            raise Refused("unavailable", str(error)) from error

    def _entry(self, profile: str) -> Entry:
        entry = self.vault.entries().get(profile)
        if entry is None:
            raise unknown_profile(profile, self.vault.entries())
        return entry

    def _provider(self, name: str, base_url: str | None) -> Provider:
        known = self.providers()
        found = known.get(canonical(name))
        if found is None:
            listed = ", ".join(sorted(known))
            raise Refused(
                "not_found",
                f"no provider is called {redact(name)!r}; known are: {listed}. "
                "Add one with: o-switcher config set providers.NAME.base_url https://...",
            )
        return found

    def _fit_label(self, label: str) -> str:
        if not _LABEL.fullmatch(label):
            raise Refused("bad_argument", f"the label {label!r} must be lower-case letters, digits, '-', '_' or '.'")
        return label

    def fit_secret(self, secret: str) -> str:
        """The key without the blanks around it.

        Raises:
            Refused: no key looks like that.
        """
        stripped = secret.strip()
        if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
            raise Refused("bad_argument", "the key is empty or holds characters that no key has")
        return stripped

    def fit_address(self, url: str) -> str:
        """The address without its last slash.

        Raises:
            Refused: a key may not go there.
        """
        try:
            base_of(url.rstrip("/"))
        except BadAddress as error:
            raise Refused("bad_argument", str(error)) from error
        if self._is_ourselves(url):
            raise Refused("bad_argument", f"{url} is O-Switcher itself; give the provider's own address")
        return url.rstrip("/")

    def _is_ourselves(self, url: str | None) -> bool:
        if url is None:
            return False
        try:
            origin = base_of(url).origin
        except BadAddress:
            return False
        return origin.host in ("127.0.0.1", "localhost", "::1") and origin.port == self.own_port() != 0


def _origin(url: str) -> Origin | None:
    try:
        return base_of(url).origin
    except BadAddress:
        return None


def unknown_profile(profile: str, known: Iterable[str]) -> Refused:
    """The error for a profile that is not there."""
    listed = ", ".join(known) or "none yet"
    return Refused("not_found", f"no profile is called {profile!r}; known are: {listed}")


def _fit_priority(priority: int) -> int:
    if abs(priority) > MOST_PRIORITY:
        raise Refused("bad_argument", f"a priority is from {-MOST_PRIORITY} to {MOST_PRIORITY}")
    return priority


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())
