"""Judge answers that were written down: one line of `o-switcher classify` in, one line out.

A line holds what the relay would have had: status, headers and body; the text of a stream; or the
name of the exception of an HTTP library. What an exception says is never looked at, only its type.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from tray_app.core import answer, quota
from tray_app.core.answer import Piece
from tray_app.core.buckets import Family, family_of, scope_word
from tray_app.core.classify import Judgement, judge
from tray_app.core.evidence import ACTION, Finding
from tray_app.core.providers import protocol_of
from tray_app.core.sse import EndWatch, Event, Sign, Splitter, sign_of
from tray_app.core.values import Action, ErrorClass, Head, Protocol, Scope, Verdict

_C, _S = ErrorClass, Scope


class BadLine(ValueError):
    """A line that is no answer; the message says why."""


class Line(msgspec.Struct):
    """An answer as it is written down. A `status` of None: there was none, and `exc` names what happened instead.

    `now` is when it was received: an ISO time (UTC where it names no zone), or seconds or milliseconds since the
    epoch. `phase` is `stream` for a stream; `nothing_delivered` says what came before a lone event or exception.
    """

    id: Any = None
    provider: str | None = None
    status: int | None = None
    headers: dict[str, Any] | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")
    now: str | float | None = None
    exc: str | None = None
    phase: str | None = None
    nothing_delivered: bool | None = None
    endpoint: str | None = None


class Judged(msgspec.Struct):
    """What a line means. `resets_at` is ms since the epoch: when the answer, or its window's calendar, says."""

    id: Any
    cls: str = msgspec.field(name="class")
    scope: str
    retry_after_s: float | None
    resets_at: int | None
    action: str
    reason: str


_decoder = msgspec.json.Decoder(Line, strict=False)


def read_line(text: bytes) -> Line:
    """Read one line of JSON.

    Raises:
        BadLine: it is no JSON object, or holds no answer.
    """
    try:
        line = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(str(error) or "the nesting has no end") from error
    if line.status is None and line.exc is None:
        line.exc = _exception_in(_text(line.body))
        if line.exc is None:
            raise BadLine("it has neither a status nor the name of an exception")
    if line.status is not None and not 100 <= line.status <= 999:
        raise BadLine(f"{line.status} is no HTTP status")
    return line


def judge_line(line: Line, now_s: float) -> Judged:
    """Judge what `line` holds. `now_s`, seconds since the epoch, is when it came unless the line says.

    Raises:
        BadLine: its time or its body cannot be read.
    """
    now_s = now_s if line.now is None else _instant(line.now)
    family = family_of(line.provider or "")
    judgement = _judge(line, family, now_s)
    verdict, scope = judgement.verdict, judgement.verdict.scope
    action = verdict.action
    if verdict.cls is _C.AUTH and line.status == 403 and line.endpoint and _PROBE.search(line.endpoint):
        scope, action = _S.NONE, Action.RETURN  # an inference key may not ask for balances; it is none the worse
    stated = judgement.stated_s
    return Judged(
        line.id,
        verdict.cls.value,
        scope_word(family, verdict.cls, scope),
        None if stated is None else round(stated, 6),
        _resets_at(verdict, stated, now_s),
        action.value,
        verdict.reason,
    )


_PROBE = re.compile(r"/(?:credits?|balance|billing|usages?|costs|key|quota|limits?)(?=[/?]|$)")
_TOTAL = re.compile(r"\btotal limit\b")


def _resets_at(verdict: Verdict, stated_s: float | None, now_s: float) -> int | None:
    now = round(now_s * 1000)
    if stated_s is not None:
        return now + round(stated_s * 1000)
    if verdict.action is not Action.PARK:
        return None
    words = verdict.message or ""
    return None if _TOTAL.search(words.lower()) else quota.spent_until(verdict, now)


def _instant(now: str | float) -> float:
    try:
        number = float(now)
    except ValueError:
        try:
            when = datetime.fromisoformat(str(now))
        except ValueError:
            raise BadLine(f"its time, {str(now)[:40]!r}, is none") from None
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    seconds = number / 1000 if number > 1e11 else number
    if not 0 <= seconds <= 1e11:
        raise BadLine(f"its time, {str(now)[:40]!r}, is none")
    return seconds


def _text(body: msgspec.Raw) -> bytes:
    """The body's bytes: of a text, what it spells; of anything else, its JSON."""
    raw = bytes(body)
    if raw == b"null":
        return b""
    try:
        return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadLine(f"its body: {error}") from error


def _judge(line: Line, family: Family, now_s: float) -> Judgement:
    if line.exc is not None and (line.status is None or line.status < 400):
        broken = _unreached(line.exc)
        after = line.phase == "stream" and not line.nothing_delivered
        return _mid_stream(Judgement(broken)) if after else Judgement(broken)
    headers = {name.lower(): _spelled(value) for name, value in (line.headers or {}).items() if value is not None}
    body = _text(line.body)
    status = line.status or 0
    if line.phase == "stream" and status < 400:
        if bytes(line.body).startswith(b"{"):  # one event, as JSON: what came before it is not there to be seen
            judgement = judge(line.provider or "", Head(200, headers, body), now_s)
            return judgement if line.nothing_delivered else _mid_stream(judgement)
        return _Stream(line, family, body).judged(headers, now_s)
    judgement = judge(line.provider or "", Head(status, headers, body), now_s)
    if judgement.verdict.cls is _C.OK and status == 200:
        return _looked_through(judgement, body, family)
    return judgement


