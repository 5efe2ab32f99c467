"""The Debian packages that the tests need: a desktop to show a tray on, a browser, coding agents' Node.js.

Installed as root without questions; an ordinary user gets the one command that does it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from terminal import Problem, say

# package -> what the tests need it for
NEEDED = {
    "dbus": "a private session bus for the tray",
    "xvfb": "a screen without a screen",
    "xfce4-panel": "a panel that hosts tray icons",
    "openbox": "a window manager under it, and a session that starts programs",
    "python3-xdg": "what openbox reads autostart entries with",
    "xdotool": "a person's clicks",
    "x11-utils": "asking what is on that screen",
    "imagemagick": "screenshots",
    "dunst": "notifications",
    "chromium": "the report as a browser shows it",
    "nginx-light": "a proxy between client and app",
    "prometheus": "its promtool, which judges the metrics",
    "tmux": "the live view in a terminal",
    "sqlite3": "reading the history as a person would",
    "nsis": "compiling the Windows installer",
    "desktop-file-utils": "checking menu and autostart entries",
    "debootstrap": "a bare machine to try the two commands on",
    "nodejs": "coding agents that are written for it",
    "npm": "getting those",
    "fonts-dejavu-core": "text on those screens",
}

# package -> its command, where that may be there without it: other builds of Node.js bring their own npm
COMMANDS = {"nodejs": "node", "npm": "npm"}


def ensure(*, needed: bool) -> None:
    """Installs what is missing, or says which command does; if not all are `needed`, goes on without."""
    if sys.platform != "linux":
        say("Not Linux: tests of the Linux tray, of the bare machine and of the browser will not run here.")
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg-query"):
        say(f"Not a Debian: tests that lack one of these will not run here: {', '.join(NEEDED)}.")
        return
    absent = missing()
    if not absent:
        return
    if os.geteuid() != 0:
        told = (
            f"the tests need {len(absent)} system packages that are not installed ({', '.join(absent)}). Install them "
            f"with:\n  sudo apt-get update && sudo apt-get install --yes --no-install-recommends {' '.join(absent)}"
        )
        if needed:
            raise Problem(told)
        say(f"O-Switcher: {told}")
        return
    say(f"Installing {len(absent)} system packages for the tests: {', '.join(absent)}")
    # lists that are there are usually good enough, and an update is slow; old ones name files that are gone
    tried = _apt("install", *absent) if _known(absent) else 1
    if tried != 0 and (_apt("update") != 0 or _apt("install", *absent) != 0):
        raise Problem("apt-get could not install the packages: what it says stands above.")


def missing() -> list[str]:
    """The needed packages that are not installed."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *NEEDED]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [package for package in NEEDED if package not in installed and not _has_command(package)]


def _has_command(package: str) -> bool:
    return package in COMMANDS and shutil.which(COMMANDS[package]) is not None


def _known(names: list[str]) -> bool:
    """Whether apt's lists, if there are any, tell it how to install these."""
    command = ["apt-get", "--simulate", "install", "--no-install-recommends", *names]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _apt(action: str, *names: str) -> int:
    options = ["--yes", "--no-install-recommends"] if names else []
    command = ["apt-get", "--quiet", "-o", "Dpkg::Use-Pty=0", action, *options, *names]
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # its output goes to stderr: stdout is for the tests' own results
    return subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
