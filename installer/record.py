"""What the installation has made and asked so far, in `installed.json` beside the environments.

It is written in one step after each thing that must not be done, or asked, twice: so an installation that was
killed anywhere goes on where it was, and uninstalling knows which folders were there before.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import environment

NAME = "installed.json"


class Record:
    """The record of this user's installation; `save` after each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = {}
        known: dict[str, Any] = content if isinstance(content, dict) else {}
        self.complete = known.get("complete") is True
        self.folders = [str(one) for one in known.get("folders") or []]
        self.asked = {str(one) for one in known.get("asked") or []}

    def expect(self, folders: Iterable[Path]) -> None:
        """Notes which of these folders, and of those above them, will be ours: the ones that are not there yet."""
        begun = self._begun()
        for folder in folders:
            for place in (folder, *folder.parents):
                if str(place) not in self.folders and (place in begun or not place.exists()):
                    self.folders.append(str(place))
        self.save()

    def _begun(self) -> set[Path]:
        """The folders that a run has made that was killed before it could note them: they hold one another alone."""
        begun: set[Path] = set()
        if self._path.exists():
            return begun
        expected = {f"{NAME}.part"}
        for place in (self._path.parent, *self._path.parent.parents):
            if Path.home() not in place.parents:
                break  # only in this user's home, and never the home itself
            if place.is_dir():
                if not {path.name for path in place.iterdir()} <= expected:
                    break
                begun.add(place)
            expected = {place.name}
        return begun

    def was_asked(self, question: str) -> None:
        """That question has its answer, and what was to be done for it is done."""
        self.asked.add(question)
        self.save()

    def finish(self) -> None:
        """The installation is whole."""
        self.complete = True
        self.save()

    def save(self) -> None:
        """Writes it in one step."""
        content = {"complete": self.complete, "folders": sorted(self.folders), "asked": sorted(self.asked)}
        text = json.dumps(content, indent=2) + "\n"
        if self._path.exists() and self._path.read_text(encoding="utf-8") == text:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"{NAME}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(self._path)

    def remove(self) -> None:
        """Takes every folder of ours away that is empty by now, and last itself with those that it lies in."""
        folders = {Path(folder) for folder in self.folders} | self._begun()
        _remove_empty(folders - set(self._path.parents))
        self._path.with_name(f"{NAME}.part").unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        _remove_empty(folders & set(self._path.parents))


def _remove_empty(folders: set[Path]) -> None:
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):  # somebody else has put something there, or it is gone
            folder.rmdir()


def record() -> Record:
    """This user's."""
    return Record(environment.data_folder() / NAME)
