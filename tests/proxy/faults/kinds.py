"""The kinds of fault, each a generator of variants: what a provider plays, and what that amounts to.

A variant is made for a speaker, so that it can be seen whose answer the client has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from tests.proxy.faults import answers
from tests.proxy.faults.answers import PIECES, TEXT, content_type, error, error_event, events
from tests.proxy.faults.oracle import Effect, Kind, judged
from tests.proxy.faults.stage import End, Play
from tests.proxy.faults.wires import Framing, Wire, answer, packed, wire
from tray_app.core.values import ErrorClass, Protocol

CUTS = 12  # byte positions of each answer
BOM = b"\xef\xbb\xbf"
_C = ErrorClass

Made = tuple[Play, Effect]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a fault shows. `make` is told who speaks."""

    name: str
    make: Callable[[str], Made]


Kinds = Callable[[Protocol, bool], Iterator[Variant]]


def parts_of(protocol: Protocol, who: str, *, stream: bool) -> list[bytes]:
    """The body of a good answer, in the pieces in which it is sent."""
    return events(protocol, who) if stream else [answers.whole(protocol, who)]


def good(protocol: Protocol, who: str, *, stream: bool) -> Made:
    """An answer without any fault."""
    return whole(answer(protocol, parts_of(protocol, who, stream=stream), stream=stream))


def rest(protocol: Protocol, who: str, body: bytes) -> Play:
    """What a model says that is asked to go on with what it is shown of its answer."""
    shown = max((text for text in _texts(json.loads(body)) if text and TEXT.startswith(text)), key=len, default="")
    left = TEXT[len(shown) :]
    half = len(left) // 2
    pieces = [piece for piece in (left[:half], left[half:]) if piece]
    return Play((answer(protocol, events(protocol, who, pieces), stream=True).data,))


def _texts(document: object) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from _texts(value)


def refusal(protocol: Protocol) -> Made:
    """A key that is refused."""
    body = json.dumps(error(protocol, 401, "authentication_error", "invalid api key")).encode()
    sent = wire([body], "application/json", Framing.LENGTH, status=401)
    return Play((sent.data,)), Effect(Kind.BAD, _C.AUTH, body=body, status=401, http_status=401)


def whole(sent: Wire, end: End = End.OPEN, *packets: bytes) -> Made:
    """A whole answer, in one packet or in those."""
    return Play(packets or (sent.data,), end), Effect(Kind.GOOD, body=sent.body, counted=True)


