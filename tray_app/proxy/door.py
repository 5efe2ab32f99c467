"""The door: who is calling, and what do they ask? An exchange in, a `Call` for the pipeline out.

Refused here, before anything is done: a Host that is not ours, a page of another site, a wrong
token, a body over the limit. Nothing of the client's credential goes any further.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct, structs

from tray_app.core import ids
from tray_app.core.affinity import Opening, header_key, opening_key, opening_of
from tray_app.core.ending import Ending, refused
from tray_app.core.problem import problem_ending
from tray_app.core.providers import Provider, canonical, protocol_of
from tray_app.core.redact import brief, redact
from tray_app.core.values import Call, Headers, Outcome, Protocol, RequestEnded, RequestStarted
from tray_app.proxy.deadlines import Deadlines
from tray_app.proxy.heads import marks
from tray_app.proxy.listener import Answering, Exchange, Head, Left, TooLarge
from tray_app.proxy.means import Means
from tray_app.proxy.patience import Patience, after_all
from tray_app.proxy.pipeline import serve
from tray_app.proxy.relay import Answer

Heads = Mapping[bytes, bytes]  # the headers by lower-case name; of several alike the last

_log = logging.getLogger(__name__)
SHORT_MODEL = 32  # too short to hold a whole key
MAX_MODEL = 200  # characters; no model is called so long
INFLATED = 8 * 1024 * 1024  # bytes of a compressed request that are looked at for its model

_DROPPED = frozenset(
    {
        b"authorization",
        b"x-api-key",
        b"x-goog-api-key",
        b"api-key",
        b"host",
        b"content-length",
        b"connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"cookie",
        b"origin",
    }
)
_TOKEN_HEADERS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")


class House(Struct, frozen=True):
    """What the door needs to know. Each member is asked anew for every call, so settings may change.

    `client_of` names the client of a token's SHA-256, or None; `tokens` is another object after each change of them.
    `hosts` are the Host headers and `origins` the Origin headers that are our own.
    """

    client_of: Callable[[bytes], str | None]
    tokens: Callable[[], object]
    providers: Callable[[], Mapping[str, Provider]]
    hosts: Callable[[], frozenset[bytes]]
    origins: Callable[[], frozenset[bytes]]
    max_body: Callable[[], int]
    random_bits: Callable[[int], int]


class _Refusal(Exception):
    """Turned away; `ending` is the whole answer. `client` is None for strangers, who leave no record."""

    def __init__(self, ending: Ending, words: str) -> None:
        super().__init__(words)
        self.ending = ending
        self.words = words
        self.client: str | None = None


def _turn_away(status: int, message: str, protocol: Protocol = Protocol.OTHER) -> _Refusal:
    return _Refusal(refused(status, message, protocol), message)


class Route(Struct, frozen=True):
    """Where a path leads. `provider` None stands for the default pool."""

    provider: str | None
    path: str
    protocol: Protocol


class Visit(Struct, frozen=True):
    """Who calls and for what, as the head of a request tells, once it has been let in.

    A client sends the same head again and again, but for its content-length: what follows from it is kept with the
    connection, as long as the `tokens` and `providers` by which it was judged are in force.
    """

    head: Head
    tokens: object
    providers: object
    client: str
    route: Route
    query: bytes  # without a key
    forwarded: Headers
    kind: bytes
    encoding: bytes
    tags: frozenset[str]
    session: bytes | None  # of the conversation, where a header names it


class Door:
    """Answers every exchange. Paths that are no provider's go to `faces`."""

    def __init__(self, means: Means, house: House, faces: Answering) -> None:
        self._means = means
        self._house = house
        self._faces = faces
        self._deadlines = Deadlines()

    async def __call__(self, exchange: Exchange) -> None:
        """Answer `exchange`.

        Raises:
            asyncio.CancelledError: the client left, or the app stops.
        """
        try:
            try:
                visit = self._recalled(exchange) or self._visit(exchange)
                if visit is None:
                    await self._faces(exchange)
                    return
                limit = self._limit(exchange, visit)
                if not exchange.whole:
                    await exchange.come(limit)
                call = self._call(exchange, visit, limit)
            except _Refusal as refusal:
                await self._refuse(exchange, refusal)
                return
            except Left:
                return
            patience = Patience(call, exchange, self._deadlines)
            try:
                answer = await serve(call, self._means)
            finally:
                patience.stop()
            if isinstance(answer.body, bytes):
                await self._means.settled()
            await _send_answer(answer, call, exchange)
        except Exception:
            _log.exception("a request met a fault of O-Switcher's own")
            if not exchange.begun:
                ending = refused(500, "something went wrong inside O-Switcher; its log says what")
                request_id = ids.request_id(self._means.clock(), self._house.random_bits(ids.RANDOM_BITS))
                _say(exchange, ending, request_id)

    async def _refuse(self, exchange: Exchange, refusal: _Refusal) -> None:
        """Say no; a client of ours finds it in the history too."""
        now, ending = self._means.clock(), refusal.ending
        if exchange.path.startswith(_ADMIN):
            ending = problem_ending(ending.status, "refused", refusal.words)
        request_id = ids.request_id(now, self._house.random_bits(ids.RANDOM_BITS))
        if refusal.client is not None:
            path = brief(exchange.path[:200].decode("latin-1")) or ""
            start = RequestStarted(request_id, now, refusal.client, None, protocol_of(path), path, None, False, 0)
            self._means.record(start)
            words, size = brief(refusal.words), len(ending.body)
            end = RequestEnded(
                request_id, now, Outcome.REFUSED, ending.status, None, None, 0, 0, 0, None, 0, size, words
            )
            self._means.record(end)
            await self._means.settled()
        _say(exchange, ending, request_id)

    # -- who is calling

    def _recalled(self, exchange: Exchange) -> Visit | None:
        """What the same head came to before on this connection, if that still holds."""
        visit, house = exchange.recalled(), self._house
        if not isinstance(visit, Visit) or visit.head is not exchange.head:
            return None
        return visit if visit.tokens is house.tokens() and visit.providers is house.providers() else None

    def _visit(self, exchange: Exchange) -> Visit | None:
        """Let a request in by its head; None where it is for the faces, who look for themselves."""
        house, heads = self._house, dict(exchange.headers)
        tokens, providers = house.tokens(), house.providers()
        _check_form(exchange, heads)
        self._check_site(exchange, heads)
        try:
            route = self._route(exchange)
        except _Refusal:
            self._client(heads, Protocol.OTHER)  # which providers there are is not for strangers
            raise
        if route is None:
            return None
        client = self._client(heads, route.protocol)
        if b"websocket" in heads.get(b"upgrade", b"").lower():
            refusal = _turn_away(426, "websockets are not spoken here; use plain requests", route.protocol)
            refusal.client = client
            raise refusal
        visit = Visit(
            exchange.head,
            tokens,
            providers,
            client,
            route,
            _without_key(exchange.query),
            forwarded(exchange.headers, heads.get(b"connection", b"")),
            heads.get(b"content-type", b""),
            heads.get(b"content-encoding", b""),
            _tags(heads.get(b"x-o-switcher-tags", b"")),
            header_key(client, exchange.headers) if route.protocol in _TALKS else None,
        )
        exchange.remember(visit)
        return visit

    def _check_site(self, exchange: Exchange, heads: Heads) -> None:
        host = heads.get(b"host", b"").lower()
        if host not in self._house.hosts() and host != _own_address(exchange):
            raise _turn_away(421, "this is O-Switcher on the loopback address; the Host header names another place")
        origin = heads.get(b"origin")
        elsewhere = heads.get(b"sec-fetch-site") in _ELSEWHERE and not _is_link(exchange, heads)
        if elsewhere or (origin and origin.lower() not in (*self._house.origins(), b"http://" + host)):
            raise _turn_away(403, "pages of other sites may not call O-Switcher")

    def _client(self, heads: Heads, protocol: Protocol) -> str:
        token = _token(heads)
        if token is None:
            raise _turn_away(401, "no token; print one with: o-switcher token", protocol)
        client = self._house.client_of(hashlib.sha256(token).digest())
        if client is None:
            raise _turn_away(401, "this is not a token of O-Switcher; print one with: o-switcher token", protocol)
        return client

    # -- what do they ask

    def _route(self, exchange: Exchange) -> Route | None:
        path = exchange.path.decode("latin-1")
        if path == "/v1/quota-stats":
            return None  # ours, not a provider's
        first, slash, rest = path[1:].partition("/")
        if first == "v1" and slash:
            return Route(None, "/" + rest, protocol_of(path))
        providers = self._house.providers()
        provider = providers.get(canonical(first))
        if provider is None:
            if first in _FACES or not slash:
                return None
            known = ", ".join(sorted(providers))
            raise _turn_away(404, f"no provider is called {brief(first)!r}; known are: {known}")
        tail = "/" + rest
        if not tail.startswith(provider.prefix + "/"):
            raise _turn_away(404, f"the paths of {provider.name} begin with /{provider.name}{provider.prefix}/")
        return Route(provider.name, tail[len(provider.prefix) :], protocol_of(tail))

    def _call(self, exchange: Exchange, visit: Visit, limit: int) -> Call:
        """What is asked, now that the body has come."""
        route, client, conversation = visit.route, visit.client, visit.session
        try:
            body = exchange.taken(limit)
            asked = _asked(visit, body)
        except TooLarge:
            raise _too_large(limit, visit) from None
        except _Refusal as refusal:
            refusal.client = client
            raise
        if conversation is None and route.protocol in _TALKS:
            conversation = opening_key(client, asked)
        now, model = self._means.clock(), asked.model
        return Call(
            ids.request_id(now, self._house.random_bits(ids.RANDOM_BITS)),
            client,
            route.provider,
            route.protocol,
            exchange.method,
            route.path,
            visit.query,
            visit.forwarded,
            body,
            _named(model[:MAX_MODEL]) if isinstance(model, str) else None,
            asked.stream is True or route.path.endswith(":streamGenerateContent"),
            now,
            visit.tags,
            conversation,
            exchange.quick,
        )

    def _limit(self, exchange: Exchange, visit: Visit) -> int:
        """How large the body may be; it is not even asked for where it is stated to be larger."""
        limit, at = self._house.max_body(), exchange.head.length_at
        if at is not None and int(exchange.headers[at][1]) > limit:
            raise _too_large(limit, visit)
        return limit


