"""One thing that was looked at, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `mend` is the command, or the deed, that sets it right."""

    what: str
    ok: bool
    words: str
    mend: str | None = None

    def line(self) -> str:
        """`ok keys: ...` or `!! keys: ...; o-switcher ...`."""
        mend = f"; {self.mend}" if self.mend else ""
        return f"{'ok' if self.ok else '!!'} {self.what}: {self.words}{mend}"