def _spelled(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else str(value)


# -- no answer

_NAMED = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?([A-Z]\w*)(?:: |:?$)")
_NEVER_CONNECTED = re.compile(
    r"Connector|Connect(?:Error|Timeout)|ConnectionRefused|ConnectionTimeout|^ConnectionError|gaierror|NameResolution"
    r"|NewConnection|DNS|SSL|Certificate|Proxy|UnsupportedProtocol|InvalidURL"
)


def _exception_in(text: bytes) -> str | None:
    """The type's name in a text such as `httpx.ReadTimeout: `."""
    found = _NAMED.search(text[:200].decode("utf-8", "replace"))
    return found.group(1) if found else None


def _unreached(exc: str) -> Verdict:
    """By the exception's type. Names are those of httpx, aiohttp, requests, urllib3 and the standard library."""
    name = exc.rpartition(".")[2]
    scope = _S.ENVIRONMENT if _NEVER_CONNECTED.search(name) else _S.NONE
    if "timeout" in name.lower():
        cls, reason = _C.TIMEOUT, "the provider did not answer in time"
    elif scope is _S.ENVIRONMENT:
        cls, reason = _C.NETWORK, "no connection to the provider could be made"
    else:
        cls, reason = _C.NETWORK, "the connection to the provider broke"
    return Verdict(cls, scope, ACTION[cls], reason)


# -- streams, and answers that only look good


def _verdict_of(found: Finding, family: Family) -> Verdict:
    scope = found.scope
    if found.cls is _C.SERVER_ERROR and family.name == "openrouter":
        scope = _S.MODEL_PROVIDER  # an aggregator passes on what the model's provider failed to say
    return Verdict(found.cls, scope, found.action, found.reason)


def _looked_through(judgement: Judgement, body: bytes, family: Family) -> Judgement:
    """An answer without an error may still be none: filtered, starved, or with nothing in it."""
    found = answer.ending(_piece(body))
    return judgement if found is None else Judgement(_verdict_of(found, family))


def _mid_stream(inner: Judgement) -> Judgement:
    """The same after content was delivered: nothing can be taken back, but who is at fault stays at fault."""
    told = inner.verdict
    held = told.action if told.action in (Action.COOL, Action.PARK, Action.REAUTH) else Action.RETURN
    reason = f"the stream broke off after content: {told.reason}"
    return Judgement(replace(told, cls=_C.MID_STREAM_ERROR, action=held, reason=reason), inner.stated_s)


class _Stream:
    """The text of a stream, read as the relay would have."""

    def __init__(self, line: Line, family: Family, body: bytes) -> None:
        self._line = line
        self._family = family
        self._body = body
        self._delivered = line.nothing_delivered is False
        self._finish = ""

    def judged(self, headers: dict[str, str], now_s: float) -> Judgement:
        """What became of the stream. Its first error decides."""
        protocol = self._protocol()
        splitter = Splitter(protocol)
        for event in splitter.feed(self._body) + splitter.close():
            if sign_of(event) is Sign.ERROR:
                head = Head(200, headers, event.data or b"")
                inner = judge(self._line.provider or "", head, now_s)
                return _mid_stream(inner) if self._delivered else inner
            self._take(event)
        watch = EndWatch(protocol)
        watch.passed(self._body)
        return self._ended() if watch.whole else self._cut()

    def _protocol(self) -> Protocol:
        """By the address; else by what the events look like; else by the provider."""
        named = protocol_of(self._line.endpoint or "")
        if named is not Protocol.OTHER:
            return named
        if self._body.lstrip().startswith(b"{"):
            return Protocol.OLLAMA
        for mark, protocol in _MARKS:
            if mark.search(self._body):
                return protocol
        return Protocol.CHAT

    def _take(self, event: Event) -> None:
        piece = _piece(event.data or b"[DONE]")
        self._delivered = self._delivered or piece.says
        self._finish = piece.finish or self._finish

    def _ended(self) -> Judgement:
        found = answer.ending(Piece(self._delivered, self._finish))
        if found is None:
            return Judgement(Verdict(_C.OK, _S.NONE, Action.SERVE, "answered"))
        judgement = Judgement(_verdict_of(found, self._family))
        return _mid_stream(judgement) if found.action is Action.RETRY and self._delivered else judgement

    def _cut(self) -> Judgement:
        cut = Verdict(_C.NETWORK, _S.NONE, ACTION[_C.NETWORK], "the stream ended without its end")
        return _mid_stream(Judgement(cut)) if self._delivered else Judgement(cut)


_MARKS = (
    (re.compile(rb'"type": ?"(?:message_|content_block)'), Protocol.MESSAGES),
    (re.compile(rb'"type": ?"response\.'), Protocol.RESPONSES),
    (re.compile(rb'^data: ?\{"candidates"', re.MULTILINE), Protocol.GEMINI),
)


def _piece(data: bytes) -> Piece:
    """What an answer or an event that is no error holds. One that cannot be read counts as content."""
    if data.strip() in (b"", b"[DONE]"):
        return Piece(says=False)
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Piece(says=True)
    return answer.read(document)
