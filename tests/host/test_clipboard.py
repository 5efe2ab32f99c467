"""The clipboard, on a real X server and with programs that stand in for a desktop's own."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from Xlib import X, Xatom
from Xlib.display import Display

from tray_app.host.clipboard import copy

TEXT = "OPENAI_API_KEY=osw-sdk-ключ\n"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-nolisten", "tcp", "-screen", "0", "64x64x24"],
        pass_fds=(writer,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as said:
        yield ":" + said.readline().strip()
    server.terminate()
    server.wait(10)


def pasted(name: str, target: str = "UTF8_STRING") -> bytes | list[int] | None:
    """What another program gets that asks for the clipboard."""
    with closing(Display(name)) as one:
        window = one.screen().root.create_window(0, 0, 1, 1, 0, 0, X.InputOnly)
        clipboard, kind, place = (one.intern_atom(atom) for atom in ("CLIPBOARD", target, "PASTED"))
        window.convert_selection(clipboard, kind, place, X.CurrentTime)
        one.flush()
        while True:
            event = one.next_event()
            if event.type == X.SelectionNotify:
                break
        if event.property == X.NONE:
            return None
        found = window.get_full_property(place, X.AnyPropertyType)
        return list(found.value) if found.property_type == Xatom.ATOM else bytes(found.value)


def holders() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "clipboard"]


def test_without_any_program_this_process_holds_the_clipboard_itself(display: str) -> None:
    assert copy(TEXT, {"DISPLAY": display, "PATH": "/nowhere"})
    assert pasted(display) == TEXT.encode()
    assert pasted(display, "STRING") == TEXT.encode()
    targets = pasted(display, "TARGETS")
    assert isinstance(targets, list) and len(targets) == 3
    assert pasted(display, "image/png") is None, "it has no picture"


def test_it_is_held_until_somebody_else_copies(display: str) -> None:
    assert copy("first", {"DISPLAY": display, "PATH": "/nowhere"})
    assert copy("second", {"DISPLAY": display, "PATH": "/nowhere"})
    assert pasted(display) == b"second"
    with closing(Display(display)) as other:
        window = other.screen().root.create_window(0, 0, 1, 1, 0, 0, X.InputOnly)
        window.set_selection_owner(other.intern_atom("CLIPBOARD"), X.CurrentTime)
        other.sync()
        deadline = time.monotonic() + 5
        while holders() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert holders() == [], "nobody waits for questions that will not come"


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_desktops_own_program_is_asked_first_and_is_given_the_text_on_its_input(tmp_path: Path) -> None:
    program(tmp_path, "wl-copy", f'echo "$#" > {tmp_path}/count; cat > {tmp_path}/got')
    assert copy(TEXT, {"WAYLAND_DISPLAY": "wayland-0", "PATH": f"{tmp_path}:/bin:/usr/bin"})
    assert (tmp_path / "got").read_text() == TEXT
    assert (tmp_path / "count").read_text() == "0\n", "nothing of it is an argument"


def test_a_program_that_fails_is_followed_by_the_next(tmp_path: Path, display: str) -> None:
    program(tmp_path, "wl-copy", "exit 1")
    program(tmp_path, "xclip", f"cat > {tmp_path}/got")
    environ = {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": display, "PATH": f"{tmp_path}:/bin:/usr/bin"}
    assert copy(TEXT, environ)
    assert (tmp_path / "got").read_text() == TEXT


@pytest.mark.parametrize("environ", [{}, {"DISPLAY": ":4711"}, {"WAYLAND_DISPLAY": "wayland-0"}])
def test_where_there_is_no_clipboard_it_says_so(environ: dict[str, str]) -> None:
    assert not copy(TEXT, {**environ, "PATH": "/nowhere"})


def test_a_program_that_cannot_be_started_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "wl-copy").write_text("no program")
    (tmp_path / "wl-copy").chmod(0o755)
    assert not copy(TEXT, {"WAYLAND_DISPLAY": "wayland-0", "PATH": str(tmp_path)})
