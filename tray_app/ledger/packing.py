"""How rows are kept small: what is repeated stands once, in tables of its own, and a number stands for it.

The views `request` and `attempt` are the other half of this: what is put together here they take apart again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from tray_app.core.ids import time_of
from tray_app.core.values import AttemptEnded, AttemptStarted, Outcome, RequestEnded, RequestStarted, Spent

DAY_MS = 86_400_000
NANO = 1_000_000_000
MOST_KNOWN = 4096  # combinations that are remembered; the file knows them all
PREFIXES = ("gen-", "req_011C", "req_", "chatcmpl-", "msg_", "resp_")  # of providers' ids
_HEX = "0123456789abcdef"
_MOST_AFTER = 1 << 30

NOTHING = Spent()

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of combinations. `signed`: those of one kind get negative ids."""

    name: str
    columns: str

    @property
    def find(self) -> str:
        """SQL for a combination's id and the day until which it is kept."""
        terms = " AND ".join(f"{column} IS ?" for column in self.columns.split())
        return f"SELECT id, used_at FROM {self.name} WHERE {terms}"  # noqa: S608

    @property
    def insert(self) -> str:
        """SQL for a new combination: id, day, values."""
        columns = self.columns.split()
        marks = ", ".join("?" * (len(columns) + 2))
        return f"INSERT INTO {self.name} (id, used_at, {', '.join(columns)}) VALUES ({marks})"  # noqa: S608


REQUEST_KIND = Table("request_kind", "client provider protocol path model stream")
REQUEST_END = Table("request_end", "outcome status_code profile_id attempts failovers cost_source id_prefix call_model")
ATTEMPT_KIND = Table("attempt_kind", "profile_id model outcome status_code cost_source id_prefix")
ATTEMPT_FAULT = Table("attempt_fault", "error_class error_scope error_code error_message reason")
TABLES = (REQUEST_KIND, REQUEST_END, ATTEMPT_KIND, ATTEMPT_FAULT)

Known = dict[tuple[str, Values], tuple[int, int]]


