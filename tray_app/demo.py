"""The main job shown without an account: the real app, three practice keys, a provider that misbehaves.

Nothing here is staged: requests go through the proxy over HTTP, the simulator answers as OpenRouter
does, and what is printed is what the app recorded. `accompany` is the demo that a page has started: it ends when its
stdin does, and takes its folder with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tray_app.control.demonstration import Hello
from tray_app.core.values import AttemptEnded, Fact, FailedOver
from tray_app.host.home import Home, find_home, private_folder, write_private

if TYPE_CHECKING:
    import httpx

    from tray_app.app import App

REQUESTS = 12
MODEL = "openai/gpt-4o-mini"
KEYS = ("main", "backup", "spare")
PACE_S = 0.25
COMPANY_PACE_S = 2.0
COMPANY_S = 600.0
NOTICE = "this is the demo: practice keys on a simulated provider, nothing of yours; it ends by itself in ten minutes"
SETTINGS = '[secrets]\nstore = "file"\n\n[discovery]\nenabled = false\n\n[proxy]\nport = 0\n'


def simulate(port: int, script: Path | None) -> int:
    """Run the provider simulator until Ctrl-C; the exit code."""
    from tray_app.simulator.script import ScriptError, load, practice
    from tray_app.simulator.server import serve

    try:
        chosen = load(script) if script else practice()
    except (ScriptError, OSError) as error:
        print(f"o-switcher: {error}", file=sys.stderr)
        return 1
    try:
        asyncio.run(serve(port, chosen, _line))
    except OSError as error:
        print(f"o-switcher: port {port} cannot be used: {error.strerror}; choose another or 0", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def demo(user: Home, *, once: bool) -> int:
    """Show rotation; the exit code: 1 if any request was not served.

    Everything is kept in a folder of its own beside the user's history, begun anew each time.
    """
    from tray_app import app as house
    from tray_app.simulator.script import practice
    from tray_app.simulator.thread import SimulatorThread

    home = find_home({"O_SWITCHER_HOME": str(_fresh_folder(user))})
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with SimulatorThread(practice()) as simulator:
        _prepare(home, simulator.url)
        try:
            app = house.build(home, environ={})
            app.start()
        except (house.CannotStart, house.AlreadyRunning) as error:
            print(f"o-switcher: the demo cannot start: {error}", file=sys.stderr)
            return 1
        try:
            served = _show(app, home, stop)
            if not once and sys.stdin.isatty() and not stop.is_set():
                _stay(app, stop)
        finally:
            app.stop()
    return 0 if served == REQUESTS else 1


def accompany(folder: Path) -> int:
    """Show rotation in the report alone, on behalf of an app that started this; the exit code.

    Requests go on until the time is over, the app is stopped, or whoever started it is gone; then the folder is, too.
    """
    from tray_app import app as house
    from tray_app.simulator.script import practice
    from tray_app.simulator.thread import SimulatorThread

    home, stop = find_home({"O_SWITCHER_HOME": str(folder)}), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with SimulatorThread(practice()) as simulator:
            _prepare(home, simulator.url)
            app = house.build(home, environ={}, project=folder)
            app.notices.append(NOTICE)
            app.on_stop = stop.set
            try:
                app.start()
                until = house.now_ms() + round(COMPANY_S * 1000)
                _say_hello(app, until)
                threading.Thread(target=_obey, args=(app, until, stop), name="orders", daemon=True).start()
                _practise(app, stop, until)
            finally:
                app.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say_hello(app: App, until: int) -> None:
    asked = asyncio.run_coroutine_threadsafe(app.service.perform("report", {}, "app"), app.loop)
    report = msgspec.to_builtins(asked.result(10))["url"]
    print(msgspec.json.encode(Hello(app.url, report, until)).decode(), flush=True)


def _obey(app: App, until: int, stop: threading.Event) -> None:
    """Every line is answered; the end of them is the end."""
    for _ in sys.stdin:
        if stop.is_set():
            return
        _say_hello(app, until)
    stop.set()


def _practise(app: App, stop: threading.Event, until: int) -> None:
    """Send requests, quickly at first, until the time is over."""
    import httpx

    address = f"{app.url}/openrouter/v1/chat/completions"
    headers = {"authorization": f"Bearer {app.vault.token('demo')}"}
    with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
        number = 0
        while not stop.is_set() and time.time() * 1000 < until:
            number += 1
            _send(client, address, number)
            stop.wait(PACE_S if number < REQUESTS else COMPANY_PACE_S)


def _fresh_folder(user: Home) -> Path:
    folder = user.history.parent / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)
    return folder


def _prepare(home: Home, url: str) -> None:
    from tray_app.host.vault import Entry, open_vault

    write_private(home.config, SETTINGS.encode())
    vault = open_vault(home.keys, "file")
    for place, name in enumerate(KEYS):
        entry = Entry(
            secret=f"sk-or-v1-practice-{name}",
            provider="openrouter",
            label=name,
            base_url=url,
            source="practice",
            added_at=place + 1,
        )
        vault.put(f"openrouter-{name}", entry)


@dataclass
class _Reasons:
    """Collects, from the app's own facts, why the profile changed."""

    lines: list[str]
    failures: dict[str, str]

    def see(self, fact: Fact) -> None:
        if isinstance(fact, AttemptEnded) and fact.error_class:
            status = f" (status {fact.status_code})" if fact.status_code else ""
            self.failures[fact.profile_id] = f"{fact.error_class}{status}"
        elif isinstance(fact, FailedOver):
            why = self.failures.get(fact.from_profile or "", "")
            self.lines.append(f"{fact.from_profile} -> {fact.to_profile}: {fact.reason}" + (f", {why}" if why else ""))


