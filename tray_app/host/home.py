"""Where things live. `O_SWITCHER_HOME` puts all of it under one folder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

APP = "o-switcher"
LOCK_NAME = "o-switcher.lock"
LEFT_S = 60.0  # no write takes longer


@dataclass(frozen=True, slots=True)
class Home:
    """The app's files. Folders are made when something is first written."""

    config: Path
    history: Path
    decisions: Path
    running: Path
    keys: Path
    lock: Path

    @property
    def connections(self) -> Path:
        """What was changed in clients' files, and the way back."""
        return self.history.with_name("connections.json")

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that hold them."""
        return tuple(dict.fromkeys(path.parent for path in (self.config, self.history, self.running)))


def find_home(environ: Mapping[str, str] = os.environ) -> Home:
    """The files of this user."""
    if chosen := environ.get("O_SWITCHER_HOME"):
        root = Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111 - Path's own raises for an unknown user
        return _home(root, root, root)
    import platformdirs

    return _home(
        platformdirs.user_config_path(APP, appauthor=False),
        platformdirs.user_data_path(APP, appauthor=False),
        platformdirs.user_state_path(APP, appauthor=False),
    )


def _home(config: Path, data: Path, state: Path) -> Home:
    return Home(
        config / "config.toml",
        data / "history.db",
        data / "decisions.ndjson",
        state / "running.json",
        data / "keys.json",
        state / LOCK_NAME,
    )


def private_folder(path: Path) -> None:
    """Make that folder, for this user only."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step, readable by this user only. A link is followed.

    Raises:
        OSError: nothing was changed.
    """
    path = Path(os.path.realpath(path))
    private_folder(path.parent)
    _tidy(path)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o600)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_private(path: Path) -> None:
    """Take `path` away, and whatever was left half written of it.

    Raises:
        OSError: it is still there.
    """
    path = Path(os.path.realpath(path))
    path.unlink(missing_ok=True)
    _tidy(path, older_s=0)


def _tidy(path: Path, older_s: float = LEFT_S) -> None:
    """Take away what a process that was killed between writing and renaming left: it may hold keys."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}."):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime >= older_s:
                    left.unlink()
