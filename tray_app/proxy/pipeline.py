"""The story of a request: choose, call, judge, record; serve, or choose again.

Decisions are `core`'s; this module carries them out and keeps the one mutable pool up to date.
It knows neither the wire to the client nor the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol as Interface

from tray_app.core import ending, quota
from tray_app.core.classify import classify
from tray_app.core.policy import Case, Progress, Refuse, Rules, Tried, Try, Wait, Why, next_step
from tray_app.core.pool import Cell
from tray_app.core.providers import Provider
from tray_app.core.redact import brief
from tray_app.core.values import (
    Action,
    Admin,
    AttemptEnded,
    AttemptStarted,
    Call,
    CooldownSet,
    ErrorClass,
    Fact,
    FailedOver,
    Head,
    Headers,
    Outcome,
    Profile,
    ReauthChanged,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
    Scope,
    Unreachable,
    Verdict,
)
from tray_app.proxy.accept import Accepted, Rejected, accept
from tray_app.proxy.http1 import Response
from tray_app.proxy.relay import Answer, Relay, Whole

SHORT_PATH = 32  # too short to hold a key: the usual paths are recorded without a search for one


class Sender(Interface):
    """One attempt at one provider."""

    async def send(self, call: Call, profile: Profile) -> Response | Unreachable: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What the pipeline works with; all of it given, none of it fetched.

    `clock` gives ms since the epoch, `ticks` monotonic seconds, `chance` a number in [0, 1);
    `settled` returns when everything recorded so far is safe; `stopping` says that the app is going down.
    """

    cell: Cell
    upstream: Sender
    rules: Callable[[], Rules]
    providers: Callable[[], Mapping[str, Provider]]
    record: Callable[[Fact], None]
    settled: Callable[[], Awaitable[None]]
    clock: Callable[[], int]
    ticks: Callable[[], float]
    chance: Callable[[], float]
    stopping: Callable[[], bool]


async def serve(call: Call, means: Means) -> Answer:
    """Answer `call` with the profile that can.

    Raises:
        asyncio.CancelledError: the client left; the provider's call is cancelled and all is recorded.
    """
    request = _Request(call, means)
    try:
        return await request.run()
    except BaseException as error:
        left = isinstance(error, asyncio.CancelledError)
        request.finish(Outcome.CLIENT_CANCELLED if left else Outcome.FAILED, None, 0)
        raise