class Combinations:
    """The numbers of combinations, as one transaction sees them. `known` is what earlier ones have left.

    A number that is known is good until the end of the day that stands with it: what was not used since may be gone.
    """

    def __init__(self, connection: sqlite3.Connection, known: Known) -> None:
        self._connection = connection
        self._known = known
        self.fresh: Known = {}

    def number(self, table: Table, values: Values, at: int) -> int:
        """The number of `values` for a row of that time (ms), given out if they are new."""
        key = (table.name, values)
        found = (self.fresh and self.fresh.get(key)) or self._known.get(key)
        if found is None or at - found[1] >= DAY_MS:
            found = self.fresh[key] = self._from_file(table, values, at // DAY_MS * DAY_MS)
        return found[0]

    def _from_file(self, table: Table, values: Values, day: int) -> tuple[int, int]:
        ask = self._connection.execute
        row = ask(table.find, values).fetchone()
        if row is None:
            number = self._next_negative() if table is REQUEST_END and values[0] != Outcome.SERVED else None
            inserted = ask(table.insert, (number, day, *values))
            return number or int(inserted.lastrowid or 0), day
        if row[1] < day:
            ask(f"UPDATE {table.name} SET used_at = ? WHERE id = ?", (day, row[0]))  # noqa: S608
        return row[0], max(row[1], day)

    def _next_negative(self) -> int:
        return int(self._connection.execute("SELECT min(0, coalesce(min(id), 0)) - 1 FROM request_end").fetchone()[0])


def forget(connection: sqlite3.Connection, before: int) -> None:
    """Take away the combinations that no row from `before` (ms) on uses."""
    for table in TABLES:
        connection.execute(f"DELETE FROM {table.name} WHERE used_at < ?", (before // DAY_MS * DAY_MS,))  # noqa: S608


# -- rows


def asked(start: RequestStarted, provider: str | None) -> Values:
    """The combination of what a request asks for."""
    return start.client, provider, start.protocol, start.path, start.model, start.stream


def opened(start: RequestStarted, kind: int) -> Values:
    """The row of a request that goes on."""
    return start.id, kind, start.request_bytes, _more(start, None, None)


class Call(msgspec.Struct, frozen=True, gc=False):
    """A call that has ended, with its start."""

    start: AttemptStarted
    end: AttemptEnded


def whole_request(
    start: RequestStarted,
    end: RequestEnded,
    spent: Spent,
    call: Call | None,
    place: int | None,
    combinations: Combinations,
) -> Values:
    """The row of a request that has ended; with `call` in it, if its `place_of` is known."""
    began = start.started_at
    skew = end.ended_at - began - end.duration_ms
    ended_at = None if -1 <= skew <= 2 else end.ended_at
    bits = 1 if ended_at is not None else skew + 1
    if call is None or place is None:
        prefix, upstream, chunks, model = "", None, None, None
    else:
        bits += 4 + (place << 2)
        prefix, upstream = split_id(call.end.upstream_request_id)
        chunks = call.end.chunks
        model = None if call.start.model == start.model else call.start.model
    told = (end.outcome, end.status_code, end.profile_id, end.attempts, end.failovers, spent.cost_source, prefix, model)
    return (
        start.id,
        combinations.number(REQUEST_KIND, asked(start, end.provider), began),
        combinations.number(REQUEST_END, told, began),
        bits,
        end.wait_ms,
        end.ttft_ms,
        end.duration_ms,
        start.request_bytes,
        end.response_bytes,
        *_tokens(spent),
        upstream,
        chunks,
        _more(start, ended_at, end.reason),
    )


def place_of(start: RequestStarted, end: RequestEnded, spent: Spent, call: Call) -> int | None:
    """Where in the request's time its only call lies, as the view `attempt` reads it.

    None: the call needs a row of its own, since not all that is to be said of it follows from the request's.
    """
    own, began = call.end, call.start
    if end.attempts != 1 or own.seq != 1 or own.profile_id != end.profile_id or own.outcome is not end.outcome:
        return None
    if own.status_code != end.status_code or own.response_bytes != end.response_bytes or _failed(own) is not None:
        return None
    if own.retry_after_s is not None or (began.model is None and start.model is not None):
        return None
    if own.spent is not spent and _without_words(own.spent) != _without_words(spent):
        return None
    after, rest = began.started_at - start.started_at, end.ended_at - own.ended_at
    took, first = end.duration_ms - after - rest - own.duration_ms, 0
    shown, own_shown = end.ttft_ms, own.ttft_ms
    if shown is not None and own_shown is not None:
        first = shown - after - own_shown
    elif shown is not own_shown:
        return None
    if 0 <= after < _MOST_AFTER and 0 <= rest <= 7 and -2 <= first <= 5 and -2 <= took <= 5:
        return rest + (first + 2 << 3) + (took + 2 << 6) + (after << 9)
    return None


def whole_attempt(call: Call, combinations: Combinations) -> Values:
    """The row of a call that has ended."""
    start, end = call.start, call.end
    spent = end.spent or NOTHING
    prefix, upstream = split_id(end.upstream_request_id)
    told = (start.profile_id, start.model, end.outcome, end.status_code, spent.cost_source, prefix)
    kind = combinations.number(ATTEMPT_KIND, told, start.started_at)
    failed = _failed(end)
    fault = None if failed is None else combinations.number(ATTEMPT_FAULT, failed, start.started_at)
    clock = end.ended_at - start.started_at - end.duration_ms
    times = (start.started_at, clock, end.retry_after_s, end.ttft_ms, end.duration_ms, end.response_bytes)
    return start.request_id, start.seq, kind, fault, *times, *_tokens(spent), upstream, end.chunks


def opened_attempt(start: AttemptStarted, combinations: Combinations) -> Values:
    """The row of a call that goes on."""
    told = (start.profile_id, start.model, None, None, None, "")
    return start.request_id, start.seq, combinations.number(ATTEMPT_KIND, told, start.started_at), start.started_at


def attempt_id(request_id: str, seq: int) -> str:
    """`attempt.id`, as the view makes it."""
    return request_id + ("-1" if seq == 1 else f"-{seq}")


def _failed(end: AttemptEnded) -> Values | None:
    if end.error_class is end.error_scope is end.error_code is end.error_message is end.reason is None:
        return None
    return end.error_class, end.error_scope, end.error_code, end.error_message, end.reason


def _without_words(spent: Spent | None) -> Spent:
    if spent is None:
        return NOTHING
    return spent if spent.usage is None else msgspec.structs.replace(spent, usage=None)


def _tokens(spent: Spent) -> Values:
    return (
        spent.input_tokens,
        spent.output_tokens,
        spent.cache_read_tokens,
        spent.cache_write_tokens,
        spent.reasoning_tokens,
        packed_money(spent.cost_usd),
    )


def _more(start: RequestStarted, ended_at: int | None, reason: str | None) -> str | None:
    """What few requests have, as JSON."""
    began = None if time_of(start.id) == start.started_at else start.started_at
    if began is None and ended_at is None and reason is None:
        return None
    told = {"started_at": began, "ended_at": ended_at, "reason": reason}
    return msgspec.json.encode({name: value for name, value in told.items() if value is not None}).decode()


def packed_money(usd: float | None) -> float | None:
    """Whole billionths of a US dollar as an integer, where that says it exactly; else US dollars as they are."""
    if usd is None:
        return None
    nano = round(usd * NANO)
    return nano if nano / NANO == usd and abs(usd) < 9e6 else float(usd)


def split_id(told: str | None) -> tuple[str, str | bytearray | None]:
    """A provider's id as its prefix and the rest, with digits that are hexadecimal as bytes: as those that the driver
    takes as they are."""
    if told is None:
        return "", None
    prefix = ""
    for known in PREFIXES:
        if told.startswith(known):
            prefix = known
            break
    rest = told[len(prefix) :]
    if len(rest) % 2 or not 8 <= len(rest) <= 64 or rest.strip(_HEX):
        return prefix, rest
    return prefix, bytearray.fromhex(rest)
