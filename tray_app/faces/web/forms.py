"""The forms of the pages: read whole, or refused.

A form that does something counts only with the session's cookie, which no other site's page can send, and with the
token that this session's pages bring along (`sessions.form_token`).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from tray_app.control.verbs import Refused

MAX_FORM = 16_384
_MOST_FIELDS = 25

Form = Mapping[str, str]


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        Refused: it is none, or too long.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused("bad_argument", "this address takes the forms of its own page")
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_FORM:
            raise Refused("bad_argument", f"the form is over {MAX_FORM} bytes")
    try:
        return dict(parse_qsl(data.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise Refused("bad_argument", "the form cannot be read") from error
