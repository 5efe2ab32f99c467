"""The queue on a real loop: first come, first served; whoever leaves makes room; nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tray_app.core.policy import Queue
from tray_app.proxy.admission import Admission


@dataclass
class House:
    """Profiles with so many places, and the calls that want one. Its clock is the loop's, in ms."""

    places: dict[str, int] = field(default_factory=lambda: {"a": 0})
    began: list[str] = field(default_factory=list)
    on: dict[str, str] = field(default_factory=dict)  # who took a place where
    offered: list[str] = field(default_factory=list)
    changes: int = 0
    until_at: dict[str, int] = field(default_factory=dict)  # when a call's queue has it look again by itself
    faults: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admission: Admission[str] = Admission(self.clock, self._changed)
        self.calls: dict[str, asyncio.Task[str]] = {}

    @staticmethod
    def clock() -> int:
        return round(asyncio.get_running_loop().time() * 1000)

    def _changed(self) -> None:
        self.changes += 1

    def offer(self, name: str, wants: str) -> Callable[[], str | Queue]:
        def made() -> str | Queue:
            self.offered.append(name)
            if name in self.faults:
                raise self.faults[name]
            free = next((profile for profile in wants if self.places[profile]), None)
            if free is None:
                return Queue(wants[0], "full", self.until_at.get(name))
            self.places[free] -= 1
            self.began.append(name)
            self.on[name] = free
            return f"{name} on {free}"

        return made

    def call(self, name: str, wants: str = "a", alike: Hashable = None) -> None:
        """A call that comes, and waits."""
        step = Queue(wants[0], "full", self.until_at.get(name))
        waiting = self.admission.place(step, self.offer(name, wants), name if alike is None else alike)
        self.calls[name] = asyncio.get_running_loop().create_task(waiting)

    def free(self, profile: str = "a", places: int = 1) -> None:
        """A call ends, and says so."""
        self.places[profile] += places
        self.admission.pump()

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    @property
    def timer(self) -> asyncio.TimerHandle | None:
        return self.admission._timer

    async def close(self) -> None:
        """Everybody leaves; then nothing may be left."""
        for call in self.calls.values():
            call.cancel()
        await asyncio.gather(*self.calls.values(), return_exceptions=True)
        assert len(self.admission) == 0
        assert not any(self.admission.is_wanted(profile) for profile in self.places)
        assert self.timer is None or self.timer.cancelled()


