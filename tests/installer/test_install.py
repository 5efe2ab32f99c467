"""Installing for a user, updating, and taking it away again."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from desktop import exec_quoted

from tests.ledger.test_upgrade import old_file, seen

from .conftest import CHECKOUT, Checkout
from .test_interrupted import tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="menu entries and links of Linux")


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    """With the quicker installer, since which one it is does not matter here."""
    checkout.prefer_uv()
    return checkout


@pytest.fixture
def app(checkout: Checkout) -> Path:
    """The command of an app that has just been installed."""
    done = checkout.run("install.py")
    assert done.returncode == 0, done.stderr
    return checkout.home / ".local/bin/o-switcher"


def calls(checkout: Checkout) -> list[str]:
    """What the app was called with."""
    return (checkout.home / "calls").read_text().splitlines()


def ask(app: Path, checkout: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    command = [app, *words]
    return subprocess.run(command, env=checkout.variables, cwd="/", capture_output=True, text=True, check=False)


def files(folder: Path) -> set[str]:
    """Every file and link below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file()}


def test_the_command_works_without_the_checkout(checkout: Checkout, app: Path) -> None:
    shutil.rmtree(checkout.folder)
    answer = json.loads(ask(app, checkout, "where").stdout)
    assert answer["command"] == str(app)  # the address that stays, for launch at login
    assert answer["file"].startswith(str(checkout.environments / "app-"))
    assert ask(app.with_name("o-switcher-tray"), checkout, "exit", "5").returncode == 5


