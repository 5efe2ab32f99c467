"""What the app costs with its tray: from start to icon, at rest, and the menu of a crowd. On a private session bus."""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import switcher
from tests.bench.processes import Child, context_switches, cpu_s, memory_mb
from tests.bench.table import Row, Series
from tests.faces.tray import statuses
from tests.faces.tray.desk import WATCHER, Daemon, Desk, until
from tray_app.app import TIDY_AFTER_S
from tray_app.faces.tray.menu import Face, face
from tray_app.faces.tray.menu_tree import Tree
from tray_app.faces.tray.texts import ENGLISH

MINUTE_S = 60.0
SETTLED_S = TIDY_AFTER_S + 15.0  # after what a start leaves for later: the first question for quotas, and the tidying


def run(
    folder: Path, place: switcher.Place, say: Callable[[str], None], *, starts: int, settle_s: float, watch_s: float
) -> Iterator[Row]:
    """The rows. The app rests for `settle_s`, then its context switches are counted for `watch_s`.

    From start to icon is until the tray host has the picture, as people would see it.
    """
    say("the tray")
    with ExitStack() as stack:
        daemon, desk = stack.enter_context(_desk(folder))
        took = tuple(_start_to_icon(place, daemon, desk) for _ in range(starts))
        yield Row("start to icon", Series(took, "s"), floor=0.3)
        child = stack.enter_context(_trayed(place, daemon, desk))
        time.sleep(settle_s)
        memory, switches, used = memory_mb(child.pid), context_switches(child.pid), cpu_s(child.pid)
        time.sleep(watch_s)
        switches, used = context_switches(child.pid) - switches, cpu_s(child.pid) - used
    yield Row("idle with a tray: memory (PSS)", Series((memory,), "MB"), floor=75)
    note = f"{used * 1000:.1f} ms of CPU"
    yield Row(f"idle with a tray: context switches in {watch_s:g} s", Series((float(switches),), ""), note=note)
    yield from _menus()


@contextmanager
def _desk(folder: Path) -> Iterator[tuple[Daemon, Desk]]:
    daemon = Daemon(folder)
    desk = Desk(daemon)
    desk.be(WATCHER)
    try:
        yield daemon, desk
    finally:
        desk.close()
        daemon.kill()


@contextmanager
def _trayed(place: switcher.Place, daemon: Daemon, desk: Desk) -> Iterator[Child]:
    """The app, whose icon is there."""
    desk.items.clear()
    environ = switcher.environment(place.home) | daemon.environ | {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}
    child = Child([sys.executable, "-m", "tray_app"], place.home / "words.log", cwd=switcher.CHECKOUT, env=environ)
    try:
        until(lambda: desk.items, "no icon came", 30)
        yield child
    finally:
        child.stop()


def _start_to_icon(place: switcher.Place, daemon: Daemon, desk: Desk) -> float:
    began = time.perf_counter()
    with _trayed(place, daemon, desk):
        desk.property("IconPixmap")
        return time.perf_counter() - began


def _menus() -> Iterator[Row]:
    names = [f"openrouter-key{number:02}" for number in range(50)]
    cooling = statuses.status(*(statuses.cooling(statuses.profile(one, left=statuses.left(one))) for one in names))
    ready = statuses.status(*(statuses.profile(one, left=statuses.left(one)) for one in names))

    def drawn(later_s: float = 0.0) -> Face:
        return face(cooling, statuses.NOON / 1000 + later_s, ENGLISH, time.gmtime, None)

    yield Row("the tray's menu of 50 profiles", Series((_ms(drawn),), "ms"), floor=5)
    faces, tree = [drawn(), drawn(60)], Tree()

    def countdown() -> None:
        faces.reverse()
        tree.update(faces[0].items)

    yield Row("  the same, told to the desktop a minute later", Series((_ms(countdown),), "ms"), floor=5)
    others = [drawn(), face(ready, statuses.NOON / 1000, ENGLISH, time.gmtime, None)]

    def upheaval() -> None:
        others.reverse()
        tree.update(others[0].items)

    yield Row("  the same, every profile in another state", Series((_ms(upheaval),), "ms"), floor=5)


def _ms(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=4, repeat=5)) / 4 * 1e3
