"""Tries the wheel as people install it: by `uv tool install`, by pipx, and by pip in a fresh environment.

    python3 tests/installer/wheel_trial.py

Needs a network. Each installs everything anew; then the command has to run, the app to answer, and `pip check` to find
nothing. Ends with 1, and the reason, at the first thing that is not as it must be.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LOCK = CHECKOUT / "installer/requirements.lock"
PATIENCE_S = 60


def answers(command: Sequence[str], home: Path) -> None:
    """The installed command runs, and what it serves answers: the app, its help, its report.

    Raises:
        AssertionError: it does not.
    """
    env = {**os.environ, "O_SWITCHER_HOME": str(home), "HOME": str(home)}
    env = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
    home.mkdir(parents=True)
    (home / "config.toml").write_text('[secrets]\nstore = "file"\n[discovery]\nenabled = false\n')
    said = subprocess.run([*command, "--version"], env=env, cwd=home, capture_output=True, text=True, check=True).stdout
    with subprocess.Popen([*command, "serve", "--port", "0"], env=env, cwd=home, stderr=subprocess.PIPE) as process:
        try:
            running = _running(home / "running.json", process)
            with _get(f"{running['url']}/healthz") as answer:
                assert said.split() == ["o-switcher", json.load(answer)["version"]], said
            printed = [*command, "report", "--print"]
            address = subprocess.run(printed, env=env, cwd=home, capture_output=True, text=True, check=True).stdout
            with urllib.request.build_opener(_no_proxy(), urllib.request.HTTPCookieProcessor()).open(address) as answer:
                content = answer.read()
                packed = answer.headers.get("content-encoding") == "gzip"  # as pages are, whoever asks
                assert b"<html" in (gzip.decompress(content) if packed else content), "the report is no page"
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
    assert process.returncode == 0, f"it ended with {process.returncode}"


def _running(path: Path, process: subprocess.Popen[bytes]) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            found: dict[str, str] = json.loads(path.read_text())
            return found
        time.sleep(0.02)
    raise AssertionError("the app did not come up")


def _no_proxy() -> urllib.request.ProxyHandler:
    return urllib.request.ProxyHandler({})


def _get(address: str):  # type: ignore[no-untyped-def]  # what it returns has no public name
    return urllib.request.build_opener(_no_proxy()).open(address, timeout=10)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="o-switcher-wheel-trial-") as name:
        folder = Path(name)
        build = [sys.executable, str(CHECKOUT / "installer/wheels.py"), "--out", str(folder)]
        subprocess.run(build, check=True)
        (wheel,) = folder.glob("*.whl")
        for title, install in (("uv tool", by_uv), ("pipx", by_pipx), ("pip", by_pip)):
            started = time.monotonic()
            place = folder / title.replace(" ", "-")
            command = install(wheel, place)
            answers([str(command)], place / "home")
            print(f"{title}: good, {time.monotonic() - started:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    return 0


def by_uv(wheel: Path, place: Path) -> Path:
    """`uv tool install WHEEL`."""
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is not on PATH")
    folders = {"UV_TOOL_DIR": str(place / "tools"), "UV_TOOL_BIN_DIR": str(place / "bin")}
    command = [uv, "tool", "install", "--quiet", "--python", sys.executable, str(wheel)]
    subprocess.run(command, env=os.environ | folders, check=True)
    subprocess.run([uv, "pip", "check", "--quiet", "--python", str(place / "tools/o-switcher/bin/python")], check=True)
    return place / "bin/o-switcher"


def by_pipx(wheel: Path, place: Path) -> Path:
    """`pipx install WHEEL`, by a pipx of its own."""
    python = _fresh(place / "pipx")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pipx"], check=True)
    folders = {"PIPX_HOME": str(place / "home-of-pipx"), "PIPX_BIN_DIR": str(place / "bin")}
    command = [str(python), "-m", "pipx", "install", "--quiet", str(wheel)]
    subprocess.run(command, env=os.environ | folders, check=True, capture_output=True)
    return place / "bin/o-switcher"


def by_pip(wheel: Path, place: Path) -> Path:
    """`pip install WHEEL`, of the very versions of the lock."""
    python = _fresh(place / "venv")
    pip = [str(python), "-m", "pip"]
    constraints = [f"{line.partition(chr(92))[0].strip()}\n" for line in LOCK.read_text().splitlines() if "==" in line]
    (place / "constraints.txt").write_text("".join(constraints))
    command = [*pip, "install", "--quiet", "--constraint", str(place / "constraints.txt"), str(wheel)]
    subprocess.run(command, check=True)
    subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
    return place / "venv/bin/o-switcher"


def _fresh(place: Path) -> Path:
    venv.EnvBuilder(with_pip=True).create(place)
    return place / "bin/python"


if __name__ == "__main__":
    sys.exit(main())
