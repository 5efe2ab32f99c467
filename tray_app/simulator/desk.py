"""Where a request is judged: whose key, which endpoint, which step; the answer is a `Reply`, not yet a byte sent.

No socket here. The order is OpenRouter's: the path, the credential, the body, and only then the script's steps.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable

import msgspec

from . import asked, errors, free
from .behaviours.base import JSON, refusal
from .endpoints import ELSEWHERE, ENDPOINTS, local
from .fields import field_types
from .log import tail
from .steps import Key, Script, Step
from .values import Ask, Caller, Endpoint, Fault, Judged, Reply, Request, Shape
from .walk import Walk

FREE = frozenset({"models", "key", "auth/key", "credits"})

_SHAPE_HEADERS = {
    b"x-sim-chunks": "chunks",
    b"x-sim-chars": "chars",
    b"x-sim-delay-ms": "chunk_delay_ms",
}


class Desk:
    """One script being played: the keys it knows, how far each has come, and what each has spent.

    `under_way` tells how many calls of a key, by its name, are being answered.
    """

    def __init__(
        self, script: Script, clock: Callable[[], float], seed: int, under_way: Callable[[str], int] = lambda name: 0
    ) -> None:
        self._script, self._clock, self._seed = script, clock, seed
        self._under_way = under_way
        self._keys = {key.settings.key: key for key in script.keys}
        self._walks: dict[str, Walk] = {}
        self._spent: defaultdict[str, float] = defaultdict(float)

    @property
    def names(self) -> list[str]:
        return [key.name for key in self._script.keys]

    def judge(self, request: Request) -> tuple[Judged, Caller]:
        """Answer a request of the API, advancing the steps of its key. The key itself goes no further."""
        path = local(request.path)
        endpoint = ENDPOINTS.get(path or "", ELSEWHERE)
        secret = _credential(request)
        key = None if secret is None else self._keys.get(secret, self._script.default)
        return self._judged(request, path, endpoint, secret, key), Caller(_name(secret, key), tail(secret))

    def _judged(
        self, request: Request, path: str | None, endpoint: Endpoint, secret: str | None, key: Key | None
    ) -> Judged:
        if request.method == "OPTIONS":
            return Judged(Reply(status=204, headers=((b"allow", b"GET, HEAD, POST, OPTIONS"),)), "free")
        if request.too_large:
            return _refused(endpoint, errors.too_large())
        if path is None:
            return _refused(endpoint, errors.no_such_path())
        if path == "models" and key is None:  # public
            return self._free(request, path, None)
        if key is None:
            return _refused(endpoint, errors.unknown_key() if secret else errors.no_credentials())
        if endpoint is ELSEWHERE:
            return self._free(request, path, key)
        if request.method != "POST":
            return _refused(endpoint, errors.wrong_method("POST"))
        return self._costly(request, path, endpoint, key)

    def _free(self, request: Request, path: str, key: Key | None) -> Judged:
        """What only a step that names its path may spoil; without one, an unknown path is not found."""
        step = None if key is None else self._step(key, path, "", costs=False)
        if key is not None and step is not None:
            ask = self._ask(request, ELSEWHERE, path, key, b"", asked.Said(), step.shape)
            return Judged(step.reply(ask), step.behaviour.do)
        if path not in FREE:
            return _refused(ELSEWHERE, errors.no_such_path())
        if request.method not in ("GET", "HEAD"):
            return _refused(ELSEWHERE, errors.wrong_method("GET"))
        told = self._told(path, key)
        if isinstance(told, Fault):
            return _refused(ELSEWHERE, told)
        return Judged(Reply(headers=JSON, pieces=(told,)), "free")

    def _told(self, path: str, key: Key | None) -> bytes | Fault:
        if key is None or path == "models":
            return free.models(self._script)
        if path == "credits":
            return free.credits(key, self._account_spent(key))
        step = self._walk(key).peek(key.steps, self._clock())
        return free.key(key, self._spent[key.name], step)

    def _costly(self, request: Request, path: str, endpoint: Endpoint, key: Key) -> Judged:
        try:
            body = asked.plain(request.body, request.header(b"content-encoding"))
            said = asked.read(body) if endpoint.json else asked.Said()
        except asked.Unreadable as error:
            return _refused(endpoint, errors.invalid(str(error)))
        step = self._step(key, path, said.model or "", costs=True) or key.plain
        try:
            shape = _shape(step.shape, request)
        except msgspec.ValidationError as error:
            return _refused(endpoint, errors.invalid(f"x-sim header: {error}"))
        ask = self._ask(request, endpoint, path, key, body, said, shape)
        reply = step.reply(ask)
        self._spent[key.name] += reply.cost
        return Judged(reply, step.behaviour.do, model=ask.model, stream=ask.stream, counted=True)

    def _ask(
        self,
        request: Request,
        endpoint: Endpoint,
        path: str,
        key: Key,
        body: bytes,
        said: asked.Said,
        shape: Shape,
    ) -> Ask:
        words, begun = (part.replace(key.settings.key or "\0", "***") for part in asked.conversation(said))
        return Ask(
            endpoint=endpoint,
            request=request,
            body=body,
            id=self._id(key.name, path, request.digest),
            model=said.model or "",
            stream=bool(said.stream),
            said=words,
            name=key.name,
            account=key.settings.account,
            shape=shape,
            now=self._clock(),
            call_cost=key.settings.cost,
            begun=begun,
        )

    def _id(self, name: str, path: str, digest: bytes) -> str:
        return hashlib.sha256(b"%d %b %b " % (self._seed, name.encode(), path.encode()) + digest).hexdigest()

    def _step(self, key: Key, path: str, model: str, *, costs: bool) -> Step | None:
        others = self._under_way(key.name)
        return self._walk(key).next(key.steps, path, model, self._clock(), others, costs=costs)

    def _walk(self, key: Key) -> Walk:
        walk = self._walks.get(key.course)
        if walk is None:
            walk = self._walks[key.course] = Walk(key.steps)
        return walk

    def _account_spent(self, key: Key) -> float:
        mates = [k for k in self._script.keys if k.settings.account == key.settings.account]
        return sum(k.settings.usage + self._spent[k.name] for k in mates)


def _refused(endpoint: Endpoint, fault: Fault) -> Judged:
    return Judged(refusal(endpoint.skin, fault))


def _name(secret: str | None, key: Key | None) -> str | None:
    if key is not None:
        return key.name
    return None if secret is None else "unknown"


def _credential(request: Request) -> str | None:
    """The key in either of its two headers; an empty one is none."""
    scheme, _, token = (request.header(b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.header(b"x-api-key") or None


def _shape(shape: Shape, request: Request) -> Shape:
    """The shape as the request's own headers change it; raises `ValidationError`."""
    changes = {
        _SHAPE_HEADERS[name]: value.decode("latin-1") for name, value in request.headers if name in _SHAPE_HEADERS
    }
    if not changes:
        return shape
    types = field_types(Shape)
    read = {name: msgspec.convert(value, types[name], strict=False) for name, value in changes.items()}
    return msgspec.structs.replace(shape, **read)
