"""The admin API and the way into the report: tokens, tickets, cookies, problems."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.faces.web.sessions import COOKIE, Sessions
from tray_app.host.instance import find_running


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("api"), script_of(a='{do="ok"}')) as found:
        found.chat()
        yield found


@pytest.fixture
def admin(rig: Rig) -> Iterator[httpx.Client]:
    announced = find_running(rig.home.running)
    assert announced is not None
    headers = {"authorization": f"Bearer {announced.admin_token}"}
    with httpx.Client(base_url=rig.url, headers=headers, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def browser(rig: Rig) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=rig.url, trust_env=False, timeout=20) as client:
        yield client


def ticket_of(rig: Rig) -> str:
    return str(connect(rig.home.running).ask("report")["url"])


def test_a_ticket_becomes_a_session_once(rig: Rig, browser: httpx.Client) -> None:
    url = ticket_of(rig)
    entered = browser.get(url)
    assert entered.status_code == 303 and entered.headers["location"] == "/report"
    cookie = entered.headers["set-cookie"]
    assert COOKIE in cookie and "HttpOnly" in cookie and "SameSite=strict" in cookie
    page = browser.get("/report")
    assert page.status_code == 200 and "openrouter-a" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert browser.get("/api/v1/status").status_code == 200
    with httpx.Client(base_url=rig.url, trust_env=False) as thief:
        assert thief.get(url).status_code == 401
        assert thief.get("/report").status_code == 401


def test_a_ticket_is_good_for_thirty_seconds() -> None:
    now = [0.0]
    sessions = Sessions("token", lambda: now[0])
    early, late = sessions.ticket(), sessions.ticket()
    assert sessions.redeem(early) is not None
    now[0] = 30.5
    assert sessions.redeem(late) is None
    assert sessions.redeem("guess") is None


def test_without_a_session_the_page_says_how_to_come_in(browser: httpx.Client) -> None:
    page = browser.get("/report")
    assert page.status_code == 401 and "o-switcher report" in page.text
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("GET", "/api/v1/nothing", None, 404, id="nothing there"),
        pytest.param("PUT", "/api/v1/status", None, 405, id="wrong method"),
        pytest.param("POST", "/api/v1/verbs/use", b"{", 422, id="broken JSON"),
        pytest.param("POST", "/api/v1/verbs/use", b"[]", 422, id="no object"),
        pytest.param("POST", "/api/v1/verbs/use", b'{"profile": "x"}', 404, id="unknown profile"),
        pytest.param("POST", "/api/v1/verbs/use", b" " * 70_000, 422, id="too large"),
        pytest.param("GET", "/api/v1/requests?limit=x", None, 422, id="no number"),
        pytest.param("GET", "/api/v1/requests/none", None, 404, id="unknown request"),
        pytest.param("GET", "/static/../keys.json", None, 404, id="out of the folder"),
    ],
)
def test_refusals_are_problems(admin: httpx.Client, method: str, path: str, body: bytes | None, status: int) -> None:
    answer = admin.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["detail"]


def test_verbs_take_json_only_so_that_no_form_can_ask(rig: Rig, browser: httpx.Client) -> None:
    browser.get(ticket_of(rig))
    answer = browser.post(
        "/api/v1/verbs/stop", content=b"", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 422
    crossed = browser.post("/api/v1/verbs/stop", json={}, headers={"origin": "http://evil.example"})
    assert crossed.status_code == 403
    assert rig.chat().status_code == 200


def test_the_api_describes_itself(admin: httpx.Client) -> None:
    document = admin.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schema = document["paths"]["/api/v1/verbs/pause"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["profile"]
    assert admin.get("/api/v1/profiles").json()[0]["id"] == "openrouter-a"


def test_static_files_are_ours_and_packed(browser: httpx.Client) -> None:
    script = browser.get("/static/report.js")
    assert script.status_code == 200 and "javascript" in script.headers["content-type"]
    assert script.headers["content-encoding"] == "gzip"
