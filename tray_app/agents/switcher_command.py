"""The command `/switcher` for coding agents: a file that an agent reads as a prompt. Where it lies, and its text.

Only says what is to be written; whoever connects an agent writes it, and takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_TEXTS = Path(__file__).with_name("commands")
_PROGRAM = "PROGRAM"
# Where each agent reads commands from, in its folder of settings: ~/.config/opencode and ~/.claude.
_PLACES: Mapping[str, PurePosixPath] = {
    "opencode": PurePosixPath("commands/switcher.md"),
    "claude-code": PurePosixPath("commands/switcher.md"),
}
AGENTS = tuple(_PLACES)


@dataclass(frozen=True, slots=True)
class CommandFile:
    """A file to write. `place` is below the agent's folder of settings."""

    place: PurePosixPath
    text: str


def command_file(agent: str, program: str = "o-switcher") -> CommandFile | None:
    """The command for that agent, which runs `program`; None for an agent that reads no such files."""
    place = _PLACES.get(agent)
    if place is None:
        return None
    text = (_TEXTS / f"{agent}.md").read_text(encoding="utf-8")
    return CommandFile(place, text.replace(_PROGRAM, program))
