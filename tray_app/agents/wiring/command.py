"""The command `/switcher` as part of a plan: a file of its own, which never takes the place of one of the user's."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from tray_app.agents import whole_text
from tray_app.agents.switcher_command import command_file
from tray_app.agents.wiring.plan import Aim, FileChange, Setting, Where

UNFIT = frozenset("`\n\r")  # in a program's path these would end the command in the agent's file


def planned(
    agent: str, folder: Path, aim: Aim, where: Where, others: Iterable[Path] = ()
) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
    """The file in the agent's folder of settings, and what the user is to know; neither where it is not wanted.

    `others` are further places where the agent would find a command of that name.
    """
    found = command_file(agent, shlex.join(aim.extras.program))
    if not aim.extras.command or found is None or UNFIT & set("".join(aim.extras.program)):
        return (), ()
    path = folder / found.place
    for place in (path, *others):
        if where.has(place):
            return (), (f"you have a command /switcher of your own, which was left alone: {place}",)
    if not os.access(_there(path), os.W_OK):
        return (), (f"the command /switcher could not be added, since {_there(path)} cannot be written",)
    return (FileChange(path, whole_text.NAME, (Setting((), found.text),)),), ()


def _there(path: Path) -> Path:
    """The nearest folder that is there."""
    return next(folder for folder in path.parents if os.path.exists(folder))  # noqa: PTH110 - Path's own may raise
