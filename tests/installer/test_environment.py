"""The environment: made once, kept while it fits, whole after every kind of interruption."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Checkout

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and shell scripts of POSIX")


def test_the_first_run_makes_it_and_says_so_and_the_second_starts_at_once(checkout: Checkout) -> None:
    first = checkout.run("run.py", "where")
    assert (first.returncode, "Setting up" in first.stderr, "done" in first.stderr) == (0, True, True)
    times = []
    for _ in range(5):
        before = os.times()
        second = checkout.run("run.py", "exit", "0")
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    # the app's own start included; time of the processor, since other programs may keep the machine busy
    assert min(times) < 0.2


def test_arguments_input_exit_code_and_signals_reach_the_app(checkout: Checkout) -> None:
    assert checkout.run("run.py", "copy", stdin="one\ntwo\n").stdout == "one\ntwo\n"
    assert checkout.run("run.py", "exit", "42").returncode == 42
    with checkout.start("run.py", "wait", "an argument") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 7
    assert (checkout.home / "calls").read_text().splitlines()[-1] == "wait an argument"


def test_the_app_runs_from_the_checkout_in_the_callers_folder(checkout: Checkout) -> None:
    (checkout.home / "json.py").write_text("raise SystemExit('the working folder shadows the library')")
    (checkout.home / "path").mkdir()
    (checkout.home / "path/tiny.py").write_text("raise SystemExit('PYTHONPATH shadows a package')")
    answer = checkout.where(PYTHONPATH=str(checkout.home / "path"))
    assert answer["file"] == str(checkout.folder / "tray_app/__main__.py")
    assert answer["folder"] == str(checkout.home)


def test_its_console_script_works_from_anywhere_and_sees_edits(checkout: Checkout) -> None:
    checkout.where()
    main = checkout.folder / "tray_app/__main__.py"
    main.write_text(main.read_text().replace("return int(words[1])", "return 9"))
    (script,) = checkout.environments.glob("*/bin/o-switcher")
    done = subprocess.run([script, "exit", "0"], cwd="/", env=checkout.variables, check=False)
    assert done.returncode == 9


def test_a_changed_lock_makes_a_new_one_and_removes_the_old(checkout: Checkout) -> None:
    assert checkout.where()["tiny"] == "1.0"
    before = checkout.made()
    checkout.lock("2.0")
    assert checkout.where()["tiny"] == "2.0"
    assert len(checkout.made()) == 1
    assert not checkout.made() & before


def test_another_checkout_gets_its_own_and_one_that_is_gone_loses_its(checkout: Checkout) -> None:
    checkout.where()
    first = checkout.made()
    moved = checkout.folder.rename(checkout.folder.with_name("moved"))
    shutil.copytree(moved, checkout.folder)
    checkout.folder = moved
    checkout.where()
    assert first < checkout.made()
    shutil.rmtree(moved.with_name("check out"))
    checkout.lock("2.0")
    checkout.where()
    assert len(checkout.made()) == 1
    assert not first & checkout.made()


def test_one_that_is_in_use_stays_until_its_app_ends(checkout: Checkout) -> None:
    checkout.where()
    before = checkout.made()
    with checkout.start("run.py", "wait") as process:
        assert process.stdout is not None
        process.stdout.readline()
        checkout.lock("2.0")
        checkout.where()
        assert before < checkout.made()
        process.terminate()
    checkout.lock("3.0")
    checkout.where()
    assert len(checkout.made()) == 1


def test_one_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    checkout.where()
    for link in checkout.environments.glob("*/bin/python*"):
        link.unlink()
    assert checkout.where()["tiny"] == "1.0"


@pytest.mark.parametrize("moment", range(3))
def test_killed_at_any_moment_the_next_run_makes_it_whole(checkout: Checkout, moment: int) -> None:
    with checkout.start("run.py", "where") as process:
        time.sleep(random.uniform(0.4 * moment, 0.4 * moment + 0.4))  # a moment, not a secret
        process.kill()
    assert checkout.where()["tiny"] == "1.0"
    assert len(checkout.made()) == 1


def test_killed_while_its_installer_lives_on_the_next_run_waits_for_that(checkout: Checkout) -> None:
    checkout.index.slow = "tiny-1.0-py3-none-any.whl"
    with checkout.start("run.py", "where") as killed:
        assert checkout.index.held.wait(30)
        killed.kill()
        with checkout.start("run.py", "where") as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "Another set-up is under way: waiting for it.\n"
            checkout.index.go.set()
            out, err = second.communicate(timeout=60)
    assert (second.returncode, '"tiny": "1.0"' in out) == (0, True), err


def test_two_at_once_make_one(checkout: Checkout) -> None:
    with checkout.start("run.py", "where") as one, checkout.start("run.py", "where") as two:
        outputs = [process.communicate(timeout=60) for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0]
    assert sum("Setting up" in err for _, err in outputs) == 1
    assert len(checkout.made()) == 1


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The problem as it is told: the last line, and the only one that is not progress."""
    *progress, problem = done.stderr.splitlines()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(line.startswith(("Setting up", "Installing", "  Installing", "uv could")) for line in progress), progress
    return problem