def _too_large(limit: int, visit: Visit) -> _Refusal:
    text = f"the body is over the limit of {limit} bytes; raise it with: o-switcher config set proxy.max_body_mb N"
    refusal = _turn_away(413, text, visit.route.protocol)
    refusal.client = visit.client
    return refusal


def _check_form(exchange: Exchange, heads: Heads) -> None:
    """Refuse what different readers would understand differently."""
    if exchange.version not in ("1.1", "1.0"):
        raise _turn_away(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if len(heads) < len(exchange.headers):
        for name in _ONCE:
            given = [value for other, value in exchange.headers if other == name]
            if len(given) > 1 and (name == b"host" or len(set(given)) > 1):
                raise _turn_away(400, f"the header {name.decode()} is given more than once")
    coding = heads.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or exchange.version == "1.0"):
        raise _turn_away(501, "the only transfer coding known here is chunked, of HTTP/1.1")


def _own_address(exchange: Exchange) -> bytes:
    """Where the client has reached us, as a Host header spells it: a number that no other name can lead to."""
    host, port = exchange.ends[1]
    return f"[{host}]:{port}".encode() if ":" in host else f"{host}:{port}".encode()


_ONCE = (b"host", b"origin", b"sec-fetch-site", *_TOKEN_HEADERS, b"content-type", b"content-encoding")

