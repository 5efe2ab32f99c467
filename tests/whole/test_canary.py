"""No key ever leaves the vault: planted canaries are searched for in every byte that the app writes or says.

A key of every known shape is held, found on the machine, spoken by the provider in its errors, and put by mistake
where something else belongs; every command, every verb, every address is driven. Whoever adds a command adds it here.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import typer

from tests.core.test_redact import shapes
from tests.rig import MODEL
from tests.whole.processes import Served, command, environment, prepared, serve
from tray_app.control.verbs import VERBS
from tray_app.core.providers import BUILT_IN
from tray_app.faces.cli import build, main
from tray_app.house import House
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

SHAPES = shapes(7)
HELD = dict(zip(BUILT_IN, [key for name, key in SHAPES.items() if name != "a token of ours"], strict=False))
FOUND = {"OpenCode": shapes(8)["OpenRouter"], "Codex": shapes(8)["OpenAI, older"], "Claude": shapes(8)["Anthropic"]}
FOUND |= {"environment": shapes(8)["Mistral"], ".env": shapes(8)["xAI"], "project": shapes(8)["Groq"]}
STRAY = shapes(9)["OpenRouter"]  # typed or sent where no key belongs
ALL = {**SHAPES, **HELD, **FOUND, "stray": STRAY}
PIECE = 14  # so many characters in a row of any key are a leak; people are shown four

ECHO = "Incorrect API key provided: {}. In header x-api-key: {} or Bearer {} or ?key={}"


def script() -> str:
    """A provider that takes the first key, says every key back in its errors, and then goes on."""
    steps = [f'{{ times = 1, do = "custom", status = {status}, body = {_body(key)} }}' for status, key in _errors()]
    return (
        f'models = ["{MODEL}"]\n[[key]]\nname = "canary"\nkey = "{HELD["openrouter"]}"\n'
        f'steps = [{{ times = 1, do = "ok" }}, {", ".join(steps)}, {{ do = "ok" }}]\n'
    )


def _errors() -> Iterator[tuple[int, str]]:
    yield from zip((500, 418, 403, 429, 502, 404, 408), HELD.values(), strict=False)


def _body(key: str) -> str:
    return json.dumps(json.dumps({"error": {"message": ECHO.format(key, key, key, key), "code": key}}))


class Heard:
    """All that was said, with who said it."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    def add(self, who: str, *what: bytes | str) -> None:
        self.said += [(who, one.encode() if isinstance(one, str) else one) for one in what]

    def answer(self, who: str, answer: httpx.Response) -> None:
        self.add(f"{who} {answer.status_code}", answer.content, str(answer.headers.raw))


def leaks(data: bytes) -> list[str]:
    """The keys of which a piece is in `data`."""
    return [name for name, key in ALL.items() if any(piece in data for piece in _pieces(key))]


def shown(data: bytes) -> str:
    """What leaks, with what stands around it."""
    for name in leaks(data):
        at = min(data.find(piece) for piece in _pieces(ALL[name]) if piece in data)
        return f"{name} in {data[max(0, at - 70) : at + 30]!r}"
    return ""


def _pieces(key: str) -> list[bytes]:
    """What nobody may find: pieces of the secret part, without the prefix that every key of its kind has."""
    bare = re.sub(r"^(?:osw-[a-z]+-|sk-or-v1-|sk-ant-api03-|sk-proj-|sk-kimi-|github_pat_|nvapi-|tgp_v1_)", "", key)
    return [bare[at : at + PIECE].encode() for at in range(0, max(1, len(bare) - PIECE - 3), 3)]


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user with keys in every place that is looked into; their home is O-Switcher's too."""
    opencode = tmp_path / ".local/share/opencode"
    for folder in (opencode, tmp_path / ".codex", tmp_path / ".claude", tmp_path / "bin"):
        folder.mkdir(parents=True)
    (opencode / "auth.json").write_text(json.dumps({"openrouter": {"type": "api", "key": FOUND["OpenCode"]}}))
    (tmp_path / ".codex/auth.json").write_text(json.dumps({"OPENAI_API_KEY": FOUND["Codex"]}))
    (tmp_path / ".claude/settings.json").write_text(json.dumps({"env": {"ANTHROPIC_API_KEY": FOUND["Claude"]}}))
    (tmp_path / "opencode.json").write_text(
        json.dumps({"provider": {"groq": {"options": {"apiKey": FOUND["project"]}}}})
    )
    (tmp_path / "one.env").write_text(f"XAI_API_KEY={FOUND['.env']}\n")
    (tmp_path / "broken.env").write_text(f"{STRAY}\n")
    browser = tmp_path / "bin" / "xdg-open"  # notes what a child of the app is given
    browser.write_text(
        f'#!/bin/sh\ntr "\\0" "\\n" < /proc/$$/environ > {tmp_path}/child.txt\necho "$@" >> {tmp_path}/child.txt\n'
    )
    browser.chmod(0o755)
    return tmp_path


