"""Our subclasses of pystray's Windows and macOS icons, on pretended systems: threads, limits, endings."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.faces.tray.desk import until
from tests.faces.tray.foreign import FakeMac, FakeWindows
from tests.faces.tray.statuses import three
from tray_app.control.views import AppState
from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.library import build
from tray_app.faces.tray.menu import Item, Verb, face
from tray_app.faces.tray.notifications import Note

RIGHT_CLICK, LEFT_CLICK = 0x205, 0x202
NOTIFY = 0x40B


class Running:
    """An icon whose loop runs in a thread of its own, as the main thread would run it."""

    def __init__(self, icon: Any) -> None:
        self.icon = icon
        self.thread = threading.Thread(target=icon.run, args=(self._show,))
        self._shown = threading.Event()

    def start(self) -> None:
        self.thread.start()
        assert self._shown.wait(5), "nobody is told that the icon is shown"
        assert self.icon.visible

    def _show(self, icon: Any) -> None:
        icon.post(lambda: icon.put_up(self._shown.set))

    def finish(self) -> None:
        self.icon.end()
        self.thread.join(5)
        assert not self.thread.is_alive()


def menu(**more: Any) -> tuple[Item, ...]:
    return face(replace(three(), **more), time.time()).items


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What is imported over a pretended system is not left for the next test."""
    ours = ("pystray._win32", "pystray._darwin", "tray_app.faces.tray.windows", "tray_app.faces.tray.mac")
    yield monkeypatch
    for name in ours:
        sys.modules.pop(name, None)


@pytest.fixture
def windows(forgotten: pytest.MonkeyPatch) -> FakeWindows:
    system = FakeWindows()
    forgotten.setitem(sys.modules, "pystray._util.win32", system.module)
    importlib.import_module("pystray._util")
    forgotten.setattr(sys.modules["pystray._util"], "win32", system.module, raising=False)
    return system


@pytest.fixture
def verbs() -> list[Verb]:
    return []


@pytest.fixture
def lost() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def on_windows(windows: FakeWindows, verbs: list[Verb], lost: list[tuple[str, str]]) -> Iterator[Running]:
    module = importlib.import_module("tray_app.faces.tray.windows")
    title = "O-Switcher\n" + "x" * 200
    icon = module.Icon(
        "o-switcher", Picture(AppState.READY), title, menu(), verbs.append, lambda *note: lost.append(note)
    )
    running = Running(icon)
    running.start()
    yield running
    running.finish()


@pytest.fixture
def mac(forgotten: pytest.MonkeyPatch) -> FakeMac:
    system = FakeMac()
    for name, module in system.modules().items():
        forgotten.setitem(sys.modules, name, module)
    return system


@pytest.fixture
def on_mac(mac: FakeMac, verbs: list[Verb], lost: list[tuple[str, str]]) -> Iterator[Running]:
    module = importlib.import_module("tray_app.faces.tray.mac")
    icon = module.Icon(
        "o-switcher", Picture(AppState.READY), "O-Switcher", menu(), verbs.append, lambda *note: lost.append(note)
    )
    mac.calls.clear()  # what the constructor did, in this thread
    running = Running(icon)
    running.start()
    yield running
    running.finish()


def test_a_long_tooltip_is_clipped_to_what_windows_takes(on_windows: Running, windows: FakeWindows) -> None:
    on_windows.icon.post(lambda: setattr(on_windows.icon, "title", "y" * 300))
    until(lambda: len(windows.tips()) == 2, "no new tooltip")
    assert [len(tip) for tip in windows.tips()] == [127, 127]


def test_a_left_click_on_windows_opens_the_report(on_windows: Running, windows: FakeWindows, verbs: list[Verb]) -> None:
    windows.post(NOTIFY, 0, LEFT_CLICK)
    until(lambda: verbs == [Verb("report")], "the click did not arrive")


def test_an_update_never_destroys_the_menu_that_is_open_on_windows(
    on_windows: Running, windows: FakeWindows, verbs: list[Verb]
) -> None:
    icon, done = on_windows.icon, threading.Event()
    windows.post(NOTIFY, 0, RIGHT_CLICK)
    assert windows.menu_open.wait(5)
    icon.post(lambda: setattr(icon, "menu", menu(headline="other")))
    icon.post(done.set)
    assert not done.wait(0.1), "it waits"
    windows.post(windows.CHOOSE, 1)
    assert done.wait(5), "and is done once the menu has closed"
    assert windows.destroyed_while_open == 0
    assert verbs == [Verb("report")]


