"""One attempt: a call sent to one profile's provider. Failures become values.

The only place where a raw key stands beside a request, for the one statement that writes the head.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import httptools
from msgspec import Struct

from tray_app.core.address import BadAddress, Base, Origin, base_of
from tray_app.core.providers import KeyHeader, Provider
from tray_app.core.values import Call, ErrorClass, Headers, Profile, Unreachable
from tray_app.proxy.deadlines import Deadlines
from tray_app.proxy.http1 import QUICK_READ, READ, SLOW_READ, Connection, Patience, Response, Room, Stale
from tray_app.proxy.network import Gateway, gateway_for, tls_context

KEEP_IDLE_S = 60.0
LEADS_KEPT = 64
Secret = Callable[[Profile], str | None]


class Timeouts(Struct, frozen=True):
    """Seconds. `total_non_stream` bounds an answer that is not streamed from start to end."""

    connect: float = 10.0
    first_byte: float = 120.0
    idle: float = 300.0
    total_non_stream: float = 600.0


class _Way(Struct, frozen=True):
    """How a base URL is reached. `leads` are beginnings of heads: those of a client's requests come again and again."""

    base: Base
    gateway: Gateway | None
    leads: dict[tuple[str, str, bytes, Headers], bytes]

    def lead(self, call: Call) -> bytes:
        """The head of `call` without the length of its body and the key."""
        key = (call.method, call.path, call.query, call.headers)
        found = self.leads.get(key)
        if found is None:
            if len(self.leads) >= LEADS_KEPT:
                self.leads.clear()
            found = self.leads[key] = self._spelled(call)
        return found

    def _spelled(self, call: Call) -> bytes:
        origin = self.base.origin
        target = self.base.path + call.path.encode("latin-1") + (b"?" + call.query if call.query else b"")
        if self.gateway is not None and not origin.tls:
            target = str(origin).encode() + target
        lines = [b"%b %b HTTP/1.1" % (call.method.encode(), target), b"host: " + origin.authority]
        return b"\r\n".join([*lines, *(name + b": " + value for name, value in call.headers), b""])


class Upstream:
    """Keeps connections to providers and sends calls over them. `secret` gives a profile's key or None."""

    def __init__(
        self,
        secret: Secret,
        providers: Callable[[], Mapping[str, Provider]],
        timeouts: Callable[[], Timeouts],
    ) -> None:
        self._secret = secret
        self._providers = providers
        self._timeouts = timeouts
        self._idle: dict[Origin, list[Connection]] = {}
        self._all: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._room = Room(READ)
        self._deadlines = Deadlines()
        self._ways: dict[str, _Way] = {}  # by base URL
        self._limits = _limits(timeouts())

    async def send(self, call: Call, profile: Profile) -> Response | Unreachable:
        """Send `call` with that profile's key; the head of the answer, or why there is none."""
        try:
            way = self._ways.get(profile.base_url) or self._find_way(profile.base_url)
        except BadAddress as error:
            return Unreachable(ErrorClass.NETWORK, str(error), delivered=False)
        origin, gateway = way.base.origin, way.gateway
        head = self._head(call, profile, way)
        if head is None:
            return Unreachable(ErrorClass.AUTH, f"no key is stored for {profile.id}", delivered=False)
        found = self._kept(origin) or await self._connect_or_say(origin, gateway)
        if not isinstance(found, Connection):
            return found
        answer = await self._exchange(found, call, head)
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, Stale):
            # The provider closed an idle connection just as we used it: no failure of its own. Once only, and on
            # a new connection, since each sending may cost money.
            found = await self._connect_or_say(origin, gateway)
            if isinstance(found, Unreachable):
                return found
            answer = await self._exchange(found, call, head)
        return answer if not isinstance(answer, Stale) else Unreachable(ErrorClass.NETWORK, "closed", delivered=True)

    def _find_way(self, base_url: str) -> _Way:
        base = base_of(base_url)
        origin = base.origin
        way = self._ways[base_url] = _Way(base, gateway_for(origin), {})
        return way

    def _exchange(self, connection: Connection, call: Call, head: bytes) -> Awaitable[Response | Unreachable | Stale]:
        timeouts = self._timeouts()
        if timeouts is not self._limits[0]:
            self._limits = _limits(timeouts)
        patience = self._limits[1] if call.stream else self._limits[2]
        bodyless = call.method == "HEAD"
        piece = READ if not call.stream else QUICK_READ if call.quick else SLOW_READ
        return connection.exchange(head, call.body, bodyless=bodyless, patience=patience, piece=piece)

    def _head(self, call: Call, profile: Profile, way: _Way) -> bytes | None:
        parts = [way.lead(call)]
        if call.body or call.method in ("POST", "PUT", "PATCH"):
            parts.append(b"content-length: %d\r\n" % len(call.body))
        provider = self._providers().get(profile.provider)
        before = _BEFORE_KEY[provider.key_header if provider else KeyHeader.BEARER]
        if before is not None:
            secret = self._secret(profile)
            if secret is None:
                return None
            parts += (before, secret.encode("latin-1"), b"\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)

    # -- connections

    def _kept(self, origin: Origin) -> Connection | None:
        """An idle connection to `origin`."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect_or_say(self, origin: Origin, gateway: Gateway | None) -> Connection | Unreachable:
        """A new connection, or in words why there is none."""
        try:
            async with asyncio.timeout(self._timeouts().connect):
                connection = await self._connect(origin, gateway)
        except TimeoutError:
            return Unreachable(ErrorClass.NETWORK, f"{origin} did not accept a connection in time", delivered=False)
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", "") or error.reason or "TLS failed"
            return Unreachable(ErrorClass.NETWORK, f"no trusted connection to {origin}: {why}", delivered=False)
        except socket.gaierror:
            return Unreachable(ErrorClass.NETWORK, f"the name {origin.host} cannot be resolved", delivered=False)
        except _GatewayRefused as error:
            return Unreachable(ErrorClass.NETWORK, str(error), delivered=False)
        except OSError as error:
            why = error.strerror or type(error).__name__
            return Unreachable(ErrorClass.NETWORK, f"{origin} cannot be reached: {why}", delivered=False)
        self._all.add(connection)
        return connection

    async def _connect(self, origin: Origin, gateway: Gateway | None) -> Connection:
        loop = asyncio.get_running_loop()
        host, port = (gateway.host, gateway.port) if gateway else (origin.host, origin.port)
        sock = await _happy_socket(loop, host, port)
        try:
            if gateway is not None and origin.tls:
                await _tunnel(loop, sock, origin, gateway)
            tls = tls_context() if origin.tls else None
            _, connection = await loop.create_connection(
                partial(Connection, loop, partial(self._freed, origin), self._room, self._deadlines),
                sock=sock,
                ssl=tls,
                server_hostname=origin.host if tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return connection

    def _freed(self, origin: Origin, connection: Connection, usable: bool) -> None:
        if not usable:
            self._all.discard(connection)
            held = self._idle.get(origin)
            if held and connection in held:
                held.remove(connection)
            return
        connection.idle_since = connection.loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(KEEP_IDLE_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEP_IDLE_S + 0.5
        for origin, held in list(self._idle.items()):
            for connection in [one for one in held if one.idle_since <= oldest]:
                held.remove(connection)
                connection.abort()
            if not held:
                del self._idle[origin]
        if self._idle:
            self._sweeper = loop.call_later(KEEP_IDLE_S / 2, self._sweep)

    def close(self) -> None:
        """End every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._all):
            connection.abort()
        self._all.clear()
        self._idle.clear()


