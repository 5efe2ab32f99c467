"""The story of a request: choose, call, judge, record; serve, or choose again.

Decisions are `core`'s; this module carries them out and keeps the one mutable pool up to date.
It knows neither the wire to the client nor the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tray_app.core import ending, sse
from tray_app.core.classify import classify, judge
from tray_app.core.policy import (
    FRESH,
    Case,
    Lane,
    Queue,
    Refuse,
    Rules,
    Tried,
    Try,
    Wait,
    Why,
    next_step,
    stays,
)
from tray_app.core.providers import capability_of
from tray_app.core.redact import brief
from tray_app.core.rewrite import with_model
from tray_app.core.storm import key_of
from tray_app.core.told import Telling
from tray_app.core.unknown import unknown_answer
from tray_app.core.usage import asks_for_usage, with_usage_asked
from tray_app.core.values import (
    Action,
    AttemptEnded,
    AttemptStarted,
    Call,
    Head,
    Headers,
    Outcome,
    Queued,
    RequestEnded,
    RequestStarted,
    RetryScheduled,
    RouteSelected,
    Unreachable,
    Verdict,
)
from tray_app.proxy import learning, moving
from tray_app.proxy.accept import Accepted, Judged, Rejected, accept
from tray_app.proxy.attempt import Attempt, Passed, Step
from tray_app.proxy.heads import marks, passed_on
from tray_app.proxy.http1 import Response
from tray_app.proxy.means import Means
from tray_app.proxy.relay import (
    HEAD,
    Answer,
    Body,
    Broken,
    Going,
    Relay,
    broken,
    passed_whole,
    words_of,
)

if TYPE_CHECKING:
    from tray_app.proxy.resuming import Stretches

QUEUE_S = 120.0  # whoever finds no place for so long is told so
BUSY_RETRY_MS = 5_000  # what a client is told to wait when there is no place
_LEFT = Outcome.CLIENT_CANCELLED
_STORMY = frozenset({Outcome.FAILED, Outcome.EXHAUSTED, Outcome.INTERRUPTED, Outcome.REFUSED})
_LASTING = frozenset({Action.COOL, Action.PARK, Action.REAUTH})
SHORT_PATH = 32  # too short to hold a key: the usual paths are recorded without a search for one


def serve(call: Call, means: Means) -> Awaitable[Answer]:
    """Answer `call` with the profile that can.

    Raises:
        asyncio.CancelledError: the client left; the provider's call is cancelled and all is recorded.
    """
    return _Request(call, means).run()


class _Request:
    """One request on its way: what was tried, who holds the lease, what must be recorded at the end."""

    def __init__(self, call: Call, means: Means) -> None:
        self.call = call
        self.means = means
        self.progress = FRESH
        self.lanes: tuple[Lane, ...] = ()
        self.provider = call.provider or ""
        self._began = means.ticks()
        self._queued_since: float | None = None
        self._queued_ms = 0
        self._attempt: Attempt | None = None
        self._profile_id: str | None = None  # of the latest call: whose answer the client gets
        self._calls = 0
        self._ttft_ms: int | None = None
        self._over = False
        self._status: int | None = None  # that the client has been given with a stream's first bytes
        self._sent = 0
        self._part_at = 0  # since when the answer that is relayed comes
        self._stretches: Stretches | None = None  # once a stream has broken off
        self._slowed: str | None = None  # why it was held back before the first call
        self._held: str | None = None  # who holds the conversation
        # a prompt cache is a model's: what another model does in the same session is another matter
        self._talk = None if call.conversation is None else call.conversation + (call.model or "").encode()
        self._opening: RequestStarted | None = RequestStarted(  # until it is recorded
            call.id,
            call.started_at,
            call.client,
            call.provider,
            str(call.protocol),
            call.path if len(call.path) <= SHORT_PATH else brief(call.path) or "",
            call.model,
            call.stream,
            len(call.body),
        )

    @property
    def _capability(self) -> str | None:
        return capability_of(self.call.protocol, self.call.path)

    def _open(self) -> None:
        """Record that the request has begun, unless that is done: as a rule it is with its first call's beginning."""
        if self._opening is not None:
            self.means.begun(self._opening)
            self._opening = None

    # -- the loop

    async def run(self) -> Answer:
        """See `serve`. In one piece, as far as it goes: each coroutine within another is a frame for each wait."""
        try:
            if not self.means.storms.is_calm(self.call.started_at):
                await self._hold_back()
            self.lanes = self._ways()
            self.provider = self.lanes[0].provider
            if self._talk is not None:
                self._held = self.means.conversations.find(self._talk, self.call.started_at)
            last: Rejected | None = None
            while True:
                step = self._offered()
                if not isinstance(step, Attempt):
                    self._open()
                    step = await self._later(step)
                if isinstance(step, Refuse):
                    return self._refuse(step, last)
                judged = await self._asked(step, self.call)
                if isinstance(judged, Accepted):
                    return self._accepted(step, judged)
                last = self._rejected(step, judged)
                if step.response is not None and self._returns(last):
                    return self._verbatim(step.response, last)
        except BaseException as error:
            left = isinstance(error, asyncio.CancelledError)
            self.ended(_LEFT if left else Outcome.FAILED, None, None)
            raise

    async def _later(self, step: Step | Queue) -> Attempt | Refuse:
        """The next attempt, once its time has come and there is a place for it."""
        while True:
            if isinstance(step, Queue):
                step = await self._admitted(step)
            if not isinstance(step, Wait):
                return step
            await self._wait(step)
            step = self._offered()

    async def _hold_back(self) -> None:
        """A client that asks the same over and over is slowed: it would ask the providers as often."""
        means, storms, now = self.means, self.means.storms, self.call.started_at
        self._open()
        key = key_of(self.call)
        held_ms = storms.hold_ms(key, now)
        if held_ms:
            times = storms.failures(key, now)
            often = f"the same request failed {times} times within moments"
            self._slowed = f"{often}, so it is held for {held_ms / 1000:g} s"
            means.record(Queued(self.call.id, now, len(means.admission), False, self._slowed))
            await asyncio.sleep(held_ms / 1000)
            self._queued_ms += held_ms

    def _ways(self) -> tuple[Lane, ...]:
        """Where the call may go: as its path says, or as a route of that name, or to the default pool."""
        call, means = self.call, self.means
        if call.provider is not None:
            return (Lane(call.provider, call.model),)
        if call.model is not None and (ways := means.routes(call.model)):
            known = means.providers()
            spoken = tuple(
                way for way in ways if way.provider in known and call.protocol in known[way.provider].protocols
            )
            return spoken or ways
        found = means.cell.pool.default_provider(call.protocol, means.providers())
        return (Lane(found or "", call.model),)

    def _next_step(self, rules: Rules, now: int) -> Try | Wait | Queue | Refuse:
        means, call = self.means, self.call
        if self.progress is FRESH:
            step = stays(means.cell.pool, rules, now, self.lanes, self._held, call.tags)
            if step is not None:
                return step
        case = Case(
            self.lanes,
            self.progress,
            means.cell.pool,
            rules,
            now,
            means.chance(),
            self._held,
            len(call.body),
            call.tags,
            self._capability,
        )
        return next_step(case)

    def _offered(self) -> Step | Queue:
        """The next step; a call is begun in the same turn, so that its place is taken."""
        if self._queued_since is not None:
            waited = round((self.means.ticks() - self._queued_since) * 1000)
            self.progress = replace(self.progress, queued_ms=waited)
        rules, now = self.means.rules(), self.means.clock()
        step = self._next_step(rules, now)
        if not isinstance(step, Try):
            return step
        if self._queued_since is None and self.means.admission.is_wanted(step.profile_id):
            return Queue(step.profile_id, f"others wait for {step.profile_id} already")
        return self._start(step, rules, now)

    async def _admitted(self, step: Queue) -> Step:
        """What comes of the call once there is a place."""
        means = self.means
        waiting, limit = len(means.admission), means.rules().queue_limit
        rejected = waiting >= limit
        means.record(Queued(self.call.id, means.clock(), waiting + (not rejected), rejected, step.reason))
        if rejected:
            return self._busy(f"{waiting} calls wait for a place already")
        self._queued_since = began = means.ticks()
        try:
            tried = tuple(one.profile_id for one in self.progress.tried)
            alike = (self.lanes, self.call.tags, self._capability, self._held, tried)
            async with asyncio.timeout(QUEUE_S):
                return await means.admission.place(step, self._offered, alike)
        except TimeoutError:
            reason = f"no place became free for {QUEUE_S:g} s"
            means.record(Queued(self.call.id, means.clock(), len(means.admission), True, reason))
            return self._busy(reason)
        finally:
            self._queued_since = None
            self._queued_ms += round((means.ticks() - began) * 1000)
            self.progress = replace(self.progress, queued_ms=0)

    def _busy(self, reason: str) -> Refuse:
        return Refuse(Why.BUSY, reason, self.means.clock() + BUSY_RETRY_MS)

    async def _wait(self, step: Wait) -> None:
        last = self.progress.last
        error = last.verdict.cls.value if last else "cooldown"
        now = self.means.clock()
        self.means.record(RetryScheduled(self.call.id, now, step.profile_id, error, step.delay_ms, step.reason))
        await asyncio.sleep(step.delay_ms / 1000)
        waited = self.progress.waited_ms + step.delay_ms
        self.progress = replace(self.progress, waited_ms=waited, waiting_for=step.profile_id)

    # -- one attempt

    async def _asked(self, attempt: Attempt, call: Call, *, goes_on: bool = False) -> Accepted | Rejected:
        """What comes of sending `call`."""
        means, profile = self.means, attempt.profile
        response = await means.upstream.send(self._worded(attempt, call), profile)
        if not isinstance(response, Response):
            return Rejected(response)
        attempt.response = response
        pool = means.cell.pool.reached(profile.base_url, means.clock())
        if pool is not means.cell.pool:
            means.cell.set(pool, visible=means.cell.pool.offline)
        means.heard(profile, response.headers, attempt.lane.model)
        judged = accept(call, response, goes_on=goes_on)
        return judged if isinstance(judged, Judged) else await judged

    def _worded(self, attempt: Attempt, call: Call) -> Call:
        """The call as that way spells it, and with its usage asked for where it would not be told else."""
        model = attempt.lane.model
        if model is not None and model != call.model:
            call = replace(call, body=with_model(call.body, model), model=model)
        if call.stream and asks_for_usage(attempt.profile.provider, call.protocol):
            asking = with_usage_asked(call.body)
            if asking is not None:
                attempt.asked = True
                call = replace(call, body=asking)
        return call

    def _start(self, step: Try, rules: Rules, now: int) -> Attempt:
        """Lease the profile in the same turn in which it was chosen."""
        means = self.means
        lane = step.lane or self.lanes[0]
        last = self.progress.last
        if step.failover and last is not None:
            self.progress = replace(self.progress, failovers=self.progress.failovers + 1)
            moving.switch(means, self.call.id, last, step, lane, now)
        elif step.moves:
            self._open()
            moving.take_over(means, self.call.id, step, lane, now)
        pool = means.cell.pool
        member = pool.members[step.profile_id]
        if member.vitals.fled_to is not None:
            pool = pool.known(step.profile_id, replace(member.vitals, fled_to=None))
        means.cell.set(pool.leased(step.profile_id), visible=False)
        self._calls += 1
        self._profile_id, self.provider = member.profile.id, lane.provider
        if self.progress.waiting_for is not None:
            self.progress = replace(self.progress, waiting_for=None)
        attempt = self._attempt = Attempt(member.profile, lane, self._calls, means.ticks(), step.moves)
        attempt.counts = self.call.method == "POST"
        score = rules.score_of(member, now)
        route = RouteSelected(self.call.id, now, step.profile_id, step.reason, score)
        began = AttemptStarted(self.call.id, attempt.seq, step.profile_id, lane.model, now)
        if self._opening is None:
            means.begun(route, began)
        else:
            means.begun(self._opening, route, began)
            self._opening = None
        return attempt

    def _accepted(self, attempt: Attempt, accepted: Accepted) -> Answer:
        self._answers(attempt)
        self._ttft_ms, self._status = attempt.ttft_ms, accepted.response.status
        response = accepted.response
        passed = None if attempt.asked else passed_whole(accepted, self.call.protocol)
        body: Body | bytes
        if passed is None:
            body = Relay(accepted, self.call, self, self.means.settled, hides_usage=attempt.asked)
        else:
            body = accepted.held
            self.ended(Outcome.SERVED, None, passed)
        # a stream may end in words of our own, so its length is never promised
        headers = passed_on(response.headers, response.heads, response.status, promised=not accepted.events)
        return Answer(response.status, headers + self._marks(), body)

    def _answers(self, attempt: Attempt) -> None:
        """The attempt shows that it will be one."""
        means = self.means
        attempt.ttft_ms, self._part_at = self._since(attempt.began), means.clock()
        self._open_up(attempt.profile.id)
        if self._talk is not None and (attempt.moves or self._held is None):
            means.conversations.hold(self._talk, attempt.profile.id, self._part_at)

    def _open_up(self, profile_id: str) -> None:
        """The first answer of a profile that took over: whoever waits for it may come."""
        cell = self.means.cell
        member = cell.pool.members.get(profile_id)
        if member is not None and member.vitals.ramp is not None:
            cell.set(cell.pool.known(profile_id, replace(member.vitals, ramp=None)), visible=False)
            self.means.admission.pump()

    def _rejected(self, attempt: Attempt, rejected: Rejected) -> Rejected:
        """Judge the answer, end the attempt, and let the pool learn from it."""
        judgement = judge(attempt.profile.provider, rejected.answer, self.means.clock() / 1000)
        verdict = judgement.verdict
        if not judgement.known and isinstance(rejected.answer, Head):
            self.means.record(unknown_answer(attempt.profile.provider, rejected.answer, self.means.clock()))
        tried = Tried(attempt.profile.id, verdict, attempt.lane.model)
        self.progress = replace(self.progress, tried=(*self.progress.tried, tried), waiting_for=None)
        learning.learn(self.means, attempt.profile, attempt.lane, verdict, self.call.id)
        held, passed = rejected.held, None
        if held and attempt.response is not None and attempt.response.status < 300:  # it may have to be paid for
            whole, streamed = attempt.response.complete, self.call.stream
            passed = Passed(self.call.protocol, 1, held[:HEAD], held[-sse.KEPT :], streamed, whole, len(held) <= HEAD)
        self.means.record(self._attempt_ended(attempt, Outcome.FAILED, verdict, len(held), passed))
        self.means.admission.pump()
        return rejected

    def _returns(self, rejected: Rejected) -> bool:
        last = self.progress.last
        return last is not None and last.verdict.action is Action.RETURN and rejected.response is not None

    # -- ends

    def _verbatim(self, response: Response, rejected: Rejected) -> Answer:
        """The provider's own answer, as it came; an error in the dress of a success gets its true status."""
        status, body, headers = response.status, rejected.held, response.headers
        if status < 300 and isinstance(rejected.answer, Head):
            last = self.progress.last
            status = (last.verdict.status if last else None) or 502
            body, headers = rejected.answer.body, [(b"content-type", b"application/json")]
        self._close(Outcome.FAILED, status, len(body), None)
        kept = passed_on(headers, dict(headers), status, length=len(body))
        return Answer(status, kept + self._marks(), body)

    def _refuse(self, step: Refuse, last: Rejected | None) -> Answer:
        if step.why is Why.LAST_ANSWER and last is not None and last.response is not None:
            return self._verbatim(last.response, last)
        providers = {lane.provider for lane in self.lanes}
        members = [m for m in self.means.cell.pool.members.values() if m.profile.provider in providers]
        now = self.means.clock()
        more = {"only": self._strictly(now), "slowed": self._slowed}
        end = ending.exhausted(step, self.call.protocol, members, self.call.model, now, self.call.id, **more)
        outcome = Outcome.FAILED if step.why in (Why.BROKEN, Why.OFFLINE) else Outcome.EXHAUSTED
        if step.why in (Why.NO_PROFILE, Why.NO_MATCH, Why.PAUSED, Why.HALTED, Why.BUSY):
            outcome = Outcome.REFUSED
        self._close(outcome, end.status, len(end.body), step.reason)
        return Answer(end.status, end.headers + self._marks(), end.body)

    def _strictly(self, now: int) -> str | None:
        """The one profile that an operator lets serve."""
        choice = self.means.cell.pool.choice_at(now)
        return choice.profile_id if choice is not None and choice.strict else None

    def ended(self, outcome: Outcome, failure: Broken | None, passed: Passed | None) -> None:
        """End the running attempt and the request. Safe to call twice."""
        if outcome is _LEFT and self.means.stopping():
            outcome = Outcome.INTERRUPTED
        attempt = self._attempt
        if attempt is not None and failure is None and self._stretches is None:  # as a rule
            size = passed.size if passed is not None else 0
            end = self._attempt_ended(attempt, outcome, None, size, passed)
            self._close(outcome, self._status, size, None, end)
            self.means.admission.pump()
            return
        words = words_of(failure) if failure is not None else None
        if attempt is not None:
            verdict = self._verdict_of(attempt, failure) if failure is not None else None
            if verdict is not None and isinstance(failure, Head):
                learning.learn(self.means, attempt.profile, attempt.lane, verdict, self.call.id)
            self._end_part(attempt, outcome, verdict, passed)
            if words is not None:
                self._forget_conversation()
                moving.move_on(self.means, self.call.id, attempt.profile, attempt.lane, words)
        self._close(outcome, self._status, self._sent, words)

    def _forget_conversation(self) -> None:
        """Whoever goes on with it is to meet another profile."""
        if self._talk is not None:
            self.means.conversations.forget(self._talk)

    def _verdict_of(self, attempt: Attempt, failure: Broken) -> Verdict:
        """What a stream's breaking off says of its profile: where the provider names a limit, that."""
        provider, now_s = attempt.profile.provider, self.means.clock() / 1000
        if isinstance(failure, Unreachable):
            return classify(provider, failure, now_s)
        judgement = judge(provider, failure, now_s)
        if judgement.known and judgement.verdict.action in _LASTING:
            return judgement.verdict
        return classify(provider, broken(words_of(failure)), now_s)

    # -- another attempt at a stream that broke off

    def goes_on(self, telling: Telling) -> bool:
        """Whether another attempt may be asked for the rest of it, which is done no more than a few times."""
        from tray_app.proxy.resuming import MAX_CONTINUATIONS, may_go_on

        times = self._stretches.count if self._stretches is not None else 0
        if times >= MAX_CONTINUATIONS or not self.means.rules().goes_on or self.means.stopping():
            return False
        return may_go_on(self.call, telling)

    async def resumed(self, telling: Telling, failure: Broken, passed: Passed, usage: bytes) -> Going | None:
        """The attempt has broken off: another one that goes on with it, None where there is none."""
        self._break_off(telling, failure, passed)
        while isinstance(step := await self._later(self._offered()), Attempt):
            found = await self._gone_on(step, telling, usage)
            if found is not None:
                return found
        return None

    def _break_off(self, telling: Telling, failure: Broken, passed: Passed) -> None:
        """End the attempt that broke off."""
        from tray_app.proxy.resuming import Stretches

        attempt = self._attempt
        if attempt is None:
            return
        if self._stretches is None:
            self._stretches = Stretches(self.call.id, self.means.record)
        verdict = self._verdict_of(attempt, failure)
        tried = Tried(attempt.profile.id, verdict, attempt.lane.model, told=True)
        self.progress = replace(self.progress, tried=(*self.progress.tried, tried), waiting_for=None)
        learning.learn(self.means, attempt.profile, attempt.lane, verdict, self.call.id)
        self._forget_conversation()
        if passed.stretch is None:
            passed = replace(passed, stretch=(len(telling.text), 0))
        self._end_part(attempt, Outcome.INTERRUPTED, verdict, passed)

    async def _gone_on(self, attempt: Attempt, telling: Telling, usage: bytes) -> Going | None:
        from tray_app.core.continuing import Seam
        from tray_app.proxy.resuming import rest_of

        call, way = rest_of(self.call, attempt.profile, attempt.lane, telling)
        judged = await self._asked(attempt, call, goes_on=True)
        if isinstance(judged, Rejected):
            self._rejected(attempt, judged)
            return None
        self._answers(attempt)
        if self._stretches is not None:
            self._stretches.joined()
        return Going(judged, Seam(telling, call.protocol, way, usage), attempt.asked)

    def _end_part(self, attempt: Attempt, outcome: Outcome, verdict: Verdict | None, passed: Passed | None) -> None:
        """End the attempt whose answer was relayed; of a stitched stream that is a part."""
        size = passed.size if passed is not None else 0
        self._sent += size
        end = self._attempt_ended(attempt, outcome, verdict, size, passed)
        self.means.record(end)
        self.means.admission.pump()
        if self._stretches is not None and passed is not None and passed.stretch is not None:
            stretch, at = passed.stretch, end.ended_at
            self._stretches.ended(attempt.seq, attempt.profile.id, self._part_at, at, stretch, outcome)

    def _attempt_ended(
        self, attempt: Attempt, outcome: Outcome, verdict: Verdict | None, size: int, passed: Passed | None
    ) -> AttemptEnded:
        """End the running attempt: what is to be recorded of it."""
        means, now = self.means, self.means.clock()
        self._attempt = None
        if attempt.response is not None:
            attempt.response.close()
        took = self._since(attempt.began)
        learning.end(means, attempt.profile.id, outcome, verdict, attempt.ttft_ms, now)
        return attempt.ended(self.call.id, now, took, outcome, verdict, size, passed)

    def _close(
        self,
        outcome: Outcome,
        status: int | None,
        size: int,
        reason: str | None,
        end: AttemptEnded | None = None,
    ) -> None:
        """End the request, and record that; `end` is its only attempt's, which is recorded with it."""
        if self._over:
            return
        self._over = True
        self._open()
        means = self.means
        now = means.clock() if end is None else end.ended_at
        if outcome in _STORMY:
            means.storms.failed(key_of(self.call), self.call.started_at, now)
        elif not means.storms.is_calm(now):
            means.storms.served(key_of(self.call))
        over = RequestEnded(
            self.call.id,
            now,
            outcome,
            status,
            self.provider or None,
            self._profile_id,
            self._calls,
            self.progress.failovers,
            self.progress.waited_ms + self._queued_ms,
            self._ttft_ms,
            self._since(self._began),
            size,
            brief(reason),
        )
        if end is None:
            means.record(over)
        else:
            means.record(end, over)

    def _since(self, began: float) -> int:
        return round((self.means.ticks() - began) * 1000)

    def _marks(self) -> Headers:
        made = marks(self.call.id, self._profile_id, self._calls, self.progress.failovers)
        return made if self._slowed is None else (*made, (b"x-o-switcher-held", self._slowed.encode()))