def test_work_for_windows_is_done_on_the_icons_thread(on_windows: Running, windows: FakeWindows) -> None:
    seen: list[int | None] = []
    on_windows.icon.post(lambda: seen.append(threading.get_ident()))
    until(lambda: seen, "no work was done")
    assert seen == [on_windows.thread.ident]
    assert windows.threads == {on_windows.thread.ident}


def test_work_that_fails_does_not_stop_the_next_piece(on_windows: Running) -> None:
    done = threading.Event()
    on_windows.icon.post(lambda: 1 // 0)
    on_windows.icon.post(done.set)
    assert done.wait(5)


def test_a_notification_is_clipped_and_one_that_fails_is_shown_elsewhere(
    on_windows: Running, windows: FakeWindows, lost: list[tuple[str, str]]
) -> None:
    icon = on_windows.icon
    icon.post(lambda: icon.show_note(Note("t" * 100, "m" * 400)))
    until(windows.notes, "no notification")
    assert [(len(title), len(text)) for title, text in windows.notes()] == [(63, 255)]
    windows.module.Shell_NotifyIcon = lambda *_: 1 // 0  # type: ignore[attr-defined]
    icon.post(lambda: icon.notify("message", "title"))
    until(lambda: lost == [("title", "message")], "it is lost")


def test_what_the_windows_menu_tells_of_times_is_told_anew_when_it_opens(
    on_windows: Running, windows: FakeWindows
) -> None:
    opened: list[int] = []
    on_windows.icon.opening = lambda: opened.append(threading.get_ident())
    windows.post(NOTIFY, 0, LEFT_CLICK)
    windows.post(NOTIFY, 0, RIGHT_CLICK)
    assert windows.menu_open.wait(5)
    windows.post(windows.CLOSE)
    assert opened == [on_windows.thread.ident]
    assert not on_windows.icon.watched


def test_windows_tells_when_the_machine_has_slept(on_windows: Running, windows: FakeWindows) -> None:
    woken: list[int] = []
    on_windows.icon.woke = lambda: woken.append(threading.get_ident())
    windows.post(0x218, 4)  # it is to sleep
    windows.post(0x218, 0x12)
    until(lambda: woken, "nobody was told")
    on_windows.icon.post(lambda: None)
    assert woken == [on_windows.thread.ident]


def test_the_end_of_a_windows_session_ends_the_loop(on_windows: Running, windows: FakeWindows) -> None:
    windows.post(0x16, 1)
    on_windows.thread.join(5)
    assert not on_windows.thread.is_alive()


def test_an_end_before_the_window_exists_is_not_forgotten(windows: FakeWindows, verbs: list[Verb]) -> None:
    module = importlib.import_module("tray_app.faces.tray.windows")
    icon = module.Icon("o-switcher", Picture(AppState.READY), "O-Switcher", menu(), verbs.append, lambda *_: None)
    icon.end()
    thread = threading.Thread(target=icon.run)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def test_a_shortcut_sign_is_doubled_for_windows() -> None:
    plain = face(three(), time.time(), unseen="a & b").items
    labels = [item.text for item in build(plain, print, ampersands=True)]
    assert "a && b" in labels


def test_everything_on_macos_happens_on_the_main_thread(on_mac: Running, mac: FakeMac, verbs: list[Verb]) -> None:
    icon = on_mac.icon
    icon.post(lambda: setattr(icon, "icon", Picture(AppState.OFFLINE)))
    icon.post(lambda: setattr(icon, "title", "new"))
    icon.post(lambda: setattr(icon, "menu", menu(headline="other")))
    icon.post(lambda: 1 // 0)
    until(lambda: len(mac.named("item.setMenu_")) == 2, "no new menu")
    assert mac.named("button.setToolTip_")[-1] == ("new",)
    assert mac.threads() == {on_mac.thread.ident}


def test_the_macos_icon_has_two_pixels_to_the_point(on_mac: Running, mac: FakeMac) -> None:
    assert mac.named("image.setSize_") == [((22, 22),)]


def test_stopping_on_macos_leaves_the_loop_and_takes_the_icon_away(on_mac: Running, mac: FakeMac) -> None:
    on_mac.icon.end()
    on_mac.thread.join(5)
    assert len(mac.named("bar.removeStatusItem_")) == 1


def test_a_notification_on_macos_that_fails_is_shown_elsewhere(
    on_mac: Running, lost: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # no osascript
    on_mac.icon.show_note(Note("title", "message"))
    until(lambda: lost == [("title", "message")], "it is lost")
