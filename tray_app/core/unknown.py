"""Errors that no rule knew, as a fact to keep: one line for each kind, and how often it was met."""

from __future__ import annotations

import re
from hashlib import blake2b

import msgspec

from tray_app.core.collect import report_line
from tray_app.core.values import Head, UnknownAnswer

_DIGITS = re.compile(rb"\d+")
_CODES = re.compile(rb'"(?:code|type|status|status_code|error_type|reason)":("[^"]*"|\d+)')


def unknown_answer(provider: str, answer: Head, now: int) -> UnknownAnswer:
    """The fact for `answer`, met at `now` (ms). Answers that differ in numbers alone, codes aside, are of one kind."""
    report = report_line(provider, answer.status, answer.headers, answer.body)
    line = msgspec.json.encode(report)
    kind = [b"%d" % answer.status, *_CODES.findall(line), _DIGITS.sub(b"0", line)]
    shape = blake2b(b"\n".join(kind), digest_size=12).hexdigest()
    return UnknownAnswer(shape, str(report["provider"]), answer.status, line.decode(), now)
