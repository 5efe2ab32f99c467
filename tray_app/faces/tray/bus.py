"""One connection to the D-Bus session bus, driven by whoever selects on it. Nothing here blocks or waits.

Built on jeepney's messages and its parser only: its connection class blocks, and knows no
`$XDG_RUNTIME_DIR/bus`. A `Bus` belongs to one thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count

from jeepney.bus import get_connectable_addresses
from jeepney.io.blocking import prep_socket
from jeepney.low_level import HeaderFields, Message, MessageFlag, MessageType, Parser
from jeepney.wrappers import DBusAddress, new_error, new_method_call, new_method_return, new_signal

from tray_app.faces.tray.objects import STANDARD, Body, CallError, Interface, Objects

DAEMON = STANDARD
_CONNECT_SECONDS = 2.0
_MOST_UNSENT = 16 * 1024 * 1024
_log = logging.getLogger(__name__)


class Lost(Exception):
    """There is no session bus, or no longer. The text says why, in words for people."""


Answered = Callable[[Body | CallError], None]


def addresses(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Socket paths where the session bus may be: as the environment says, else the user's own bus, if it is there."""
    if environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return places(environ)
    return tuple(path for path in places(environ) if os.path.exists(path))  # noqa: PTH110  # a socket's name


def places(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Socket paths where the session bus is, or will be when there is one."""
    if said := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return _sockets(said)
    runtime = environ.get("XDG_RUNTIME_DIR")
    return (f"{runtime}/bus",) if runtime else ()


def _sockets(address: str) -> tuple[str, ...]:
    try:
        return tuple(get_connectable_addresses(address))  # type: ignore[no-untyped-call]
    except (ValueError, RuntimeError):  # e.g. "autolaunch:", or a transport other than unix sockets
        return ()


def connect(environ: Mapping[str, str] = os.environ) -> Bus:
    """A connection to the session bus that has been accepted. Raises `Lost`."""
    return _connected(addresses(environ), "no session bus is named in the environment")


def connect_to(address: str) -> Bus:
    """A connection to the bus at a D-Bus address. Raises `Lost`."""
    return _connected(_sockets(address), "there is no unix socket in that address")


def _connected(sockets: tuple[str, ...], reason: str) -> Bus:
    for address in sockets:
        try:
            return Bus(prep_socket(address, timeout=_CONNECT_SECONDS))
        except (OSError, ValueError) as error:  # ValueError: jeepney's AuthenticationError
            reason = str(error)
    raise Lost(reason)


def has_owner(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody on the bus goes by a name; waits for the answer, 2 seconds at most. Raises `Lost`."""
    answers: list[Body | CallError] = []
    deadline = time.monotonic() + _CONNECT_SECONDS
    with contextlib.closing(connect(environ)) as bus:
        bus.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "NameHasOwner", "s", (name,), answers.append)
        while not answers:
            bus.flush()
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([bus], [], [], left)[0]:
                raise Lost("the session bus does not answer")
            bus.receive()
    return not isinstance(answers[0], CallError) and bool(answers[0][0])


