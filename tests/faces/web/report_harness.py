"""A server for the report, a real Chromium before it, and believable views to show.

The server sends what the app sends: the same headers, static files with gzip. What the browser asks for,
says on its console, or refuses for the sake of the policy is written down.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tray_app.control.views import (
    AppState,
    ChoiceView,
    ProfileView,
    QuotaView,
    ReportView,
    RestView,
    Selection,
    Span,
    Status,
)
from tray_app.core.history import (
    Choices,
    Faults,
    PastFailover,
    PastRequest,
    Quantiles,
    Slot,
    Sums,
    Usage,
)
from tray_app.core.ids import request_id
from tray_app.faces.web import report
from tray_app.faces.web.pages import PAGES
from tray_app.faces.web.shell import Shell
from tray_app.faces.web.shell_texts import words_for

NOW = 1_782_482_712_000  # 2026-06-26 14:05:12 UTC, in milliseconds
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DAY_AT = NOW - NOW % (24 * HOUR)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_ARGUMENTS += ["--disable-component-update", "--disable-sync"]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


# -- views


def profile(id_: str, **more: Any) -> ProfileView:
    """A ready profile; `id_` is its provider and its label, joined by a hyphen."""
    provider, _, label = id_.partition("-")
    fields: dict[str, Any] = {
        "id": id_,
        "provider": provider,
        "label": label,
        "account": "default",
        "state": "ready",
        "active": False,
        "preferred": False,
        "admin_state": "enabled",
        "reason": None,
        "resets_at": None,
        "reset_source": None,
        "in_flight": 0,
        "priority": 0,
        "key_tail": "7f3a",
        "base_url": f"https://{provider}.example/api/v1",
        "source": "cli",
        "title": _TITLES.get(provider, provider),
    }
    return ProfileView(**{**fields, **more})


_TITLES = {"openrouter": "OpenRouter", "openai": "OpenAI", "anthropic": "Anthropic", "google": "Google Gemini"}


def left(id_: str, remaining: float | None = 12.4, **more: Any) -> QuotaView:
    """What is left of a cap of 50 dollars."""
    fields: dict[str, Any] = {
        "profile": id_,
        "name": "key limit",
        "remaining": remaining,
        "limit": 50.0,
        "unit": "usd",
        "used_percent": None if remaining is None else 100 - 2 * remaining,
        "resets_at": NOW + 5 * 24 * HOUR,
        "source": "probe",
        "at": NOW - 4 * MINUTE,
    }
    return QuotaView(**{**fields, **more})


def past(number: int, **more: Any) -> PastRequest:
    """A served request; the greater `number`, the longer ago."""
    started = NOW - number * 97 * SECOND - 8 * SECOND
    fields: dict[str, Any] = {
        "id": request_id(started, number * 77_777),
        "started_at": started,
        "ended_at": started + 4200,
        "client": "opencode",
        "provider": "openrouter",
        "protocol": "openai_chat",
        "path": "/chat/completions",
        "model": "anthropic/claude-sonnet-4.5",
        "stream": True,
        "outcome": "served",
        "status_code": 200,
        "profile_id": "openrouter-main",
        "attempts": 1,
        "failovers": 0,
        "wait_ms": 0,
        "ttft_ms": 640,
        "duration_ms": 4200,
        "request_bytes": 48_200,
        "response_bytes": 12_900,
        "reason": None,
    }
    return PastRequest(**{**fields, **more})


def empty_view(**more: Any) -> ReportView:
    """The first minute of an app without a key."""
    fields: dict[str, Any] = {
        "version": "1.0.0",
        "url": "http://127.0.0.1:4417",
        "state": AppState.NEEDS_YOU,
        "headline": "no keys yet: o-switcher profiles add openrouter --label main",
        "active": None,
        "profiles": (),
        "last_switch": None,
        "requests_today": 0,
        "ledger": "ok",
        "dropped_facts": 0,
        "autostart": False,
        "history_path": "/home/ann/.local/share/o-switcher/history.db",
        "config_path": "/home/ann/.config/o-switcher/config.toml",
        "started_at": NOW - 90 * MINUTE,
    }
    slots = tuple(Slot(DAY_AT + hour * HOUR, Sums(), {}, {}, Quantiles()) for hour in range(24))
    span = Span(1, "2026-06-26", "2026-06-26", "hour", DAY_AT, DAY_AT + 24 * HOUR)
    nothing = Usage(Sums(), Quantiles(), slots, {}, ())
    return ReportView(NOW, Status(**{**fields, **more}), Selection(), span, nothing, Choices(), (), ())


def busy_usage() -> Usage:
    """What that day came to until now."""
    counts = (3, 14, 41, 38, 22, 9, 31, 47, 52, 44, 18, 6, 0, 12, 29)
    slots = []
    for hour, slot in enumerate(empty_view().usage.slots):
        count = counts[hour] if hour < len(counts) else 0
        sums = Sums(count, count - (count // 9 if hour % 3 == 0 else 0), 0, 0, 2 if hour in (2, 7, 8, 14) else 0, count)
        costs = {"openrouter-main": count * 0.031, "openrouter-backup": count * 0.012} if count else {}
        errors = {"rate_limited": count // 8, "server_error": count // 20} if hour % 3 == 0 else {}
        took = Quantiles(600 + 11 * count, 1900 + 60 * count, 4100 + 90 * count) if count else Quantiles()
        slots.append(Slot(slot.at, sums, costs, {name: n for name, n in errors.items() if n}, took))
    profiles = {
        "openrouter-main": Sums(1108, 1101, 0, 5, 8, 1130, 3, 31_400_000, 512_000, 19_100_000, 11.346),
        "openrouter-backup": Sums(122, 122, 17, 0, 9, 140, 0, 3_900_000, 71_000, 1_200_000, 4.392),
        "openai-work": Sums(9, 4, 0, 1, 0, 12),
        "openrouter-gone": Sums(2, 2, 0, 0, 0, 3, 2, 1200, 300),
        "": Sums(6, 0, 0, 1, 2, 6),
    }
    sums = Sums(1247, 1229, 17, 7, 19, 1291, 5, 35_301_200, 583_300, 20_300_000, 15.738)
    faults = (Faults("rate_limited", 41, 15, 5_400_000, None), Faults("server_error", 12, 3, 0, 0.42))
    return Usage(sums, Quantiles(640, 2900, 6100), tuple(slots), profiles, faults)


def busy_view(**more: Any) -> ReportView:
    """A working day: one profile serves, one rests, the others are in every other state."""
    profiles = (
        profile("openrouter-main", state="cooling", reason="the rate limit is reached", resets_at=NOW + 95 * MINUTE,
                reset_source="header", account="ann", source="opencode auth.json", preferred=True, pinned=True,
                left=left("openrouter-main", None, limit=None, used_percent=None, resets_at=None)),
        profile("openrouter-backup", active=True, in_flight=2, account="ben", key_tail="c91e", source="cli",
                tags=("paid",), left=left("openrouter-backup")),
        profile("openrouter-spare", account="ben", key_tail="03bd", source="env OPENROUTER_API_KEY",
                rests=(RestView("model", "deepseek/deepseek-r1", "this model is limited for everybody",
                                NOW + 25 * MINUTE, "inferred"),),
                left=left("openrouter-spare", 3.0, name="free requests per day", unit="requests", used_percent=94.0,
                          resets_at=NOW + 10 * HOUR)),
        profile("openai-work", state="needs re-authentication", reason="the provider refuses the key", key_tail="Xq2A",
                source="codex auth.json"),
        profile("anthropic-team", state="paused", admin_state="paused", reason="paused by the operator",
                resets_at=NOW + 26 * HOUR, key_tail="pAAA"),
        profile("google-free", state="cooling", reason="the account is out of credit", resets_at=NOW + 10 * HOUR,
                reset_source="inferred", key_tail="k0Lm"),
        profile("openrouter-shaky", state="circuit open", reason="60% of its latest calls failed",
                resets_at=NOW + 25 * SECOND, key_tail="77ab"),
        profile("anthropic-back", state="probing", reason="50% of its latest calls failed", resets_at=NOW - SECOND,
                key_tail="90AA"),
        profile("groq-old", state="disabled", admin_state="disabled", reason="disabled by the operator"),
    )  # fmt: skip
    requests = (
        past(0, id=request_id(NOW - 3000, 5), started_at=NOW - 3000, ended_at=None, outcome=None, status_code=None,
             profile_id=None, attempts=None, failovers=None, ttft_ms=None, duration_ms=None, response_bytes=None,
             wait_ms=None),
        past(1, profile_id="openrouter-backup", attempts=2, failovers=1, duration_ms=9870, ttft_ms=1240),
        past(2, client="claude-code", model="claude-sonnet-4-5", provider="anthropic", path="/messages"),
        past(3, outcome="failed", status_code=502, attempts=4, failovers=2, duration_ms=61_400, ttft_ms=None,
             wait_ms=7200, reason="the provider is overloaded, and nothing else can serve", profile_id="openrouter-spare"),
        past(4, outcome="client_cancelled", status_code=None, duration_ms=1900, stream=True, ttft_ms=None),
        past(5, client="codex", model="gpt-5.1-codex", path="/responses", provider="openai", profile_id="openai-work"),
        past(6, outcome="exhausted", status_code=429, profile_id=None, attempts=3, failovers=2, ttft_ms=None,
             reason="no profile can serve; openrouter-main is back in 12 min", response_bytes=412),
        past(7, outcome="refused", status_code=401, profile_id=None, attempts=0, ttft_ms=None, duration_ms=2,
             client="unknown", model=None, stream=False, request_bytes=211, response_bytes=180,
             reason="the token is not known here"),
        past(8, outcome="interrupted", status_code=200, reason="the app was stopped while this request was open"),
        *(past(number, stream=number % 3 > 0, duration_ms=700 * number, ttft_ms=90 * number) for number in range(9, 24)),
    )  # fmt: skip
    reason = "the rate limit is reached"
    switches = (
        PastFailover(NOW - 4 * MINUTE, requests[1].id, "openrouter-main", "openrouter-backup", reason, False),
        PastFailover(
            NOW - 70 * MINUTE, None, "openrouter-spare", "openrouter-main", "chosen by the operator (tray)", True
        ),
        PastFailover(NOW - 3 * HOUR, "0af3kd90zxcvbn", "openrouter-main", "openrouter-spare", reason, False),
        PastFailover(NOW - 40 * HOUR, None, None, "openrouter-main", "chosen by the operator (cli)", True),
    )
    base = empty_view(**{
        "state": AppState.DEGRADED, "headline": "openrouter-backup is serving", "active": "openrouter-backup",
        "profiles": profiles, "requests_today": 1247,
        "choice": ChoiceView("openrouter-main", True, False, NOW + 38 * MINUTE, ""), **more,
    })  # fmt: skip
    choices = Choices(
        tuple(one.id for one in profiles),
        ("anthropic/claude-sonnet-4.5", "gpt-5.1-codex"),
        ("codex", "opencode"),
        ("openrouter",),
    )
    return replace(base, usage=busy_usage(), choices=choices, requests=requests, failovers=switches)


def told(view: ReportView, **more: Any) -> ReportView:
    """`view` with other things in its status."""
    return replace(view, status=replace(view.status, **more))


def counting(view: ReportView, **more: Any) -> ReportView:
    """`view` with other sums."""
    return replace(view, usage=replace(view.usage, sums=replace(view.usage.sums, **more)))


LONG = "x" * 300
SCRIPT = "<script>alert(1)</script>\"'><img src=//elsewhere.example/x onerror=alert(1)>{{ 7 * 7 }}</script>"
RIGHT_TO_LEFT = "\u202e\u05e9\u05dc\u05d5\u05dd " + "\u0645\u0631\u062d\u0628\u0627 " * 6


def hostile_view() -> ReportView:
    """Every place that other people's words can reach holds words that mean ill."""
    words = (LONG, SCRIPT, RIGHT_TO_LEFT)
    profiles = tuple(
        profile(f"openrouter-{word}", label=word, state="cooling", reason=word, resets_at=NOW + HOUR, reset_source="body",
                account=word, source=word, base_url=f"https://{word}", key_tail=word[:4], tags=(word, word),
                left=left("x", 1e15, name=word, unit=word))
        for word in words
    )  # fmt: skip
    requests = tuple(
        past(number, id=f"{number}{word}", client=word, model=word, provider=word, path=f"/{word}", profile_id=word,
             reason=word, outcome="failed")
        for number, word in enumerate(words)
    )  # fmt: skip
    switches = tuple(PastFailover(NOW - HOUR, word, word, word, word, False) for word in words)
    sums = Sums(10**12, 10**12 - 1, 10**11, 0, 10**11, 10**12, 10**9, 10**15, 10**14, 10**14, 10.0**12)
    slots = tuple(
        replace(slot, sums=sums, costs=dict.fromkeys(words, 10.0**9), errors=dict.fromkeys(words, 10**9))
        for slot in busy_usage().slots
    )
    faults = tuple(Faults(word, 10**9, 10**9, 10**12, 10.0**9) for word in words)
    usage = Usage(sums, Quantiles(10**10, 10**10, 10**10), slots, dict.fromkeys(words, sums), faults)
    view = told(busy_view(), profiles=profiles, headline=LONG, notices=words, ledger=SCRIPT, dropped_facts=10**9,
                history_path=f"/{LONG}", config_path=RIGHT_TO_LEFT, version=SCRIPT)  # fmt: skip
    return replace(
        view, requests=requests, failovers=switches, usage=usage, choices=Choices(words, words, words, words),
        selection=Selection(profile=SCRIPT, model=LONG, client=RIGHT_TO_LEFT),
    )  # fmt: skip


