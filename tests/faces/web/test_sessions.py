"""Tickets and sessions: good once, for whom they were made, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.faces.web.test_api import ticket_of
from tests.rig import Rig, running, script_of
from tray_app.faces.web import sessions as rules
from tray_app.faces.web.sessions import COOKIE, Sessions
from tray_app.faces.web.site import SEAL


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(clock: Clock) -> Sessions:
    return Sessions("admin", clock)


def cookies(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", "; ".join(f"{COOKIE}={value}" for value in values).encode())]


def entered(sessions: Sessions) -> str:
    session = sessions.redeem(sessions.ticket())
    assert session is not None
    return session


def test_a_session_that_nobody_uses_ends_after_a_day(made: Sessions, clock: Clock) -> None:
    used, left = entered(made), entered(made)
    for _ in range(3):
        clock.now += rules.IDLE_S * 0.6
        assert made.session(cookies(used)) == used
    assert made.session(cookies(left)) is None and not made.lives(left)


def test_only_so_many_sessions_live_and_those_at_rest_go_first(made: Sessions, clock: Clock) -> None:
    stale = entered(made)
    clock.now += rules.IDLE_S
    living = [entered(made) for _ in range(rules.MAX_SESSIONS)]
    assert all(map(made.lives, living)) and not made.lives(stale)
    assert made.lives(entered(made)) and not made.lives(living[0])


def test_a_cookie_of_our_name_from_another_port_does_not_hide_ours(made: Sessions) -> None:
    """Any server of this host can set one, for a longer path too, and the browser sends that first."""
    session = entered(made)
    assert made.session(cookies("theirs", session)) == session
    assert made.session(cookies(session, "theirs")) == session
    assert made.session(cookies("theirs", "", '"', "\u00e9")) is None


@pytest.mark.parametrize("given", ["", "admin", "None", "0" * 43, "*", "%00"])
def test_nobody_chooses_a_session(made: Sessions, given: str) -> None:
    """What a client brings is never taken over as a session of ours."""
    entered(made)
    assert made.session(cookies(given)) is None
    assert made.redeem(given) is None


def test_of_two_that_use_a_ticket_at_once_one_comes_in(rig: Rig) -> None:
    for _ in range(5):
        url, together = ticket_of(rig), threading.Barrier(8)

        def use(url: str = url, together: threading.Barrier = together) -> int:
            with httpx.Client(trust_env=False) as browser:
                together.wait(5)
                return browser.get(url).status_code

        with ThreadPoolExecutor(8) as pool:
            codes = sorted(one.result() for one in [pool.submit(use) for _ in range(8)])
        assert codes == [303] + [401] * 7


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("sessions"), script_of(a='{do="ok"}')) as found:
        yield found


def test_a_session_ends_with_the_app(rig: Rig) -> None:
    with httpx.Client(base_url=rig.url, trust_env=False) as browser:
        browser.get(ticket_of(rig))
        old = rig.app.admin_token
        assert browser.get("/report").status_code == 200
        rig.restart()
        browser.base_url = rig.url
        assert browser.get("/report").status_code == 401
        assert browser.get("/api/v1/status").status_code == 401
        assert browser.get("/api/v1/status", headers={"authorization": f"Bearer {old}"}).status_code == 401
        assert browser.get("/api/v1/status", headers={"authorization": f"Bearer {rig.app.admin_token}"}).is_success


def test_a_revoked_token_opens_nothing_from_then_on(rig: Rig) -> None:
    token = rig.app.vault.token("gone")
    with httpx.Client(base_url=rig.url, trust_env=False, headers={"x-api-key": token}) as client:
        assert client.get("/v1/quota-stats").status_code == 200
        rig.app.vault.revoke("gone")
        assert client.get("/v1/quota-stats").status_code == 401
        assert client.get("/openrouter/v1/models").status_code == 401


@pytest.mark.parametrize("where", ["?key={}", "?access_token={}", "?token={}", "?api_key={}"])
def test_a_token_in_an_address_opens_nothing_and_is_nowhere_written_down(rig: Rig, where: str) -> None:
    token = rig.client.headers["authorization"].removeprefix("Bearer ")
    for path in ("/openrouter/v1/models", "/api/v1/status", "/report"):
        for secret in (token, rig.app.admin_token):
            with httpx.Client(base_url=rig.url, trust_env=False) as client:
                assert client.get(path + where.format(secret)).status_code == 401
    rig.client.get("/openrouter/v1/models" + where.format(token))
    for file in rig.home.history.parent.iterdir():
        if file.name not in ("keys.json", "running.json"):
            assert token.encode() not in file.read_bytes(), file.name


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/report", "/nothing", "/api/v1/status", "/api/v1/openapi.json", "/metrics", "/static/report.css"],
)
def test_every_answer_of_ours_keeps_browsers_narrow(rig: Rig, path: str) -> None:
    with httpx.Client(base_url=rig.url, trust_env=False) as client:
        answer = client.get(path)
        for name, value in SEAL:
            (said,) = answer.headers.get_list(name.decode())
            assert said == value.decode() or path == "/report"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        asked = client.options(path, headers={"access-control-request-method": "POST"})
        assert not [name for name in asked.headers if "access-control" in name]
