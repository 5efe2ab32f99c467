"""GTK's icons: when they are chosen (a real X server says), and what ours adds to them (on a pretended GTK)."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from Xlib import X
from Xlib.display import Display

from tests.faces.tray.desk import NOTIFICATIONS, WATCHER, Daemon, Desk, until
from tests.faces.tray.foreign import FakeGtk
from tests.faces.tray.statuses import three
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.availability import Availability, available
from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.menu import Verb, face
from tray_app.faces.tray.notifications import Note
from tray_app.faces.tray.x11 import has_tray


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-nolisten", "tcp", "-screen", "0", "64x64x24"]
    server = subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as said:
        yield ":" + said.readline().strip()
    server.terminate()
    server.wait(10)


@pytest.fixture
def old_tray(display: str) -> Iterator[str]:
    """The display, with a tray of the old kind on it."""
    with closing(Display(display)) as one:
        window = one.screen().root.create_window(0, 0, 1, 1, 0, 0, X.InputOnly)
        window.set_selection_owner(one.intern_atom("_NET_SYSTEM_TRAY_S0"), X.CurrentTime)
        one.sync()
        yield display


@pytest.fixture
def gtk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGtk]:
    system = FakeGtk()
    for name, module in system.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    yield system
    forget = ("pystray._gtk", "pystray._appindicator", "pystray._util.gtk", "pystray._util.notify_dbus")
    for name in (*forget, "tray_app.faces.tray.gtk"):
        sys.modules.pop(name, None)
    vars(sys.modules["tray_app.faces.tray"]).pop("gtk", None)


# when they are chosen


def test_a_tray_of_the_old_kind_is_found_and_missed(display: str) -> None:
    assert not has_tray({"DISPLAY": display})
    assert not has_tray({})
    assert not has_tray({"DISPLAY": ":4711"})
    assert not has_tray({"DISPLAY": "elsewhere:0"})


def test_where_nobody_reads_ours_and_gtk_can_fill_an_old_tray_it_does(
    gtk: FakeGtk, old_tray: str, daemon: Daemon
) -> None:
    assert has_tray({"DISPLAY": old_tray}) and has_tray({"DISPLAY": f"{old_tray}.0"})
    assert available({"DISPLAY": old_tray}) == Availability(True, gtk=True)
    assert available({"DISPLAY": old_tray, **daemon.environ}) == Availability(True, gtk=True)


def test_where_somebody_reads_ours_gtk_is_not_wanted(gtk: FakeGtk, old_tray: str, daemon: Daemon, desk: Desk) -> None:
    desk.be(WATCHER)
    assert available({"DISPLAY": old_tray, **daemon.environ}) == Availability(True)
    desk.cease(WATCHER)


def test_without_an_old_tray_ours_waits_for_somebody_to_read_it(gtk: FakeGtk, display: str, daemon: Daemon) -> None:
    found = available({"DISPLAY": display, **daemon.environ})
    assert found.ok and not found.gtk
    assert found.line is not None and "appears as soon as" in found.line


def test_without_pygobject_an_old_tray_stays_empty_and_one_line_says_why(
    old_tray: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    assert not available({"DISPLAY": old_tray}).ok


def test_the_distributions_pygobject_is_found_behind_everything_else_if_it_fits(
    gtk: FakeGtk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sysconfig

    module = importlib.import_module("tray_app.faces.tray.gtk")
    monkeypatch.setattr(sys, "path", list(sys.path))
    module.find_distributions_own(tmp_path)
    assert str(tmp_path) not in sys.path, "there is none"
    (tmp_path / "gi").mkdir()
    (tmp_path / "gi" / f"_gi{sysconfig.get_config_var('EXT_SUFFIX')}").touch()
    module.find_distributions_own(tmp_path)
    module.find_distributions_own(tmp_path)
    assert sys.path[-1] == str(tmp_path) and sys.path.count(str(tmp_path)) == 1


def test_the_users_own_choice_about_gl_is_left_alone(gtk: FakeGtk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDK_GL", "always")
    importlib.import_module("tray_app.faces.tray.gtk")
    assert os.environ["GDK_GL"] == "always"


# what ours adds


class Running:
    """An icon whose loop runs in a thread of its own, as the main thread would run it."""

    def __init__(self, tmp_path: Path) -> None:
        self.verbs: list[Verb] = []
        self.lost: list[tuple[str, str]] = []
        self.folder = tmp_path / f"o-switcher-icons-{os.getuid()}"
        module = importlib.import_module("tray_app.faces.tray.gtk")
        items = face(three(), 0).items
        self.icon: Any = module.Icon(
            "o-switcher",
            Picture(Look.READY),
            "O-Switcher",
            items,
            self.verbs.append,
            lambda *note: self.lost.append(note),
        )
        self.thread = threading.Thread(target=self.icon.run, args=(self._show,))
        self.thread.start()

    def _show(self, icon: Any) -> None:
        icon.post(lambda: setattr(icon, "visible", True))

    def finish(self) -> None:
        self.icon.end()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def running(gtk: FakeGtk, tmp_path: Path) -> Iterator[Running]:
    one = Running(tmp_path)
    until(lambda: gtk.named("icon.set_visible"), "the icon is not shown")
    yield one
    one.finish()
    assert not one.folder.exists(), "nothing is left behind"


def test_the_picture_is_a_new_file_for_each_version_and_only_the_newest_stays(running: Running, gtk: FakeGtk) -> None:
    running.icon.post(lambda: setattr(running.icon, "icon", Picture(Look.OFFLINE, 3)))
    until(lambda: len(gtk.images) >= 2, "no new picture")
    assert gtk.images[-1] == Picture(Look.OFFLINE, 3).png(64)
    assert len(list(running.folder.glob("*.png"))) == 1
    assert running.folder.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_has_left_is_taken_away_at_the_next_start(gtk: FakeGtk, tmp_path: Path) -> None:
    folder = tmp_path / f"o-switcher-icons-{os.getuid()}"
    folder.mkdir()
    (folder / "4711-3.png").write_bytes(b"old")
    one = Running(tmp_path)
    until(lambda: gtk.images, "no picture")
    assert not (folder / "4711-3.png").exists()
    one.finish()


def test_clicks_become_verbs(running: Running, gtk: FakeGtk) -> None:
    until(lambda: "Quit O-Switcher" in gtk.labels, "there is no menu")
    gtk.do("Quit O-Switcher", None)
    gtk.do("activate", None)
    until(lambda: len(running.verbs) == 2, "the clicks did not arrive")
    assert running.verbs == [Verb("stop"), Verb("report")]


def test_the_menu_is_told_that_it_opens_before_it_is_shown(running: Running, gtk: FakeGtk) -> None:
    running.icon.opening = lambda: gtk.calls.append(("opening", threading.get_ident(), ()))
    gtk.do("popup-menu", None, 3, 0)
    until(lambda: gtk.named("menu.popup"), "no menu was shown")
    names = [name for name, _, _ in gtk.calls]
    assert names.index("opening") < names.index("menu.popup")


def test_everything_happens_on_the_loops_thread_and_a_fault_stops_nothing(running: Running, gtk: FakeGtk) -> None:
    icon, items = running.icon, face(three(), 60).items
    icon.post(lambda: 1 // 0)
    icon.post(lambda: setattr(icon, "menu", items))
    icon.post(lambda: setattr(icon, "title", "new"))
    until(lambda: gtk.named("icon.set_title") == [("new",)], "no new title")
    assert gtk.threads() == {running.thread.ident}


def test_without_a_session_bus_a_message_is_shown_elsewhere(running: Running) -> None:
    running.icon.post(lambda: running.icon.show_note(Note("title", "message")))
    until(lambda: running.lost == [("title", "message")], "it is lost")


def test_with_a_session_bus_messages_and_clicks_on_them_arrive(
    gtk: FakeGtk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    bus = Daemon(tmp_path / "own")
    desk = Desk(bus)
    desk.be(NOTIFICATIONS)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.environ["DBUS_SESSION_BUS_ADDRESS"])
    one = Running(tmp_path)
    one.icon.post(lambda: one.icon.show_note(Note("title", "message", Verb("folder"))))
    until(lambda: desk.notes, "no notification came")
    desk.settle(0.05)
    desk.invoke(1, "default")
    until(lambda: one.verbs == [Verb("folder")], "the click did not arrive")
    desk.close()
    bus.kill()
    until(lambda: one.icon._buses == [], "a bus that has gone is still listened to")
    one.finish()
