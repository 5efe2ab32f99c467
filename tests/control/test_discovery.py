"""Keys that are there already: taken over at the start and when a login changes, shown, and never sent elsewhere."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rig import CHAT, MODEL, SETTINGS, eventually, key_of, plain_http, script_of
from tray_app import app as house
from tray_app.agents.found import Found
from tray_app.control.callers import connect
from tray_app.control.discovery import Logins
from tray_app.control.verbs import Refused
from tray_app.host import watch
from tray_app.host.home import find_home, write_private
from tray_app.host.vault import fingerprint
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

OK = '{do="ok"}'
DISCOVERING = SETTINGS.replace("[discovery]\nenabled = false\n", "")


class Machine:
    """A user's machine with OpenCode on it, and the app in front of a simulator that all providers are."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self.url = root, url
        self.data = root / "user" / ".local" / "share" / "opencode"
        self.project = root / "project"
        self.home = find_home({"O_SWITCHER_HOME": str(root / "home")})
        self.environ: dict[str, str] = {}
        for folder in (self.data, self.project):
            folder.mkdir(parents=True)
        self.settings()

    def settings(self, more: str = "", *, url: str = "", base: str = DISCOVERING) -> None:
        providers = "".join(f'[providers.{name}]\nbase_url = "{url or self.url}"\n' for name in ("openrouter", "mine"))
        write_private(self.home.config, (base + providers + more).encode())

    def log_in(self, **keys: str) -> None:
        """Write OpenCode's logins as it does: whole, and in one step."""
        entries: dict[str, Any] = {name: {"type": "api", "key": key} for name, key in keys.items()}
        self.write_logins(entries)

    def write_logins(self, entries: dict[str, Any]) -> None:
        (self.data / "auth.json.tmp").write_text(json.dumps(entries))
        (self.data / "auth.json.tmp").replace(self.data / "auth.json")

    @contextmanager
    def running(self) -> Iterator[house.App]:
        app = house.build(self.home, port=0, environ=self.environ, project=self.project)
        try:
            app.start()
            yield app
        finally:
            app.stop()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    script = script_of(a='{do="unauthorized", times=1}, {do="ok"}', b=OK, c=OK)
    with SimulatorThread(parse(script, "test")) as simulator:
        yield Machine(tmp_path, simulator.url)


def profiles(app: house.App) -> dict[str, str]:
    """Each profile with its state."""
    return {view.id: view.state for view in app.service.status().profiles}


def ask(app: house.App, provider: str = "openrouter") -> httpx.Response:
    """One request through the app."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    headers = {"authorization": f"Bearer {app.vault.token('test')}"}
    with httpx.Client(transport=plain_http(), timeout=20, headers=headers) as client:
        return client.post(app.url + CHAT.replace("openrouter", provider), json=body)


# -- logins


def test_a_login_with_another_key_adds_a_profile_and_the_earlier_one_stays(machine: Machine) -> None:
    machine.log_in(openrouter=key_of("a"))
    with machine.running() as app:
        assert list(profiles(app)) == ["openrouter-opencode"]
        machine.log_in(openrouter=key_of("b"))
        assert eventually(lambda: len(profiles(app)) == 2)
        assert list(profiles(app)) == ["openrouter-opencode", "openrouter-opencode-2"]
        assert "found a key in OpenCode's auth.json: it is openrouter-opencode-2 now" in app.notices
        machine.log_in(mine=key_of("c"))
        assert eventually(lambda: "mine-opencode" in profiles(app))
        assert len(profiles(app)) == 3, "an entry that is gone takes nothing away"
        (machine.data / "auth.json").unlink()
        time.sleep(0.4)
        assert ask(app).status_code == 200 and len(profiles(app)) == 3
    with machine.running() as app:
        assert len(profiles(app)) == 3


def test_the_same_key_again_is_tried_again(machine: Machine) -> None:
    machine.log_in(openrouter=key_of("a"))
    with machine.running() as app:
        ask(app)
        assert profiles(app) == {"openrouter-opencode": "needs re-authentication"}
        machine.log_in(openrouter=key_of("a"))
        assert eventually(lambda: profiles(app) == {"openrouter-opencode": "ready"})
        assert "openrouter-opencode: its key was given again in OpenCode, so it is tried again" in app.notices
        assert ask(app).status_code == 200


def test_the_same_key_again_is_tried_again_where_targets_are_named(machine: Machine) -> None:
    machine.settings('[[targets]]\nprofile = "openrouter-main"\n')
    machine.log_in(openrouter=key_of("a"))
    with machine.running() as app:
        connect(machine.home.running).ask("profiles-add", provider="openrouter", label="main", secret=key_of("a"))
        ask(app)
        assert profiles(app) == {"openrouter-main": "needs re-authentication"}
        machine.log_in(openrouter=key_of("a"))
        assert eventually(lambda: profiles(app) == {"openrouter-main": "ready"})


def test_what_else_changes_in_the_file_is_no_login_with_that_key(machine: Machine) -> None:
    """A subscription's token is written anew every hour."""
    entries = {"openrouter": {"type": "api", "key": key_of("a")}, "anthropic": {"type": "oauth", "access": "1"}}
    machine.write_logins(entries)
    with machine.running() as app:
        ask(app)
        machine.write_logins({**entries, "anthropic": {"type": "oauth", "access": "2"}})
        machine.write_logins({**entries, "mine": {"type": "api", "key": key_of("b")}})
        assert eventually(lambda: "mine-opencode" in profiles(app))
        assert profiles(app)["openrouter-opencode"] == "needs re-authentication"


