"""The admin API and the way into the report: tokens, tickets, cookies, problems."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

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
    with admin_of(rig) as client:
        yield client


def admin_of(rig: Rig) -> httpx.Client:
    announced = find_running(rig.home.running)
    assert announced is not None
    headers = {"authorization": f"Bearer {announced.admin_token}"}
    return httpx.Client(base_url=rig.url, headers=headers, trust_env=False, timeout=20)


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
        pytest.param("POST", "/api/v1/verbs/use", b" " * 70_000, 413, id="too large"),
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
    assert answer.status_code == 415
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


@pytest.mark.parametrize(
    "path", ["/api/v1/status", "/api/v1/profiles", "/api/v1/profiles/openrouter-a", "/api/v1/quota", "/api/v1/requests"]
)
def test_who_has_the_latest_state_is_only_told_so(admin: httpx.Client, path: str) -> None:
    first = admin.get(path)
    tag = first.headers["etag"]
    assert first.status_code == 200 and tag.startswith('"')
    for asked in (tag, f"W/{tag}", f'"other", {tag}'):
        again = admin.get(path, headers={"if-none-match": asked})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert admin.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_changed_state_has_another_tag(rig: Rig, admin: httpx.Client) -> None:
    tag = admin.get("/api/v1/profiles").headers["etag"]
    connect(rig.home.running).ask("use", profile="openrouter-a")
    changed = admin.get("/api/v1/profiles", headers={"if-none-match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag
    connect(rig.home.running).ask("unpin")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        pytest.param("GET", "/api/v1/requests?limit=1&limit=2", {}, 422, "bad_argument", id="given twice"),
        pytest.param("GET", "/api/v1/requests?colour=red", {}, 422, "bad_argument", id="unknown parameter"),
        pytest.param("GET", "/v1/quota-stats?colour=red", {}, 422, "bad_argument", id="unknown parameter of readers"),
        pytest.param("GET", "/api/v1/profiles/nobody", {}, 404, "not_found", id="unknown profile"),
        pytest.param("GET", "/api/v1/status", {"host": "far.example"}, 421, "refused", id="another host"),
        pytest.param("GET", "/metrics", {"origin": "http://evil.example"}, 403, "refused", id="another site"),
        pytest.param("POST", "/api/v1/verbs/next", {"content-type": "text/json"}, 415, "not_json", id="no JSON"),
        pytest.param(
            "POST", "/api/v1/verbs/next", {"content-type": "application/jsonp"}, 415, "not_json", id="like JSON"
        ),
    ],
)
def test_problems_have_a_code_for_programs(
    admin: httpx.Client, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = admin.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_told_the_right_ones(admin: httpx.Client) -> None:
    assert admin.put("/api/v1/status").headers["allow"] == "GET, HEAD"
    assert admin.get("/api/v1/verbs/next").headers["allow"] == "POST"


def test_a_body_over_a_megabyte_is_a_problem_too(admin: httpx.Client) -> None:
    answer = admin.post("/api/v1/verbs/use", content=b" " * 1_100_000, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_page_may_not_have_a_token(rig: Rig, browser: httpx.Client) -> None:
    browser.get(ticket_of(rig))
    answer = browser.post("/api/v1/verbs/token", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/requests"),
        ("GET", "/api/v1/requests/1k7435pm000000"),
        ("POST", "/api/v1/verbs/history"),
        ("POST", "/api/v1/verbs/unknown-answers"),
    ],
)
@pytest.mark.parametrize("state", ["broken", "gone"])
def test_a_history_that_cannot_be_read_is_a_problem_that_says_so(
    tmp_path: Path, state: str, method: str, path: str
) -> None:
    with running(tmp_path, script_of(a='{do="ok"}')) as rig, closing(admin_of(rig)) as admin:
        file = rig.home.history
        rig.rest()
        for one in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            one.rename(one.with_name(f"kept-{one.name}"))
        if state == "broken":
            file.write_bytes(b"no history at all " * 300)
        answer = admin.request(method, path, json={} if method == "POST" else None)
        file.unlink(missing_ok=True)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["code"] == "unavailable"
    assert str(file) in answer.json()["detail"] and "o-switcher doctor" in answer.json()["detail"]
    assert "SELECT" not in answer.text
