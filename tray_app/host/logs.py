"""The app's own log lines: to stderr, one line a record, with everything that looks like a key taken out."""

from __future__ import annotations

import logging
import sys

from tray_app.core.redact import redact


class Redacting(logging.Formatter):
    """Formats a record, trace included, and redacts the whole of it."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def set_up(level: int = logging.WARNING) -> None:
    """Send the log lines of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
