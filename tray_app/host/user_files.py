"""Files that are the user's own: read whole, replaced in one step, with mode and links as they were."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

MAX_FILE = 4 * 1024 * 1024


class Untouchable(Exception):
    """The file cannot be read or changed; says why and what to do."""


class Changed(Exception):
    """Somebody else has written the file meanwhile."""


def read_text(path: Path) -> str | None:
    """What the file holds, line ends and byte order mark as they are; None where it is not there.

    Raises:
        Untouchable: it is no ordinary text file, or may not be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Untouchable(f"{path} is no ordinary file")
        if found.st_size > MAX_FILE:
            raise Untouchable(f"{path} is larger than {MAX_FILE // 1024 // 1024} MB, which no settings file is")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Untouchable(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise Untouchable(f"{path} cannot be read: {error.strerror}") from error


def missing_folders(path: Path) -> tuple[str, ...]:
    """The folders that have to be made before that file can be, the outermost first."""
    folder = Path(os.path.realpath(path)).parent
    return tuple(str(one) for one in reversed([one for one in (folder, *folder.parents) if not one.exists()]))


def replace(path: Path, expected: str | None, text: str) -> None:
    """Have the file hold `text`, if it still holds what is expected; `expected` None: it is not there.

    A link stays, and what it leads to is replaced. A new file is for this user only.

    Raises:
        Changed: it holds something else by now.
        Untouchable: it may not be written; nothing was changed.
    """
    target = Path(os.path.realpath(path))
    missing = missing_folders(path)
    try:
        for folder in missing:
            Path(folder).mkdir(mode=0o700)
        _check(path, target, expected)
        if expected is not None and target.stat().st_nlink > 1:  # a file of several names keeps them all
            target.write_bytes(text.encode())
        else:
            _swap(path, target, expected, text.encode())
    except OSError as error:
        remove_folders(missing)
        raise Untouchable(f"{path} cannot be written: {error.strerror or error}") from error
    except (Changed, Untouchable):
        remove_folders(missing)
        raise


def remove(path: Path, expected: str, folders: tuple[str, ...] = ()) -> None:
    """Take the file away, if it still holds what is expected, and those folders where they are empty.

    Raises:
        Changed: it holds something else by now.
        Untouchable: it may not be removed.
    """
    target = Path(os.path.realpath(path))
    _check(path, target, expected)
    try:
        target.unlink()
    except OSError as error:
        raise Untouchable(f"{path} cannot be removed: {error.strerror}") from error
    remove_folders(folders)


def remove_folders(folders: tuple[str, ...]) -> None:
    """Take those folders away that are empty, the last first."""
    for folder in reversed(folders):
        with suppress(OSError):
            Path(folder).rmdir()


def open_to_others(path: Path) -> bool:
    """Whether other users of this machine may read the file."""
    if sys.platform == "win32":
        return False
    try:
        return bool(path.stat().st_mode & 0o044)
    except OSError:
        return False


def _check(path: Path, target: Path, expected: str | None) -> None:
    if read_text(target) != expected:
        raise Changed(f"{path} was changed meanwhile")
    if expected is not None and not target.stat().st_mode & stat.S_IWUSR:
        raise Untouchable(f"{path} is read-only; allow it with: chmod u+w '{target}'")


def _swap(path: Path, target: Path, expected: str | None, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if expected is not None:
            _like(temporary, target)
        _check(path, target, expected)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _like(temporary: Path, target: Path) -> None:
    """Give a file the mode, the owner and the attributes of another."""
    found = target.stat()
    shutil.copystat(target, temporary)
    os.utime(temporary)
    if sys.platform != "win32" and (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.chown(temporary, found.st_uid, found.st_gid)
            temporary.chmod(stat.S_IMODE(found.st_mode))
