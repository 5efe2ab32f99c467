"""The client is kept alive while nobody has answered yet: its head goes out, and signs of life, nothing more.

Until then the status is the provider's own. Afterwards it is 200, profiles may still be changed until the first
real delta, and an end that is none is said by the protocol's own error event.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from tray_app.core import errorbody
from tray_app.core.alive import is_sse, sign_of_life
from tray_app.core.ending import stream_error
from tray_app.core.values import Call, Headers, Protocol
from tray_app.proxy.deadlines import Deadlines
from tray_app.proxy.heads import marks
from tray_app.proxy.listener import Exchange
from tray_app.proxy.relay import Answer, Body

HOLD_S = 10.0  # so long the client waits for a head: well within what any of them takes
BEAT_S = 10.0
_HEAD: Headers = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


class Patience:
    """Signs of life for one exchange. Make it where the wait begins, `stop` it where it ends."""

    def __init__(self, call: Call, exchange: Exchange, deadlines: Deadlines) -> None:
        self._call = call
        self._exchange = exchange
        self._deadlines = deadlines
        self._wait_s = HOLD_S if call.stream else 0.0  # for how long it waits; 0: not at all
        if call.stream:
            deadlines.add(self, HOLD_S)

    def ring(self) -> None:
        """The client has waited for long: a sign of life."""
        exchange, call = self._exchange, self._call
        self._wait_s = 0.0
        if exchange.complete or not is_sse(call) or exchange.version == "1.0":
            return
        if not exchange.begun:
            exchange.begin(200, _HEAD + marks(call.id), sign_of_life(call))
        elif not exchange.slow:
            exchange.write(sign_of_life(call))
        self._wait_s = BEAT_S
        self._deadlines.add(self, BEAT_S)

    def stop(self) -> None:
        """The wait is over."""
        if self._wait_s:
            self._deadlines.drop(self, self._wait_s)
            self._wait_s = 0.0


def after_all(answer: Answer, call: Call) -> Body:
    """The body of `answer` for a client that has been given another head already: 200, and a stream of plain events."""
    heads = dict(answer.headers)
    kind, encoding = heads.get(b"content-type", b"").lower(), heads.get(b"content-encoding", b"").lower()
    body = _Whole(answer.body) if isinstance(answer.body, bytes) else answer.body
    if answer.status < 300 and b"json" in kind and call.protocol is Protocol.CHAT and not encoding:
        return _Restreamed(body, call)
    if answer.status >= 300 or b"event-stream" not in kind:
        return _Told(body, call)
    if encoding in (b"", b"identity"):
        return body
    return _Unpacked(body, encoding, call)


class _Whole:
    """A body that is all there."""

    cut = False
    through: Callable[[bytes], bool] | None = None

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.over = False

    async def read(self) -> bytes:
        self.over = True
        return self._data

    def slow(self) -> None: ...

    def close(self) -> None: ...


async def _all_of(body: Body) -> bytes:
    parts = [await body.read()]
    while not body.over:
        parts.append(await body.read())
    return b"".join(parts)


class _Told:
    """An answer that is no stream, as the protocol's error event."""

    cut = True
    over = False
    through: Callable[[bytes], bool] | None = None

    def __init__(self, body: Body, call: Call) -> None:
        self._body = body
        self._call = call

    async def read(self) -> bytes:
        said = errorbody.read(await _all_of(self._body))
        self.over = True
        return stream_error(self._call.protocol, said.message or "the provider gave no answer", self._call.id)

    def slow(self) -> None:
        self._body.slow()

    def close(self) -> None:
        self._body.close()


class _Restreamed:
    """A whole answer to a chat, though a stream was asked for: as one chunk."""

    through: Callable[[bytes], bool] | None = None

    def __init__(self, body: Body, call: Call) -> None:
        self._body = body
        self._call = call
        self.cut = False
        self.over = False

    async def read(self) -> bytes:
        whole = await _all_of(self._body)
        self.cut, self.over = self._body.cut, True
        try:
            document = msgspec.json.decode(whole, type=dict[str, Any])
            choices = document["choices"]
            for choice in choices:
                choice["delta"] = choice.pop("message", {})
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            self.cut = True
            words = "O-Switcher: the provider did not answer as a stream"
            return stream_error(self._call.protocol, words, self._call.id)
        document["object"] = "chat.completion.chunk"
        return b"data: " + msgspec.json.encode(document) + b"\n\ndata: [DONE]\n\n"

    def slow(self) -> None:
        self._body.slow()

    def close(self) -> None:
        self._body.close()


class _Unpacked:
    """A compressed stream for a client that was told of none."""

    through: Callable[[bytes], bool] | None = None

    def __init__(self, body: Body, encoding: bytes, call: Call) -> None:
        self._body = body
        self._call = call
        known = encoding in (b"gzip", b"x-gzip", b"deflate")
        self._unpacker = zlib.decompressobj(wbits=31 if b"gzip" in encoding else 15) if known else None
        self.cut = False
        self.over = False

    async def read(self) -> bytes:
        data = await self._body.read()
        self.cut, self.over = self._body.cut, self._body.over
        try:
            if self._unpacker is None:
                raise zlib.error("unknown encoding")  # noqa: TRY301 - the same end for both
            plain = self._unpacker.decompress(data)
            if self.over and not self.cut and not self._unpacker.eof:
                raise zlib.error("it ends too early")  # noqa: TRY301
            return plain
        except zlib.error:
            self.cut = self.over = True
            words = "the provider's stream is compressed in a way that cannot be read"
            return stream_error(self._call.protocol, f"O-Switcher: {words}", self._call.id)

    def slow(self) -> None:
        self._body.slow()

    def close(self) -> None:
        self._body.close()