PLANTED = ("keys.json", "auth.json", "settings.json", "opencode.json", "one.env", "broken.env")

# Every command, as it is and with a key in the wrong place. `CANARY` is a profile, `ID` a request.
COMMANDS: Mapping[str, list[str]] = {
    "status": ["status", "status --json"],
    "list": ["list", "list --json"],
    "use": ["use CANARY", "use STRAY"],
    "next": ["next"],
    "pin": ["pin CANARY --for 2h", "pin STRAY", "pin CANARY --for STRAY"],
    "unpin": ["unpin"],
    "quota": ["quota", "quota --json", "quota STRAY"],
    "pause": ["pause CANARY", "pause STRAY"],
    "resume": ["resume CANARY", "resume STRAY"],
    "pause-all": ["pause-all --for STRAY", "pause-all --for 1m"],
    "resume-all": ["resume-all"],
    "folder": ["folder STRAY"],  # alone it opens a window
    "drain": ["drain CANARY", "drain STRAY"],
    "disable": ["disable CANARY", "disable STRAY"],
    "enable": ["enable CANARY", "enable STRAY"],
    "retry-now": ["retry-now --all", "retry-now STRAY"],
    "inspect": ["inspect ID", "inspect ID --json", "inspect STRAY"],
    "history": ["history", "history --json", "history --profile STRAY", "history --since STRAY"],
    "rebuild": ["rebuild"],
    "licences": ["licences"],
    "token": ["token STRAY"],
    "report": ["report"],
    "config": ["config show", "config check", "config path", "config set proxy.host STRAY", "config set STRAY 1"],
    "autostart": ["autostart status", "autostart STRAY"],
    "doctor": ["doctor", "doctor --json", "doctor --collect --out unknown.jsonl"],
    "classify": ["classify answers.jsonl"],
    "discover": [
        "discover", "discover --from one.env", "discover --from broken.env", "discover --from STRAY",
        "discover --apply", "discover --json",
    ],
    "profiles": [
        "profiles list", "profiles list --json", "profiles add openrouter --label STRAY",
        "profiles add STRAY --label x", "profiles add groq --label canary", "profiles add xai --label x --base-url STRAY",
        "profiles rename groq-canary x", "profiles rename groq-x STRAY", "profiles set groq-x --key",
        "profiles set groq-x --base-url https://STRAY@x.example/v1", "profiles set STRAY --account x",
        "profiles remove STRAY", "profiles remove groq-x", "profiles confirm STRAY",
    ],
    "targets": ["targets list", "targets remove STRAY"],
    "simulate": ["simulate --script broken.env"],
    "serve": ["serve --port 0"],  # a second one
    "connect": ["connect opencode --dry-run", "connect STRAY", "connect opencode --mcp"],
    "connections": ["connections", "connections --json"],
    "disconnect": ["disconnect opencode", "disconnect STRAY"],
    "run": ["run -- STRAY"],
    "export": [f"export {what} --format {form}" for what in ("requests", "attempts") for form in ("csv", "jsonl")],
    "backup": ["backup copy.db", "backup STRAY"],
    "restore": ["restore STRAY"],
    "migrate": ["migrate", "migrate --trial --json"],
    "top": [],  # draws what `status` says
    "mcp": [],  # the verbs, which are all driven
    "stop": [],  # the last
    "restart": ["restart STRAY"],
    "demo": [],  # has made-up keys of its own, in a home of its own
}  # fmt: skip


def commands() -> set[str]:
    return set(typer.main.get_command(build(House())).commands)  # type: ignore[attr-defined]


def test_no_command_is_left_out() -> None:
    assert commands() - COMMANDS.keys() == set()


