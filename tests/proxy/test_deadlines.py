"""Who waits is rung at its moment, whatever others do, and nothing is left where nobody waits."""

from __future__ import annotations

import asyncio

from tray_app.proxy.deadlines import Deadlines


class One:
    def __init__(self, rung: list[str], name: str) -> None:
        self._rung = rung
        self._name = name

    def ring(self) -> None:
        self._rung.append(self._name)


def test_each_is_rung_once_in_the_order_of_time_and_whoever_is_dropped_is_not() -> None:
    rung: list[str] = []

    async def wait() -> None:
        deadlines = Deadlines()
        first, second, third, sooner = (One(rung, name) for name in ("first", "second", "third", "sooner"))
        deadlines.add(first, 0.06)
        deadlines.add(sooner, 0.02)
        await asyncio.sleep(0.02)
        deadlines.add(second, 0.06)
        deadlines.add(third, 0.06)
        deadlines.drop(third, 0.06)
        deadlines.drop(third, 0.06)
        deadlines.drop(third, 99.0)
        await asyncio.sleep(0.05)
        assert rung == ["sooner", "first"]
        await asyncio.sleep(0.05)
        assert rung == ["sooner", "first", "second"]
        await asyncio.sleep(0.1)
        assert len(rung) == 3

    asyncio.run(wait())


def test_nothing_is_due_where_nobody_waits() -> None:
    async def wait() -> int:
        loop, deadlines = asyncio.get_running_loop(), Deadlines()
        waiting = [One([], str(number)) for number in range(5)]
        for one in waiting:
            deadlines.add(one, 5.0)
        timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        assert len(timers) == 1, "one timer for all"
        for one in waiting:
            deadlines.drop(one, 5.0)
        return sum(not timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]

    assert asyncio.run(wait()) == 0


def test_who_is_rung_may_wait_again() -> None:
    async def wait() -> int:
        deadlines = Deadlines()
        times = 0

        class Again:
            def ring(self) -> None:
                nonlocal times
                times += 1
                if times < 3:
                    deadlines.add(self, 0.01)

        deadlines.add(Again(), 0.01)
        await asyncio.sleep(0.2)
        return times

    assert asyncio.run(wait()) == 3