def story(told: Callable[[House], Coroutine[Any, Any, None]], **fields: Any) -> None:
    """Run `told` on a loop in debug mode. Faults that nobody fetched, and tasks that are left over, fail it."""
    errors: list[dict[str, Any]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        house = House(**fields)
        async with asyncio.timeout(5):
            await told(house)
        await house.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        pending = [handle for handle in getattr(loop, "_scheduled", []) if not handle.cancelled()]
        assert all("timeout" in repr(handle).lower() for handle in pending), pending

    asyncio.run(run(), debug=True)
    assert errors == []


# -- first come, first served


def test_places_are_given_in_the_order_of_coming() -> None:
    async def told(house: House) -> None:
        for name in "123456":
            house.call(name)
        await house.settle()
        assert (len(house.admission), house.began) == (6, [])
        house.free()
        assert house.began == ["1"]
        house.free(places=3)
        assert house.began == ["1", "2", "3", "4"]
        await house.settle()
        assert [await house.calls[name] for name in "1234"] == [f"{name} on a" for name in "1234"]
        assert len(house.admission) == 2

    story(told)


def test_a_place_that_is_free_already_is_taken_in_the_turn_of_coming() -> None:
    async def told(house: House) -> None:
        house.call("1")
        await house.settle()
        assert await house.calls["1"] == "1 on a"
        assert house.changes == 2  # it came, and it left

    story(told, places={"a": 1})


def test_who_cannot_be_served_does_not_hold_up_those_behind() -> None:
    async def told(house: House) -> None:
        house.call("1", "a")
        house.call("2", "b")
        house.call("3", "ab")
        await house.settle()
        house.free("b", 2)
        assert house.began == ["2", "3"]
        house.free("a")
        assert house.began == ["2", "3", "1"]

    story(told, places={"a": 0, "b": 0})


def test_newcomers_know_that_others_wait() -> None:
    async def told(house: House) -> None:
        assert not house.admission.is_wanted("a")
        house.call("1")
        await house.settle()
        assert house.admission.is_wanted("a")
        assert not house.admission.is_wanted("b")
        house.call("2")
        await house.settle()
        house.free()
        assert house.admission.is_wanted("a")
        house.free()
        assert not house.admission.is_wanted("a")

    story(told)


def test_a_newcomer_comes_after_those_who_wait_though_a_place_became_free_unseen() -> None:
    async def told(house: House) -> None:
        house.call("1")
        await house.settle()
        house.places["a"] = 1  # as by the passing of time: nobody said so
        house.call("2")
        await house.settle()
        assert house.began == ["1"]

    story(told)


def test_who_comes_to_wait_for_somebody_else_is_counted_there() -> None:
    async def told(house: House) -> None:
        step = "a"

        def offer() -> str | Queue:
            return "served" if step == "served" else Queue(step, "full")

        house.calls["1"] = asyncio.ensure_future(house.admission.place(Queue("a", "full"), offer, "1"))
        await house.settle()
        step = "b"
        house.admission.pump()
        assert (house.admission.is_wanted("a"), house.admission.is_wanted("b")) == (False, True)
        step = "served"
        house.admission.pump()
        assert await house.calls["1"] == "served"
        assert not house.admission.is_wanted("b")

    story(told, places={"a": 0, "b": 0})


# -- calls that are alike


def test_of_calls_that_are_alike_only_the_first_is_asked_while_there_is_no_place() -> None:
    async def told(house: House) -> None:
        for name in "1234":
            house.call(name, alike="same")
        house.call("5", alike="other")
        await house.settle()
        house.offered.clear()
        house.admission.pump()
        assert house.offered == ["1", "5"]
        house.offered.clear()
        house.free(places=2)
        assert house.offered == ["1", "2", "3", "5"]
        assert house.began == ["1", "2"]

    story(told)


def test_calls_that_are_alike_but_wait_for_different_profiles_do_not_hold_each_other_up() -> None:
    async def told(house: House) -> None:
        house.call("1", "a", alike="same")
        house.call("2", "b", alike="same")
        await house.settle()
        house.free("b")
        assert house.began == ["2"]

    story(told, places={"a": 0, "b": 0})


# -- leaving


def test_whoever_leaves_frees_its_place_for_those_behind() -> None:
    async def told(house: House) -> None:
        for name in "123":
            house.call(name, alike="same")
        await house.settle()
        house.calls["1"].cancel()
        await house.settle()
        assert (len(house.admission), house.calls["1"].cancelled()) == (2, True)
        house.free()
        assert house.began == ["2"]

    story(told)


def test_whoever_leaves_in_the_turn_in_which_a_place_comes_free_does_not_get_it() -> None:
    async def told(house: House) -> None:
        house.call("1")
        house.call("2")
        await house.settle()
        house.calls["1"].cancel()
        house.free()  # before the first one's task has run
        assert house.began == ["2"]
        await house.settle()
        assert house.calls["1"].cancelled()

    story(told)


def test_whoever_leaves_in_the_turn_after_it_was_given_a_place_is_told_as_leaving() -> None:
    """The place was taken in its name: it gives it back, as every call does that is left by its client."""

    async def told(house: House) -> None:
        house.call("1")
        house.call("2")
        await house.settle()
        house.free()
        assert house.began == ["1"]
        house.calls["1"].cancel()
        await house.settle()
        assert house.calls["1"].cancelled()
        assert len(house.admission) == 1
        house.free()
        assert house.began == ["1", "2"]

    story(told)


def test_whoever_leaves_before_it_has_come_leaves_nothing() -> None:
    async def told(house: House) -> None:
        house.call("1")
        house.calls["1"].cancel()
        await house.settle()
        assert (len(house.admission), house.changes) == (0, 0)

    story(told)


@pytest.mark.parametrize("seed", range(20))
def test_whenever_anybody_leaves_no_place_is_lost_or_given_twice(seed: int) -> None:
    lot = random.Random(seed)

    async def told(house: House) -> None:
        wanted: dict[str, str] = {}
        for turn in range(300):
            running = [name for name in house.on if name not in house.calls]
            match lot.randrange(6):
                case 0 | 1:
                    wanted[f"{turn}"] = lot.choice(["a", "b", "ab", "ba"])
                    house.call(f"{turn}", wanted[f"{turn}"], lot.choice([None, wanted[f"{turn}"]]))
                case 2 if house.calls:
                    house.calls[lot.choice(list(house.calls))].cancel()
                case 3 | 4 if running:
                    house.free(house.on.pop(lot.choice(running)))
                case 5:
                    await house.settle()
                    assert len(house.admission) == sum(not call.done() for call in house.calls.values())
                    waits = [wanted[name] for name, call in house.calls.items() if not call.done()]
                    assert not [one for one in waits for profile in one if house.places[profile]]
            for name, call in list(house.calls.items()):
                if call.done():
                    del house.calls[name]
                    if call.cancelled() and name in house.on:
                        house.free(house.on.pop(name))  # it left with the place in its hands
            held = list(house.on.values())
            assert {one: free + held.count(one) for one, free in house.places.items()} == {"a": 2, "b": 2}
        assert len(house.began) == len(set(house.began)) > 20

    story(told, places={"a": 2, "b": 2})


# -- faults


def test_an_offer_that_raises_harms_its_own_call_alone() -> None:
    async def told(house: House) -> None:
        for name in "123":
            house.call(name, alike="same")
        await house.settle()
        house.faults["1"] = ValueError("a fault of its own")
        house.free(places=2)
        assert house.began == ["2", "3"]
        with pytest.raises(ValueError, match="a fault of its own"):
            await house.calls.pop("1")
        assert len(house.admission) == 0

    story(told)


def test_an_offer_that_raises_at_once_harms_its_own_call_alone() -> None:
    async def told(house: House) -> None:
        house.call("1")
        house.call("2")
        with pytest.raises(ValueError, match="at once"):
            await house.calls.pop("1")
        assert (len(house.admission), house.admission.is_wanted("a")) == (1, True)

    story(told, faults={"1": ValueError("at once")})


def test_an_offer_may_change_what_is_pumped_again() -> None:
    """Taking a place changes the pool, whose watchers pump: that does not begin anew in the midst of it."""

    async def told(house: House) -> None:
        inner: list[str] = []

        def offer(name: str) -> Callable[[], str | Queue]:
            def made() -> str | Queue:
                inner.append(name)
                house.admission.pump()
                return Queue("a", "full") if not house.places["a"] else name

            return made

        for name in "12":
            waiting: Awaitable[str] = house.admission.place(Queue("a", "full"), offer(name), name)
            house.calls[name] = asyncio.ensure_future(waiting)
        await house.settle()
        inner.clear()
        house.free(places=9)
        assert inner == ["1", "2"]
        assert [await call for call in house.calls.values()] == ["1", "2"]

    story(told)


# -- the timer


async def _until(told: Callable[[], bool]) -> None:
    while not told():
        await asyncio.sleep(0.001)


def test_a_place_that_comes_about_by_itself_is_offered_at_its_time() -> None:
    async def told(house: House) -> None:
        begin = house.clock()
        house.until_at["1"] = begin + 60
        house.call("1")
        await house.settle()
        house.places["a"] = 1  # nobody says so
        assert await house.calls["1"] == "1 on a"
        assert 59 <= house.clock() - begin < 200
        assert house.timer is None

    story(told)


def test_the_soonest_of_all_that_wait_sets_the_timer() -> None:
    async def told(house: House) -> None:
        begin = house.clock()
        house.until_at |= {"1": begin + 60_000, "3": begin + 30}
        for name in "123":
            house.call(name)
        await house.settle()
        house.places["a"] = 1
        assert await house.calls["1"] == "1 on a"
        assert house.clock() - begin < 200

    story(told)


def test_a_time_that_is_past_is_looked_at_again_in_a_millisecond_not_at_once() -> None:
    async def told(house: House) -> None:
        house.until_at["1"] = house.clock() - 10_000
        house.call("1")
        await house.settle()
        assert house.timer is not None
        assert 0 < house.timer.when() - asyncio.get_running_loop().time() <= 0.001

    story(told)


def test_those_behind_one_that_is_alike_do_not_keep_the_timer_running() -> None:
    """The first of them has looked, and looks again in an hour; their own times are past."""

    async def told(house: House) -> None:
        soon = house.clock() + 5
        house.until_at = {"1": soon, "2": soon}
        house.call("1", alike="same")
        house.call("2", alike="same")
        await house.settle()
        house.until_at = {"1": soon + 3_600_000, "2": soon + 3_600_000}
        await asyncio.sleep(0.03)
        house.offered.clear()
        await asyncio.sleep(0.03)
        assert house.offered == []
        assert house.timer is not None
        assert house.timer.when() - asyncio.get_running_loop().time() > 3_000

    story(told)


def test_those_behind_are_looked_at_once_the_first_has_left() -> None:
    async def told(house: House) -> None:
        house.until_at = {"1": house.clock() + 20, "2": house.clock() + 30}
        house.call("1", alike="same")
        house.call("2", alike="same")
        await house.settle()
        house.calls["1"].cancel()
        await house.settle()
        house.places["a"] = 1
        assert await house.calls["2"] == "2 on a"

    story(told)


def test_without_anybody_there_is_no_timer() -> None:
    async def told(house: House) -> None:
        house.until_at = {"1": house.clock() + 60_000, "2": house.clock() + 60_000}
        house.call("1")
        house.call("2")
        await house.settle()
        armed = house.timer
        assert armed is not None
        house.calls["1"].cancel()
        await house.settle()
        assert house.timer is armed
        house.calls["2"].cancel()
        await house.settle()
        assert armed.cancelled()
        assert house.timer is None
        house.call("3")
        await house.settle()
        assert house.timer is None

    story(told)


def test_pumping_where_nobody_waits_does_nothing() -> None:
    async def told(house: House) -> None:
        house.admission.pump()
        assert (house.changes, house.timer) == (0, None)

    story(told)
