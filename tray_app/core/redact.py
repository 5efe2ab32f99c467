"""Take out of a text whatever may be a key, before it is shown or written anywhere."""

from __future__ import annotations

import re

LIMIT = 200
LOOK_AT = 2000  # characters of a text that can still reach the first `LIMIT`

# What keys begin with: OpenAI and many others, Groq, xAI, Cerebras, Together, Fireworks, Hugging Face, GitHub,
# NVIDIA, Perplexity, Replicate, ours; and those that say what they are.
_PREFIXED = re.compile(
    r"(?i)\b(?:sk|pk|rk|gsk|xai|csk|tgp|fw|hf|gh[oprsu]|github_pat|nvapi|pplx|r8|osw|key|tok)[-_]([A-Za-z0-9_\-.*]{6,})"
)
_SHAPED = re.compile(
    r"\bAIza[0-9A-Za-z_\-]{10,}|\bAQ\.[0-9A-Za-z_\-]{20,}|\bya29\.[0-9A-Za-z_\-.]{10,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\beyJ[A-Za-z0-9_\-]{10,}(?:\.[A-Za-z0-9_\-]+)*"
)
_NAMED = re.compile(
    r"(?i)(\b(?:x-api-key|x-goog-api-key|api[-_]?key|authorization|access_token)[\"']?\s*[:=]\s*[\"']?)"
    r"((?:bearer |basic )?[^\s\"',;&]{6,})"
)
_BEARER = re.compile(r"(?i)\bbearer\s+([^\s\"',;]{6,})")
_IN_QUERY = re.compile(r"(?i)([?&](?:key|api_key|apikey|token|access_token)=)[^&\s\"']+")
_USERINFO = re.compile(r"//[^/@\s]+@")
_LONG = re.compile(r"[A-Za-z0-9_\-]{28,}(?:\.[A-Za-z0-9_\-]{6,})*")
# Ids of requests and answers are as long as keys, and are what a provider's support asks for.
_ID = re.compile(r"(?:req|request|chatcmpl|cmpl|gen|msg|resp|call|toolu|org|proj|user|run|batch|file|acct)[-_]")
_HIDDEN = "[key]"


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `[key]`."""
    text = _IN_QUERY.sub(rf"\1{_HIDDEN}", _USERINFO.sub(f"//{_HIDDEN}@", text))
    text = _NAMED.sub(lambda found: found[1] + (_HIDDEN if _is_value(found[2]) else found[2]), text)
    text = _BEARER.sub(lambda found: _HIDDEN if _is_random(found[1]) else found[0], text)
    text = _PREFIXED.sub(lambda found: _HIDDEN if _is_random(found[1]) else found[0], text)
    return _LONG.sub(lambda found: _HIDDEN if _is_long_key(found[0]) else found[0], _SHAPED.sub(_HIDDEN, text))


def _is_value(text: str) -> bool:
    """Whether what stands after a header's name is its value, not the next word of a sentence."""
    return " " in text or _is_random(text)


def _is_random(text: str) -> bool:
    """Whether `text`, where a key may stand, is more than a word."""
    return any(mark.isdigit() or mark == "*" for mark in text) or _longest_piece(text) >= 16


def _is_long_key(text: str) -> bool:
    """Whether a long run of letters and digits is a key, not a model's name, an id or a compound word."""
    return not _ID.match(text) and any(_is_drawn(piece) for piece in _pieces(text))


def _is_drawn(piece: str) -> bool:
    """Whether `piece` is drawn by lot: letters and digits mixed, or capitals strewn in as no word has them."""
    capitals, digits = sum(map(str.isupper, piece)), sum(map(str.isdigit, piece))
    if 0 < digits < len(piece):
        return len(piece) >= 16 or (len(piece) >= 8 and 0 < capitals < len(piece) - digits)
    return len(piece) >= 16 and len(piece) / 4 < capitals < len(piece) * 3 / 4


def _pieces(text: str) -> list[str]:
    return re.split(r"[-_.]", text)


def _longest_piece(text: str) -> int:
    return max(map(len, _pieces(text)))


def printable(text: str) -> str:
    """`text` with a blank for whatever is not seen but done: what steers a terminal, or turns words round."""
    return text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)


def brief(text: str | None) -> str | None:
    """One redacted and printable line of at most 200 characters, or None."""
    if not text:
        return None
    line = " ".join(redact(printable(text[:LOOK_AT])).split())
    return line if len(line) <= LIMIT else line[: LIMIT - 1] + "…"