def crowded_view() -> ReportView:
    """Fifty profiles and fifty requests."""
    profiles = tuple(profile(f"openrouter-key{number:02}", key_tail=f"{number:04}") for number in range(50))
    sums = {one.id: Sums(20 + number, 20, cost_usd=number / 7) for number, one in enumerate(profiles)}
    requests = tuple(past(number, profile_id=profiles[number].id) for number in range(50))
    usage = replace(busy_usage(), profiles=sums)
    return replace(told(busy_view(), profiles=profiles), usage=usage, requests=requests)


# -- the server


def shell_in(locale: str) -> Shell:
    """The shell of the overview among all pages."""
    return Shell(words=words_for(locale), pages=PAGES, here="overview")


@dataclass
class Stand:
    """What stands at the address of the app: shows `view`, or `answer` (status, body) where that is set."""

    view: ReportView
    locale: str = "en"
    answer: tuple[int, str] | None = None
    missing: frozenset[str] = frozenset()  # paths that are not found
    asked: list[str] = field(default_factory=list)  # paths, in order
    happened: list[str] = field(default_factory=list)  # live events, by name
    sent: int = 0  # bytes of bodies
    port: int = 0

    def __post_init__(self) -> None:
        self._server: _Server | None = None
        self.news = threading.Condition()

    @property
    def is_open(self) -> bool:
        return self._server is not None

    def happen(self, name: str) -> None:
        """Tell whoever listens that something has happened."""
        with self.news:
            self.happened.append(name)
            self.news.notify_all()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen; at the same port as before, if it was open before."""
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.stand = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Be gone: nobody listens any more."""
        if self._server is not None:
            server, self._server = self._server, None
            with self.news:
                self.news.notify_all()
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Stand:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    stand: Stand
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a tab that was closed in mid-answer is no error
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    _packed: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        stand, path = self.server.stand, self.path.partition("?")[0]
        stand.asked.append(path)
        if path in stand.missing:
            self._send(404, b"nothing here", "text/plain", {})
        elif path == "/report":
            status, page = stand.answer or (200, report.render(stand.view, shell_in(stand.locale), local=time.gmtime))
            headers = {"Content-Security-Policy": POLICY, "Content-Encoding": "gzip"}
            self._send(status, gzip.compress(page.encode(), 5), "text/html; charset=utf-8", headers)
        elif path.startswith("/static/") and (found := report.static_file(path.removeprefix("/static/"))):
            if path not in self._packed:
                self._packed[path] = gzip.compress(found[0], 6)
            self._send(200, self._packed[path], found[1], {"Content-Encoding": "gzip"})
        elif path == "/api/v1/events":
            self._tell(stand)
        else:
            self._send(404, b"nothing here", "text/plain", {})

    def _tell(self, stand: Stand) -> None:
        """Live events, as long as the stand is open: what `stand.happened` names."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        told = len(stand.happened)
        with stand.news:
            while stand.is_open:
                for name in stand.happened[told:]:
                    self.wfile.write(f"event: {name}\ndata: {{}}\n\n".encode())
                told = len(stand.happened)
                self.wfile.write(b": still here\n\n")
                self.wfile.flush()
                stand.news.wait(0.5)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.server.stand.sent += len(body)
        self.send_response(status)
        fixed = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        for name, value in {**fixed, "X-Content-Type-Options": "nosniff", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # the name is the standard library's
        pass


# -- the browser


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """A headless Chromium of this machine, with `more` arguments."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*_ARGUMENTS, *more])
        yield browser
        browser.close()