def _played(protocol: Protocol, sent: Wire, size: int, end: End, *, stream: bool, packets: int = 1) -> Made:
    """The first `size` bytes of a good answer, and that end."""
    data = sent.data[:size]
    step = -(-size // packets) or 1
    cut = tuple(data[at : at + step] for at in range(0, size, step))
    arrived = sent.arrived(size, closed=end is End.FIN)
    return Play(cut, end), judged(protocol, arrived, end, stream=stream)


def positions(size: int, count: int = CUTS) -> list[int]:
    """So many places within `size` bytes, the last before the last byte."""
    return [1 + (size - 2) * at // (count - 1) for at in range(count)]


# -- errors that are told


REFUSALS = (
    (400, "invalid_request_error", "a field is missing", _C.BAD_REQUEST),
    (400, "invalid_request_error", "maximum context length is 8192 tokens", _C.CONTEXT_LENGTH),
    (401, "authentication_error", "invalid api key", _C.AUTH),
    (402, "billing_error", "insufficient credits", _C.QUOTA_EXHAUSTED),
    (403, "permission_error", "this key may not be used here", _C.AUTH),
    (404, "not_found_error", "model m-1 not found", _C.MODEL_UNAVAILABLE),
    (413, "request_too_large", "the request is too large", _C.BAD_REQUEST),
    (422, "unprocessable", "that cannot be processed", _C.BAD_REQUEST),
    (429, "rate_limit_error", "rate limit reached", _C.RATE_LIMITED),
    (429, "insufficient_quota", "you exceeded your current quota, check your plan", _C.QUOTA_EXHAUSTED),
    (500, "server_error", "it failed", _C.SERVER_ERROR),
    (502, "bad_gateway", "bad gateway", _C.SERVER_ERROR),
    (503, "unavailable", "unavailable now", _C.OVERLOADED),
    (504, "timeout", "timed out", _C.TIMEOUT),
    (529, "overloaded_error", "overloaded", _C.OVERLOADED),
)
INSIDE = tuple(one for one in REFUSALS if one[0] not in (403, 413, 422, 502, 503))  # in a stream only words tell


def _hint(status: int) -> str:
    """A limit says when it ends, and not so soon that it is waited for."""
    return "retry-after: 120\r\n" if status == 429 else ""


def statuses(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """Each class of error, as a status with the protocol's own body, and as a gateway's page."""
    for status, kind, words, cls in REFUSALS:
        body = json.dumps(error(protocol, status, kind, words)).encode()
        sent = wire([body], "application/json", Framing.LENGTH, status=status, headers=_hint(status))
        effect = Effect(Kind.BAD, cls, body=body, status=status, http_status=status)
        yield Variant(f"{status} {cls.value}", _always(Play((sent.data,)), effect))
    for status, cls in ((500, _C.SERVER_ERROR), (502, _C.SERVER_ERROR), (503, _C.OVERLOADED)):
        page = b"<html><title>Bad gateway</title></html>"
        sent = wire([page], "text/html", Framing.CLOSE, status=status)
        effect = Effect(Kind.BAD, cls, body=page, status=status, http_status=status)
        yield Variant(f"{status} as a web page", _always(Play((sent.data,), End.FIN), effect))
    cut = wire([b'{"error":{"mess'], "application/json", Framing.LENGTH, status=500, length=400)
    effect = Effect(Kind.BAD, _C.SERVER_ERROR, body=cut.body, status=500, http_status=500)
    yield Variant("500 whose words are cut", _always(Play((cut.data,), End.RST), effect))


def _always(play: Play, effect: Effect) -> Callable[[str], Made]:
    return lambda _: (play, effect)


def _inner(protocol: Protocol, status: int, cls: ErrorClass, body: bytes) -> Effect:
    """An error inside a 200; Ollama's is but words, so most kinds of it look alike."""
    if protocol is Protocol.OLLAMA and cls not in (_C.RATE_LIMITED, _C.CONTEXT_LENGTH):
        cls, status = _C.SERVER_ERROR, 500
    return Effect(Kind.BAD, cls, body=body, status=status)


def error_bodies(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """Errors as the JSON body of a 200."""
    for status, kind, words, cls in _telling(protocol):
        body = json.dumps(error(protocol, status, kind, words)).encode()
        sent = wire([body], "application/json", Framing.LENGTH, headers=_hint(status))
        effect = _inner(protocol, status, cls, body)
        yield Variant(f"{status} {cls.value}", _always(Play((sent.data,)), effect))


def _telling(protocol: Protocol) -> Iterator[tuple[int, str, str, ErrorClass]]:
    for status, kind, words, cls in INSIDE:
        if protocol is not Protocol.OLLAMA or cls in (_C.RATE_LIMITED, _C.SERVER_ERROR, _C.CONTEXT_LENGTH):
            yield status, kind, words, cls


def _lasting(cls: ErrorClass) -> ErrorClass:
    """What an error after content is taken for: only a limit says something of the profile."""
    limits = (_C.RATE_LIMITED, _C.QUOTA_EXHAUSTED, _C.AUTH)
    return cls if cls in limits else _C.MID_STREAM_ERROR


def error_events(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """Errors as events of a stream, before and after content; what is not streamed has an error with its choices."""
    if not stream:
        return
    told = events(protocol, "a")
    first_text = next(at for at, one in enumerate(told) if PIECES[0].encode() in one)
    for status, label, words, cls in _telling(protocol):
        event = error_event(protocol, status, label, words)
        if protocol is Protocol.RESPONSES and cls is not _C.SERVER_ERROR:
            event = answers.failed_response(label, words)
        data = event.strip().rpartition(b"data: ")[2]
        for at in sorted({0, first_text}):
            play, _ = _failing(protocol, told[:at], event, status)
            yield Variant(f"{cls.value} after {at} events", _always(play, _inner(protocol, status, cls, data)))
        for at in (first_text + 1, first_text + 3):
            play, body = _failing(protocol, told[:at], event, status)
            broken = Effect(Kind.ERROR, _lasting(cls), body=body, before=b"".join(told[:at]))
            yield Variant(f"{cls.value} after content, {at} events", _always(play, broken))


def _failing(protocol: Protocol, told: list[bytes], event: bytes, status: int) -> tuple[Play, bytes]:
    sent = wire([*told, event], content_type(protocol, stream=True), headers=_hint(status))
    return Play((sent.data,)), sent.body


# -- answers that break off


def cuts(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """The connection ends at each of so many places, in each framing, in order or torn down."""
    for framing, end in product(Framing, (End.FIN, End.RST)):
        for at in range(CUTS):
            yield Variant(f"{framing.value}, {end.value}, place {at}", _cut(protocol, framing, end, at, stream))


def _cut(protocol: Protocol, framing: Framing, end: End, at: int, stream: bool) -> Callable[[str], Made]:
    def make(who: str) -> Made:
        sent = answer(protocol, parts_of(protocol, who, stream=stream), stream=stream, framing=framing)
        size = positions(len(sent.data))[at]
        return _played(protocol, sent, size, end, stream=stream, packets=1 + at % 3)

    return make


def premature_ends(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """The body ends in order at each of so many places, as if it were whole."""
    for at, framing in product(range(CUTS), (Framing.CHUNKED, Framing.LENGTH)):

        def make(who: str, at: int = at, framing: Framing = framing) -> Made:
            body = b"".join(parts_of(protocol, who, stream=stream))
            sent = answer(protocol, [body[: positions(len(body))[at]]], stream=stream, framing=framing)
            return _played(protocol, sent, len(sent.data), End.OPEN, stream=stream)

        yield Variant(f"{framing.value}, place {at}", make)
    for last in range(1, 4):
        if stream:

            def fewer(who: str, last: int = last) -> Made:
                sent = answer(protocol, parts_of(protocol, who, stream=True)[:-last], stream=True)
                return _played(protocol, sent, len(sent.data), End.OPEN, stream=True)

            yield Variant(f"without the last {last} events", fewer)


def hangs(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """The provider goes silent: before its head, after it, and at places in the body. For an impatient app."""
    for at in range(CUTS):

        def make(who: str, at: int = at) -> Made:
            sent = answer(protocol, parts_of(protocol, who, stream=stream), stream=stream)
            head = len(sent.head)
            places = [0, head // 2, head, *(head + one for one in positions(len(sent.data) - head - 5, CUTS - 3))]
            return _played(protocol, sent, places[at], End.SILENT, stream=stream)

        yield Variant(f"place {at}", make)


def drips(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """An answer that takes longer than any silence is borne, but is never silent so long. For an impatient app."""
    for pieces in (30, 50):

        def make(who: str, pieces: int = pieces) -> Made:
            sent = answer(protocol, parts_of(protocol, who, stream=stream), stream=stream)
            play, effect = _played(protocol, sent, len(sent.data), End.OPEN, stream=stream, packets=pieces)
            return replace(play, pause_s=1.7 / pieces), effect

        yield Variant(f"in {pieces} pieces", make)


def wrong_lengths(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """A content-length that is more, or less, than what comes."""
    for more, end in product((1, 7, 5000), (End.FIN, End.RST)):

        def longer(who: str, more: int = more, end: End = end) -> Made:
            parts = parts_of(protocol, who, stream=stream)
            size = sum(map(len, parts)) + more
            sent = wire(parts, content_type(protocol, stream=stream), Framing.LENGTH, length=size)
            effect = judged(protocol, replace(sent.arrived(len(sent.data)), complete=False), end, stream=stream)
            return Play((sent.data,), end), effect

        yield Variant(f"{more} too many, {end.value}", longer)
    for at in range(CUTS):

        def shorter(who: str, at: int = at) -> Made:
            body = b"".join(parts_of(protocol, who, stream=stream))
            size = positions(len(body))[at]
            sent = wire([body], content_type(protocol, stream=stream), Framing.LENGTH, length=size)
            arrived = replace(sent.arrived(len(sent.head) + size), complete=True)
            return Play((sent.data,)), judged(protocol, arrived, End.OPEN, stream=stream)

        yield Variant(f"only {at}/{CUTS}", shorter)


def no_answers(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """The connection ends, and not a byte has come."""
    for end in (End.FIN, End.RST):
        effect = Effect(Kind.BAD, _C.NETWORK, ambiguous=True, http_status=None)
        yield Variant(end.value, _always(Play((), end), effect))


# -- answers that are none


def garbage(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """What is no HTTP, and bodies of which nothing can be read."""
    no_http = Effect(Kind.BAD, _C.SERVER_ERROR, ambiguous=True, http_status=None)
    for words in (b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x02\x00", b"HTTP/1.1 200\r\n\x00\x00: x\r\n\r\n"):
        yield Variant(f"{words[:12]!r}", _always(Play((words,), End.FIN), no_http))
    huge = b"HTTP/1.1 200 OK\r\n" + b"x-more: " + b"y" * 70_000 + b"\r\n\r\n"
    yield Variant("a head that is too large", _always(Play((huge,), End.FIN), no_http))
    nothing = Effect(Kind.BAD, _C.SERVER_ERROR, ambiguous=True)
    kind = content_type(protocol, stream=stream)
    for name, body in (("bytes", bytes(range(128, 250)) * 3), ("words", b"the server is on fire\n\n")):
        sent = wire([body], kind)
        yield Variant(name, _always(Play((sent.data,)), nothing))
    broken = Play((b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" % kind.encode(),))
    yield Variant("a chunk's size that is none", _always(broken, nothing))


def packed_badly(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """gzip: whole, cut and spoilt. It is passed on packed, and looked into all the same."""

    def made(who: str, spoil: Callable[[bytes], bytes], *, is_good: bool) -> Made:
        data = spoil(packed(b"".join(parts_of(protocol, who, stream=stream))))
        kind = content_type(protocol, stream=stream)
        sent = wire([data], kind, Framing.LENGTH, headers="content-encoding: gzip\r\n")
        if is_good:
            return Play((sent.data,)), Effect(Kind.GOOD, body=data, packed=True)
        return Play((sent.data,)), Effect(Kind.BAD, _C.SERVER_ERROR, ambiguous=True)

    yield Variant("whole", lambda who: made(who, lambda data: data, is_good=True))
    yield Variant("cut in the middle", lambda who: made(who, lambda data: data[: len(data) // 2], is_good=False))
    yield Variant("spoilt from the start", lambda who: made(who, lambda data: b"\0" * 9 + data[9:], is_good=False))
    yield Variant("spoilt in the middle", lambda who: made(who, _spoilt, is_good=False))


def _spoilt(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 40]) + data[middle + 40 :]


def web_pages(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """A web page with status 200, as gateways and log-in pages have it."""
    page = b"<!doctype html>\n<html><head><title>Log in</title></head><body><p>error</p></body></html>"
    effect = Effect(Kind.BAD, _C.SERVER_ERROR, ambiguous=True)
    labels = ("text/html", "text/html; charset=utf-8", content_type(protocol, stream=stream))
    for label, framing in product(labels, Framing):
        play = Play((wire([page], label, framing).data,), End.FIN if framing is Framing.CLOSE else End.OPEN)
        yield Variant(f"{label}, {framing.value}", _always(play, effect))


def empty(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """Answers without content: an empty completion, nothing but life, nothing at all."""
    effect = Effect(Kind.BAD, _C.SERVER_ERROR, ambiguous=True)
    kind = content_type(protocol, stream=stream)
    bodies = {"nothing": [], "blanks": [b"\n\n\n"]}
    if not stream:
        bodies["an empty completion"] = [answers.whole(protocol, "x", "")]
    else:
        bodies["an empty completion"] = events(protocol, "x", ())
        bodies["an opening alone"] = events(protocol, "x", ())[:-2]
        if protocol is not Protocol.OLLAMA:
            bodies["comments"] = [b": processing\n\n"] * 3
    for (name, parts), framing in product(bodies.items(), Framing):
        play = Play((wire([one for one in parts if one], kind, framing).data,))
        play = replace(play, end=End.FIN if framing is Framing.CLOSE else End.OPEN)
        yield Variant(f"{name}, {framing.value}", _always(play, effect))


# -- answers that only look odd


def splits(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """Two packets, split at every byte; and every byte a packet of its own."""
    sent = answer(protocol, parts_of(protocol, "a", stream=stream), stream=stream)
    data = sent.data
    for at in range(1, len(data)):
        yield Variant(f"at byte {at}", _always(*whole(sent, End.OPEN, data[:at], data[at:])))
    single = tuple(data[at : at + 1] for at in range(len(data)))
    yield Variant("at each byte", _always(*whole(sent, End.OPEN, *single)))


def line_ends(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """CRLF, and CR alone, in one packet and split within each line end."""
    for name, line_end in (("CRLF", b"\r\n"), ("CR", b"\r")):
        if not stream or (line_end == b"\r" and protocol is Protocol.OLLAMA):
            continue  # JSON lines end with line feeds
        sent = answer(protocol, [part.replace(b"\n", line_end) for part in events(protocol, "a")], stream=True)
        yield Variant(name, _always(*whole(sent)))
        ends = [at for at in range(len(sent.head), len(sent.data)) if sent.data[at : at + 1] == b"\r"]
        for at in ends:
            yield Variant(
                f"{name} split at {at}", _always(*whole(sent, End.OPEN, sent.data[: at + 1], sent.data[at + 1 :]))
            )


def byte_order_marks(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """A mark before the first event, whole and split."""
    if protocol is Protocol.OLLAMA:
        return  # JSON has none
    first, *rest = parts_of(protocol, "a", stream=stream)
    sent = answer(protocol, [BOM + first, *rest], stream=stream, framing=Framing.LENGTH)
    for at in range(4):
        size = len(sent.head) + at
        yield Variant(f"split at {at}", _always(*whole(sent, End.OPEN, sent.data[:size], sent.data[size:])))


def doubled_ends(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """The terminator twice: the client is given no more of them than the provider gave."""
    if not stream:
        return
    told = events(protocol, "a")
    for framing in Framing:
        sent = answer(protocol, [*told, told[-1]], stream=True, framing=framing)
        play = Play((sent.data,), End.FIN if framing is Framing.CLOSE else End.OPEN)
        effect = Effect(Kind.GOOD, body=sent.body, packed=True)  # what stands in it twice is told twice
        yield Variant(f"{framing.value}", _always(play, effect))


def interim_answers(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """100 Continue and its like before the answer."""
    sent = answer(protocol, parts_of(protocol, "a", stream=stream), stream=stream)
    proceed, hints = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    for before in ((proceed,), (hints,), (proceed, proceed), (proceed, hints)):
        said = b"".join(before)
        yield Variant(f"{len(before)} in one packet", _always(*whole(sent, End.OPEN, said + sent.data)))
        yield Variant(f"{len(before)} in several", _always(*whole(sent, End.OPEN, *before, sent.data)))
        yield Variant("split", _always(*whole(sent, End.OPEN, said[:9], said[9:-2], said[-2:] + sent.data)))


def surplus(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """More than the answer, in its last packet: trailers, stray bytes, a second answer. They are no part of it."""
    second = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nagain"
    for framing, more in product((Framing.CHUNKED, Framing.LENGTH), (b"\r\n", b"0\r\n\r\n", b"data: x\n\n", second)):
        sent = answer(protocol, parts_of(protocol, "a", stream=stream), stream=stream, framing=framing)
        yield Variant(f"{framing.value}, {more[:8]!r}", _always(*whole(sent, End.OPEN, sent.data + more)))
    sent = answer(protocol, parts_of(protocol, "a", stream=stream), stream=stream)
    for trailer in (b"x-late: yes", b"content-encoding: gzip", b"content-type: text/html\r\nx-o-switcher-attempts: 9"):
        data = sent.data.removesuffix(b"\r\n") + trailer + b"\r\n\r\n"
        yield Variant(f"trailer {trailer[:14]!r}", _always(*whole(sent, End.OPEN, data)))


def giants(protocol: Protocol, stream: bool) -> Iterator[Variant]:
    """A line of a megabyte that is whole, and one that never ends."""
    text = "giant " * 170_000
    if stream:
        pieces = [*PIECES[:-1], text, PIECES[-1]]
        big = events(protocol, "a", pieces)
        sent = answer(protocol, big, stream=True)
    else:
        sent = answer(protocol, [answers.whole(protocol, "a", text)], stream=False)
    yield Variant("whole", _always(Play((sent.data,)), Effect(Kind.GOOD, body=sent.body, packed=True)))
    if stream:
        endless = wire([b'data: {"x":"' + b"y" * 100_000], content_type(protocol, stream=True))
        nothing = Effect(Kind.BAD, _C.NETWORK, ambiguous=True)
        yield Variant("without an end", _always(Play((endless.data[:-20],), End.FIN), nothing))
        return
    size = len(sent.data) * 2 // 3  # far more than is held back: the client has some of it
    arrived = sent.arrived(size)
    effect = Effect(Kind.BROKEN, _C.NETWORK, body=arrived.body, streamed=False)
    yield Variant("cut after it was passed on", _always(Play((sent.data[:size],), End.RST), effect))


ALL: dict[str, Kinds] = {
    "an error as a status": statuses,
    "an error as the body of a 200": error_bodies,
    "an error as an event": error_events,
    "cut": cuts,
    "a premature end": premature_ends,
    "a hang": hangs,
    "a slow drip": drips,
    "a wrong content-length": wrong_lengths,
    "a connection that ends without an answer": no_answers,
    "garbage": garbage,
    "gzip": packed_badly,
    "a web page": web_pages,
    "an empty answer": empty,
    "packets split at every byte": splits,
    "line ends": line_ends,
    "a byte order mark": byte_order_marks,
    "a doubled terminator": doubled_ends,
    "100 Continue": interim_answers,
    "more than an answer": surplus,
    "a giant line": giants,
}
IMPATIENT = frozenset({"a hang", "a slow drip"})