class _Request:
    """One request on its way: what was tried, who holds the lease, what must be recorded at the end."""

    def __init__(self, call: Call, means: Means) -> None:
        self.call = call
        self.means = means
        self.progress = Progress()
        self.provider = call.provider or ""
        self._began = means.ticks()
        self._attempt: _Attempt | None = None
        self._profile_id: str | None = None  # of the latest call: whose answer the client gets
        self._calls = 0
        self._ttft_ms: int | None = None
        self._over = False
        means.record(
            RequestStarted(
                call.id,
                call.started_at,
                call.client,
                call.provider,
                call.protocol.value,
                call.path if len(call.path) <= SHORT_PATH else brief(call.path) or "",
                call.model,
                call.stream,
                len(call.body),
            )
        )

    # -- the loop

    async def run(self) -> Answer:
        call, means = self.call, self.means
        if call.provider is None:
            found = means.cell.pool.default_provider(call.protocol, means.providers())
            self.provider = found or ""
        last: Rejected | None = None
        while True:
            match self._next_step():
                case Try() as step:
                    tried = await self._try(step)
                    if not isinstance(tried, Rejected):
                        return tried
                    last = tried
                case Wait() as step:
                    await self._wait(step)
                case Refuse() as step:
                    return await self._refuse(step, last)

    def _next_step(self) -> Try | Wait | Refuse:
        means = self.means
        case = Case(
            self.call.model,
            self.provider,
            self.progress,
            means.cell.pool,
            means.rules(),
            means.clock(),
            means.chance(),
        )
        return next_step(case)

    async def _wait(self, step: Wait) -> None:
        last = self.progress.last
        error = last.verdict.cls.value if last else "cooldown"
        now = self.means.clock()
        self.means.record(RetryScheduled(self.call.id, now, step.profile_id, error, step.delay_ms, step.reason))
        await asyncio.sleep(step.delay_ms / 1000)
        waited = self.progress.waited_ms + step.delay_ms
        self.progress = replace(self.progress, waited_ms=waited, waiting_for=step.profile_id)

    # -- one attempt

    async def _try(self, step: Try) -> Answer | Rejected:
        attempt = self._start(step)
        response = await self.means.upstream.send(self.call, attempt.profile)
        if isinstance(response, Unreachable):
            return self._rejected(attempt, Rejected(response))
        attempt.response = response
        judged = await accept(self.call, response)
        if isinstance(judged, Accepted):
            return self._accepted(attempt, judged)
        rejected = self._rejected(attempt, judged)
        if self._returns(rejected):
            return await self._verbatim(response, rejected)
        return rejected

    def _start(self, step: Try) -> _Attempt:
        """Lease the profile in the same tick in which it was chosen."""
        means, now = self.means, self.means.clock()
        pool = means.cell.pool
        member = pool.members[step.profile_id]
        last = self.progress.last
        means.cell.set(pool.leased(step.profile_id), visible=False)
        if step.failover and last is not None:
            self.progress = replace(self.progress, failovers=self.progress.failovers + 1)
            self._switch(last, step, now)
        else:
            self._take_over(step, now)
        self._calls += 1
        self._profile_id = member.profile.id
        attempt = self._attempt = _Attempt(member.profile, self._calls, means.ticks())
        means.record(RouteSelected(self.call.id, now, step.profile_id, step.reason))
        means.record(AttemptStarted(self.call.id, attempt.seq, step.profile_id, self.call.model, now))
        return attempt

    def _take_over(self, step: Try, now: int) -> None:
        """The current profile was out before this request came: whoever serves now is current."""
        means, pool = self.means, self.means.cell.pool
        before = pool.members.get(pool.current.get(self.provider, ""))
        if before is not None and before.profile.id == step.profile_id:
            return
        means.cell.set(pool.moved(self.provider, step.profile_id))
        if before is not None:
            reason = f"{before.profile.id} is {before.phase(now, self.call.model).value}"
            manual = before.admin_now(now) is not Admin.ENABLED
            means.record(FailedOver(self.call.id, now, before.profile.id, step.profile_id, reason, manual))

    def _switch(self, last: Tried, step: Try, now: int) -> None:
        """Change the pool's profile once, however many requests find the old one dead.

        A model that one profile lacks, or a request too dear for what it has left, says nothing of the
        profile: only this request goes elsewhere.
        """
        means, pool, verdict = self.means, self.means.cell.pool, last.verdict
        only_here = verdict.cls is ErrorClass.MODEL_UNAVAILABLE or verdict.scope is Scope.REQUEST
        if not only_here and pool.current.get(self.provider) not in (last.profile_id, None):
            return
        if not only_here:
            means.cell.set(pool.moved(self.provider, step.profile_id))
        means.record(FailedOver(self.call.id, now, last.profile_id, step.profile_id, step.reason, manual=False))

    def _accepted(self, attempt: _Attempt, accepted: Accepted) -> Answer:
        attempt.ttft_ms = self._ttft_ms = self._since(attempt.began)
        body = Relay(accepted, self.call.protocol, self.call.id, self.finish, self.means.settled)
        # a stream may end in words of our own, so its length is never promised
        headers = passed_on(accepted.response.headers, accepted.response.status, promised=not accepted.events)
        return Answer(accepted.response.status, headers + self._marks(), body)

    def _rejected(self, attempt: _Attempt, rejected: Rejected) -> Rejected:
        """Judge the answer, end the attempt, and let the pool learn from it."""
        verdict = classify(self.provider, rejected.answer, self.means.clock() / 1000)
        self.progress = replace(
            self.progress, tried=(*self.progress.tried, Tried(attempt.profile.id, verdict)), waiting_for=None
        )
        self._end_attempt(Outcome.FAILED, verdict, len(rejected.held))
        self._learn(attempt.profile, verdict)
        return rejected

    def _returns(self, rejected: Rejected) -> bool:
        last = self.progress.last
        return last is not None and last.verdict.action is Action.RETURN and rejected.response is not None

    def _learn(self, profile: Profile, verdict: Verdict) -> None:
        means, now = self.means, self.means.clock()
        member = means.cell.pool.members.get(profile.id)
        if member is None or member.profile.fingerprint != profile.fingerprint:
            return  # the profile has gone, or got another key meanwhile: this says nothing of that one
        if verdict.action is Action.REAUTH:
            if member.reauth is None:
                means.cell.set(means.cell.pool.marked(profile.id, verdict.reason))
                means.record(ReauthChanged(profile.id, profile.account, now, True, verdict.reason))
            return
        cooldown = quota.cooldown_for(profile.id, self.call.model, verdict, now)
        if cooldown is None:
            return
        pool, changed = means.cell.pool.rested(cooldown)
        if changed:
            means.cell.set(pool)
        for one in changed:
            means.record(CooldownSet(one, profile.account, self.call.id, now))

    # -- ends

    async def _verbatim(self, response: Response, rejected: Rejected) -> Answer:
        """The provider's own answer, as it came; an error in the dress of a success gets its true status."""
        status, body, headers = response.status, rejected.held, response.headers
        if status < 300 and isinstance(rejected.answer, Head):
            last = self.progress.last
            status = (last.verdict.status if last else None) or 502
            body, headers = rejected.answer.body, [(b"content-type", b"application/json")]
        await self._settle(Outcome.FAILED, status, len(body))
        return Answer(status, passed_on(headers, status, length=len(body)) + self._marks(), Whole(body))

    async def _refuse(self, step: Refuse, last: Rejected | None) -> Answer:
        if step.why is Why.LAST_ANSWER and last is not None and last.response is not None:
            return await self._verbatim(last.response, last)
        members = self.means.cell.pool.ordered(self.provider)
        now = self.means.clock()
        end = ending.exhausted(step, self.call.protocol, members, self.call.model, now, self.call.id)
        outcome = Outcome.FAILED if step.why in (Why.BROKEN, Why.OFFLINE) else Outcome.EXHAUSTED
        if step.why in (Why.NO_PROFILE, Why.PAUSED):
            outcome = Outcome.REFUSED
        await self._settle(outcome, end.status, len(end.body), step.reason)
        return Answer(end.status, end.headers + self._marks(), Whole(end.body))

    async def _settle(self, outcome: Outcome, status: int, size: int, reason: str | None = None) -> None:
        self._close(outcome, status, size, reason)
        await self.means.settled()

    def finish(self, outcome: Outcome, failure: Unreachable | None, sent: int) -> None:
        """End the running attempt and the request. Safe to call twice."""
        if outcome is Outcome.CLIENT_CANCELLED and self.means.stopping():
            outcome = Outcome.INTERRUPTED
        attempt = self._attempt
        if attempt is not None:
            verdict = classify(self.provider, failure, self.means.clock() / 1000) if failure else None
            self._end_attempt(outcome, verdict, sent)
            if failure is not None:
                self._move_on(attempt.profile, failure)
        status = attempt.response.status if attempt is not None and attempt.response is not None else None
        self._close(outcome, status, sent, failure.message if failure else None)

    def _move_on(self, profile: Profile, failure: Unreachable) -> None:
        """A stream broke off under the client, which will ask again: then it should meet another profile."""
        means, pool, now = self.means, self.means.cell.pool, self.means.clock()
        others = [m for m in pool.routable(self.provider, self.call.model, now) if m.profile.id != profile.id]
        if others and pool.current.get(self.provider) == profile.id:
            means.cell.set(pool.moved(self.provider, others[0].profile.id))
            reason = f"its stream broke off: {failure.message}"
            means.record(FailedOver(self.call.id, now, profile.id, others[0].profile.id, reason, manual=False))

    def _end_attempt(self, outcome: Outcome, verdict: Verdict | None, size: int) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if attempt.response is not None:
            attempt.response.close()
        means = self.means
        means.cell.set(means.cell.pool.released(attempt.profile.id), visible=False)
        means.record(attempt.ended(self.call.id, means.clock(), self._since(attempt.began), outcome, verdict, size))

    def _close(self, outcome: Outcome, status: int | None, size: int, reason: str | None = None) -> None:
        if self._over:
            return
        self._over = True
        self.means.record(
            RequestEnded(
                self.call.id,
                self.means.clock(),
                outcome,
                status,
                self.provider or None,
                self._profile_id,
                self._calls,
                self.progress.failovers,
                self.progress.waited_ms,
                self._ttft_ms,
                self._since(self._began),
                size,
                brief(reason),
            )
        )

    def _since(self, began: float) -> int:
        return round((self.means.ticks() - began) * 1000)

    def _marks(self) -> Headers:
        return marks(self.call.id, self._profile_id, self._calls, self.progress.failovers)


