"""The app's own log lines: to stderr, one line a record, with everything that looks like a key taken out."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from tray_app.core.redact import redact


class Redacting(logging.Formatter):
    """Formats a record, trace included, and redacts the whole of it."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _redacted(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    print(redact("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def guard_traces() -> None:
    """Whatever ends this process, or a thread of it, by surprise: its trace shows no key."""
    sys.excepthook = _redacted
    threading.excepthook = lambda hooked: _redacted(hooked.exc_type, hooked.exc_value, hooked.exc_traceback)


def set_up(level: int = logging.WARNING) -> None:
    """Send the log lines of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
