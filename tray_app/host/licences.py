"""The licences of everything that this O-Switcher is made of, as the packages' own metadata states them.

What it consists of is asked of the installed packages, so the list is that of this very installation: from our own
distribution all that it requires, and where there is none (a checkout, a Debian package) all that its environment
holds. Whether a licence is permissive is judged by its name alone; one that none of the rules knows stays `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from tray_app import __version__

OWN = "o-switcher"
OWN_LICENCE = "Apache-2.0"
LONGEST = 60  # some packages put the licence's whole text where its name belongs

Kind = Literal["permissive", "weak copyleft", "copyleft", "unknown"]

_STATED: tuple[tuple[Kind, re.Pattern[str]], ...] = (  # the first that fits decides: the strictest of several
    ("weak copyleft", re.compile(r"\bLGPL|Lesser General Public|\bMPL\b|\bMPL-|Mozilla Public|\bEPL\b|\bCDDL\b", re.I)),
    ("copyleft", re.compile(r"\bA?GPL|General Public Licen[sc]e|\bEUPL\b|\bCeCILL", re.I)),
    (
        "permissive",
        re.compile(
            r"\bMIT\b|\bBSD\b|\bApache\b|\bISC\b|\bPSF\b|Python Software Foundation|\b0BSD\b|\bUnlicense\b|\bZlib\b"
            r"|\bCC0\b|\bHPND\b|Public Domain|\bBSL\b",
            re.I,
        ),
    ),
)
_BEST: tuple[Kind, ...] = ("permissive", "weak copyleft", "copyleft", "unknown")
_REQUIRED = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")
_TEXT = re.compile(r"(?:^|/)(?:licen[sc]e|copying|notice|authors)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Package:
    """One package, and what it may be used under. `texts` are its files that say so in full."""

    name: str
    version: str
    licence: str
    kind: Kind
    texts: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What is to be minded."""
        return _NOTES[self.kind]


_NOTES: dict[Kind, str] = {
    "permissive": "",
    "weak copyleft": "changes to its own files stay under it; whoever gets a copy may exchange it",
    "copyleft": "what is made with it and passed on stays under it",
    "unknown": "its metadata names none that is known: read its texts",
}


def packages() -> list[Package]:
    """This app, and then everything that it is made of, by name."""
    found = {_key(one.name): _package(one) for one in _made_of()}
    found.pop(OWN, None)
    return [Package(OWN, __version__, OWN_LICENCE, kind_of(OWN_LICENCE)), *(found[key] for key in sorted(found))]


def kind_of(licence: str) -> Kind:
    """What kind of licence that is; of alternatives, the one that asks least."""
    return min((_kind_of_one(one) for one in re.split(r"\s+OR\s+", licence)), key=_BEST.index)


def _kind_of_one(licence: str) -> Kind:
    return next((kind for kind, rule in _STATED if rule.search(licence)), "unknown")


def _made_of() -> Iterable[metadata.Distribution]:
    try:
        own = metadata.distribution(OWN)
    except metadata.PackageNotFoundError:
        return metadata.distributions()
    return _required_by(own)


def _required_by(own: metadata.Distribution) -> list[metadata.Distribution]:
    """All that is installed of what it requires, directly or not; of its own extras, those that are here."""
    found = {OWN: own}
    asked: list[tuple[metadata.Distribution, frozenset[str] | None]] = [(own, None)]
    seen: set[tuple[str, str]] = set()
    while asked:
        one, extras = asked.pop()
        for name, wanted in _requirements(one, extras):
            child = found.get(_key(name)) or _installed(name)
            mark = (_key(name), ",".join(sorted(wanted)))
            if child is not None and mark not in seen:
                seen.add(mark)
                found[_key(name)] = child
                asked.append((child, wanted))
    return list(found.values())


def _requirements(one: metadata.Distribution, extras: frozenset[str] | None) -> Iterable[tuple[str, frozenset[str]]]:
    """What it requires, each with the extras that it wants of it. `extras` None: with all of its own."""
    for line in one.requires or ():
        of = _EXTRA.search(line)
        match = _REQUIRED.match(line)
        if match and (of is None or extras is None or of[1] in extras):
            yield match[1], frozenset(word.strip() for word in (match[2] or "").split(",") if word.strip())


def _installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None  # for another system, or an extra that is not here


def _package(found: metadata.Distribution) -> Package:
    licence = _licence(found)
    texts = tuple(str(file) for file in found.files or () if _TEXT.search(file.as_posix()))
    return Package(found.name, found.version, licence or "not stated", kind_of(licence), texts)


def _licence(found: metadata.Distribution) -> str:
    """The name of its licence, or nothing: the newer field, the older one, or its classifiers."""
    about = found.metadata
    stated = next((str(about[field]) for field in ("License-Expression", "License") if field in about), "")
    if stated and len(stated) <= LONGEST and "\n" not in stated:
        return stated
    classifiers = about.get_all("Classifier") or []
    return ", ".join(line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::"))


def _key(name: str) -> str:
    """A name as packages are compared by."""
    return re.sub(r"[-_.]+", "-", name).lower()