def test_a_package_that_is_not_what_the_lock_names_is_refused(checkout: Checkout) -> None:
    checkout.index.files["tiny-1.0-py3-none-any.whl"] += b"tampered"
    problem = one_line(checkout.run("run.py", "where"))
    assert "package (tiny) does not have the hash that the lock names" in problem
    assert checkout.run("run.py", "where").returncode == 1  # and it stays refused


def test_a_pip_that_is_not_the_pinned_one_is_refused(checkout: Checkout, pip_wheel: Path) -> None:
    checkout.index.files[pip_wheel.name] += b"tampered"
    assert "does not have the expected SHA-256" in one_line(checkout.run("run.py", "where"))


def test_without_a_network_it_says_so_at_once(checkout: Checkout) -> None:
    dead = {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": ""}
    started = time.monotonic()
    assert one_line(checkout.run("run.py", "where", **dead)).startswith("O-Switcher: no answer from 127.0.0.1")
    assert time.monotonic() - started < 5
    checkout.where()  # pip is there from now on
    checkout.lock("2.0")
    problem = one_line(checkout.run("run.py", "where", **dead))
    assert problem.startswith("O-Switcher: no answer from the package index: check the network")


def test_a_place_that_cannot_be_written_is_one_line(checkout: Checkout) -> None:
    (checkout.home / "file").touch()
    problem = one_line(checkout.run("run.py", O_SWITCHER_ENV_DIR=str(checkout.home / "file")))
    assert str(checkout.home / "file") in problem


def test_a_full_disk_is_one_line(checkout: Checkout) -> None:
    place = checkout.home / "small disk"
    place.mkdir()
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"', str(place)]
    if os.geteuid() != 0 or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting needs root")
    command = [*mount, sys.executable, str(checkout.folder / "installer/run.py")]
    variables = checkout.variables | {"O_SWITCHER_ENV_DIR": str(place)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert "the disk is nearly full: 8 MB are free" in one_line(done)


def test_a_python_that_is_too_old_is_told_what_is_needed(checkout: Checkout) -> None:
    pretend = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1], run_name='__main__')"
    for script in ("run.py", "test.py", "install.py", "lock.py"):
        path = checkout.folder / "installer" / script
        # run_path does not put the script's folder on the path, as Python itself does
        variables = checkout.variables | {"PYTHONPATH": str(path.parent)}
        command = [sys.executable, "-c", pretend, str(path)]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("O-Switcher needs Python 3.11 or newer, and this is Python 3.9.2 (")
        assert done.stderr.count("\n") == 1


def test_uv_is_taken_where_it_is_on_path(checkout: Checkout) -> None:
    if not checkout.prefer_uv():
        pytest.skip("no uv here")
    done = checkout.run("run.py", "where")
    assert (done.returncode, "with uv: done" in done.stderr) == (0, True), done.stderr
    assert not any("/pip" in path for path in checkout.index.asked)
    checkout.lock("2.0")
    checkout.index.files["tiny-2.0-py3-none-any.whl"] += b"tampered"
    problem = one_line(checkout.run("run.py", "where"))
    assert "package (tiny) does not have the hash that the lock names" in problem


def test_a_uv_that_does_not_work_gives_way_to_pip(checkout: Checkout) -> None:
    (checkout.home / "bin").mkdir()
    uv = checkout.home / "bin/uv"
    uv.write_text("#!/bin/sh\necho broken >&2\nexit 127\n")
    uv.chmod(0o755)
    done = checkout.run("run.py", "where", PATH=f"{uv.parent}:/usr/bin:/bin")
    assert (done.returncode, "with pip: done" in done.stderr) == (0, True)
