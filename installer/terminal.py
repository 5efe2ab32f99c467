"""What the set-up scripts say to a person: progress on stderr, and problems as one clear line.

Nothing here decides anything. On a terminal a progress line is rewritten in place; elsewhere (a log,
a CI run) a new line appears only now and then, so that the log stays short.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

LOG_EVERY_S = 10.0


class Problem(Exception):
    """Something the person has to mend: what went wrong and what to do, in one line."""


def say(line: str) -> None:
    """One line of progress, on stderr: stdout belongs to the program that is being started."""
    print(line, file=sys.stderr, flush=True)


def run_or_explain(main: Callable[[list[str]], int]) -> int:
    """Runs a script's `main`, turning a problem or Ctrl-C into one line and an exit code."""
    try:
        return main(sys.argv[1:])
    except Problem as problem:
        say(f"O-Switcher: {problem}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Nothing is broken: the same command takes it up again.")
        return 130
    except ModuleNotFoundError as error:
        say(f"O-Switcher: this Python lacks its own module {error.name}: install your system's full python3.")
        return 1
    except OSError as error:
        say(f"O-Switcher: {explain_os_error(error)}")
        return 1


def explain_os_error(error: OSError) -> str:
    """An operating system's refusal in words that say what to do."""
    import errno

    where = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full{where}: free some space and run the same command again."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"no permission to write here{where}: make it writable, or set O_SWITCHER_ENV_DIR to a folder that is."
    return f"{error.strerror or error}{where}."


class Progress:
    """One line that says how far a long step has come; use as a context manager."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._said = self._started
        self._width = 0

    def __enter__(self) -> Progress:
        if self._live:
            self._rewrite(f"{self._title} ...")
        else:
            say(f"{self._title} ...")
        return self

    def update(self, detail: str) -> None:
        """Shows how far the step is, if it is time to."""
        now = time.monotonic()
        text = f"{self._title}: {detail} ({now - self._started:.0f} s)"
        if self._live:
            self._rewrite(text)
        elif now - self._said >= LOG_EVERY_S:
            self._said = now
            say(f"  {text}")

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        outcome = "done" if kind is None else "not finished"
        text = f"{self._title}: {outcome} ({time.monotonic() - self._started:.1f} s)"
        if self._live:
            self._rewrite(text)
            sys.stderr.write("\n")
        else:
            say(f"  {text}")

    def _rewrite(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)
