"""Pages that mean ill, in a real Chromium that holds a session: of other sites, other ports, no origin, a rebound name.

What they try must come to nothing: no call to a provider, no change, not a word that they could read.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.faces.web.report_harness import chromium
from tests.host.ordinary_user import ordinary_user
from tests.rig import CHAT, MODEL, Rig, key_of, running, script_of
from tests.whole.test_other_user import AS_ANOTHER
from tray_app.control.callers import connect
from tray_app.faces.web.sessions import COOKIE

EVIL = "evil.test"
REFUSED = {401, 403, 421, 426}

# Every way of a page to make its browser ask for something. `done` says what came of each.
ATTACK = """
const done = {};
const wait = (ms) => new Promise((go) => setTimeout(go, ms));
const words = JSON.stringify(BODY);
async function attempt(name, what) {
  try { done[name] = await what(); } catch (error) { done[name] = "error"; }
}
async function read(answer) { return answer.type === "opaque" ? "opaque" : answer.status + " " + await answer.text(); }
function form(name, path, enctype, fields) {
  const frame = document.createElement("iframe"); frame.name = name; document.body.append(frame);
  const made = document.createElement("form");
  Object.assign(made, {method: "POST", action: TARGET + path, enctype, target: name});
  for (const [key, value] of Object.entries(fields)) {
    const input = document.createElement("input"); Object.assign(input, {type: "hidden", name: key, value}); made.append(input);
  }
  document.body.append(made); made.submit();
}
function tag(kind, attributes) {
  return new Promise((go) => {
    const made = Object.assign(document.createElement(kind), attributes);
    made.onload = () => go("loaded"); made.onerror = () => go("error"); document.body.append(made); setTimeout(go, 1000, "quiet");
  });
}
async function attack() {
  const plain = {method: "POST", mode: "no-cors", credentials: "include", body: words};
  const cors = {...plain, mode: "cors", headers: {"content-type": "application/json"}};
  for (const path of POSTS) {
    await attempt("no-cors " + path, async () => read(await fetch(TARGET + path, plain)));
    await attempt("cors " + path, async () => read(await fetch(TARGET + path, cors)));
    await attempt("with a token " + path, async () => read(await fetch(TARGET + path,
      {...cors, headers: {...cors.headers, authorization: "Bearer " + TOKEN}})));
    await attempt("beacon " + path, async () => String(navigator.sendBeacon(TARGET + path, words)) && "sent");
    form("f1" + path, path, "text/plain", {[words.slice(0, -1) + ', "x": "']: '"}'});
    form("f2" + path, path, "application/x-www-form-urlencoded", FORM);
    form("f3" + path, path, "multipart/form-data", FORM);
  }
  for (const path of GETS) {
    await attempt("get " + path, async () => read(await fetch(TARGET + path, {credentials: "include"})));
    await attempt("opaque " + path, async () => read(await fetch(TARGET + path, {mode: "no-cors", credentials: "include"})));
  }
  await Promise.all([
    ...GETS.map((path) => attempt("image " + path, () => tag("img", {src: TARGET + path}))),
    ...GETS.map((path) => attempt("script " + path, () => tag("script", {src: TARGET + path}))),
    attempt("style", () => tag("link", {rel: "stylesheet", href: TARGET + "/static/report.css"})),
    attempt("frame", async () => {
      const frame = Object.assign(document.createElement("iframe"), {src: TARGET + "/report"});
      const loaded = new Promise((go) => { frame.onload = go; }); document.body.append(frame);
      await Promise.race([loaded, wait(1500)]);
      try { return frame.contentDocument ? frame.contentDocument.body.innerText : "closed"; } catch { return "closed"; }
    }),
    attempt("events", () => new Promise((go) => {
      const source = new EventSource(TARGET + "/api/v1/events", {withCredentials: true});
      source.onopen = () => go("open"); source.onerror = () => { source.close(); go("error"); };
    })),
    ...["/v1/responses", "/api/v1/events", "/openrouter/v1/realtime"].map((path) => attempt("socket " + path,
      () => new Promise((go) => {
        const socket = new WebSocket(TARGET.replace("http", "ws") + path);
        socket.onopen = () => go("open"); socket.onerror = () => go("error");
      }))),
  ]);
  await wait(150);
  return done;
}
"""
POSTS = (CHAT, "/api/v1/verbs/pause-all", "/profiles", "/report/look")
GETS = ("/openrouter/v1/models", "/api/v1/status", "/report", "/healthz")


@dataclass
class Stage:
    """A server of the attacker's: its page at every path, and what it was sent."""

    page: str = ""
    port: int = 0
    cookies: list[str] = field(default_factory=list)


