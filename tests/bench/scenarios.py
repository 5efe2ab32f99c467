"""What is measured, and how: nginx and O-Switcher in turns, round by round, by the CPU time that each used.

Every figure is a ratio within one round of one run, so that a slow or busy machine changes both sides.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.bench import judging, nginx, switcher, trayed, variants
from tests.bench.load import Plan, Result
from tests.bench.processes import Child, Failed, context_switches, cpu_s, memory_mb, polled
from tests.bench.table import Row, Series

BURST = "bench/burst-20-0"
LATE = 1.03  # a stream may take that much longer than its provider takes to send it


@dataclass(frozen=True)
class Sizes:
    """How much of each is done."""

    rounds: int = 7
    json_requests: int = 3000
    wide_requests: int = 3000
    burst_answers: int = 640
    burst_rounds: int = 5
    streams: int = 100
    rate: int = 200
    stream_s: float = 10.0
    stream_rounds: int = 3
    record_requests: int = 2000
    starts: int = 5
    idle_s: float = 20.0
    watch_s: float = 10.0
    settle_s: float = 0.4  # what is written lazily after a round belongs to it


QUICK = Sizes(1, 200, 300, 32, 1, 20, 50, 0.6, 1, 100, 1, 0.5, 0.5, 0.3)


@dataclass
class Bench:
    """The run: its folder, and what is up. `say` tells the progress."""

    folder: Path
    sizes: Sizes
    say: Callable[[str], None]
    upstream_port: int = 0
    prepared: switcher.Place | None = None
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def place(self) -> switcher.Place:
        """The prepared home that others are copied from."""
        assert self.prepared is not None
        return self.prepared

    def fresh(self, name: str) -> switcher.Place:
        """A home with a key in which nothing has run yet."""
        home = self.folder / name
        shutil.copytree(self.place.home, home)
        return switcher.Place(home, self.place.token)


@dataclass(frozen=True)
class Target:
    """One side of a comparison."""

    name: str
    child: Child
    port: int
    token: str


def run(folder: Path, sizes: Sizes, say: Callable[[str], None]) -> Iterator[Row]:
    """All scenarios; rows as they are ready."""
    bench = Bench(folder, sizes, say)
    with ExitStack() as stack:
        upstream = stack.enter_context(_running(_upstream(folder)))
        bench.upstream_port = int(upstream.line())
        bench.prepared = switcher.prepare(folder / "prepared", bench.upstream_port)
        with ExitStack() as sides:
            front, port = nginx.start(folder / "nginx", bench.upstream_port, switcher.KEY)
            sides.enter_context(_running(front))
            place = bench.fresh("main")
            ours = sides.enter_context(_running(switcher.spawn(place)))
            pair = (
                Target("nginx", front, port, "client"),
                Target("O-Switcher", ours, switcher.port_of(ours, place), place.token),
            )
            _same_answers(pair)
            yield from _versus(bench, pair)
            yield _wide(bench, pair[1])
        yield from _record(bench)
        yield from _parts(bench)
        yield _starts(bench, "start to first answer, fresh home", bench.fresh)
        yield _starts(bench, "start to first answer, home in use", lambda _: place)
        yield from _idle(bench, place)
        settle_s, watch_s = (sizes.idle_s, sizes.watch_s) if sizes is QUICK else (trayed.SETTLED_S, trayed.MINUTE_S)
        home = bench.fresh("tray")
        yield from trayed.run(folder, home, say, starts=sizes.starts, settle_s=settle_s, watch_s=watch_s)
    crowd, dies_s, times = (20, 1.0, 1) if sizes is QUICK else (100, 4.0, 122)
    yield from judging.run(folder, say, crowd=crowd, dies_s=dies_s, times=times)


def _upstream(folder: Path) -> Child:
    command = [sys.executable, "-m", "tests.bench.upstream"]
    return Child(command, folder / "upstream.log", cwd=switcher.CHECKOUT, pipes=True)


@contextmanager
def _running(child: Child) -> Iterator[Child]:
    try:
        yield child
    finally:
        child.stop()


def _same_answers(pair: Sequence[Target]) -> None:
    """Both sides must give the same bytes before it makes sense to compare what they cost."""
    for model, stream in (("bench/json", False), (BURST, True), ("bench/paced-1000-30", True)):
        bodies = {switcher.answer(side.port, side.token, model, stream=stream) for side in pair}
        if len(bodies) != 1:
            raise Failed(f"nginx and O-Switcher give different answers of {model}")


# -- side by side


@contextmanager
def _load(bench: Bench, plan: Plan) -> Iterator[Child]:
    """A load generator that is connected."""
    child = Child(
        [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(plan))],
        bench.folder / "load.log",
        cwd=switcher.CHECKOUT,
        pipes=True,
    )
    with _running(child):
        if child.line() != "ready":
            raise Failed(f"the load generator does not come up: {child.words()}")
        yield child


def _round(side: Target, load: Child, count: int, settle_s: float) -> tuple[float, Result]:
    """CPU seconds of that side for `count` answers, and how these came."""
    before = cpu_s(side.child.pid)
    result = Result(**json.loads(load.ask(str(count))))
    if result.fault is not None:
        raise Failed(f"{side.name}: {result.fault}")
    time.sleep(settle_s)
    return cpu_s(side.child.pid) - before, result


@dataclass(frozen=True)
class Round:
    """What each side used in one round, in the order of the sides."""

    cpu: tuple[float, ...]
    results: tuple[Result, ...]

    def ratio(self, over: int = 0, under: int = 1) -> float:
        """How much more the side `under` used than the side `over`."""
        return self.cpu[under] / self.cpu[over]


def _rounds(bench: Bench, sides: Sequence[tuple[Target, Plan]], counts: Sequence[int], rounds: int) -> list[Round]:
    """Rounds in which each side is loaded in turn; who begins changes from round to round."""
    with ExitStack() as stack:
        loads = [stack.enter_context(_load(bench, plan)) for _, plan in sides]
        for (side, plan), load in zip(sides, loads, strict=True):
            warming = plan.connections if plan.paced else max(plan.connections, counts[0] // 8)
            _round(side, load, warming, bench.sizes.settle_s)
        done = []
        for number in range(rounds):
            found: dict[int, tuple[float, Result]] = {}
            order = range(len(sides))
            for place in order if number % 2 == 0 else reversed(order):
                found[place] = _round(sides[place][0], loads[place], counts[place], bench.sizes.settle_s)
            done.append(Round(*(tuple(found[place][part] for place in order) for part in (0, 1))))  # type: ignore[arg-type]
            bench.say(f"  round {number + 1} of {rounds}: {' / '.join(f'{cpu:.3f} s' for cpu in done[-1].cpu)}")
        return done


def _versus(bench: Bench, pair: Sequence[Target]) -> Iterator[Row]:
    sizes = bench.sizes
    yield _compared(
        bench,
        "JSON, 8 connections: CPU a request",
        pair,
        ("bench/json", 8, False),
        sizes.json_requests,
        sizes.rounds,
        15,
    )
    yield _compared(
        bench,
        "SSE in bursts, 16 connections: CPU an answer",
        pair,
        (BURST, 16, True),
        sizes.burst_answers,
        sizes.burst_rounds,
        3,
    )
    yield from _streams(bench, pair)


def _compared(
    bench: Bench,
    name: str,
    pair: Sequence[Target],
    what: tuple[str, int, bool],
    count: int,
    rounds: int,
    floor: float,
) -> Row:
    bench.say(name)
    model, connections, stream = what
    sides = [(side, Plan(side.port, side.token, model, connections, stream)) for side in pair]
    done = _rounds(bench, sides, [count] * len(sides), rounds)
    return _row(name, done, count, floor)


def _row(name: str, done: Sequence[Round], count: int, floor: float) -> Row:
    nginx_us, own_us = (Series(tuple(one.cpu[place] / count * 1e6 for one in done), "us") for place in (0, 1))
    return Row(name, own_us, nginx_us, Series(tuple(one.ratio() for one in done), "x"), floor)


def _streams(bench: Bench, pair: Sequence[Target]) -> Iterator[Row]:
    sizes = bench.sizes
    chunks = round(sizes.rate * sizes.stream_s)
    named = f"{sizes.streams} streams of {sizes.rate} chunks a second"
    bench.say(named)
    model = f"bench/paced-{sizes.rate}-{chunks}"
    limit_s = sizes.stream_s * 2 + 10
    sides = [
        (side, Plan(side.port, side.token, model, sizes.streams, stream=True, paced=True, limit_s=limit_s))
        for side in pair
    ]
    done = _rounds(bench, sides, [sizes.streams] * 2, sizes.stream_rounds)
    yield _row(f"{named}: CPU a chunk", done, chunks * sizes.streams, 2.5)
    paced_s = (chunks - 1) / sizes.rate
    late = [Series(tuple(one.results[side].slowest_s / paced_s for one in done), "x") for side in (0, 1)]
    worse = Series(tuple(map(max, late[0].values, late[1].values)), "x")
    yield Row("  slowest stream over its paced time", late[1], late[0], worse, LATE)


def _wide(bench: Bench, side: Target) -> Row:
    name = "JSON, 256 connections over 8: CPU a request"
    bench.say(name)
    plans = [Plan(side.port, side.token, "bench/json", connections, stream=False) for connections in (8, 256)]
    count = bench.sizes.wide_requests
    done = _rounds(bench, [(side, plan) for plan in plans], [count] * 2, bench.sizes.rounds)
    own = Series(tuple(one.cpu[1] / count * 1e6 for one in done), "us")
    return Row(name, own, None, Series(tuple(one.ratio() for one in done), "x"), 2)


# -- what the durable record costs, and the other parts of the way


def _record(bench: Bench) -> Iterator[Row]:
    """The same load with three ways of keeping records, over none at all."""
    words = {
        variants.NONE: "no record",
        variants.SETTLED: "group commit awaited",
        variants.LINE: "line ahead, lazy commit",
    }
    bench.say("cost of the durable record (none, settled, line)")
    yield from _variants(bench, "record", words, ("bench/json", 8, False), bench.sizes.record_requests)


def _parts(bench: Bench) -> Iterator[Row]:
    """Streams with one part of the way switched off in turn, over all of it."""
    words = {
        variants.SETTLED: "all on",
        variants.HASTY: "without late commit",
        variants.UNCOUNTED: "without usage and cost",
        variants.NONE: "without recording",
    }
    bench.say("cost of the parts (all on, without late commit, without usage, without recording)")
    yield from _variants(bench, "SSE bursts", words, (BURST, 16, True), bench.sizes.burst_answers)


def _variants(bench: Bench, what: str, words: dict[str, str], load: tuple[str, int, bool], count: int) -> Iterator[Row]:
    """Each variant under the same load, as a ratio over the first."""
    model, connections, stream = load
    with ExitStack() as stack:
        sides = []
        for name in words:
            place = bench.fresh(f"{what.split(maxsplit=1)[0]}-{name}")
            child = stack.enter_context(_running(switcher.spawn(place, name)))
            sides.append(Target(name, child, switcher.port_of(child, place), place.token))
        plans = [Plan(side.port, side.token, model, connections, stream) for side in sides]
        done = _rounds(bench, list(zip(sides, plans, strict=True)), [count] * len(sides), bench.sizes.rounds)
    for number, name in enumerate(words):
        own = Series(tuple(one.cpu[number] / count * 1e6 for one in done), "us")
        speed = Series(tuple(one.results[number].answers / one.results[number].wall_s for one in done), "/s")
        ratio = Series(tuple(one.ratio(under=number) for one in done), "x")
        yield Row(f"{what}: {words[name]}: CPU a request ({speed})", own, None, ratio)


# -- start and rest


def _starts(bench: Bench, name: str, home: Callable[[str], switcher.Place]) -> Row:
    bench.say(name)
    took = []
    for number in range(bench.sizes.starts):
        place = home(f"start-{number}")
        began = time.perf_counter()
        with _running(switcher.spawn(place)) as child:
            _first_answer(child, place)
            took.append(time.perf_counter() - began)
    return Row(name, Series(tuple(took), "s"), floor=1.2)


def _first_answer(child: Child, place: switcher.Place) -> None:
    port = switcher.port_of(child, place)
    for _ in polled(30.0):
        try:
            switcher.answer(port, place.token)
            return
        except OSError:
            continue
    raise Failed("O-Switcher listens, but does not answer")


def _idle(bench: Bench, place: switcher.Place) -> Iterator[Row]:
    bench.say("idle")
    with _running(switcher.spawn(place)) as child:
        _first_answer(child, place)
        time.sleep(bench.sizes.idle_s)
        memory, used = memory_mb(child.pid), cpu_s(child.pid)
        before = context_switches(child.pid)
        time.sleep(bench.sizes.watch_s)
        switches = context_switches(child.pid) - before
        used = cpu_s(child.pid) - used
    yield Row(f"idle for {bench.sizes.idle_s:g} s: memory (PSS)", Series((memory,), "MB"), floor=70)
    note = f"{used * 1000:.1f} ms of CPU"
    yield Row(f"idle: context switches in {bench.sizes.watch_s:g} s", Series((float(switches),), ""), note=note)