class Bus:
    """`receive` when the socket is readable, `flush` when it is writable and `unsent` is true."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._parser = Parser()  # type: ignore[no-untyped-call]
        self._out = bytearray()
        self._serials = count(1)
        self._awaited: dict[int, Answered] = {}
        self._objects = Objects()
        self._listeners: dict[tuple[str, str], Callable[[str, Body], None]] = {}
        self.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "Hello")

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def unsent(self) -> bool:
        return bool(self._out)

    def close(self) -> None:
        self._sock.close()

    # what we ask and say

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str | None = None,
        body: Body = (),
        answered: Answered | None = None,
    ) -> None:
        """Send a call. `answered` gets the answer's body, or a `CallError`, when one comes."""
        address = DBusAddress(path, destination, interface)  # type: ignore[no-untyped-call]
        message = new_method_call(address, member, signature, body)  # type: ignore[no-untyped-call]
        serial = next(self._serials)
        if answered is None:
            message.header.flags |= MessageFlag.no_reply_expected
        else:
            self._awaited[serial] = answered
        self._send(message, serial)

    def emit(self, path: str, interface: str, member: str, signature: str | None = None, body: Body = ()) -> None:
        address = DBusAddress(path, interface=interface)  # type: ignore[no-untyped-call]
        self._send(new_signal(address, member, signature, body))  # type: ignore[no-untyped-call]

    def listen(self, interface: str, member: str, heard: Callable[[str, Body], None], more: str = "") -> None:
        """Have `heard(sender, body)` called for a signal. `more` narrows the match rule."""
        self._listeners[interface, member] = heard
        rule = f"type='signal',interface='{interface}',member='{member}'" + (f",{more}" if more else "")
        self.call(DAEMON, "/org/freedesktop/DBus", DAEMON, "AddMatch", "s", (rule,))

    def export(self, path: str, interface: Interface) -> None:
        """Answer calls to an interface of ours."""
        self._objects.add(path, interface)

    # moving bytes

    def flush(self) -> None:
        """Send what is waiting, as far as the socket takes it. Raises `Lost`."""
        try:
            while self._out:
                del self._out[: self._sock.send(self._out)]
        except BlockingIOError:
            if len(self._out) > _MOST_UNSENT:
                raise Lost("the session bus reads nothing any more") from None
        except OSError as error:
            raise Lost(f"the session bus has gone ({error.strerror})") from error

    def receive(self) -> None:
        """Take in what has arrived and act on it. Raises `Lost`."""
        gone = self._fill()
        for message in self._messages():
            self._dispatch(message)
        if gone:
            raise Lost("the session bus has gone")

    def _fill(self) -> bool:
        """Whether the bus has hung up, after what it said last has been read."""
        try:
            while data := self._sock.recv(65536):
                self._parser.add_data(data)
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _messages(self) -> Iterator[Message]:
        while True:
            before = self._parser.buf.bytes_buffered
            try:
                message = self._parser.get_next_message()
            except (ValueError, AssertionError, KeyError):
                if self._parser.buf.bytes_buffered == before:
                    raise Lost("the session bus speaks something other than D-Bus") from None
                # jeepney has taken the message out of its buffer, but would read the next by its length
                self._parser.next_msg_size = None
                _log.debug("a message that cannot be read was skipped", exc_info=True)
                continue
            if message is None:
                return
            yield message

    def _send(self, message: Message, serial: int | None = None) -> None:
        self._out += message.serialise(serial=next(self._serials) if serial is None else serial)

    # what others ask and say

    def _dispatch(self, message: Message) -> None:
        match message.header.message_type:
            case MessageType.method_call:
                self._answer(message)
            case MessageType.method_return | MessageType.error:
                self._take_answer(message)
            case MessageType.signal:
                self._hear(message)

    def _take_answer(self, message: Message) -> None:
        answered = self._awaited.pop(message.header.fields.get(HeaderFields.reply_serial), None)
        if answered is None:
            return
        if message.header.message_type is MessageType.error:
            words = " ".join(str(part) for part in message.body)
            answered(CallError(message.header.fields.get(HeaderFields.error_name, "?"), words))
        else:
            answered(message.body)

    def _hear(self, message: Message) -> None:
        fields = message.header.fields
        heard = self._listeners.get((fields.get(HeaderFields.interface, ""), fields[HeaderFields.member]))
        if heard is not None:
            heard(fields.get(HeaderFields.sender, ""), message.body)

    def _answer(self, message: Message) -> None:
        fields = message.header.fields
        try:
            signature, body = self._objects.answer(
                fields[HeaderFields.path],
                fields.get(HeaderFields.interface),
                fields[HeaderFields.member],
                fields.get(HeaderFields.signature, ""),
                message.body,
            )
            reply = new_method_return(message, signature or None, body)  # type: ignore[no-untyped-call]
        except CallError as error:
            reply = new_error(message, error.name, "s", (error.text,))  # type: ignore[no-untyped-call]
        except Exception as error:  # a fault of ours must reach the caller, and leave the icon alive
            _log.exception("a call from the desktop failed")
            name = f"{STANDARD}.Error.Failed"
            reply = new_error(message, name, "s", (str(error),))  # type: ignore[no-untyped-call]
        if not message.header.flags & MessageFlag.no_reply_expected:
            self._send(reply)
