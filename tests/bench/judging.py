"""How well and how fast O-Switcher decides: herds and bursts through the whole app, and the bare decisions.

Figures of behaviour are counts, not times; the bare decisions are microseconds of one call, the best of several
rounds, in this process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx

from tests.bench.switcher import CHECKOUT, environment
from tests.bench.table import Row, Series
from tests.rig import CHAT, MODEL, Rig, plain_http, running, script_of
from tray_app.core.classify import classify
from tray_app.core.policy import Case, Lane, Progress, Rules, Strategy, Tried, next_step
from tray_app.core.pool import Member, Pool, pool_of
from tray_app.core.values import Action, Cooldown, CooldownSet, ErrorClass, Head, Profile, Scope, Source, Verdict

LATECOMERS = 50
WIDE = "[switcher]\nconcurrency_limit = 1000\nqueue_limit = 1000\n"
NOW = 1_790_000_000_000
CORPUS = Path(__file__).parents[1] / "core" / "errors.jsonl"


def run(
    folder: Path, say: Callable[[str], None], *, crowd: int = 100, dies_s: float = 4.0, times: int = 122
) -> Iterator[Row]:
    """All of it; rows as they are ready.

    `crowd` calls are in flight when the profile dies, after `dies_s`; `times` all answers of the corpus are judged by
    the command.
    """
    say("herd: a profile dies under a crowd")
    yield from _herd(folder / "herd", crowd, dies_s)
    say("burst: short rate limits on one of two accounts")
    yield from _burst(folder / "burst")
    say("bare decisions")
    yield from _decisions()
    yield _classified()
    say("o-switcher classify")
    yield _judged(folder, times)


def _count(name: str, value: float, most: float, note: str = "") -> Row:
    return Row(name, Series((float(value),), ""), floor=most, note=note)


def _ask(rig: Rig, number: int, told: list[int]) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"question {number}"}]}
    with httpx.Client(base_url=rig.url, headers=rig.client.headers, timeout=60, transport=plain_http()) as client:
        told.append(client.post(CHAT, json=body).status_code)


def _herd(folder: Path, crowd: int, dies_s: float) -> Iterator[Row]:
    """All are in flight on the first profile when it says that it has run out; more come right after its first word."""
    first, others = round(dies_s * 1000), round(dies_s * 1500)
    dying = f'{{do="no_credit", times=1, delay_ms={first}}}, {{do="no_credit", delay_ms={others}}}'
    folder.mkdir()
    with running(folder, script_of(dead=dying, spare='{do="ok", delay_ms=50}'), settings=WIDE) as rig:
        told: list[int] = []
        with ThreadPoolExecutor(crowd + LATECOMERS) as pool:
            began = time.monotonic()
            for number in range(crowd):
                pool.submit(_ask, rig, number, told)
            while rig.calls().get("dead", 0) < crowd and time.monotonic() - began < dies_s * 0.9:
                time.sleep(0.01)
            in_flight = rig.calls().get("dead", 0)
            while not any(call.ended for call in rig.simulator.calls) and time.monotonic() - began < dies_s * 5:
                time.sleep(0.002)
            for number in range(LATECOMERS):
                pool.submit(_ask, rig, crowd + number, told)
        failovers = rig.rows("SELECT count(*) AS n FROM failover")[0]["n"]
        unserved = crowd + LATECOMERS - told.count(200)
        after = rig.calls()["dead"] - in_flight
    yield _count(f"herd: {in_flight} in flight, failovers decided", failovers, 1)
    yield _count("herd: calls on the dead key after its first word", after, 0)
    yield _count(f"herd: not served, of {crowd + LATECOMERS}", unserved, 0)


def _burst(folder: Path) -> Iterator[Row]:
    """The first account answers 50 calls with "in a second"; the other is well."""
    limited = '{do="rate_limit", retry_after=1, times=50}, {do="ok"}'
    folder.mkdir()
    script = script_of(limited=limited, other='{do="ok", delay_ms=100}')
    with running(folder, script, settings=WIDE) as rig:
        told: list[int] = []
        threads = [threading.Thread(target=_ask, args=(rig, number, told)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rests = [fact.cooldown for fact in rig.facts if isinstance(fact, CooldownSet)]
        longest = max((rest.until_at - rest.since_at for rest in rests), default=0) / 1000
        unserved = 50 - told.count(200)
    yield Row("burst: longest rest for hints of 1 s", Series((longest,), "s"), floor=1.0)
    yield _count("burst: not served, of 50", unserved, 0)


# -- bare decisions


def _member(number: int) -> Member:
    name = f"openrouter-{number}"
    url = "https://openrouter.example/v1"
    return Member(Profile(name, "openrouter", name, f"account-{number % 7}", url, name, "cdef", "cli"))


def _cases(strategy: Strategy) -> Iterator[tuple[str, Case]]:
    pool = pool_of(map(_member, range(50))).moved("openrouter", "openrouter-7")
    lanes, rules = (Lane("openrouter", MODEL),), Rules(strategy=strategy)
    yield "a new conversation", Case(lanes, Progress(), pool, rules, NOW, 0.5)
    yield "a conversation that is held", Case(lanes, Progress(), pool, rules, NOW, 0.5, held="openrouter-9")
    spent = Verdict(ErrorClass.QUOTA_EXHAUSTED, Scope.KEY, Action.PARK, "out of credit", status=402)
    tried = Progress((Tried("openrouter-7", spent, MODEL),))
    yield "after a failure", Case(lanes, tried, _resting(pool, ["openrouter-7"]), rules, NOW, 0.5)


def _resting(pool: Pool, names: list[str]) -> Pool:
    for name in names:
        until = NOW + 600_000
        rest = Cooldown(name, Scope.KEY, None, until, NOW, ErrorClass.QUOTA_EXHAUSTED, Source.HEADER, "out of credit")
        pool = pool.rested(rest)[0]
    return pool


def _decisions() -> Iterator[Row]:
    for name in ("a new conversation", "a conversation that is held", "after a failure"):
        found = {strategy: dict(_cases(strategy))[name] for strategy in Strategy}
        worst = max(_us(case) for case in found.values())
        usual = _us(found[Strategy.STICKY])
        words = f"next_step, 50 profiles, {name}: slowest strategy"
        yield Row(words, Series((worst,), "us"), floor=60, note=f"sticky: {usual:.1f} us")


def _us(case: Case) -> float:
    """Microseconds of one decision; a case keeps what it has found out, so each is decided once."""
    return min(timeit.repeat(lambda: next_step(replace(case)), number=300, repeat=5)) / 300 * 1e6


def _classified() -> Row:
    answers = []
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if isinstance(case["status"], int):
            text = case["body"] if isinstance(case["body"], str) else json.dumps(case["body"])
            headers = {name.lower(): str(value) for name, value in (case["headers"] or {}).items()}
            answers.append((case["provider"], Head(case["status"], headers, text.encode())))

    def all_of_them() -> None:
        for provider, head in answers:
            classify(provider, head, NOW / 1000)

    best = min(timeit.repeat(all_of_them, number=3, repeat=5)) / 3 / len(answers) * 1e6
    return Row(f"classify, an error of {len(answers)} real ones", Series((best,), "us"), floor=100)


def _judged(folder: Path, times: int) -> Row:
    """The whole command, its start included, in CPU time a line."""
    file = folder / "answers.jsonl"
    file.write_bytes(CORPUS.read_bytes() * times)
    lines = file.read_bytes().count(b"\n")
    command = [sys.executable, "-m", "tray_app", "classify", str(file)]
    used = []
    for _ in range(3):
        before = _children_s()
        subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        used.append((_children_s() - before) / lines * 1e6)
    return Row(f"o-switcher classify, {lines} answers: CPU a line", Series(tuple(used), "us"), floor=100)


def _children_s() -> float:
    """User and system time of the processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