Run = Callable[..., int]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def run(user: Path, heard: Heard, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command as the console does, but in this process: there are many."""
    for name in set(os.environ) - set(environment(user)):
        monkeypatch.delenv(name)
    for name, value in environment(user, PATH=f"{user / 'bin'}:{os.environ['PATH']}").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(user)

    def run(*words: str, stdin: str = "") -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        code = main(House(), words)
        heard.add(" ".join(words), *capfd.readouterr())
        return code

    return run


def test_no_key_is_in_any_sink(user: Path, heard: Heard, run: Run) -> None:
    with SimulatorThread(parse(script(), "canary")) as simulator:
        home, token = prepared(user, simulator.url, [], "[switcher]\nshort_wait_s = 0\n")
        home.config.write_text(home.config.read_text().replace("[discovery]\nenabled = false\n", ""))
        for provider, key in HELD.items():
            words = ["profiles", "add", provider, "--label", "canary", "--base-url", simulator.url]
            assert run(*words, stdin=key + "\n") == 0
        bare = {"PATH": f"{user / 'bin'}:{os.environ['PATH']}"}
        served = serve(home, env={**bare, "MISTRAL_API_KEY": FOUND["environment"]})
        try:
            drive_the_proxy(served, token, heard)
            drive_the_faces(served, heard)
            look_at_processes(served, heard)
            search_files(user, heard)
            ids = [row["id"] for row in served.caller().ask("history")]
            drive_the_commands(user, ids[0], bare, heard, run)
            out, err = served.process.communicate(timeout=60)
        finally:
            served.kill()
    heard.add("the app's stdout", out)
    heard.add("the app's stderr", err)
    search_files(user, heard)
    assert [f"{who}: {shown(data)}" for who, data in heard.said if leaks(data)] == []
    assert [who for who, data in heard.said if b"Traceback" in data] == []
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o600
    assert all(key in home.keys.read_text() for key in [*list(HELD.values())[:3], FOUND["OpenCode"]])
    assert (user / "unknown.jsonl").exists() and (user / "child.txt").exists(), "what was to be driven was driven"


def drive_the_proxy(served: Served, token: str, heard: Heard) -> None:
    """Requests of every kind, good ones and such that have a key where none belongs."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=30, trust_env=False) as client:
        for _ in range(3):
            for provider, path in (
                ("openrouter", "/openrouter/v1/chat/completions"), ("openai", "/openai/v1/responses"),
                ("anthropic", "/anthropic/v1/messages"), ("google", "/google/v1beta/models/x:generateContent"),
                ("groq", "/groq/v1/chat/completions"), ("any", "/v1/chat/completions"),
            ):  # fmt: skip
                for stream in (False, True):
                    answer = client.post(path, json={**body, "stream": stream})
                    if answer.status_code not in (400, 404, 418, 422):  # a client's own error goes back verbatim
                        heard.answer(f"{provider} {stream}", answer)
        astray = {**body, "model": STRAY}
        for who, answer in {
            "a key as the token": client.post("/v1/chat/completions", headers={"authorization": f"Bearer {STRAY}"}),
            "a key as x-api-key": client.post("/anthropic/v1/messages", headers={"x-api-key": STRAY}),
            "a key in the path": client.get(f"/openrouter/v1/models/{STRAY}"),
            "a key as a provider": client.get(f"/{STRAY}/v1/models"),
            "a key in a wrong path": client.get(f"/openrouter/{STRAY}"),
            "a key in a page's path": client.get(f"/api/v1/{STRAY}"),
            "a key in the query": client.get(f"/google/v1beta/models?key={STRAY}"),
            "a key as a ticket": client.get(f"/report?ticket={STRAY}"),
            "a key in a header": client.post("/v1/chat/completions", json=body, headers={"x-session-id": STRAY}),
            "a key as a tag": client.post("/v1/chat/completions", json=body, headers={"x-o-switcher-tags": STRAY}),
            "a key as Host": client.get("/v1/models", headers={"host": STRAY}),
            "a websocket's": client.get(f"/openai/v1/responses/{STRAY}", headers={"upgrade": "websocket"}),
        }.items():
            if answer.status_code != 404 or "o_switcher" in answer.text or "openrouter/v1/" not in str(answer.url):
                heard.answer(who, answer)
        client.post("/openrouter/v1/chat/completions", json=astray)  # the provider's own words about it


def drive_the_faces(served: Served, heard: Heard) -> None:
    """Every verb and every page, as asked and with a key in the place of each argument."""
    caller = served.caller()
    admin = {"authorization": f"Bearer {caller.running.admin_token}"}
    with (
        httpx.Client(base_url=served.url, timeout=30, trust_env=False) as client,
        listening(served.url, admin, heard),
    ):
        paths = client.get("/api/v1/openapi.json").json()["paths"]
        for path, methods in paths.items():
            if "get" in methods and path != "/api/v1/events":  # which goes on for ever
                heard.answer(path, client.get(path.replace("{request_id}", STRAY), headers=admin))
        for verb in VERBS.values():
            if verb.name in ("stop", "restart"):
                continue
            wrong = {one.name: STRAY for one in verb.parameters if one.name != "secret"}
            for given in ({}, wrong, {"profile": STRAY}, {STRAY: 1}):
                answer = client.post(f"/api/v1/verbs/{verb.name}", json=given, headers=admin)
                heard.answer(f"{verb.name} {sorted(given)}", answer)
        heard.answer(
            "broken JSON", client.post("/api/v1/verbs/use", content=b'{"a": "' + STRAY.encode(), headers=admin)
        )
        url = caller.ask("report")["url"]
        assert client.get(url).status_code == 303
        for page in ("/report", "/api/v1/status", "/", f"/static/{STRAY}", "/report/demo"):
            heard.answer(page, client.get(page))
        for page, about in (
            ("/profiles", "openrouter-canary"), ("/report/clients", "opencode"), ("/report/settings", "switcher.strategy"),
        ):  # fmt: skip
            drive_the_forms(client, page, about, heard)
    for verb in ("resume", "enable"):
        caller.ask(verb, profile="openrouter-canary")
    with httpx.Client(base_url=served.url, trust_env=False) as stranger:
        heard.answer("a stranger", stranger.get("/api/v1/status", headers={"authorization": f"Bearer {STRAY}"}))


FIELDS = ("provider", "label", "account", "base_url", "priority", "tags", "name", "models", "value")


def drive_the_forms(client: httpx.Client, page: str, about: str, heard: Heard) -> None:
    """Everything that a page's forms can ask for, of nobody and of somebody, with a key in every field but its own."""
    shown = client.get(page)
    heard.answer(page, shown)
    token = re.findall('name="token" value="([0-9a-f]+)"', shown.text)[0]
    wrong = {**dict.fromkeys(FIELDS, STRAY), "token": token}
    deeds = dict.fromkeys(re.findall('name="do" value="([^"]+)"', shown.text))
    assert len(deeds) > 2
    for deed in (*deeds, "undo", "forget", "disconnect", "lines", STRAY):
        for whom in (STRAY, about):
            for headers in ({}, {"x-o-switcher-deed": "1"}):
                heard.answer(
                    f"{page} {deed}", client.post(page, data={**wrong, "do": deed, "about": whom}, headers=headers)
                )
            heard.answer(f"{page} after {deed}", client.get(page))
    heard.answer(page, client.post(page, data={**wrong, "do": "change", "about": about, "secret": STRAY}))


@contextmanager
def listening(url: str, admin: dict[str, str], heard: Heard) -> Iterator[None]:
    """What the live events say meanwhile."""
    parts: list[bytes] = []

    def listen(events: httpx.Response) -> None:
        with suppress(httpx.HTTPError):
            parts.extend(events.iter_raw())

    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        with client.stream("GET", "/api/v1/events", headers=admin) as events:
            assert events.status_code == 200
            ear = threading.Thread(target=listen, args=(events,), daemon=True)
            ear.start()
            yield
            caller_gone = time.monotonic() + 2
            while not parts and time.monotonic() < caller_gone:
                time.sleep(0.02)
            events.stream.close()  # type: ignore[union-attr]
    assert parts, "no event was heard"
    heard.add("live events", b"".join(parts).decode())


def look_at_processes(served: Served, heard: Heard) -> None:
    """What other programs of this machine see: arguments of the app and of its children, their environments."""
    names = {served.process.pid}
    for _ in range(3):
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        names |= {int(pid) for pid, parent in map(str.split, listed.splitlines()) if int(parent) in names}
    for pid in names:
        process = Path(f"/proc/{pid}")
        if pid != served.process.pid and not process.exists():
            continue
        heard.add(f"arguments of {pid}", (process / "cmdline").read_bytes())
        variables = (process / "environ").read_bytes().replace(FOUND["environment"].encode(), b"the user's own")
        heard.add(f"environment of {pid}", variables)
        for one in process.glob("task/*/comm"):
            with suppress(OSError):  # a thread may end meanwhile
                heard.add(f"threads of {pid}", one.read_bytes())


def drive_the_commands(user: Path, request_id: str, bare: Mapping[str, str], heard: Heard, run: Run) -> None:
    (user / "answers.jsonl").write_text(
        json.dumps(
            {"id": "x", "provider": "openrouter", "status": 401, "headers": {}, "body": ECHO.format(*[STRAY] * 4)}
        )
        + "\n"
    )
    known = commands()
    for name, lines in COMMANDS.items():
        for line in lines if name in known else ():
            names = {"CANARY": "openrouter-canary", "ID": request_id}
            words = [names.get(word, word.replace("STRAY", STRAY)) for word in line.split()]
            run(*words, stdin=STRAY + "\n")
    done = command(user, "profiles", "add", "openrouter", "--label", "x", stdin=HELD["openrouter"], **bare)
    heard.add("as a process of its own", done.stdout, done.stderr)
    assert run("stop") == 0
    (user / "answers.jsonl").unlink()


def search_files(user: Path, heard: Heard) -> None:
    """Every byte of every file, database and write-ahead log too, but for those that keys were put in."""
    for path in user.rglob("*"):
        if path.is_file() and path.name not in PLANTED:
            with suppress(FileNotFoundError):  # one that is written anew while the app runs
                heard.add(str(path), path.read_bytes())


def test_the_variables_of_a_child_are_without_what_is_held(tmp_path: Path) -> None:
    assert not any(leaks(value.encode()) for value in environment(tmp_path).values())
