"""Installing for a user, updating, and taking it away again."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desktop import exec_quoted

from .conftest import CHECKOUT, Checkout

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
        main.write_text(main.read_text().replace("return 3", "return 0"))
        assert "The running app still is the earlier version" in checkout.run("install.py").stdout
        assert len(checkout.made()) == 2
        running.terminate()
    main.write_text(main.read_text() + "\n")
    checkout.run("install.py")
    assert len(checkout.made()) == 1
    assert ask(app, checkout, "exit", "4").returncode == 4


@pytest.mark.parametrize(
    ("option", "called"),
    [("--autostart", "autostart enable"), ("--no-autostart", "autostart disable"), ("", "autostart status")],
)
def test_launch_at_login_is_the_apps_own_command(checkout: Checkout, option: str, called: str) -> None:
    done = checkout.run("install.py", *([option] if option else []))
    assert done.returncode == 0
    assert (checkout.home / "calls").read_text().splitlines() == [called]


def test_on_a_terminal_it_asks(checkout: Checkout) -> None:
    main, terminal = pty.openpty()
    command = [sys.executable, str(checkout.folder / "installer/install.py")]
    with subprocess.Popen(
        command, env=checkout.variables, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        os.write(main, b"y\n")
        seen = b""
        try:
            for chunk in iter(lambda: os.read(main, 4096), b""):
                seen += chunk
        except OSError:
            pass  # how a terminal says that its program has ended
    os.close(main)
    assert process.returncode == 0
    assert b"Start O-Switcher at login? [y/N]" in seen
    assert (checkout.home / "calls").read_text().splitlines() == ["autostart enable"]


def test_uninstalling_takes_everything_but_history_and_keys(checkout: Checkout, app: Path) -> None:
    shutil.rmtree(checkout.folder)
    history = checkout.data / "history.db"
    history.touch()
    command = [sys.executable, str(checkout.data / "installer/install.py"), "--uninstall"]
    done = subprocess.run(command, env=checkout.variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "History, settings and keys are kept" in done.stdout
    calls = (checkout.home / "calls").read_text().splitlines()
    assert calls[-4:] == ["stop", "autostart disable", "connections --json", "disconnect codex"]
    left = files(checkout.home) - {"calls", "bin/uv"}
    kept = {"history.db", "environments/set-up.lock"}
    downloads = {path for path in left if "/downloads/" in path}
    assert left - downloads == {f".local/share/o-switcher/{name}" for name in kept}


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
    assert "profiles remove openai-main" in (checkout.home / "calls").read_text()


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


def test_the_real_app_installs_and_goes(tmp_path: Path) -> None:
    """With the real lock, from wherever this machine takes its packages."""
    variables = os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    variables.pop("O_SWITCHER_ENV_DIR", None)
    script = [sys.executable, str(CHECKOUT / "installer/install.py")]
    subprocess.run([*script, "--autostart"], env=variables, check=True)
    app = tmp_path / ".local/bin/o-switcher"
    assert subprocess.run([app, "status"], env=variables, cwd="/", check=False).returncode == 3
    (entry,) = (tmp_path / ".config/autostart").iterdir()
    assert str(app) in entry.read_text()
    subprocess.run([*script, "--uninstall", "--purge", "--yes"], env=variables, check=True)
    assert not entry.exists()
    assert not app.is_symlink()
