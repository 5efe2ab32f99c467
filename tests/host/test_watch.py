"""Files of other programs are watched by the kernel's notices: what counts as a change, and what it costs."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tray_app.host import watch as room
from tray_app.host.inotify import Inotify
from tray_app.host.watch import Watch

NAMES = ("auth.json", "opencode.db-wal")


class Eye:
    """A watch that notes when it was called."""

    def __init__(self, folder: Path, *, kernel: bool = True) -> None:
        self.seen = 0
        self.watch = Watch([(folder, NAMES)], self._note)
        self._kernel = kernel

    def _note(self) -> None:
        self.seen += 1

    async def sees(self, deed: Callable[[], object], *, within: float = 10.0) -> bool:
        """Whether it is called after `deed`."""
        before = self.seen
        deed()
        end = time.monotonic() + within
        while self.seen == before and time.monotonic() < end:
            await asyncio.sleep(0.01)
        return self.seen > before


def watching(folder: Path, story: Callable[[Eye], object]) -> None:
    """Tell `story`, a coroutine function, while a watch on that folder runs."""

    async def tell() -> None:
        eye = Eye(folder)
        eye.watch.start(asyncio.get_running_loop())
        try:
            await story(eye)  # type: ignore[misc]
        finally:
            eye.watch.close()

    asyncio.run(tell())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SETTLE_S", 0.05)
    monkeypatch.setattr(room, "BUSY_S", 0.15)


def replace(path: Path, text: str) -> None:
    """As programs that write safely do."""
    path.with_suffix(".tmp").write_text(text)
    path.with_suffix(".tmp").replace(path)


def test_a_file_that_is_written_replaced_or_taken_away_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"

    async def story(eye: Eye) -> None:
        assert await eye.sees(lambda: path.write_text("1"))
        assert await eye.sees(lambda: replace(path, "22"))
        assert await eye.sees(lambda: replace(path, "22")), "the same content, written anew"
        assert not await eye.sees(lambda: (tmp_path / "log.txt").write_text("x"), within=0.3)
        path.unlink()
        assert await eye.sees(lambda: replace(path, "333"))

    watching(tmp_path, story)


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "share" / "opencode"

    async def story(eye: Eye) -> None:
        folder.parent.mkdir()
        await asyncio.sleep(0.15)
        folder.mkdir()
        await asyncio.sleep(0.15)
        assert await eye.sees(lambda: replace(folder / "auth.json", "1"))

    watching(folder, story)


def test_a_folder_that_comes_with_its_files_at_once_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "share" / "opencode"

    def make() -> None:
        (tmp_path / "new" / "opencode").mkdir(parents=True)
        (tmp_path / "new" / "opencode" / "auth.json").write_text("1")
        (tmp_path / "new").replace(tmp_path / "share")

    async def story(eye: Eye) -> None:
        assert await eye.sees(make)

    watching(folder, story)


def test_a_folder_that_is_moved_away_and_made_anew_is_still_watched(tmp_path: Path) -> None:
    folder = tmp_path / "opencode"
    folder.mkdir()
    (folder / "auth.json").write_text("1")

    async def story(eye: Eye) -> None:
        assert await eye.sees(lambda: folder.rename(tmp_path / "old"))
        folder.mkdir()
        await asyncio.sleep(0.15)
        assert await eye.sees(lambda: replace(folder / "auth.json", "2"))

    watching(folder, story)


def test_a_database_that_is_written_all_the_time_is_looked_at_now_and_then(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "opencode.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")

        async def story(eye: Eye) -> None:
            for _ in range(2):  # the notice of a write comes once, and is asked for again
                assert await eye.sees(lambda: connection.execute("INSERT INTO t VALUES (1)"))
            before = eye.seen
            for _ in range(30):
                connection.execute("INSERT INTO t VALUES (1)")
                await asyncio.sleep(0.01)
            assert eye.seen - before <= 4

        watching(tmp_path, story)


def test_without_the_kernel_a_look_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Inotify) -> None:
        raise OSError("no more watches")

    monkeypatch.setattr(Inotify, "__init__", none)

    async def story(eye: Eye) -> None:
        (tmp_path / "auth.json").write_text("1")
        eye.watch.look()
        eye.watch.look()
        assert eye.seen == 1

    watching(tmp_path, story)


def test_a_look_sees_through_a_link_as_the_kernel_does_not(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text("1")
    (tmp_path / "auth.json").symlink_to(tmp_path / "elsewhere.json")

    async def story(eye: Eye) -> None:
        assert not await eye.sees(lambda: (tmp_path / "elsewhere.json").write_text("22"), within=0.2)
        eye.watch.look()
        assert eye.seen == 1

    watching(tmp_path, story)


def test_nothing_wakes_up_while_nothing_changes(tmp_path: Path) -> None:
    async def story(eye: Eye) -> None:
        await asyncio.sleep(0.1)
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.sleep(1.0)
        after = resource.getrusage(resource.RUSAGE_SELF)
        assert after.ru_nvcsw - before.ru_nvcsw <= 3
        assert eye.seen == 0

    watching(tmp_path, story)


def test_a_closed_watch_hears_no_more(tmp_path: Path) -> None:
    async def story(eye: Eye) -> None:
        (tmp_path / "auth.json").write_text("1")
        await asyncio.sleep(0.02)  # a look is due by now
        eye.watch.close()
        assert not await eye.sees(lambda: (tmp_path / "auth.json").write_text("22"), within=0.3)

    watching(tmp_path, story)