def test_the_menu_entry_is_valid_and_has_its_icon(checkout: Checkout, app: Path) -> None:
    entry = checkout.home / ".local/share/applications/o-switcher.desktop"
    assert f'Exec="{app}-tray"' in entry.read_text()
    assert (checkout.home / ".local/share/icons/hicolor/scalable/apps/o-switcher.svg").is_file()
    if shutil.which("desktop-file-validate"):
        done = subprocess.run(["desktop-file-validate", entry], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_it_says_what_it_did_and_how_to_undo_it(checkout: Checkout) -> None:
    said = checkout.run("install.py").stdout
    undo = f'python3 "{checkout.data}/installer/install.py" --uninstall'
    assert f"To undo all this: {undo}" in said
    assert f'export PATH="{checkout.home}/.local/bin:$PATH"' in said
    there = checkout.run("install.py", PATH=f"/usr/bin:/bin:{checkout.home}/.local/bin").stdout
    assert "export PATH" not in there


def test_installing_again_changes_nothing(checkout: Checkout, app: Path) -> None:
    before = files(checkout.home)
    again = checkout.run("install.py")
    assert (again.returncode, again.stderr) == (0, "")
    assert files(checkout.home) == before


def test_an_update_replaces_it_but_leaves_the_running_app_its_files(checkout: Checkout, app: Path) -> None:
    with subprocess.Popen([app, "wait"], env=checkout.variables, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        main = checkout.folder / "tray_app/__main__.py"
        main.write_text(main.read_text() + "\n")
        (checkout.home / "running").touch()
        assert "restarted   O-Switcher 2 listens" in checkout.run("install.py").stdout
        assert len(checkout.made()) == 2
        running.terminate()
    (checkout.home / "running").unlink()
    main.write_text(main.read_text() + "\n")
    checkout.run("install.py", "--upgrade")
    assert len(checkout.made()) == 1
    assert ask(app, checkout, "exit", "4").returncode == 4


def test_an_app_that_cannot_restart_is_named(checkout: Checkout, app: Path) -> None:
    with subprocess.Popen([app, "wait"], env=checkout.variables, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        (checkout.home / "running").touch()
        main = checkout.folder / "tray_app/__main__.py"
        main.write_text(main.read_text().replace('print("O-Switcher 2 listens")', "return 1"))
        said = checkout.run("install.py").stdout
        assert "The running app still is the earlier version (it ended with 1): o-switcher stop" in said
        running.terminate()


def test_a_history_that_does_not_go_through_leaves_the_earlier_version_at_work(checkout: Checkout, app: Path) -> None:
    main = checkout.folder / "tray_app/__main__.py"
    main.write_text(main.read_text().replace('"tiny": tiny.VERSION', '"tiny": "new"'))
    (checkout.home / "old-history").touch()
    before = files(checkout.home)
    done = checkout.run("install.py", "--upgrade")
    assert (done.returncode, "goes on working" in done.stderr) == (1, True)
    assert "does not go through the migrations" in done.stderr
    assert files(checkout.home) == before
    assert json.loads(ask(app, checkout, "where").stdout)["tiny"] == "1.0"
    (checkout.home / "old-history").unlink()
    assert checkout.run("install.py", "--upgrade").returncode == 0
    assert json.loads(ask(app, checkout, "where").stdout)["tiny"] == "new"


def test_there_is_nothing_to_upgrade_where_nothing_is_installed(checkout: Checkout) -> None:
    done = checkout.run("install.py", "--upgrade")
    assert (done.returncode, "run this without --upgrade" in done.stderr) == (1, True)
    assert files(checkout.home) == {"bin/uv"}


@pytest.mark.parametrize(
    ("options", "called"),
    [
        (["--autostart"], "autostart enable"),
        (["--no-autostart"], "autostart disable"),
        (["--no"], "autostart disable"),
        (["--yes", "--no-autostart"], "autostart disable"),
        ([], "autostart status --json"),
    ],
    ids=str,
)
def test_launch_at_login_is_the_apps_own_command(checkout: Checkout, options: list[str], called: str) -> None:
    done = checkout.run("install.py", *options)
    assert done.returncode == 0
    assert [call for call in calls(checkout) if call.startswith("autostart")] == [called]


def test_a_launch_at_login_is_led_to_the_command_again(checkout: Checkout, app: Path) -> None:
    checkout.run("install.py", "--autostart")
    (checkout.home / "calls").unlink()
    checkout.run("install.py", "--upgrade")
    assert calls(checkout)[-2:] == ["autostart status --json", "autostart enable"]


OPENCODE = ".config/opencode/opencode.json"


@pytest.mark.parametrize(
    ("options", "there", "connected"),
    [
        ([], True, False),
        (["--opencode"], False, True),
        (["--yes"], True, True),
        (["--yes"], False, False),
        (["--yes", "--no-opencode"], True, False),
    ],
    ids=str,
)
def test_without_a_person_opencodes_file_is_changed_only_on_an_order(
    checkout: Checkout, options: list[str], there: bool, connected: bool
) -> None:
    if there:
        (checkout.home / OPENCODE).parent.mkdir(parents=True)
    done = checkout.run("install.py", *options)
    assert (done.returncode, done.stderr.count("[y/N]")) == (0, 0)
    assert (checkout.home / OPENCODE).exists() is connected
    assert ("+proxy" in done.stdout) is (connected or (there and not options)), "the change is shown first"


def on_a_terminal(checkout: Checkout, answers: bytes, *words: str) -> tuple[int, bytes]:
    """The exit code, and what a person has seen."""
    main, terminal = pty.openpty()
    command = [sys.executable, str(checkout.folder / "installer/install.py"), *words]
    with subprocess.Popen(
        command, env=checkout.variables, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        os.write(main, answers)
        seen = b""
        try:
            for chunk in iter(lambda: os.read(main, 4096), b""):
                seen += chunk
        except OSError:
            pass  # how a terminal says that its program has ended
    os.close(main)
    return process.returncode, seen


def test_on_a_terminal_it_asks_once_and_shows_what_would_change(checkout: Checkout) -> None:
    (checkout.home / OPENCODE).parent.mkdir(parents=True)
    code, seen = on_a_terminal(checkout, b"what\ny\nyes\n")
    assert (code, seen.count(b"[y/N]")) == (0, 3)
    assert b"Start O-Switcher at login? [y/N]" in seen and b"Please answer y or n." in seen
    assert seen.index(b"+proxy") < seen.index(b"Change it so?")
    assert {"autostart enable", "connect opencode"} <= set(calls(checkout))
    code, seen = on_a_terminal(checkout, b"")
    assert (code, seen.count(b"[y/N]")) == (0, 0)


def test_a_no_is_remembered_and_an_end_of_input_is_one(checkout: Checkout) -> None:
    (checkout.home / OPENCODE).parent.mkdir(parents=True)
    code, seen = on_a_terminal(checkout, b"\n\x04")
    assert (code, seen.count(b"[y/N]")) == (0, 2)
    assert not (checkout.home / OPENCODE).exists()
    assert on_a_terminal(checkout, b"")[1].count(b"[y/N]") == 0


def test_uninstalling_asks_about_the_data_on_a_terminal(checkout: Checkout, app: Path) -> None:
    history = checkout.data / "history.db"
    history.touch()
    code, seen = on_a_terminal(checkout, b"n\n", "--uninstall")
    assert (code, b"Delete history, settings and keys for good, too? [y/N]" in seen) == (0, True)
    assert history.exists()
    assert checkout.run("install.py").returncode == 0
    code, _ = on_a_terminal(checkout, b"y\n", "--uninstall")
    assert (code, history.exists()) == (0, False)


def test_a_client_that_cannot_be_disconnected_stops_the_uninstalling(checkout: Checkout, app: Path) -> None:
    (checkout.home / "stubborn").touch()
    before = files(checkout.home)
    done = checkout.run("install.py", "--uninstall")
    assert (done.returncode, files(checkout.home)) == (1, before)
    assert "codex could not be disconnected: somebody has changed it since" in done.stderr
    assert "o-switcher disconnect codex --force" in done.stderr and "--leave-clients" in done.stderr
    assert checkout.run("install.py", "--uninstall", "--leave-clients").returncode == 0
    assert not app.exists()


def test_a_broken_command_is_taken_away_but_not_while_clients_depend_on_it(checkout: Checkout, app: Path) -> None:
    login = checkout.home / ".config/autostart/o-switcher.desktop"
    assert checkout.run("install.py", "--autostart").returncode == 0
    for python in checkout.environments.glob("*/bin/python*"):
        python.unlink()
    (checkout.data / "connections.json").write_text("{}")
    done = checkout.run("install.py", "--uninstall")
    assert (done.returncode, "cannot be pointed back" in done.stderr, app.is_symlink()) == (1, True, True)
    (checkout.data / "connections.json").unlink()
    assert checkout.run("install.py", "--uninstall").returncode == 0
    assert not app.is_symlink() and not login.exists()


def test_uninstalling_takes_everything_but_history_and_keys(checkout: Checkout, app: Path) -> None:
    shutil.rmtree(checkout.folder)
    history = checkout.data / "history.db"
    history.touch()
    command = [sys.executable, str(checkout.data / "installer/install.py"), "--uninstall"]
    done = subprocess.run(command, env=checkout.variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "History, settings and keys are kept" in done.stdout
    assert calls(checkout)[-4:] == ["connections --json", "disconnect codex", "stop", "autostart disable"]
    assert files(checkout.home) - {"calls", "bin/uv"} == {".local/share/o-switcher/history.db"}


def test_purging_asks_and_takes_the_rest(checkout: Checkout, app: Path) -> None:
    config = checkout.home / ".config/o-switcher/config.toml"
    config.parent.mkdir(parents=True)
    config.touch()
    refused = checkout.run("install.py", "--uninstall", "--purge")
    assert (refused.returncode, app.exists(), config.exists()) == (1, True, True)
    assert "say --yes" in refused.stderr
    done = checkout.run("install.py", "--uninstall", "--purge", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert files(checkout.home) - {"bin/uv"} == {"calls"}
    assert not (checkout.home / ".local").exists(), "not even an empty folder of ours"


def test_purging_takes_keys_out_of_the_keyring_first(checkout: Checkout, app: Path) -> None:
    (checkout.data / "keys-in-keyring").touch()
    assert checkout.run("install.py", "--uninstall", "--purge", "--yes").returncode == 0
    assert "config set secrets.store file" in calls(checkout)


def test_purging_a_folder_of_the_users_choice_spares_what_else_lies_there(checkout: Checkout, app: Path) -> None:
    chosen = checkout.home / "chosen"
    chosen.mkdir()
    for name in ("history.db", "history.db-wal", "keys.json", "thesis.txt"):
        (chosen / name).touch()
    checkout.run("install.py", "--uninstall", "--purge", "--yes", O_SWITCHER_HOME=str(chosen))
    assert files(chosen) == {"thesis.txt"}


def test_uninstalling_where_nothing_is_says_so(checkout: Checkout) -> None:
    done = checkout.run("install.py", "--uninstall")
    assert (done.returncode, "was not installed" in done.stdout) == (0, True)


def test_a_command_of_somebody_else_is_left_alone(checkout: Checkout) -> None:
    other = checkout.home / ".local/bin/o-switcher"
    other.parent.mkdir(parents=True)
    other.write_text("somebody else's")
    done = checkout.run("install.py")
    assert (done.returncode, "is there already and is not O-Switcher's" in done.stderr) == (1, True)
    checkout.run("install.py", "--uninstall")
    assert other.read_text() == "somebody else's"


def test_sudo_is_refused(checkout: Checkout) -> None:
    assert "without sudo" in checkout.run("install.py", SUDO_USER="user").stderr


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("/home/a b/o", '"/home/a b/o"'),
        ("/100%/o", '"/100%%/o"'),
        ('/a"$`/o', '"/a\\\\"\\\\$\\\\`/o"'),
        ("/a\\b", '"/a\\\\\\\\b"'),
    ],
)
def test_menu_entries_quote_what_they_start(argument: str, quoted: str) -> None:
    assert exec_quoted(argument) == quoted


def test_the_real_app_is_installed_upgraded_while_it_runs_and_taken_away(tmp_path: Path) -> None:
    """With the real lock, from wherever this machine takes its packages."""
    home, earlier = tmp_path / "home", tmp_path / "earlier"
    (home / ".config/opencode").mkdir(parents=True)
    (home / OPENCODE).write_text('{\n  // mine\n  "model": "openrouter/x"\n}\n')
    (home / ".local/share/opencode").mkdir(parents=True)
    login = {"openrouter": {"type": "api", "key": "sk-or-v1-" + "0123456789abcdef" * 4}}
    (home / ".local/share/opencode/auth.json").write_text(json.dumps(login))
    (home / ".local/bin").mkdir(parents=True)
    before = tree(home)
    for top in ("tray_app", "assets", "installer"):
        shutil.copytree(CHECKOUT / top, earlier / top, ignore=shutil.ignore_patterns("__pycache__"))
    # The earlier one takes its packages from the tests' own environment: one real set-up is enough.
    packages = f"import sys\n\nsys.path.append({sysconfig.get_path('purelib')!r})\n"
    (earlier / "tray_app/__init__.py").write_text(f'"""Earlier."""\n\n{packages}__version__ = "0.0.1"\n')
    (earlier / "installer/requirements.lock").write_text("# nothing\n")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if uv is not None:  # much the quicker of the two
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/uv").symlink_to(uv)
    variables = {"HOME": str(home), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8"}
    variables |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    app = home / ".local/bin/o-switcher"

    def install(checkout: Path, *words: str) -> str:
        command = [sys.executable, str(checkout / "installer/install.py"), *words]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def say(*words: str) -> str:
        return subprocess.run([app, *words], env=variables, cwd="/", capture_output=True, text=True, check=True).stdout

    said = install(earlier, "--yes")
    assert "o-switcher connect" not in said and "4417/openrouter/v1" in said
    assert "http://127.0.0.1:4417" in (home / OPENCODE).read_text()
    say("config", "set", "proxy.port", "0")
    (entry,) = (home / ".config/autostart").iterdir()
    at_login = entry.read_text()
    assert str(app) in at_login
    with subprocess.Popen([app, "serve", "--port", "0"], env=variables, stderr=subprocess.DEVNULL) as running:
        state = home / ".local/state/o-switcher/running.json"
        while not state.exists():
            time.sleep(0.05)
        assert json.loads(state.read_text())["version"] == "0.0.1"
        shutil.rmtree(earlier)
        assert "restarted   O-Switcher" in install(CHECKOUT, "--upgrade")
        now = json.loads(state.read_text())
        assert (now["pid"], running.poll()) == (running.pid, None)
        assert now["version"] != "0.0.1" and json.loads(say("status", "--json"))["version"] == now["version"]
        say("stop")
        assert running.wait(20) == 0
    assert entry.read_text() == at_login and say("autostart", "status") == "launch at login is on\n"
    assert len(list((home / ".local/share/o-switcher/environments").glob("app-*"))) == 1
    history = home / ".local/share/o-switcher/history.db"
    for path in history.parent.glob("history.db*"):
        path.unlink()
    old_file(history, 1)
    rows = seen(history)
    assert "history     " in install(CHECKOUT, "--upgrade")
    assert seen(history.with_name("history.before-schema-2.db")) == rows
    assert [row["id"] for row in seen(history)["request"]] == [row["id"] for row in rows["request"]]
    install(CHECKOUT, "--uninstall", "--purge", "--yes")
    left = {name: one for name, one in tree(home).items() if not name.startswith(".cache")}  # uv's and pip's own
    assert left == before
