"""What may be wrong on a machine: each fault is planted in a sandbox, found by `doctor`, and told with its remedy."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keyring.backends.fail
import pytest
from keyring.errors import KeyringLocked

from tests.faces.cli.test_commands import Here, Run, runner
from tests.faces.cli.test_doctor import foreign, hold, newer, torn
from tests.host.ordinary_user import ordinary_user, shared_folder
from tests.host.test_keyring import InMemory, use
from tests.rig import Key, Rig, eventually, key_of, running, script_of
from tray_app import app as house
from tray_app.control import doctor as room
from tray_app.control.doctor import Doctor
from tray_app.core.ids import request_id
from tray_app.core.providers import BUILT_IN
from tray_app.core.values import Outcome, RequestEnded, RequestStarted
from tray_app.host import instance
from tray_app.host.home import Home, find_home
from tray_app.host.vault import open_vault
from tray_app.ledger.batch import Unfinished, write
from tray_app.ledger.database import open_for_writing

FILE = '[secrets]\nstore = "file"\n'
ANY_PORT = "[proxy]\nport = 0\n"


@dataclass
class Sandbox:
    """A user's machine on which all is well, until something is planted."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    stack: ExitStack = field(default_factory=ExitStack)
    port: int = 0

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def home_files(self) -> Home:
        return find_home({"O_SWITCHER_HOME": str(self.home)})

    def write(self, name: str, content: Any) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def settings(self, text: str) -> None:
        self.write("home/config.toml", text)

    def environ(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def take_a_port(self) -> int:
        """Somebody listens there until the end."""
        taken = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        return int(taken.getsockname()[1])

    def free_port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            return int(sock.getsockname()[1])


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name in [name for provider in BUILT_IN.values() for name in provider.env]:
        monkeypatch.delenv(name, raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("ANTHROPIC_BASE_URL", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "OPENCODE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user/.config"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("LC_ALL", "C")
    box = Sandbox(tmp_path, monkeypatch)
    box.settings(FILE + ANY_PORT)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    hold(box.home, "a")
    with box.stack:
        yield box


@pytest.fixture
def run(sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(Here(sandbox.home, []), capsys, monkeypatch)


def test_a_sandbox_without_a_fault_is_well(sandbox: Sandbox, run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0 and "!!" not in ran.out, ran.out


# -- planted, without the app


def bad_settings(box: Sandbox) -> None:
    box.settings("[switcher]\nretry = -1\n")


def damaged_keys(box: Sandbox) -> None:
    box.write("home/keys.json", "{")


def open_keys(box: Sandbox) -> None:
    (box.home / "keys.json").chmod(0o644)


def dead_keyring(box: Sandbox) -> None:
    (box.home / "keys.json").unlink()
    box.settings('[secrets]\nstore = "keyring"\n' + ANY_PORT)
    use(box.monkeypatch, keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]


def locked_keyring(box: Sandbox) -> None:
    (box.home / "keys.json").unlink()
    box.settings(ANY_PORT)
    ring = InMemory()
    ring.trouble = KeyringLocked("locked")
    use(box.monkeypatch, ring)


def keys_in_the_other_store(box: Sandbox) -> None:
    box.settings('[secrets]\nstore = "keyring"\n' + ANY_PORT)
    use(box.monkeypatch, InMemory())


def taken_port(box: Sandbox) -> None:
    box.settings(FILE + f"[proxy]\nport = {box.take_a_port()}\n")


def foreign_address(box: Sandbox) -> None:
    box.settings(FILE + f'[proxy]\nport = {box.free_port()}\nhost = "192.0.2.1"\nallow_remote = true\n')


def killed_app(box: Sandbox) -> None:
    gone = {"pid": 4_194_303, "url": "http://127.0.0.1:1", "admin_token": "x", "started_at": 1, "version": "0.1.0"}
    box.write("home/running.json", gone).chmod(0o600)


def starting_app(box: Sandbox) -> None:
    held = instance.claim(box.home / "o-switcher.lock", box.home / "running.json")
    assert held is not None
    box.stack.callback(held.release)


def newer_history(box: Sandbox) -> None:
    newer(box.home / "history.db")


def torn_history(box: Sandbox) -> None:
    torn(box.home / "history.db")


def history_of_another_program(box: Sandbox) -> None:
    foreign(box.home / "history.db")


def unwritable_decisions(box: Sandbox) -> None:
    (box.home / "decisions.ndjson").mkdir()


def full_disk(box: Sandbox) -> None:
    box.monkeypatch.setattr(room, "LEAST_FREE", 1 << 62)  # however large this machine's is


def home_that_is_a_file(box: Sandbox) -> None:
    for path in box.home.iterdir():
        path.unlink()
    box.home.rmdir()
    box.home.write_text("")


def no_tray(box: Sandbox) -> None:
    box.environ(DISPLAY=":4711")


def moved_command(box: Sandbox) -> None:
    entry = '[Desktop Entry]\nType=Application\nName=x\nExec="/opt/my tools/o-switcher" serve\n'
    box.write("user/.config/autostart/o-switcher.desktop", entry)


def proxy_for_the_loopback(box: Sandbox) -> None:
    box.environ(HTTPS_PROXY="http://proxy.example:3128", no_proxy="intern.example, localhost")


def old_port(box: Sandbox) -> None:
    box.settings(FILE + f"[proxy]\nport = {box.free_port()}\n")
    options = {"baseURL": "http://127.0.0.1:1/openrouter/v1", "apiKey": "osw-opencode-0123"}
    box.write("user/.config/opencode/opencode.json", {"provider": {"openrouter": {"options": options}}})


def old_port_of_claude(box: Sandbox) -> None:
    box.settings(FILE + f"[proxy]\nport = {box.free_port()}\n")
    env = {"ANTHROPIC_BASE_URL": "http://localhost:1/anthropic", "ANTHROPIC_AUTH_TOKEN": "osw-claude-0123"}
    box.write("user/.claude/settings.json", {"env": env})


def unknown_token(box: Sandbox) -> None:
    port = box.free_port()
    box.settings(FILE + f"[proxy]\nport = {port}\n")
    text = f'model_provider = "pool"\n[model_providers.pool]\nbase_url = "http://127.0.0.1:{port}/openai/v1"\n'
    box.write("user/.codex/config.toml", text + 'experimental_bearer_token = "osw-codex-0123"\n')


def old_port_of_codex(box: Sandbox) -> None:
    box.settings(FILE + f"[proxy]\nport = {box.free_port()}\n")
    box.write("user/.codex/config.toml", 'openai_base_url = "http://127.0.0.1:1/openai/v1"\n')
    box.write("user/.codex/auth.json", {"OPENAI_API_KEY": "osw-codex-0123"})


def key_of_a_project(box: Sandbox) -> None:
    options = {"apiKey": "gsk_0123456789abcdef"}
    box.write("project/opencode.json", {"provider": {"groq": {"options": options}}})


def target_of_nobody(box: Sandbox) -> None:
    box.settings(FILE + ANY_PORT + '[[targets]]\nprofile = "openrouter-gone"\n')


def route_of_nobody(box: Sandbox) -> None:
    box.settings(FILE + ANY_PORT + '[[routes]]\nmodel = "fast"\ntargets = ["groq:x"]\n')


def provider_that_moved(box: Sandbox) -> None:
    box.settings(FILE + ANY_PORT + '[providers.openrouter]\nbase_url = "https://mine.example/v1"\n')


def no_key(box: Sandbox) -> None:
    (box.home / "keys.json").unlink()


PLANTED: list[tuple[Callable[[Sandbox], None], str, str, str]] = [
    (bad_settings, "settings", "switcher.retry", "o-switcher config check"),
    (damaged_keys, "keys", "is damaged", "o-switcher profiles add"),
    (open_keys, "home", "keys.json can be read by other users (mode 0644)", "chmod 600"),
    (dead_keyring, "keys", "offers no keyring", "o-switcher config set secrets.store file"),
    (locked_keyring, "keys", "keyring failed: KeyringLocked", "o-switcher config set secrets.store file"),
    (keys_in_the_other_store, "keys", "are not used", "o-switcher config set secrets.store file"),
    (taken_port, "port", "is taken by ", "o-switcher config set proxy.port"),
    (foreign_address, "port", "192.0.2.1 cannot be listened on", "o-switcher config set proxy.host 127.0.0.1"),
    (killed_app, "lock", "is of process 4194303, which ended without taking it away", "o-switcher"),
    (starting_app, "profiles", "is starting or stopping", "o-switcher doctor"),
    (newer_history, "history", "was written by a newer version", "restart O-Switcher"),
    (torn_history, "history", "is damaged", "restart O-Switcher"),
    (history_of_another_program, "history", "the database of another program", "restart O-Switcher"),
    (unwritable_decisions, "decisions", "cannot be written", "mv "),
    (full_disk, "disk", "MB free", "make room"),
    (home_that_is_a_file, "home", "home is no folder", "O_SWITCHER_HOME"),
    (no_tray, "tray", "no D-Bus session bus", "o-switcher serve"),
    (moved_command, "login", "/opt/my tools/o-switcher, which is not there any more", "o-switcher autostart enable"),
    (
        proxy_for_the_loopback, "proxy", "NO_PROXY lacks 127.0.0.1",
        "export NO_PROXY=intern.example,localhost,127.0.0.1 no_proxy=intern.example,localhost,127.0.0.1",
    ),
    (old_port, "client", "OpenCode's opencode.json, openrouter leads to http://127.0.0.1:1", "connect opencode"),
    (old_port_of_claude, "client", "Claude Code's settings.json leads to http://localhost:1", "connect claude-code"),
    (old_port_of_codex, "client", "Codex's config.toml leads to http://127.0.0.1:1", "connect codex"),
    (unknown_token, "client", "Codex's config.toml, pool has a token that O-Switcher does not know", "connect codex"),
    (key_of_a_project, "discovery", "a key for groq in OpenCode's opencode.json", "o-switcher discover --apply"),
    (target_of_nobody, "targets", "names openrouter-gone, but there is no such profile", "o-switcher profiles list"),
    (route_of_nobody, "routes", "nobody can serve the route fast", "o-switcher profiles add groq --label main"),
    (
        provider_that_moved, "openrouter-a", "its provider's address is now https://mine.example",
        "o-switcher profiles confirm openrouter-a",
    ),
    (no_key, "profiles", "there are none yet", "o-switcher profiles add"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "what", "words", "mend"), PLANTED, ids=[row[0].__name__.replace("_", " ") for row in PLANTED]
)
def test_a_fault_is_found_and_its_remedy_named(
    sandbox: Sandbox, run: Run, plant: Callable[[Sandbox], None], what: str, words: str, mend: str
) -> None:
    plant(sandbox)
    ran = run("doctor")
    wrong = [line for line in ran.out.splitlines() if line.startswith(f"!! {what}: ")]
    assert ran.code == 1 and ran.err == "", ran
    assert any(words in line and mend in line for line in wrong), ran.out
    assert key_of("a")[:-4] not in ran.out


# -- mended by what was named


def restart(box: Sandbox, _: str) -> None:
    """The app is started, and ended by itself."""
    app = house.build(box.home_files, port=0, environ={}, project=box.root / "project")
    app.start()
    app.stop()


def good_settings(box: Sandbox, _: str) -> None:
    box.settings(FILE + ANY_PORT)


def released(box: Sandbox, _: str) -> None:
    box.stack.close()


def made_room(box: Sandbox, _: str) -> None:
    box.monkeypatch.setattr(room, "LEAST_FREE", 1)


def moved_away(box: Sandbox, mend: str) -> None:
    subprocess.run(shlex.split(mend.partition("or: ")[2]), check=True)
    box.settings(FILE + ANY_PORT)
    hold(box.home, "a")


def without_a_tray(box: Sandbox, _: str) -> None:
    box.monkeypatch.delenv("DISPLAY")


# what a person does where no command alone mends it; after it, the command that was named ends well
BY_HAND: dict[Callable[[Sandbox], None], Callable[[Sandbox, str], None]] = {
    bad_settings: good_settings,
    killed_app: restart,
    newer_history: restart,
    torn_history: restart,
    history_of_another_program: restart,
    starting_app: released,
    full_disk: made_room,
    home_that_is_a_file: moved_away,
    no_tray: without_a_tray,
    target_of_nobody: good_settings,
}
COMMAND = re.compile(r"(?:^|: )((?:o-switcher \S|chmod|mv|export) ?.*?)(?:, then: .*)?$")


def carry_out(box: Sandbox, run: Run, mend: str) -> None:
    """Do what the remedy says: the command at its end, as a shell would."""
    found = COMMAND.search(mend)
    assert found is not None, mend
    words = shlex.split(found[1])
    if words[0] == "o-switcher":
        ran = run(*words[1:], stdin="gsk_0123456789abcdef0123456789\n")
        assert ran.code == 0, ran
    elif words[0] == "export":
        box.environ(**dict(word.split("=", 1) for word in words[1:]))
    else:
        subprocess.run(words, check=True)


@pytest.mark.parametrize(
    ("plant", "what", "words"), [row[:3] for row in PLANTED], ids=[row[0].__name__.replace("_", " ") for row in PLANTED]
)
def test_the_remedy_that_is_named_mends_it(
    sandbox: Sandbox, run: Run, plant: Callable[[Sandbox], None], what: str, words: str
) -> None:
    plant(sandbox)
    [check] = [one for one in json.loads(run("doctor", "--json").out) if one["what"] == what and words in one["words"]]
    if plant in BY_HAND:
        BY_HAND[plant](sandbox, check["mend"])
    else:
        carry_out(sandbox, run, check["mend"])
    wrong = [one for one in json.loads(run("doctor", "--json").out) if not one["ok"]]
    assert [one for one in wrong if one["what"] == what] == []
    if "keys" not in words and what != "keys":  # a store that was given up took its keys along
        assert wrong == []


def test_a_home_that_may_not_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with shared_folder() as root, ordinary_user():
        (root / "home").mkdir()
        (root / "home").chmod(0o500)
        monkeypatch.setenv("HOME", str(root))
        found = list(Doctor(find_home({"O_SWITCHER_HOME": str(root / "home")}), "1").examine())
        (line,) = [one.line() for one in found if one.what == "home"]
        assert line == f"!! home: {root / 'home'} cannot be written by this user; chmod u+rwx {root / 'home'}"
        (root / "home").chmod(0o700)


def test_a_clock_that_was_set_back_is_told(sandbox: Sandbox, run: Run) -> None:
    run("profiles", "list")
    later = round((time.time() + 3600) * 1000)
    begun = RequestStarted(request_id(later, 1), later, "test", "openrouter", "openai_chat", "/x", "m", False, 2)
    ended = RequestEnded(begun.id, later, Outcome.SERVED, 200, "openrouter", "openrouter-a", 0, 0, 0, 1, 1, 2)
    with closing(open_for_writing(sandbox.home / "history.db", later).connection) as connection:
        write(connection, [begun, ended], Unfinished())
    (line,) = [line for line in run("doctor").out.splitlines() if line[3:].startswith("clock:")]
    assert line.startswith("!! clock: the clock of this machine is 60 min behind the latest record") or "59 min" in line
    assert line.endswith("timedatectl set-ntp true, or set it by hand")


@pytest.mark.parametrize("spared", ["127.0.0.1,localhost", "*"])
def test_proxy_variables_that_spare_the_loopback_are_no_fault(sandbox: Sandbox, run: Run, spared: str) -> None:
    sandbox.environ(HTTPS_PROXY="http://proxy.example:3128", NO_PROXY=spared)
    assert run("doctor").code == 0


def test_other_servers_on_the_loopback_are_no_fault(sandbox: Sandbox, run: Run) -> None:
    options = {"baseURL": "http://127.0.0.1:11434/v1", "apiKey": "none"}
    sandbox.write("user/.config/opencode/opencode.json", {"provider": {"ollama": {"options": options}}})
    sandbox.settings(FILE + f"[proxy]\nport = {sandbox.free_port()}\n")
    assert run("doctor").code == 0


def test_a_provider_that_codex_does_not_use_leads_nobody_anywhere(sandbox: Sandbox, run: Run) -> None:
    sandbox.settings(FILE + f"[proxy]\nport = {sandbox.free_port()}\n")
    block = '[model_providers.old]\nbase_url = "http://127.0.0.1:1/openai/v1"\nexperimental_bearer_token = "osw-x-1"\n'
    sandbox.write("user/.codex/config.toml", block)
    assert run("doctor").code == 0
    sandbox.write("user/.codex/config.toml", f'{block}[profiles.work]\nmodel_provider = "old"\n')
    assert "!! client: Codex's config.toml, old leads to" in run("doctor").out


def test_a_client_that_leads_here_is_well(sandbox: Sandbox, run: Run) -> None:
    port = sandbox.free_port()
    sandbox.settings(FILE + f"[proxy]\nport = {port}\n")
    token = open_vault(sandbox.home / "keys.json", "file").token("claude")
    sandbox.environ(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{port}", ANTHROPIC_AUTH_TOKEN=token)
    ran = run("doctor")
    assert ran.code == 0 and "ok client: environment variable ANTHROPIC_BASE_URL leads here" in ran.out


# -- planted, beside the app


@pytest.fixture
def rig(sandbox: Sandbox) -> Iterator[Rig]:
    keys = {"a": Key('{do="no_credit"}'), "b": Key('{do="unauthorized"}'), "c": Key('{do="ok"}')}
    with running(sandbox.root / "other", keys, settings=ANY_PORT) as found:
        for _ in range(2):
            found.chat()
        yield found


def told(rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return runner(Here(rig.home.config.parent, []), capsys, monkeypatch)("doctor").out.splitlines()


def test_a_key_without_credit_and_a_refused_one_are_told(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = told(rig, capsys, monkeypatch)
    (line,) = [line for line in lines if "openrouter-a:" in line]
    assert line.startswith("!! ") and line.endswith("; top it up, then: o-switcher retry-now openrouter-a")
    (line,) = [line for line in lines if "openrouter-b:" in line]
    assert line.startswith("!! ") and line.endswith("; o-switcher profiles set openrouter-b --key")
    assert any(line.startswith("ok openrouter-c:") for line in lines)
    run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
    assert run("retry-now", "openrouter-a").code == 0
    assert run("profiles", "set", "openrouter-b", "--key", stdin=f"{key_of('c')}\n").code == 0
    assert not [line for line in told(rig, capsys, monkeypatch) if line.startswith("!! openrouter")]


def test_an_announcement_that_others_may_read_is_told_while_the_app_runs(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.home.running.chmod(0o644)
    (line,) = [line for line in told(rig, capsys, monkeypatch) if line.startswith("!! home:")]
    assert "running.json can be read by other users (mode 0644); chmod 600" in line
    subprocess.run(shlex.split(line.rpartition("; ")[2]), check=True)
    assert not any(line.startswith("!! home:") for line in told(rig, capsys, monkeypatch))


def test_being_offline_is_told(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"a": Key(there=False), "b": Key(there=False)}
    with running(sandbox.root / "other", keys, settings=ANY_PORT + "[timeouts]\nconnect = 0.5\n") as rig:
        rig.chat()
        lines = told(rig, capsys, monkeypatch)
        rig.revive(script_of(a='{do="ok"}', b='{do="ok"}'))
        run = runner(Here(rig.home.config.parent, []), capsys, monkeypatch)
        assert run("retry-now", "--all").code == 0
        assert eventually(lambda: rig.app.service.status().state == "ready")
        assert not [line for line in told(rig, capsys, monkeypatch) if line.startswith("!! network")]
    words = "no provider can be reached from this machine; look at the network; then: o-switcher retry-now --all"
    assert f"!! network: {words}" in lines


def test_a_second_instance_at_the_wanted_port_is_told(sandbox: Sandbox, rig: Rig, run: Run) -> None:
    port = rig.url.rpartition(":")[2]
    sandbox.settings(FILE + f"[proxy]\nport = {port}\n")
    (line,) = [line for line in run("doctor").out.splitlines() if line[3:].startswith("port:")]
    assert line.startswith(f"!! port: {port} is taken by another O-Switcher (of another user or folder)")
    carry_out(sandbox, run, line.rpartition("; ")[2].rpartition("or: ")[2])
    assert not [line for line in run("doctor").out.splitlines() if line.startswith("!! port:")]
