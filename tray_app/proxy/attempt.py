"""One call to a provider while it runs, and what a request may come to next."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tray_app.core.policy import Lane, Refuse, Wait
from tray_app.core.redact import brief
from tray_app.core.values import AttemptEnded, Outcome, Profile, Protocol, Said, Verdict
from tray_app.proxy.http1 import Response

_OTHER = Protocol.OTHER


class Passed(Struct, frozen=True):
    """What went by of an answer's body: in how many pieces, its first bytes and its last."""

    protocol: Protocol
    chunks: int
    head: bytes
    tail: bytes
    streamed: bool
    whole: bool  # whether it came to its end
    all_in_head: bool
    size: int = 0  # bytes that the client got of it
    stretch: tuple[int, int] | None = None  # of a stream gone on with: its new characters, and those it repeated
    plain: bool = False  # whether head and tail are plain, though the answer came compressed


class Attempt(Struct):
    """The call that is running. Closing it once releases its lease and is its record."""

    profile: Profile
    lane: Lane
    seq: int
    began: float
    moves: bool
    response: Response | None = None
    ttft_ms: int | None = None
    counts: bool = True  # what it says of usage is its own, not of an earlier answer that was looked up
    asked: bool = False  # usage was asked for on the client's behalf: it is not to see it

    def ended(
        self,
        request_id: str,
        now: int,
        duration_ms: int,
        outcome: Outcome,
        verdict: Verdict | None,
        size: int,
        passed: Passed | None = None,
    ) -> AttemptEnded:
        bad = verdict is not None and verdict.cls.value != "ok"
        return AttemptEnded(
            request_id,
            self.seq,
            self.profile.id,
            now,
            outcome,
            self.response.status if self.response else None,
            verdict.cls.value if verdict and bad else None,
            verdict.scope.value if verdict and bad else None,
            brief(verdict.code) if verdict else None,
            brief(verdict.message or verdict.reason) if verdict and bad else None,
            verdict.retry_after_s if verdict else None,
            self.ttft_ms,
            duration_ms,
            self._upstream_id(),
            size,
            verdict.reason if verdict else None,
            passed.chunks if passed else None,
            self._said(passed) if passed else None,
        )

    def _said(self, passed: Passed) -> Said | None:
        """What the answer may tell of its usage."""
        if not self.counts or (passed.protocol is _OTHER and b"usage" not in passed.tail):
            return None
        heads = self.response.heads if self.response is not None and not passed.plain else _NO_HEADS
        encoding = heads.get(b"content-encoding", b"").lower()
        if encoding == b"identity":
            encoding = b""
        if encoding and not passed.all_in_head:
            return None
        return Said(
            self.profile.provider,
            passed.protocol,
            self.lane.model,
            passed.head,
            passed.tail,
            passed.streamed,
            passed.whole,
            encoding,
        )

    def _upstream_id(self) -> str | None:
        if self.response is not None:
            for name, value in self.response.headers:
                if name in _UPSTREAM_IDS:
                    return value[:80].decode("latin-1")
        return None


Step = Attempt | Wait | Refuse
_NO_HEADS: Mapping[bytes, bytes] = {}
_UPSTREAM_IDS = frozenset({b"x-request-id", b"request-id", b"x-generation-id"})
