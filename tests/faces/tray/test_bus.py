"""The connection itself, against a peer that sends what no well-behaved bus would."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from jeepney.low_level import HeaderFields, Message, Parser
from jeepney.wrappers import DBusAddress, new_error, new_method_call, new_signal

from tray_app.faces.tray.bus import Bus, Lost
from tray_app.faces.tray.objects import Body, CallError, Interface, Method

OURS = "org.example.Thing"


class Peer:
    """The other end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._parser = Parser()

    def read(self) -> list[Message]:
        return self._parser.feed(self.sock.recv(65536))

    def call(self, member: str, serial: int, signature: str | None = None, body: Body = ()) -> bytes:
        address = DBusAddress("/thing", "org.example", OURS)
        return new_method_call(address, member, signature, body).serialise(serial=serial)


@pytest.fixture
def ends() -> Iterator[tuple[Bus, Peer]]:
    here, there = socket.socketpair()
    bus, peer = Bus(here), Peer(there)
    bus.flush()
    peer.read()  # its greeting
    yield bus, peer
    bus.close()
    there.close()


def echo(bus: Bus) -> None:
    def answer(text: str) -> Body:
        if text == "explode":
            raise ZeroDivisionError(text)
        return (text,)

    bus.export("/thing", Interface(OURS, {"Echo": Method(("s",), ("s",), answer)}))


def test_a_call_is_answered_with_its_serial(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    echo(bus)
    peer.sock.send(peer.call("Echo", 7, "s", ("hello",)))
    bus.receive()
    bus.flush()
    (reply,) = peer.read()
    assert (reply.header.fields[HeaderFields.reply_serial], reply.body) == (7, ("hello",))


def test_a_fault_in_an_answer_reaches_the_caller_as_an_error(
    ends: tuple[Bus, Peer], caplog: pytest.LogCaptureFixture
) -> None:
    bus, peer = ends
    echo(bus)
    peer.sock.send(peer.call("Echo", 7, "s", ("explode",)))
    bus.receive()
    bus.flush()
    (reply,) = peer.read()
    assert reply.header.fields[HeaderFields.error_name] == "org.freedesktop.DBus.Error.Failed"
    assert "a call from the desktop failed" in caplog.text


def test_a_message_that_cannot_be_read_is_skipped_and_the_next_is_not(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    echo(bus)
    spoilt = peer.call("Echo", 7, "s", ("hello",)).replace(b"hello", b"\xff\xff\xff\xff\xff")
    peer.sock.send(spoilt + peer.call("Echo", 8, "s", ("again",)))
    bus.receive()
    bus.flush()
    assert [reply.body for reply in peer.read()] == [("again",)]


def test_a_message_that_comes_in_pieces_is_put_together(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    echo(bus)
    for byte in peer.call("Echo", 7, "s", ("hello",)):
        peer.sock.send(bytes([byte]))
        bus.receive()
    bus.flush()
    assert [reply.body for reply in peer.read()] == [("hello",)]


def test_something_that_is_not_dbus_at_all_ends_the_connection(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    peer.sock.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(Lost, match="something other than D-Bus"):
        bus.receive()


def test_what_was_said_before_hanging_up_is_still_heard(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    heard: list[Body] = []
    bus.listen(OURS, "Rang", lambda _sender, body: heard.append(body))
    peer.sock.send(new_signal(DBusAddress("/", interface=OURS), "Rang", "u", (3,)).serialise(serial=1))
    peer.sock.close()
    with pytest.raises(Lost, match="has gone"):
        bus.receive()
    assert heard == [(3,)]


def test_a_peer_that_has_gone_is_noticed_when_sending_too(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    peer.sock.close()
    bus.emit("/thing", OURS, "Rang")
    with pytest.raises(Lost, match="has gone"):
        bus.flush()


def test_a_peer_that_never_reads_is_given_up_after_a_while(ends: tuple[Bus, Peer]) -> None:
    bus, _ = ends
    megabyte = b"x" * 1024 * 1024
    with pytest.raises(Lost, match="reads nothing"):
        for _ in range(20):
            bus.emit("/thing", OURS, "Rang", "ay", (megabyte,))
            bus.flush()


def test_an_answer_is_taken_once_and_an_unknown_one_is_no_matter(ends: tuple[Bus, Peer]) -> None:
    bus, peer = ends
    answers: list[Body | CallError] = []
    bus.call("org.example", "/", OURS, "Ask", answered=answers.append)
    bus.flush()
    (call,) = peer.read()
    error = _error(call, "org.example.No", "not today")
    peer.sock.send(error + error)
    bus.receive()
    (answer,) = answers
    assert isinstance(answer, CallError)
    assert (answer.name, answer.text) == ("org.example.No", "not today")


def _error(call: Message, name: str, text: str) -> bytes:
    return new_error(call, name, "s", (text,)).serialise(serial=1)