@dataclass
class Tab:
    """A tab that writes down what a good page never causes."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    allowed: str | None = None  # a pattern for what the browser itself says, where a test makes it say something

    def watch(self) -> None:
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))"
        )

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not (self.allowed and re.search(self.allowed, text)):
            self.complaints.append(f"{kind}: {text}")

    def text(self, selector: str) -> str:
        """What is read there, with white space as a person sees it."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def texts(self, selector: str) -> list[str]:
        """The same of every place that is meant."""
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def width(self) -> int:
        """How wide the page is when it may be scrolled sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def until(self, script: str) -> None:
        """Wait for something to be true in the page; Playwright's own way would need `eval` there."""
        end = time.monotonic() + 5
        while not self.page.evaluate(script):
            assert time.monotonic() < end, script
            self.page.wait_for_timeout(20)

    def look_again(self) -> None:
        """What the page does every few seconds, at once: as when a person comes back to the tab."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@contextmanager
def tab(
    browser: Browser,
    stand: Stand,
    *,
    width: int = 1280,
    height: int = 800,
    dark: bool = False,
    script: bool = True,
    allowed: str | None = None,
) -> Iterator[Tab]:
    """The report in a tab of its own; afterwards it must have had nothing to complain of, and asked nobody else."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        java_script_enabled=script,
    )
    made = Tab(context.new_page(), stand.origin, allowed=allowed)
    made.watch()
    try:
        made.page.goto(f"{stand.origin}/report")
        made.page.wait_for_load_state("load")
        yield made
        elsewhere = [url for url in made.asked if not url.startswith(f"{stand.origin}/")]
        assert not made.complaints, made.complaints
        assert not elsewhere, elsewhere
    finally:
        context.close()
