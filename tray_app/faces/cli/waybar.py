"""The state as a status bar wants it: one line of JSON in the shape of waybar's custom modules. Pure.

Other bars read the same shape. `class` is the app's state, for the style sheet; `percentage` is what is left
of the serving profile's allowance, for icons: 100 where no limit is known, 0 where nobody serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import msgspec


def waybar_line(status: Mapping[str, Any]) -> str:
    """The line for what `/api/v1/status` shows. Bars read markup, so names are escaped."""
    active = status["active"]
    serving = next((one for one in status["profiles"] if one["id"] == active), None)
    line = {
        "text": escape(active or str(status["state"]).replace("_", " ")),
        "alt": status["state"],
        "tooltip": escape("\n".join([status["headline"], *map(_profile_line, status["profiles"])])),
        "class": status["state"],
        "percentage": _left(serving),
    }
    return msgspec.json.encode(line).decode()


def _profile_line(profile: Mapping[str, Any]) -> str:
    said = (profile["state"], profile["rest"], profile["quota"])
    return f"{profile['id']}: {', '.join(part for part in said if part)}"


def _left(serving: Mapping[str, Any] | None) -> int:
    if serving is None:
        return 0
    used = serving["used_percent"]
    return 100 if used is None else round(100 - used)
