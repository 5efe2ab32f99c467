"""A whole small desktop without a screen: Xvfb, openbox and XFCE's panel, to see the tray as people do.

    python -m tests.faces.tray.desktop --out assets/tray-menu.png [-- COMMAND ...]

runs the command (by default the tray with three made-up profiles), opens the icon's menu as a person
would, and keeps a picture. `--assets FOLDER` draws the icon's files instead.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import DBusAddress, new_method_call, unwrap_msg
from PIL import Image, ImageChops
from Xlib.display import Display

from tests.faces.tray.desk import ITEM_PATH, MENU, MENU_PATH, WATCHER, Line, line_of, until
from tray_app.control.views import AppState
from tray_app.faces.tray.artwork import shapes, svg
from tray_app.faces.tray.icon import Picture

ROOT = Path(__file__).parents[3]
PROGRAMS = ("Xvfb", "dbus-daemon", "openbox", "xfce4-panel", "xdotool", "import", "dunst")
DEMO = (sys.executable, "-m", "tests.faces.tray.runner", "--demo")

_SIZE = (1180, 640)
_PANEL_HEIGHT = 32
_MARGIN = 28
_PATIENCE = 20.0

_PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="{dark}"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="{height}"/>
      <property name="icon-size" type="uint" value="18"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
        <value type="int" value="3"/>
        <value type="int" value="4"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="icon-size" type="uint" value="22"/>
    </property>
    <property name="plugin-3" type="string" value="clock">
      <property name="mode" type="uint" value="2"/>
      <property name="digital-layout" type="uint" value="3"/>
      <property name="digital-time-format" type="string" value="%H:%M"/>
      <property name="digital-time-font" type="string" value="DejaVu Sans 10"/>
    </property>
    <property name="plugin-4" type="string" value="separator">
      <property name="style" type="uint" value="0"/>
    </property>
  </property>
</channel>
"""

_GTK = """[Settings]
gtk-theme-name=Adwaita
gtk-icon-theme-name=Adwaita
gtk-font-name=DejaVu Sans 10
gtk-xft-antialias=1
gtk-xft-hinting=1
gtk-xft-hintstyle=hintslight
gtk-xft-rgba=none
gtk-enable-animations=0
gtk-application-prefer-dark-theme={dark}
"""


_DUNST = """[global]
width = 380
height = 160
offset = 16x48
origin = top-right
font = DejaVu Sans 10
format = "<b>%s</b>\\n%b"
markup = full
padding = 12
horizontal_padding = 14
frame_width = 1
separator_height = 1
separator_color = frame
corner_radius = 8
icon_position = left
min_icon_size = 40
max_icon_size = 40
show_indicators = false
[urgency_low]
background = "{back}"
foreground = "{fore}"
frame_color = "{frame}"
[urgency_normal]
background = "{back}"
foreground = "{fore}"
frame_color = "{frame}"
[urgency_critical]
background = "{back}"
foreground = "{fore}"
frame_color = "#d8433c"
"""
_LIGHT = {"back": "#fdfdfd", "fore": "#22272e", "frame": "#c3cad1"}
_DARK = {"back": "#2b2f36", "fore": "#e7ebef", "frame": "#454c56"}


_PANEL_COMMAND = ("xfce4-panel", "--disable-wm-check")


