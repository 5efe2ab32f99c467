"""The sums of `fault_hour`: calls that failed, by the class of their error, and what failing over spared.

A request is counted when it ends: only then is it known whether another profile has served it. The same is said twice,
of facts while they are written and in SQL for what is there already; a test holds the two to each other.

What was spared is counted with care. Time: once for each move of the pool, from the first failure on until the profile
would have been free again by its provider's own words, an hour at most, less what the answer took to begin instead.
Money: what was paid for an answer that broke off and that another profile went on with, so that it was not in vain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest

from tray_app.core.values import AttemptEnded, Outcome, RequestEnded, RequestStarted

MOST_MS = 3_600_000

_HOUR = "r.started_at / 3600000 * 3600000"
_MOVED = "f.following IS NOT NULL AND f.following != f.profile_id"
_SPARED = f"""
CASE WHEN r.outcome = 'served' AND {_MOVED} AND f.retry_after_s IS NOT NULL
    AND EXISTS (SELECT 1 FROM failover o WHERE o.request_id = r.id AND o.from_profile = f.profile_id AND NOT o.manual)
    AND NOT EXISTS (SELECT 1 FROM attempt_data e JOIN attempt_kind l ON l.id = e.kind
                    JOIN attempt_fault c ON c.id = e.fault
                    WHERE e.request_id = r.id AND e.seq < f.seq AND l.profile_id != f.profile_id
                    AND c.error_class IS NOT NULL)
THEN max(0, min(CAST(f.retry_after_s * 1000 AS INTEGER), {MOST_MS})
            - max(0, r.started_at + coalesce(r.ttft_ms, r.duration_ms) - f.ended_at))
ELSE 0 END
"""  # noqa: S608 - words of ours


def counted(where: str) -> str:
    """SQL for rows of `fault_hour` of requests that have ended; `where` says which, of `d.request_id`."""
    return f"""
WITH failed AS (
    SELECT d.request_id, d.seq, k.profile_id, k.outcome, b.error_class, d.retry_after_s,
           d.started_at + d.clock + coalesce(d.duration_ms, 0) AS ended_at,
           CASE typeof(d.cost) WHEN 'integer' THEN d.cost / 1e9 ELSE d.cost END AS cost_usd,
           (SELECT l.profile_id FROM attempt_data n JOIN attempt_kind l ON l.id = n.kind
            WHERE n.request_id = d.request_id AND n.seq > d.seq AND n.clock IS NOT NULL
            ORDER BY n.seq LIMIT 1) AS following
    FROM attempt_data d JOIN attempt_fault b ON b.id = d.fault JOIN attempt_kind k ON k.id = d.kind
    WHERE {where} AND b.error_class IS NOT NULL AND d.clock IS NOT NULL
)
SELECT {_HOUR}, f.profile_id, coalesce(r.model, ''), r.client, f.error_class, count(*), sum({_MOVED}), sum({_SPARED}),
       sum(CASE WHEN r.outcome = 'served' AND f.outcome = 'interrupted' AND {_MOVED} THEN f.cost_usd END)
FROM failed f JOIN request r ON r.id = f.request_id WHERE r.outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - words of ours


def of_request(
    start: RequestStarted, end: RequestEnded, calls: Sequence[AttemptEnded], left: Collection[str]
) -> Iterator[tuple[str, str, int, int, float | None]]:
    """Of each of its `calls` (in their order) that failed: profile, class, moved on (0, 1), ms and dollars spared.

    `left`: the profiles that the pool has left because of this request.
    """
    served, before = end.outcome is Outcome.SERVED, set[str]()
    begun_at = start.started_at + (end.duration_ms if end.ttft_ms is None else end.ttft_ms)
    for call, following in zip_longest(calls, calls[1:]):  # of a request without calls there are none
        if call.error_class is None:
            continue
        moved = following is not None and following.profile_id != call.profile_id
        gone_on = served and moved
        first = before <= {call.profile_id} and call.profile_id in left
        spared_ms = _spared(call, begun_at) if gone_on and first else 0
        spent = call.spent.cost_usd if call.spent is not None else None
        yield (
            call.profile_id,
            call.error_class,
            int(moved),
            spared_ms,
            spent if gone_on and call.outcome is Outcome.INTERRUPTED else None,
        )
        before.add(call.profile_id)


def _spared(call: AttemptEnded, begun_at: int) -> int:
    if call.retry_after_s is None:
        return 0
    return max(0, min(int(call.retry_after_s * 1000), MOST_MS) - max(0, begun_at - call.ended_at))
