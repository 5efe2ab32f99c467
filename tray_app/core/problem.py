"""Errors of the admin side in the one form that tools know: problem+json (RFC 9457)."""

from __future__ import annotations

import msgspec

from tray_app.core.ending import Ending

KIND = "application/problem+json"


def problem(status: int, code: str, detail: str) -> bytes:
    """The document. `code` names the kind of error for programs, `detail` is a sentence for people."""
    return msgspec.json.encode(
        {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    )


def problem_ending(status: int, code: str, detail: str) -> Ending:
    """A whole answer with that document."""
    body = problem(status, code, detail)
    headers = ((b"content-type", KIND.encode()), (b"content-length", b"%d" % len(body)))
    return Ending(status, headers, body)