@contextmanager
def stage() -> Iterator[Stage]:
    made = Stage()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.cookies.append(self.headers.get("cookie", ""))
            body = made.page.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # the name is the standard library's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("hostile"), script_of(a='{do="ok"}', b='{do="ok"}')) as found:
        found.chat()
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1") as browser:
        yield browser


@pytest.fixture(scope="module")
def context(browser: Browser, rig: Rig) -> Iterator[BrowserContext]:
    """A browser in which the user has the report open."""
    made = browser.new_context()
    page = made.new_page()
    page.goto(str(connect(rig.home.running).ask("report")["url"]))
    assert "openrouter-a" in page.content()
    yield made
    made.close()


def script(rig: Rig, target: str) -> str:
    token = rig.client.headers["authorization"].removeprefix("Bearer ")
    form = {
        "do": "add",
        "provider": "openrouter",
        "label": "theirs",
        "secret": key_of("b"),
        "anyway": "1",
        "theme": "dark",
    }
    given: Mapping[str, object] = {
        "TARGET": target,
        "TOKEN": token,
        "BODY": {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]},
        "FORM": form,
        "POSTS": POSTS,
        "GETS": GETS,
    }
    return "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items()) + ATTACK


@dataclass
class Watch:
    """What the app answered to a page."""

    statuses: dict[str, set[int]] = field(default_factory=dict)

    def on(self, page: Page, rig: Rig) -> None:
        port = httpx.URL(rig.url).port

        def note(answer: Any) -> None:
            if httpx.URL(answer.url).port == port:
                self.statuses.setdefault(f"{answer.request.method} {httpx.URL(answer.url).path}", set()).add(
                    answer.status
                )

        page.on("response", note)


def standing(rig: Rig) -> tuple[object, ...]:
    """All that an attack could have changed."""
    status = rig.app.service.status()
    profiles = tuple((view.id, view.state, view.priority, view.label) for view in status.profiles)
    acted = rig.rows("SELECT count(*) AS n FROM operator_event WHERE verb <> 'report'")[0]["n"]
    asked = rig.rows("SELECT count(*) AS n FROM request")[0]["n"]
    return len(rig.simulator.calls), profiles, status.state, sorted(rig.app.vault.entries()), acted, asked


def attacked(page: Page, rig: Rig, code: str) -> dict[str, str]:
    """What came of the attack, by what was tried; the app is as it was."""
    before, watch = standing(rig), Watch()
    watch.on(page, rig)
    page.add_script_tag(content=code)
    done: dict[str, str] = page.evaluate("attack()")
    assert standing(rig) == before
    assert watch.statuses, "nothing arrived: nothing was tried"
    assert {status for found in watch.statuses.values() for status in found} <= REFUSED, watch.statuses
    return done


def heard(done: Mapping[str, str]) -> dict[str, str]:
    """What a page could read, or take for a success."""
    return {name: what for name, what in done.items() if what not in ("error", "opaque", "sent", "closed", "quiet")}


@pytest.mark.parametrize("host", [EVIL, "127.0.0.1", "localhost"], ids=["another site", "another port", "localhost"])
def test_a_page_of_another_origin_comes_to_nothing(context: BrowserContext, rig: Rig, host: str) -> None:
    """Another port of this host is the same site to browsers, whose cookies are sent along."""
    with stage() as theirs:
        page = context.new_page()
        page.goto(f"http://{host}:{theirs.port}/")
        done = attacked(page, rig, script(rig, rig.url))
    assert len(done) > 35 and heard(done) == {}


def test_a_page_without_an_origin_comes_to_nothing(context: BrowserContext, rig: Rig, tmp_path: Path) -> None:
    for name in ("sandboxed", "file"):
        page = context.new_page()
        if name == "file":
            (tmp_path / "page.html").write_text("<!doctype html><body></body>")
            page.goto((tmp_path / "page.html").as_uri())
        else:
            page.set_content("<iframe sandbox='allow-scripts allow-forms' srcdoc='<body></body>'></iframe>")
        before, watch = standing(rig), Watch()
        watch.on(page, rig)
        frame = page.frames[-1]
        assert frame.evaluate("origin") == "null"
        frame.add_script_tag(content=script(rig, rig.url))
        assert heard(frame.evaluate("attack()")) == {}, name
        assert standing(rig) == before
        assert {status for found in watch.statuses.values() for status in found} <= REFUSED, watch.statuses
        page.close()