class Desktop:
    """`with Desktop() as desktop:` starts it; leaving stops all of it and removes its folder."""

    def __init__(self, *, dark: bool = False) -> None:
        self._dark = dark
        self._stack = contextlib.ExitStack()
        self.home = Path()
        self.environ: dict[str, str] = {}

    def __enter__(self) -> Desktop:
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._write_settings()
        bus = self.home / "bus"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_RUNTIME_DIR": str(self.home),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
            "LANG": "C.UTF-8",
            "NO_AT_BRIDGE": "1",  # no accessibility bus, and no warning that there is none
            "XDG_CURRENT_DESKTOP": "XFCE",
            "GDK_BACKEND": "x11",
        }
        self.environ["DISPLAY"] = self._start_display()
        self._launch("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}")
        until(bus.exists, "the bus did not start", _PATIENCE)
        self._launch("openbox")
        self._paint_background()
        self._panel = self._launch(*_PANEL_COMMAND)
        self._launch("dunst", "-conf", str(self.home / "dunstrc"))
        self._bus = DBusConnection(prep_socket(str(bus)))
        self._stack.callback(self._bus.close)

    def _write_settings(self) -> None:
        config = self.home / ".config"
        channels = config / "xfce4/xfconf/xfce-perchannel-xml"
        channels.mkdir(parents=True)
        panel = _PANEL.format(height=_PANEL_HEIGHT, dark=str(self._dark).lower())
        (channels / "xfce4-panel.xml").write_text(panel)
        (self.home / "dunstrc").write_text(_DUNST.format(**(_DARK if self._dark else _LIGHT)))
        (config / "gtk-3.0").mkdir()
        (config / "gtk-3.0/settings.ini").write_text(_GTK.format(dark=int(self._dark)))

    def _start_display(self) -> str:
        """Xvfb looks for a free display itself, and says which one it took."""
        reader, writer = os.pipe()
        screen = f"{_SIZE[0]}x{_SIZE[1]}x24"
        command = (
            "Xvfb",
            "-displayfd",
            str(writer),
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            screen,
            "-dpi",
            "96",
        )
        self._launch(*command, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as said:
            return ":" + said.readline().strip()

    def _paint_background(self) -> None:
        shades = Image.linear_gradient("L").rotate(90).resize(_SIZE)
        first, last = ("#232a35", "#3a4757") if self._dark else ("#9fb4c7", "#d5dfe6")
        picture = Image.composite(Image.new("RGB", _SIZE, last), Image.new("RGB", _SIZE, first), shades)
        with contextlib.closing(Display(self.environ["DISPLAY"])) as display:
            screen = display.screen()
            pixmap = screen.root.create_pixmap(*_SIZE, screen.root_depth)
            pixmap.put_pil_image(pixmap.create_gc(), 0, 0, picture)
            screen.root.change_attributes(background_pixmap=pixmap)
            screen.root.clear_area(0, 0, *_SIZE)
            display.sync()

    def _launch(self, *command: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        """Start a program that is ended with the desktop; what it says is kept in the home folder."""
        log = self._stack.enter_context((self.home / f"{Path(command[0]).name}.log").open("wb"))
        process = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log, pass_fds=pass_fds)
        self._stack.callback(_end, process)
        return process

    def _do(self, *command: str) -> None:
        subprocess.run(command, env=self.environ, check=True, capture_output=True, timeout=_PATIENCE)

    def restart_panel(self) -> None:
        """End the panel, as a crash does, and start another one."""
        self._panel.kill()
        self._panel.wait()
        self._panel = self._launch(*_PANEL_COMMAND)

    # what a person does

    @contextlib.contextmanager
    def run(self, command: Sequence[str], more: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """A program in this session, ended at the end."""
        environ = {**self.environ, "PYTHONPATH": str(ROOT), **(more or {})}
        with (self.home / "command.log").open("wb") as log:
            process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield process
            finally:
                _end(process)

    def item(self) -> str:
        """The bus name of the icon that the panel shows."""

        def registered() -> list[str]:
            with contextlib.suppress(Exception):  # the panel may not be there yet
                (value,) = self._ask(
                    WATCHER,
                    "/StatusNotifierWatcher",
                    "org.freedesktop.DBus.Properties",
                    "Get",
                    "ss",
                    WATCHER,
                    "RegisteredStatusNotifierItems",
                )
                return [str(name) for name in value[1]]
            return []

        return str(until(registered, f"no icon has registered\n{self.logs()}", _PATIENCE)[0]).removesuffix(ITEM_PATH)

    def icon(self) -> tuple[int, int]:
        """Where the icon is: the middle of the pixels in one of its colours, in the panel."""
        colours = {shape.colour for state in AppState for shape in shapes(state)} - {"#ffffff"}

        def middle() -> tuple[int, int] | None:
            strip = self.screenshot().crop((0, 0, _SIZE[0], _PANEL_HEIGHT))
            width = strip.width
            found = [
                n
                for n, pixel in enumerate(strip.get_flattened_data())
                if "#{:02x}{:02x}{:02x}".format(*pixel) in colours
            ]
            if len(found) < 20:
                return None
            x = sum(n % width for n in found) // len(found)
            return x, _PANEL_HEIGHT // 2

        place: tuple[int, int] = until(middle, f"the icon is not to be seen\n{self.logs()}", _PATIENCE)
        return place

    def click(self, button: int) -> None:
        """1 is the left one, which opens the report, 3 the right one, which opens the menu."""
        x, y = self.icon()
        self._do("xdotool", "mousemove", str(x), str(y), "click", str(button))

    def open_menu(self, *, submenu: bool = True) -> None:
        """Open the icon's menu with the mouse, and its first submenu with the keyboard."""
        lines = self.lines()
        self.click(3)
        self._do("xdotool", "mousemove", "40", str(_SIZE[1] - 40))  # away, or the tooltip covers the menu
        time.sleep(0.8)
        if submenu:
            reachable = [line for line in lines if line.properties.get("enabled")]
            steps = next(n for n, line in enumerate(reachable) if line.children)
            self.press(*["Down"] * (steps + 1), "Right")

    def press(self, *keys: str) -> None:
        for key in keys:
            self._do("xdotool", "key", key)
            time.sleep(0.1)
        time.sleep(0.3)

    def lines(self) -> list[Line]:
        """The menu as the panel has read it."""
        _revision, root = self._ask(self.item(), MENU_PATH, MENU, "GetLayout", "iias", 0, -1, [])
        return line_of(root).children

    def screenshot(self) -> Image.Image:
        path = self.home / "screen.png"
        self._do("import", "-window", "root", str(path))
        with Image.open(path) as image:
            return image.convert("RGB")

    def logs(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in sorted(self.home.glob("*.log")))

    def _ask(self, to: str, path: str, interface: str, member: str, signature: str, *body: Any) -> tuple[Any, ...]:
        message = new_method_call(DBusAddress(path, to, interface), member, signature, body)
        answer: tuple[Any, ...] = unwrap_msg(self._bus.send_and_get_reply(message, timeout=5))
        return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def picture_of_menu(
    command: Sequence[str],
    *,
    dark: bool = False,
    more: dict[str, str] | None = None,
    submenu: bool = False,
    act: Callable[[], object] = lambda: None,
) -> Image.Image:
    """What a person sees who opens the menu: the part of the screen that it takes, and the icon."""
    with Desktop(dark=dark) as desktop, desktop.run(command, more):
        desktop.item()
        act()
        x, _ = desktop.icon()
        before = desktop.screenshot()
        desktop.open_menu(submenu=submenu)
        return _what_is_new(before, desktop.screenshot(), x)


def picture_of_notes(command: Sequence[str], act: Callable[[], None], more: dict[str, str]) -> Image.Image:
    """What the desktop shows when something happens: the messages, and the icon."""
    with Desktop() as desktop, desktop.run(command, more):
        desktop.item()
        x, _ = desktop.icon()
        before = desktop.screenshot()
        act()
        time.sleep(1.5)
        return _what_is_new(before, desktop.screenshot(), x)


def _what_is_new(before: Image.Image, after: Image.Image, x: int) -> Image.Image:
    """From the left edge of what has changed, or of the icon, to the corner that the icon is in."""
    left, _, _, bottom = ImageChops.difference(before, after).getbbox() or (0, 0, *_SIZE)
    return after.crop((max(0, min(left, x) - _MARGIN), 0, _SIZE[0], min(_SIZE[1], bottom + _MARGIN)))


def draw_assets(folder: Path) -> None:
    """The icon of a healthy app as files, for packages, menus and the README."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "o-switcher.svg").write_text(svg(AppState.READY))
    Picture(AppState.READY).image(256).save(folder / "o-switcher.png", optimize=True)


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="keep a picture of the open menu here")
    parser.add_argument("--dark", action="store_true", help="a dark panel")
    parser.add_argument("--assets", type=Path, help="draw the icon's files into this folder")
    parser.add_argument("command", nargs="*", default=DEMO)
    chosen = parser.parse_args(arguments)
    if chosen.assets:
        draw_assets(chosen.assets)
    if chosen.out:
        own = {name: value for name, value in os.environ.items() if name.startswith("O_SWITCHER_")}
        picture_of_menu(chosen.command, dark=chosen.dark, more=own).save(chosen.out, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
