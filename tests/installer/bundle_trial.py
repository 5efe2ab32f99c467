"""Freezes the app and tries what came of it: its commands, its extras, the demo, and its tray on a real bus.

    PYTHON tests/installer/bundle_trial.py          # PYTHON: that of the tests' environment

Linux, with dbus-daemon. Ends with 1, and the reason, at the first thing that is not as it must be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1]))  # where this is run as a script

from tests.installer.tray_trial import try_tray  # noqa: E402  # only found once the folder is on the path

BUNDLE = HERE.parents[1] / "installer/bundle.py"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "trial", "version": "1"}},
}
COPYLEFT = {"pystray": "COPYING.LGPL", "python-xlib": "", "certifi": "LICENSE"}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="o-switcher-bundle-trial-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(BUNDLE), "--keep", "--out", str(folder)], check=True)
        program = folder / "o-switcher/o-switcher"
        size = sum(path.stat().st_size for path in program.parent.rglob("*") if not path.is_symlink())
        figures = {"unpacked_mb": round(size / 1e6, 1), **try_frozen(program, folder)}
        print(f"good, load {os.getloadavg()[0]:.1f}: {json.dumps(figures)}")
    return 0


def try_frozen(program: Path, folder: Path) -> dict[str, object]:
    """Everything that may be missing from a frozen app; what was measured.

    Raises:
        AssertionError: something is missing.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environ |= {"O_SWITCHER_HOME": str(folder / "home"), "HOME": str(folder), "LD_LIBRARY_PATH": "/the/users/own"}

    def say(*words: str, code: int = 0, stdin: str = "") -> str:
        done = subprocess.run(
            [str(program), *words], env=environ, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{words}: exit {done.returncode}: {done.stderr[-2000:]}"
        return done.stdout + done.stderr

    times = []
    for _ in range(5):
        started = time.monotonic()
        assert say("--version").startswith("o-switcher ")
        times.append(time.monotonic() - started)
    licences = {row["name"]: row for row in json.loads(say("licences", "--json"))}
    assert {"starlette", "keyring", "mcp", "textual"} <= licences.keys(), "the packages' metadata is not all there"
    assert "pyinstaller" not in licences and "hatchling" not in licences
    for name, text in COPYLEFT.items():
        assert licences[name]["kind"] == "weak copyleft"
        assert any(file.endswith(text) for file in licences[name]["texts"]) or not text
    assert (program.parent / "_internal/pystray/_base.py").is_file(), "what is under the LGPL cannot be exchanged"
    assert "is not running" in say("top", code=3), "top lacks its library"
    shown = say("mcp", stdin=json.dumps(INITIALIZE) + "\n")
    assert json.loads(shown.splitlines()[0])["result"]["serverInfo"]["name"], shown
    assert "127.0.0.1" in say("demo", "--once")
    seen = try_tray([str(program)], folder / "trial", environ)
    return {"version_s": round(min(times), 2), **asdict(seen)}


if __name__ == "__main__":
    sys.exit(main())
