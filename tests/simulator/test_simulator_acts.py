"""A reply as acts, without a socket: whatever is cut where, what is sent is the beginning of the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tray_app.simulator.reply import RESET_LINGER_S, acts, keeps_open
from tray_app.simulator.values import BEFORE_HEAD, Ending, Reply, Request

DATE = b"Mon, 21 Sep 2026 14:13:20 GMT"


def request(method: str = "POST", keep_alive: bool = True, chunkable: bool = True) -> Request:
    return Request(method, "/v1/x", "", [], b"", 0, b"", keep_alive, chunkable)


def sent(reply: Reply, asked: Request | None = None) -> bytes:
    return b"".join(act for act in acts(reply, asked or request(), DATE) if isinstance(act, bytes))


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """The payload, and whether it came to its end."""
    payload = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        if size == b"0":
            return payload, True
        payload += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return payload, False


Pieces = st.lists(st.binary(min_size=0, max_size=40), max_size=8).map(tuple)


@given(Pieces)
def test_chunks_put_together_are_the_pieces(pieces: tuple[bytes, ...]) -> None:
    body = sent(Reply(pieces=pieces, chunked=True)).partition(b"\r\n\r\n")[2]
    assert unchunked(body) == (b"".join(pieces), True)


@given(Pieces, st.integers(0, 400), st.booleans(), st.sampled_from(list(Ending)))
def test_a_cut_reply_is_a_beginning_and_never_ends_in_order(
    pieces: tuple[bytes, ...], at: int, chunked: bool, ending: Ending
) -> None:
    reply = Reply(pieces=pieces, chunked=chunked, ending=ending, stop_at=at)
    whole = b"".join(pieces)
    body = sent(reply).partition(b"\r\n\r\n")[2]
    payload, ended = unchunked(body) if chunked else (body, False)
    assert payload == whole[:at]
    assert not ended
    assert list(acts(reply, request(), DATE))[-1] is ending


@given(Pieces, st.booleans())
def test_a_burst_is_one_write_of_the_same_bytes(pieces: tuple[bytes, ...], chunkable: bool) -> None:
    asked = request(chunkable=chunkable)
    (burst,) = acts(Reply(pieces=pieces, chunked=True, burst=True), asked, DATE)
    assert burst == sent(Reply(pieces=pieces, chunked=True), asked)


def test_pauses_stand_before_the_head_and_before_the_pieces_that_are_paced() -> None:
    reply = Reply(pieces=(b"a", b"b", b"c"), chunked=True, delay_s=1.0, pause_s=0.5, paced=range(1, 3))
    shape = [act if isinstance(act, float) else "bytes" for act in acts(reply, request(), DATE)]
    assert shape == [1.0, "bytes", "bytes", 0.5, "bytes", 0.5, "bytes"]


def test_a_reset_lets_what_was_sent_arrive_first() -> None:
    *_, wait, end = acts(Reply(pieces=(b"a",), ending=Ending.RST), request(), DATE)
    assert (wait, end) == (RESET_LINGER_S, Ending.RST)
    assert list(acts(Reply(ending=Ending.RST, stop_at=BEFORE_HEAD), request(), DATE)) == [Ending.RST]


def test_the_head_tells_the_length_or_the_framing_and_nothing_where_there_is_no_body() -> None:
    assert b"content-length: 1\r\n" in sent(Reply(pieces=(b"a",)))
    assert b"content-length: 3\r\n" in sent(Reply(pieces=(b"a",), overstate=2))
    assert b"transfer-encoding: chunked\r\n" in sent(Reply(pieces=(b"a",), chunked=True))
    assert b"content-length" not in sent(Reply(status=204))
    assert sent(Reply(pieces=(b"a",)), request("HEAD")).endswith(b"content-length: 1\r\n\r\n")
    assert sent(Reply(status=599)).startswith(b"HTTP/1.1 599 Unknown\r\n")


def test_a_connection_stays_open_where_the_end_of_the_body_can_be_told() -> None:
    assert keeps_open(Reply(chunked=True), request())
    assert keeps_open(Reply(), request(chunkable=False))
    assert not keeps_open(Reply(chunked=True), request(chunkable=False))
    assert not keeps_open(Reply(), request(keep_alive=False))