def test_a_name_that_is_bound_to_this_machine_anew_comes_to_nothing(context: BrowserContext, rig: Rig) -> None:
    """DNS rebinding: to the browser the proxy is the page's own origin, so it may read whatever is answered."""
    port = httpx.URL(rig.url).port
    own = f"http://{EVIL}:{port}"
    page = context.new_page()
    refused = page.goto(f"{own}/")  # a document of that origin, into which the attacker's script is put
    assert refused is not None and refused.status == 421
    assert page.evaluate("origin") == own
    done = attacked(page, rig, script(rig, own))
    assert "421" in done["cors /api/v1/verbs/pause-all"] and "421" in done["with a token " + CHAT]
    for name, what in heard(done).items():
        assert what.startswith("421 ") or "names another place" in what, (name, what)
        assert "openrouter" not in what and "instance" not in what
    assert page.goto(f"{own}/report").status == 421  # type: ignore[union-attr]


def test_going_to_our_pages_from_elsewhere_shows_and_does_nothing(context: BrowserContext, rig: Rig) -> None:
    ticket = str(connect(rig.home.running).ask("report")["url"])
    before = standing(rig)
    with stage() as theirs:
        for host, target in ((EVIL, "/report"), (EVIL, "/profiles"), ("127.0.0.1", "/profiles"), ("127.0.0.1", CHAT)):
            page = context.new_page()
            page.goto(f"http://{host}:{theirs.port}/")
            with page.expect_navigation() as going:
                page.evaluate("(there) => { location = there; }", rig.url + target)
            assert going.value is not None and going.value.status == 403, (host, target)
            page.close()
    assert standing(rig) == before
    page = context.new_page()
    answer = page.goto(ticket)  # which the user opens, and no page
    assert answer is not None and answer.status == 200


def test_who_opens_our_report_has_no_hold_on_it(context: BrowserContext, rig: Rig) -> None:
    """The demo's report is opened from the page of another port: a tab of its own, that nobody can look into."""
    with stage() as theirs:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{theirs.port}/")
        with context.expect_page() as opened:
            page.evaluate("(there) => { window.ours = window.open(there); }", rig.url + "/report")
        opened.value.wait_for_load_state()
        assert "openrouter-a" in opened.value.content()
        assert opened.value.evaluate("window.opener") is None
        seen = page.evaluate("() => { try { return ours.document.body.innerText; } catch { return ours.closed; } }")
        assert seen is True, "the page that opened it still holds it"


def test_a_cookie_that_another_port_is_sent_is_of_no_use_there(context: BrowserContext, rig: Rig) -> None:
    """Cookies know no ports. So what a session opens is asked of the system too: whose the connection is."""
    with stage() as theirs:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{theirs.port}/")
        page.reload()
        sent = next((one for one in theirs.cookies if COOKIE in one), None)
    assert sent is not None, "browsers have begun to keep ports apart: say so in security.md"
    assert "HttpOnly" not in sent and page.evaluate("document.cookie") == ""
    for another in (False, True):
        with ordinary_user() if another else nullcontext():
            sock = socket.create_connection((httpx.URL(rig.url).host, httpx.URL(rig.url).port or 80))
        with sock:  # whose it is does not change when this process is itself again
            head = (
                f"GET /api/v1/status HTTP/1.1\r\nhost: {httpx.URL(rig.url).netloc.decode()}\r\ncookie: {sent}\r\n\r\n"
            )
            sock.sendall(head.encode())
            assert sock.recv(65_536)[9:12] == (b"403" if another and AS_ANOTHER else b"200")


def test_a_page_of_another_port_cannot_lock_the_user_out(context: BrowserContext, rig: Rig) -> None:
    """It may set a cookie of our name, for a longer path, which is sent first."""
    with stage() as theirs:
        theirs.page = (
            f"<!doctype html><script>document.cookie = '{rig.app.sessions.cookie}=theirs; path=/report'</script>"
        )
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{theirs.port}/report")
        answer = page.goto(f"{rig.url}/report")
    context.clear_cookies(path="/report")
    assert answer is not None and answer.status == 200 and "openrouter-a" in page.content()
