"""A desktop for tests, on a private session bus: watcher, tray host and notification daemon in one.

The bus and every message are real; only the panel's pixels are missing. Calls of ours run in the test's
thread, what others send is taken in by a reader thread and kept.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jeepney.auth import AuthenticationError
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.low_level import HeaderFields, Message, MessageFlag, MessageType
from jeepney.wrappers import DBusAddress, new_error, new_method_call, new_method_return, new_signal

ITEM = "org.kde.StatusNotifierItem"
ITEM_PATH = "/StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
MENU_PATH = "/MenuBar"
WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
LOGIND = "org.freedesktop.login1"
DAEMON = "org.freedesktop.DBus"
PATIENCE = 15.0

# no service folders: nothing of the machine's own is ever started by a message
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={socket}</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


class CallFailed(Exception):
    """A call of ours was answered by an error; `name` is the error's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Daemon:
    """A `dbus-daemon` that only these tests know."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        config = folder / "bus.conf"
        config.write_text(_CONFIG.format(socket=self.socket))
        command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"]
        self._process = subprocess.Popen(command)
        until(self._listens, "the bus did not start")

    def _listens(self) -> bool:
        """Its socket is there a moment before anybody can connect."""
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(str(self.socket)) == 0

    @property
    def environ(self) -> dict[str, str]:
        return {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.socket}"}

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Still there, but never reading or answering again."""
        self._process.send_signal(signal.SIGSTOP)


def until(true: Callable[[], Any], otherwise: str, seconds: float = PATIENCE) -> Any:
    """Wait until something holds, and give it back."""
    deadline = time.monotonic() + seconds
    while True:
        result = true()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(0.005)


@dataclass
class Line:
    """One line of a menu as a host reads it."""

    id: int
    label: str
    properties: dict[str, Any]
    children: list[Line] = field(default_factory=list)

    def walk(self) -> Iterator[Line]:
        yield self
        for child in self.children:
            yield from child.walk()