def _show(app: App, home: Home, stop: threading.Event) -> int:
    """Send the requests, print what happens; how many were served."""
    import httpx

    reasons = _Reasons([], {})
    app.listeners.append(reasons.see)
    address = f"{app.url}/openrouter/v1/chat/completions"
    print(f"O-Switcher listens on {app.url}; three practice keys of one provider: {', '.join(KEYS)}.")
    print("main runs out of credit on its 5th call, backup is rate-limited on its 4th.\n")
    headers = {"authorization": f"Bearer {app.vault.token('demo')}"}
    served = 0
    with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
        for number in range(1, REQUESTS + 1):
            if stop.is_set():
                break
            began = time.monotonic()
            line, good = _send(client, address, number)
            took = round((time.monotonic() - began) * 1000)
            for reason in reasons.lines:
                print(f"        {_colour('33', 'switched')} {reason}")
            reasons.lines.clear()
            print(f"  {number:>2}/{REQUESTS}  {line}  {took} ms", flush=True)
            served += good
            stop.wait(PACE_S)
    _farewell(app, home, served)
    return served


def _send(client: httpx.Client, address: str, number: int) -> tuple[str, bool]:
    """One request, every other one streamed; a line for it, and whether it was served whole."""
    import httpx

    streamed = number % 2 == 1
    body = {
        "model": MODEL,
        "stream": streamed,
        "messages": [{"role": "user", "content": f"practice question {number}"}],
    }
    try:
        response = client.post(address, json=body)
    except httpx.HTTPError as error:
        return f"{_colour('31', 'failed')}    {type(error).__name__}", False
    good = response.status_code == 200 and bool(_words_of(response.text, streamed))
    kind = "streamed" if streamed else "whole   "
    who = response.headers.get("x-o-switcher-profile", "nobody")
    calls = response.headers.get("x-o-switcher-attempts", "?")
    mark = _colour("32", "served") if good else _colour("31", f"status {response.status_code}")
    return f"{mark} {kind} by {who:<18} calls: {calls}", good


def _words_of(text: str, streamed: bool) -> str:
    """What the model said, put together as a client would."""
    if not streamed:
        return str(json.loads(text)["choices"][0]["message"]["content"])
    if not text.rstrip().endswith("data: [DONE]"):
        return ""
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event.get("choices", ()))


async def _recorded(app: App) -> None:
    await app.writer.settled()


def _farewell(app: App, home: Home, served: int) -> None:
    asyncio.run_coroutine_threadsafe(_recorded(app), app.loop).result(10)
    print(f"\n{served} of {REQUESTS} requests were served; the client saw none of the failures.\n")
    _print_report_address(app)
    print(f"history        {home.history}")
    print(f"decisions      {home.decisions}")
    command = spoken_command()
    print(
        f"\nNext, with your own key: {command} profiles add openrouter --label main  (it asks for the key), then start"
    )
    print(f"{command}  and point your agent at http://127.0.0.1:4417/openrouter/v1")
    print(f"with the token that  {command} token  prints.")


def _print_report_address(app: App) -> None:
    asked = asyncio.run_coroutine_threadsafe(app.service.perform("report", {}, "cli"), app.loop)
    url = msgspec.to_builtins(asked.result(10))["url"]
    print(f"usage report   {url}   (while the demo runs; good once, for 30 s)", flush=True)


def spoken_command() -> str:
    """What a person types to run this program again."""
    if Path(sys.argv[0]).stem in ("o-switcher", "o-switcher-tray"):
        return "o-switcher"
    checkout = Path(__file__).parent.parent
    return "python3 installer/run.py" if (checkout / "installer" / "run.py").is_file() else "python3 -m tray_app"


def _stay(app: App, stop: threading.Event) -> None:
    """Stay up until Ctrl-C; Enter gives a new address of the report."""
    print("\nThe demo stays up until Ctrl-C. Enter prints a new address of the report.", flush=True)

    def listen() -> None:
        for _ in sys.stdin:
            if stop.is_set():
                return
            _print_report_address(app)

    threading.Thread(target=listen, name="terminal", daemon=True).start()
    stop.wait()


def _line(text: str) -> None:
    print(text, flush=True)


def _colour(code: str, text: str) -> str:
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"
