"""What was found on this machine, set against what is held: shown to faces, and taken over when asked.

Keys are read where the question is asked (a shell has its own variables and project); who holds them says how each
stands, by its fingerprint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tray_app.agents.catalog import survey
from tray_app.agents.found import Finding, Found, Unreadable
from tray_app.control.registry import Standing
from tray_app.control.verbs import Refused
from tray_app.core.providers import Provider
from tray_app.core.redact import brief
from tray_app.host.settings import Settings
from tray_app.host.vault import fingerprint

Known = Callable[[Found], tuple[Standing, str | None]]
Take = Callable[[Found], str]


@dataclass(frozen=True, slots=True)
class FoundView:
    """A key, or what looked like one: where it is, how it stands, and in words what that means."""

    provider: str
    source: str
    standing: str  # registry.Standing
    words: str
    profile: str | None = None  # that holds it
    key_tail: str = ""


def views(findings: Iterable[Finding], known: Known, take: Take | None = None) -> list[FoundView]:
    """How each finding stands; with `take`, the new ones are taken over first."""
    return [_view(one, known, take) if isinstance(one, Found) else _passed(one) for one in findings]


def _passed(one: Finding) -> FoundView:
    return FoundView(one.provider, one.source, Standing.SKIPPED, one.why if not isinstance(one, Found) else "")


def _view(one: Found, known: Known, take: Take | None) -> FoundView:
    standing, profile = known(one)
    words = _words(one, standing, profile)
    if take is not None and standing in (Standing.NEW, Standing.ASKS):
        try:
            profile = take(one)
            standing, words = Standing.HELD, f"taken over, as {profile}"
        except Refused as refused:
            standing, words = Standing.SKIPPED, refused.message
    tail = one.secret[-4:] if len(one.secret) >= 12 else ""
    return FoundView(one.provider, brief(one.source) or "", standing, words, profile, tail)


def _words(one: Found, standing: Standing, profile: str | None) -> str:
    match standing:
        case Standing.NEW:
            return "can be taken over"
        case Standing.ASKS:
            return "can be taken over; a file of the project says so, so not without being asked"
        case Standing.HELD:
            return f"held already, as {profile}"
        case Standing.REMOVED:
            return f"was removed or replaced here; to have it back: o-switcher profiles add {one.provider}"
        case Standing.SKIPPED:
            return "it leads to O-Switcher itself"


def found_from(settings: Settings, file: Path | None) -> list[Finding]:
    """The keys that this process can see, or those in one file.

    Raises:
        Refused: the file cannot be read.
    """
    known = settings.known_providers()
    if file is None:
        return survey(os.environ, Path.home(), Path.cwd(), known)
    from tray_app.agents.handed import survey_file

    try:
        return survey_file(file, os.environ, Path.home(), known)
    except Unreadable as error:
        raise Refused("bad_argument", str(error)) from error


def seen_by(
    ask: Callable[..., Any], findings: Iterable[Finding], providers: Mapping[str, Provider], *, apply: bool
) -> list[FoundView]:
    """`views`, where whoever holds the keys is asked by verbs."""

    def known(one: Found) -> tuple[Standing, str | None]:
        url = one.base_url or providers[one.provider].base_url
        answer = ask("known-key", mark=fingerprint(one.secret), base_url=url)
        return asking(Standing(answer["standing"]), one), answer["profile"]

    def take(one: Found) -> str:
        given = {"provider": one.provider, "label": one.label, "secret": one.secret, "source": one.source}
        return str(ask("profiles-adopt", **given, base_url=one.base_url)["profile"])

    return views(findings, known, take if apply else None)


def asking(standing: Standing, one: Found) -> Standing:
    """A new key of a project asks first."""
    return Standing.ASKS if standing is Standing.NEW and one.project else standing


@dataclass(slots=True)
class Logins:
    """OpenCode's logins when they were last looked at: tells which keys have been given again since.

    Its file is also written anew when another entry changes, as a subscription's token does every hour; so an entry
    counts only if it is new or of another stamp, or if the file was written with nothing changed in it at all.
    """

    seen: frozenset[tuple[str, str, str, str]] = frozenset()
    written: str = ""
    content: str = ""

    def look(self, findings: Iterable[Finding], written: str, content: str, file: str) -> frozenset[str]:
        """The fingerprints of the keys that have been given (again). `file` is the source that the content is of."""
        now = frozenset(
            (one.source, one.provider, fingerprint(one.secret), one.stamp) for one in findings if isinstance(one, Found)
        )
        whole = written != self.written and content == self.content
        again = frozenset(one[2] for one in now if one not in self.seen or (whole and one[0] == file))
        self.seen, self.written, self.content = now, written, content
        return again