class Desk:
    """One connection that plays the desktop's parts; which of them, the test says."""

    def __init__(self, daemon: Daemon) -> None:
        self._connection = DBusConnection(prep_socket(str(daemon.socket)))
        self._replies: dict[int, queue.Queue[Message]] = {}
        self._names: set[str] = set()
        self.items: list[str] = []
        self.signals: list[tuple[str, tuple[Any, ...]]] = []
        self.notes: list[tuple[Any, ...]] = []
        self.capabilities = ["body", "body-markup", "actions"]
        self.notification_fault: str | None = None
        self.silent = False  # takes notifications and never answers
        self.asked = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        for interface in (ITEM, MENU):
            self.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "AddMatch", "s", f"interface='{interface}'")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.sock.shutdown(2)
        self._reader.join(PATIENCE)
        self._connection.close()

    # the parts it plays

    def be(self, name: str) -> None:
        self._names.add(name)
        self.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "RequestName", "su", name, 4)

    def cease(self, name: str) -> None:
        self._names.discard(name)
        self.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "ReleaseName", "s", name)

    def host(self) -> str:
        """Become the tray host and give back the first item that registers."""
        self.items.clear()
        self.be(WATCHER)
        return self.item()

    def item(self) -> str:
        until(lambda: self.items, "no item has registered")
        return self.items[-1]

    def dismiss(self, note: int) -> None:
        address = DBusAddress("/org/freedesktop/Notifications", interface=NOTIFICATIONS)
        self._connection.send(new_signal(address, "NotificationClosed", "uu", (note, 2)))

    def invoke(self, note: int, action: str) -> None:
        address = DBusAddress("/org/freedesktop/Notifications", interface=NOTIFICATIONS)
        self._connection.send(new_signal(address, "ActionInvoked", "us", (note, action)))

    def machine(self, member: str, signature: str, *body: Any) -> None:
        """Say something as logind does, on the system's bus."""
        address = DBusAddress("/org/freedesktop/login1", interface=f"{LOGIND}.Manager")
        self._connection.send(new_signal(address, member, signature, body))

    # what it asks of the item

    def property(self, name: str) -> Any:
        return self.variant(name)[1]

    def variant(self, name: str) -> tuple[str, Any]:
        (value,) = self.call(self.item(), ITEM_PATH, f"{DAEMON}.Properties", "Get", "ss", ITEM, name)
        return value

    def properties(self) -> dict[str, Any]:
        (values,) = self.call(self.item(), ITEM_PATH, f"{DAEMON}.Properties", "GetAll", "s", ITEM)
        return {name: value for name, (_, value) in values.items()}

    def menu(self) -> Line:
        (_revision, root) = self.ask_menu("GetLayout", "iias", 0, -1, [])
        return line_of(root)

    def find(self, label: str) -> Line:
        """The line that says so, or starts so."""
        lines = list(self.menu().walk())
        return next(
            (line for line in lines if line.label == label),
            next((line for line in lines if line.label.startswith(label)), None),
        ) or _missing(label, lines)

    def labels(self) -> list[str]:
        return [line.label for line in self.menu().children]

    def click(self, id_: int, event: str = "clicked") -> None:
        self.ask_menu("Event", "isvu", id_, event, ("i", 0), 0)

    def ask_menu(self, member: str, signature: str, *body: Any) -> tuple[Any, ...]:
        return self.call(self.item(), MENU_PATH, MENU, member, signature, *body)

    def activate(self) -> None:
        self.call(self.item(), ITEM_PATH, ITEM, "Activate", "ii", 0, 0)

    def call(
        self, to: str, path: str, interface: str | None, member: str, signature: str | None = None, *body: Any
    ) -> tuple[Any, ...]:
        message = new_method_call(DBusAddress(path, to, interface), member, signature, body)
        serial = next(self._connection.outgoing_serial)
        answers = self._replies[serial] = queue.Queue()
        self._connection.send(message, serial=serial)
        reply = answers.get(timeout=PATIENCE)
        if reply.header.message_type is MessageType.error:
            raise CallFailed(reply.header.fields[HeaderFields.error_name])
        return reply.body

    # what it has heard

    def heard(self, signal: str) -> list[tuple[Any, ...]]:
        return [body for name, body in list(self.signals) if name == signal]

    def forget(self) -> None:
        """Start counting again, once all that was said before has come in."""
        self.settle()
        self.signals.clear()

    def settle(self, seconds: float = 0.12) -> None:
        """Wait until no signal has come for so long; longer than the tray gathers changes."""
        count = -1
        while count != len(self.signals):
            count = len(self.signals)
            time.sleep(seconds)

    def wait_for(self, signal: str, count: int = 1) -> list[tuple[Any, ...]]:
        until(lambda: len(self.heard(signal)) >= count, f"{signal} did not come")
        return self.heard(signal)

    # the reader thread

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, AuthenticationError):
            while True:
                self._take(self._connection.receive())

    def _take(self, message: Message) -> None:
        fields = message.header.fields
        match message.header.message_type:
            case MessageType.method_call:
                if self.silent and message.header.fields[HeaderFields.interface] == NOTIFICATIONS:
                    self.asked = True
                    return
                reply = self._answer(message, fields[HeaderFields.member])
                if not message.header.flags & MessageFlag.no_reply_expected:
                    self._connection.send(reply)
            case MessageType.signal:
                self.signals.append((fields[HeaderFields.member], message.body))
            case _:
                answers = self._replies.pop(fields[HeaderFields.reply_serial], None)
                if answers is not None:
                    answers.put(message)

    def _answer(self, message: Message, member: str) -> Message:
        if self.notification_fault is not None and member in ("GetCapabilities", "Notify"):
            return new_error(message, self.notification_fault)
        match member:
            case "RegisterStatusNotifierItem":
                self.items.append(message.body[0])
                return new_method_return(message)
            case "GetCapabilities":
                return new_method_return(message, "as", (self.capabilities,))
            case "Notify":
                self.notes.append(message.body)
                return new_method_return(message, "u", (len(self.notes),))
        return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")


def line_of(node: tuple[Any, ...]) -> Line:
    id_, properties, children = node
    plain = {name: value for name, (_, value) in properties.items()}
    return Line(id_, plain.get("label", ""), plain, [line_of(child) for _, child in children])


def _missing(label: str, lines: list[Line]) -> Line:
    raise AssertionError(f"no line says {label!r}; there are {[line.label for line in lines]}")