def marks(request_id: str, profile_id: str | None = None, attempts: int = 0, failovers: int = 0) -> Headers:
    """The headers that say what was done for a request."""
    return (
        (b"x-o-switcher-request-id", request_id.encode()),
        (b"x-o-switcher-profile", (profile_id or "none").encode()),
        (b"x-o-switcher-attempts", b"%d" % attempts),
        (b"x-o-switcher-failovers", b"%d" % failovers),
    )


@dataclass(slots=True)
class _Attempt:
    """The call that is running. Closing it once releases its lease and is its record."""

    profile: Profile
    seq: int
    began: float
    response: Response | None = None
    ttft_ms: int | None = None

    def ended(
        self, request_id: str, now: int, duration_ms: int, outcome: Outcome, verdict: Verdict | None, size: int
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
        )

    def _upstream_id(self) -> str | None:
        for name, value in self.response.headers if self.response else ():
            if name in _UPSTREAM_IDS:
                return value[:80].decode("latin-1")
        return None


_UPSTREAM_IDS = frozenset({b"x-request-id", b"request-id", b"x-generation-id"})
_NOT_PASSED_ON = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"set-cookie",  # a cookie of the provider's would bind the client to one key
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"alt-svc",
    }
)


def passed_on(
    headers: list[tuple[bytes, bytes]], status: int, *, length: int | None = None, promised: bool = True
) -> Headers:
    """The provider's headers without those that concern one connection only.

    Args:
        headers: as they came, names in lower case.
        status: of the answer. The Location of a redirect is left out: it leads past the proxy.
        length: the body's length where it is known to be whole, to be stated instead of what was.
        promised: whether a stated length may stand.
    """
    connection = [value for name, value in headers if name == b"connection"]
    left_out = _NOT_PASSED_ON | {part.strip().lower() for value in connection for part in value.split(b",")}
    if 300 <= status < 400:
        left_out |= {b"location"}
    if length is not None or not promised or status in (204, 304):
        left_out |= {b"content-length"}
    kept = [pair for pair in headers if pair[0] not in left_out]
    if length is not None:
        kept.append((b"content-length", b"%d" % length))
    return tuple(kept)
