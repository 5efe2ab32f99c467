"""Take out of a text whatever may be a key, before it is shown or written anywhere."""

from __future__ import annotations

import re

_KEYLIKE = re.compile(
    r"(?i)(?:bearer\s+)?(?:\b(?:sk|pk|rk|gsk|xai|csk|fw|hf|ghp|gho|github_pat|osw|key|tok|eyJ)[-_][A-Za-z0-9_\-.*]{6,}"
    r"|\bAIza[0-9A-Za-z_\-]{10,}|\beyJ[A-Za-z0-9_\-]{10,}(?:\.[A-Za-z0-9_\-]+)*"
    r"|\b(?=[A-Za-z0-9_\-]*\d)(?=[A-Za-z0-9_\-]*[A-Za-z])[A-Za-z0-9_\-]{28,}\b)"
)
_BEARER = re.compile(r"(?i)\bbearer\s+[^\s\"',;]{6,}")
_IN_URL = re.compile(r"(?i)([?&](?:key|api_key|apikey|token|access_token)=)[^&\s\"']+|(//)[^/@\s]+:[^/@\s]+@")
LIMIT = 200


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `[key]`."""
    text = _IN_URL.sub(lambda found: (found.group(1) or found.group(2)) + "[key]", text)
    return _KEYLIKE.sub("[key]", _BEARER.sub("[key]", text))


def brief(text: str | None) -> str | None:
    """One redacted line of at most 200 characters, or None."""
    if not text:
        return None
    line = " ".join(redact(text[:2000]).split())
    return line if len(line) <= LIMIT else line[: LIMIT - 1] + "…"
