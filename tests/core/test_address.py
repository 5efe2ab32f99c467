"""Base URLs: https everywhere but on this machine, and nothing in them that a request's head must not hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.address import LOOPBACK, BadAddress, Base, Origin, base_of

GOOD = [
    pytest.param("https://h.example/v1", Origin(True, "h.example", 443), b"/v1", id="https is on port 443"),
    pytest.param("https://h.example", Origin(True, "h.example", 443), b"", id="a path may be missing"),
    pytest.param("https://h.example/", Origin(True, "h.example", 443), b"", id="a slash is no path"),
    pytest.param("https://h.example/a/v1//", Origin(True, "h.example", 443), b"/a/v1", id="ending slashes are cut"),
    pytest.param("https://h.example:8443/v1", Origin(True, "h.example", 8443), b"/v1", id="a port may be named"),
    pytest.param("HTTPS://H.Example/V1", Origin(True, "h.example", 443), b"/V1", id="case matters in paths alone"),
    pytest.param("http://127.0.0.1:1234/v1", Origin(False, "127.0.0.1", 1234), b"/v1", id="http to loopback v4"),
    pytest.param("http://[::1]:8080", Origin(False, "::1", 8080), b"", id="http to loopback v6"),
    pytest.param("http://localhost", Origin(False, "localhost", 80), b"", id="http is on port 80"),
    pytest.param("https://[2001:db8::2]/v1", Origin(True, "2001:db8::2", 443), b"/v1", id="https to any v6 address"),
    pytest.param("https://h.example/%7Eme", Origin(True, "h.example", 443), b"/%7Eme", id="escapes stay as they are"),
]

BAD = [
    pytest.param("http://h.example/v1", "in the clear", id="http to another machine"),
    pytest.param("http://localhost.example/v1", "in the clear", id="a name that only begins like localhost"),
    pytest.param("http://127.0.0.2", "in the clear", id="an address that only resembles loopback"),
    pytest.param("https://me:pw@h.example", "user name or password", id="a user name and password"),
    pytest.param("https://me@h.example", "user name or password", id="a user name alone"),
    pytest.param("https://:pw@h.example", "user name or password", id="a password alone"),
    pytest.param("https://@h.example", "user name or password", id="an empty user name"),
    pytest.param("https://h.example/v1?key=a", "before '?' and '#'", id="a query"),
    pytest.param("https://h.example/v1#top", "before '?' and '#'", id="a fragment"),
    pytest.param("https://h.example:0/v1", "from 1 to 65535", id="port 0"),
    pytest.param("https://h.example:65536/v1", "from 1 to 65535", id="a port too high"),
    pytest.param("https://h.example:http/v1", "from 1 to 65535", id="a port in letters"),
    pytest.param("ftp://h.example/v1", "not an http(s) address", id="another scheme"),
    pytest.param("h.example/v1", "not an http(s) address", id="no scheme"),
    pytest.param("https:///v1", "not an http(s) address", id="no host"),
    pytest.param("https://h*st/v1", "not an http(s) address", id="a host that no name has"),
    pytest.param("https://[::1/v1", "is not an address", id="a bracket left open"),
    pytest.param("https://h.example/a b", "holds blanks", id="a blank, which would break the request line"),
    pytest.param("https://h.example/a\r\nx: y", "holds blanks", id="a line end, which would add a header"),
    pytest.param("https://höst.example/v1", "beyond ASCII", id="a letter beyond ASCII"),
    pytest.param("", "holds blanks", id="nothing"),
]


@pytest.mark.parametrize(("url", "origin", "path"), GOOD)
def test_an_address_is_taken_apart(url: str, origin: Origin, path: bytes) -> None:
    assert base_of(url) == Base(origin, path)


@pytest.mark.parametrize(("url", "words"), BAD)
def test_an_unfit_address_is_refused_with_the_reason(url: str, words: str) -> None:
    with pytest.raises(BadAddress) as refused:
        base_of(url)
    assert words in str(refused.value)


def test_the_refusal_of_an_address_shows_no_password() -> None:
    with pytest.raises(BadAddress) as refused:
        base_of("ftp://me:hunter2@h.example")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "authority", "text"),
    [
        pytest.param("https://h.example/v1", b"h.example", "https://h.example", id="a usual port is not named"),
        pytest.param("https://h.example:80", b"h.example:80", "https://h.example:80", id="http's port is not https's"),
        pytest.param("http://localhost:11434/v1", b"localhost:11434", "http://localhost:11434", id="a port is named"),
        pytest.param("http://[::1]:8080", b"[::1]:8080", "http://[::1]:8080", id="brackets come back"),
        pytest.param("http://[::1]", b"[::1]", "http://[::1]", id="brackets come back without a port"),
    ],
)
def test_an_origin_is_spelled_as_a_host_header(url: str, authority: bytes, text: str) -> None:
    origin = base_of(url).origin
    assert (origin.authority, str(origin)) == (authority, text)


@unhurried
@given(st.text(max_size=60) | st.text("htps:/[]@?#.%1ab\t ", max_size=40).map(lambda text: "https://" + text))
def test_whatever_is_given_is_an_address_or_refused_in_words(url: str) -> None:
    try:
        base = base_of(url)
    except BadAddress as refused:
        assert str(refused)
    else:
        assert base.origin.tls or base.origin.host in LOOPBACK
        assert 0 < base.origin.port < 65536
        assert not set(base.path + base.origin.authority) - set(range(33, 127))


@unhurried
@given(
    st.booleans(),
    st.sampled_from(["h.example", "127.0.0.1", "::1", "a-b.c_d"]),
    st.integers(1, 65535),
    st.sampled_from(["", "/v1", "/a/b"]),
)
def test_what_an_origin_says_leads_back_to_it(tls: bool, host: str, port: int, path: str) -> None:
    origin = Origin(tls or host not in LOOPBACK, host, port)
    assert base_of(f"{origin}{path}") == Base(origin, path.encode())