# what stands before the key in the line of the head that holds it; None where there is no such line
_BEFORE_KEY = {header: header.value.encode() + b": " for header in KeyHeader} | {
    KeyHeader.BEARER: KeyHeader.BEARER.value.encode() + b": Bearer ",
    KeyHeader.NONE: None,
}


def _limits(timeouts: Timeouts) -> tuple[Timeouts, Patience, Patience]:
    """What settings say, and what follows for a stream, and for an answer that is none."""
    total = timeouts.total_non_stream
    return timeouts, Patience(timeouts.first_byte, timeouts.idle), Patience(total, timeouts.idle, total)


async def _happy_socket(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """A connected socket, whichever of the host's addresses answers first (RFC 8305)."""
    import aiohappyeyeballs

    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(infos, happy_eyeballs_delay=0.25, loop=loop)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class _GatewayRefused(OSError):
    """The user's proxy would not lead on."""


class _Reply:
    """Collects the head of the gateway's answer to CONNECT."""

    def __init__(self) -> None:
        self.done = False

    def on_headers_complete(self) -> None:
        self.done = True


async def _tunnel(loop: asyncio.AbstractEventLoop, sock: socket.socket, origin: Origin, gateway: Gateway) -> None:
    target = b"%b:%d" % (origin.host.encode(), origin.port)
    auth = b"proxy-authorization: " + gateway.auth + b"\r\n" if gateway.auth else b""
    await loop.sock_sendall(sock, b"CONNECT " + target + b" HTTP/1.1\r\nhost: " + target + b"\r\n" + auth + b"\r\n")
    reply = _Reply()
    parser = httptools.HttpResponseParser(reply)
    head = b""
    while b"\r\n\r\n" not in head:
        # one byte at a time would be exact, but a gateway says nothing after its head until we speak
        data = await loop.sock_recv(sock, 4096)
        if not data or len(head) > 16_384:
            raise _GatewayRefused(f"the proxy {gateway.host}:{gateway.port} gave no answer to CONNECT")
        head += data
    parser.feed_data(head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    if parser.get_status_code() != 200:
        raise _GatewayRefused(
            f"the proxy {gateway.host}:{gateway.port} refused to connect to {origin.host}: "
            f"status {parser.get_status_code()}"
        )