def test_a_row_of_opencodes_database_is_a_login_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BUSY_S", 0.3)
    with closing(sqlite3.connect(machine.data / "opencode.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE credential (id text PRIMARY KEY, integration_id text, value text)")
        with machine.running() as app:
            value = json.dumps({"type": "key", "key": key_of("b")})
            connection.execute("INSERT INTO credential VALUES ('1', 'openrouter', ?)", (value,))
            assert eventually(lambda: "openrouter-opencode" in profiles(app), 10)


def test_a_key_that_was_removed_does_not_come_back_with_the_next_change(machine: Machine) -> None:
    machine.log_in(openrouter=key_of("a"))
    with machine.running() as app:
        connect(machine.home.running).ask("profiles-remove", profile="openrouter-opencode")
        machine.log_in(openrouter=key_of("a"), mine=key_of("b"))
        assert eventually(lambda: "mine-opencode" in profiles(app))
        assert "openrouter-opencode" not in profiles(app)


@pytest.mark.parametrize(
    ("base", "more"), [(SETTINGS, ""), (DISCOVERING, '[[targets]]\nprofile = "openrouter-main"\n')]
)
def test_where_discovery_is_off_nothing_is_taken(machine: Machine, base: str, more: str) -> None:
    machine.settings(more, base=base)
    machine.environ["GROQ_API_KEY"] = key_of("b")
    machine.log_in(openrouter=key_of("a"))
    with machine.running() as app:
        machine.log_in(openrouter=key_of("c"))
        time.sleep(0.5)
        ask(app)
        assert profiles(app) == {}


def test_discovery_that_is_switched_off_while_it_runs_takes_no_more(machine: Machine) -> None:
    machine.log_in(openrouter=key_of("b"))
    with machine.running() as app:
        machine.settings(base=SETTINGS)
        app.in_loop(app.reload)
        assert eventually(lambda: not app.settings.discovers)
        machine.log_in(openrouter=key_of("c"))
        time.sleep(0.5)
        assert list(profiles(app)) == ["openrouter-opencode"]


@pytest.mark.parametrize(
    ("base", "more"), [(SETTINGS, ""), (DISCOVERING, '[[targets]]\nprofile = "openrouter-main"\n')]
)
def test_discovery_that_is_switched_on_while_it_runs_takes_what_is_there_and_what_comes(
    machine: Machine, base: str, more: str
) -> None:
    machine.settings(more, base=base)
    machine.log_in(openrouter=key_of("b"))
    block = {"provider": {"mine": {"options": {"apiKey": key_of("a")}}}}
    (machine.project / "opencode.json").write_text(json.dumps(block))
    with machine.running() as app:
        assert profiles(app) == {}
        machine.settings()
        assert eventually(lambda: list(profiles(app)) == ["openrouter-opencode"])
        machine.log_in(openrouter=key_of("c"))
        assert eventually(lambda: list(profiles(app)) == ["openrouter-opencode", "openrouter-opencode-2"])
        assert not any("given again" in notice for notice in app.notices)
        assert any("of this project is not used" in notice for notice in app.notices)
        machine.settings(more, base=base)
        assert eventually(lambda: not app.settings.discovers)
        machine.log_in(mine=key_of("c"))
        time.sleep(0.5)
        assert len(profiles(app)) == 2


def test_a_changed_settings_file_is_obeyed_without_any_request(machine: Machine) -> None:
    with machine.running() as app:
        machine.settings("[switcher]\nretry = 1\n")
        assert eventually(lambda: app._rules.retry_budget == 1)
        machine.settings("[switcher]\nretry = -1\n")
        assert eventually(lambda: any("retry" in notice for notice in app.notices))
        assert app._rules.retry_budget == 1


def test_a_projects_key_is_told_of_and_not_used(machine: Machine) -> None:
    block = {"provider": {"openrouter": {"options": {"apiKey": key_of("b")}}}}
    (machine.project / "opencode.json").write_text(json.dumps(block))
    with machine.running() as app:
        assert profiles(app) == {}
        assert app.notices == [
            "a key in OpenCode's opencode.json of this project is not used without being asked: "
            "o-switcher discover --apply"
        ]
        caller = connect(machine.home.running)
        (view,) = caller.ask("discover")
        assert (view["standing"], view["key_tail"]) == ("asks", key_of("b")[-4:])
        (view,) = caller.ask("discover", apply=True)
        assert (view["standing"], view["profile"]) == ("held", "openrouter-config")
        assert ask(app).status_code == 200


def found(secret: str, source: str = "file", stamp: str = "") -> Found:
    return Found("openrouter", "x", source, secret, stamp=stamp)


def test_a_key_counts_as_given_again_if_it_is_new_or_stamped_anew_or_nothing_changed_at_all() -> None:
    logins, one, two = Logins(), fingerprint("one-secret"), fingerprint("two-secret")
    assert logins.look([found("one-secret")], "1", "x", "file") == {one}
    assert logins.look([found("one-secret")], "1", "x", "file") == set()
    assert logins.look([found("one-secret"), found("two-secret")], "2", "y", "file") == {two}
    assert logins.look([found("one-secret"), found("two-secret", "db")], "3", "y", "file") == {one, two}
    assert logins.look([found("one-secret"), found("two-secret", "db")], "4", "y", "file") == {one}
    assert logins.look([found("one-secret"), found("two-secret", "db", "9")], "4", "y", "file") == {two}


# -- a key is bound to its provider's address


@pytest.fixture
def moved(machine: Machine) -> Iterator[tuple[Machine, house.App, SimulatorThread]]:
    """The app with a key, whose provider the settings have moved to another address since."""
    machine.settings(base=SETTINGS)
    with SimulatorThread(parse(script_of(b=OK), "other")) as other, machine.running() as app:
        caller = connect(machine.home.running)
        caller.ask("profiles-add", provider="openrouter", label="main", secret=key_of("b"))
        assert ask(app).status_code == 200
        machine.settings(base=SETTINGS, url=other.url)
        app.in_loop(app.reload)
        assert eventually(lambda: profiles(app) == {"openrouter-main": "needs re-authentication"})
        yield machine, app, other


Moved = tuple[Machine, house.App, SimulatorThread]


def test_a_provider_that_moved_gets_no_key_until_that_is_confirmed(moved: Moved) -> None:
    machine, app, other = moved
    assert ask(app).status_code == 403
    caller = connect(machine.home.running)
    (view,) = caller.ask("status")["profiles"]
    origin = other.url.removesuffix("/api/v1")
    assert view["reason"] == (
        f"its provider's address is now {origin}; to let its key go there: o-switcher profiles confirm openrouter-main"
    )
    caller.ask("retry-now", all=True)
    assert profiles(app) == {"openrouter-main": "needs re-authentication"}, "asking again is not consent"
    assert not any(other.counts().values())
    answer = caller.ask("profiles-confirm", profile="openrouter-main")
    assert answer["message"] == f"openrouter-main: its key may go to {other.url} now"
    assert ask(app).status_code == 200
    assert other.counts()["b"] == 1
    with pytest.raises(Refused, match="there is nothing to confirm"):
        caller.ask("profiles-confirm", profile="openrouter-main")


def test_a_provider_that_is_back_where_it_was_needs_no_confirmation(moved: Moved) -> None:
    machine, app, _ = moved
    machine.settings(base=SETTINGS)
    app.in_loop(app.reload)
    assert eventually(lambda: profiles(app) == {"openrouter-main": "ready"})
    assert ask(app).status_code == 200


def test_a_key_that_is_given_again_is_for_where_the_provider_is_now(moved: Moved) -> None:
    machine, app, other = moved
    connect(machine.home.running).ask("profiles-set", profile="openrouter-main", secret=key_of("b"))
    assert ask(app).status_code == 200
    assert other.counts()["b"] == 1


def test_a_provider_that_moved_while_the_app_was_off_is_noticed_at_the_start(moved: Moved) -> None:
    machine, app, other = moved
    app.stop()
    with machine.running() as again:
        assert profiles(again) == {"openrouter-main": "needs re-authentication"}
        assert ask(again).status_code == 403
        assert not any(other.counts().values())


def test_a_profile_with_an_address_of_its_own_does_not_follow_its_provider(machine: Machine) -> None:
    machine.settings(base=SETTINGS)
    with machine.running() as app:
        caller = connect(machine.home.running)
        given = {"provider": "mine", "label": "x", "secret": key_of("b"), "base_url": machine.url}
        caller.ask("profiles-add", **given)
        machine.settings(base=SETTINGS, url="https://elsewhere.example/v1")
        app.in_loop(app.reload)
        assert eventually(lambda: app._providers["mine"].base_url == "https://elsewhere.example/v1")
        assert profiles(app) == {"mine-x": "ready"}
        assert ask(app, "mine").status_code == 200


def test_an_address_in_the_key_file_that_cannot_be_used_stops_nobody_else(machine: Machine) -> None:
    machine.settings(base=SETTINGS)
    with machine.running() as app:
        caller = connect(machine.home.running)
        caller.ask("profiles-add", provider="mine", label="x", secret=key_of("b"), base_url=machine.url)
        caller.ask("profiles-add", provider="openrouter", label="main", secret=key_of("c"))
    keys = json.loads(machine.home.keys.read_text())
    keys["profiles"]["mine-x"]["base_url"] = "http://[::1"
    machine.home.keys.write_text(json.dumps(keys))
    with machine.running() as app:
        assert ask(app).status_code == 200
        assert ask(app, "mine").status_code >= 400