_ELSEWHERE = (b"cross-site", b"same-site")  # another port of this host is another program


def _is_link(exchange: Exchange, heads: Heads) -> bool:
    """A link from another O-Switcher on this host to the report of this one, as the page that starts the demo has it.

    In a tab of its own, so nobody else sees what is there, which is nothing without a ticket or a session.
    """
    told = tuple(heads.get(name) for name in (b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"))
    return told == (b"same-site", b"navigate", b"document") and (exchange.method, exchange.path) == ("GET", b"/report")


_FACES = frozenset({"", "healthz", "api", "report", "metrics", "help", "static", "favicon.ico"})


_ADMIN = (b"/api/", b"/metrics", b"/v1/quota-stats")  # what scripts ask, and expect problem+json of


def _token(heads: Heads) -> bytes | None:
    for name in _TOKEN_HEADERS:
        value = heads.get(name, b"")
        token = value[7:] if value[:7].lower() == b"bearer " else value
        if token.strip():
            return token.strip()
    return None


def forwarded(headers: list[tuple[bytes, bytes]], connection: bytes) -> Headers:
    """The client's headers that go upstream: neither its credential nor what concerns this connection only.

    Args:
        headers: as they came, names in lower case.
        connection: the value of the Connection header, which may name more that concerns the connection.
    """
    dropped = _DROPPED
    if connection and connection.lower() not in (b"keep-alive", b"close"):
        dropped |= frozenset(part.strip().lower() for part in connection.split(b","))
    return tuple([pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(_OWN_PREFIXES)])


_OWN_PREFIXES = (b"x-o-switcher-", b"sec-fetch-")


def _named(model: str) -> str:
    """The model as it is recorded: no key that was put in its place. What is passed on stays as it was."""
    return model if len(model) <= SHORT_MODEL else redact(model)


def _without_key(query: bytes) -> bytes:
    """The query as it came, less a `key` that some clients of Google's API put there."""
    if b"key=" not in query:
        return query
    return b"&".join(part for part in query.split(b"&") if not part.startswith((b"key=", b"api_key=")))


_NOTHING_ASKED, _GEMINI = Opening(), Protocol.GEMINI
_TALKS = frozenset({Protocol.CHAT, Protocol.RESPONSES, Protocol.MESSAGES, Protocol.GEMINI, Protocol.OLLAMA})
_JSON_PATHS = frozenset({Protocol.CHAT, Protocol.RESPONSES, Protocol.MESSAGES, Protocol.OLLAMA})


def _tags(value: bytes) -> frozenset[str]:
    """The policy tags that a client asks for, separated by commas."""
    return frozenset(tag.strip() for tag in value.decode("latin-1").split(",") if tag.strip()) if value else _NO_TAGS


_NO_TAGS: frozenset[str] = frozenset()


def _asked(visit: Visit, body: bytes) -> Opening:
    """What a JSON body says of model, stream and conversation. A broken one is refused where only JSON can be meant."""
    kind, route = visit.kind, visit.route
    strict = route.protocol in _JSON_PATHS
    if strict and body and kind and kind.lower().find(b"json") < 0:
        raise _turn_away(415, "this address takes JSON: send content-type: application/json", route.protocol)
    asked = _NOTHING_ASKED
    if body and (strict or kind.find(b"json") >= 0):
        asked = _read(body, visit.encoding, strict, route.protocol)
    if route.protocol is _GEMINI:  # the model stands in the path
        return structs.replace(asked, model=route.path.rpartition("/")[2].partition(":")[0])
    return asked


def _read(body: bytes, encoding: bytes, strict: bool, protocol: Protocol) -> Opening:
    try:
        if encoding.lower() != b"gzip":
            return opening_of(body)
        plain = _inflated(body)
        return opening_of(plain) if plain is not None else _NOTHING_ASKED
    except msgspec.ValidationError:
        return _NOTHING_ASKED
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, zlib.error) as error:
        if (asked := _leniently(body)) is not None:
            return asked
        if strict and encoding in (b"", b"gzip", b"identity"):
            raise _turn_away(400, f"the body is not valid JSON: {str(error)[:120]}", protocol) from error
        return _NOTHING_ASKED


def _leniently(body: bytes) -> Opening | None:
    """A body that msgspec refuses and others take, such as one with half an emoji, which JavaScript clients send."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return Opening(document.get("model"), document.get("stream")) if isinstance(document, dict) else None


def _inflated(body: bytes) -> bytes | None:
    """A gzip'd body; None where it is too large to look into."""
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(body, INFLATED)
    return None if unpacker.unconsumed_tail else plain


def _say(exchange: Exchange, ending: Ending, request_id: str) -> None:
    exchange.begin(ending.status, ending.headers + marks(request_id), ending.body, over=True)


async def _send_answer(answer: Answer, call: Call, exchange: Exchange) -> None:
    body = after_all(answer, call) if exchange.begun else answer.body
    if isinstance(body, bytes):
        exchange.begin(answer.status, answer.headers, body, over=True)
        return
    try:
        if not exchange.begun:
            data = await body.read()
            exchange.begin(answer.status, answer.headers, data, over=body.over and not body.cut)
        while not body.over:
            body.through = exchange.through  # from now on: the head is out
            if exchange.slow:
                body.slow()
                await exchange.drained()
            data = await body.read()
            if body.over and not body.cut:
                exchange.end(data)
            else:
                exchange.write(data)
        if body.cut:
            exchange.cut()
    finally:
        body.close()
