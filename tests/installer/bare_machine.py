"""Tries the README's two commands on a bare machine: a fresh Debian that holds python3 and nothing else.

    python3 tests/installer/bare_machine.py             # run.py, as an ordinary user
    python3 tests/installer/bare_machine.py --install   # and then install.py, as the same user
    python3 tests/installer/bare_machine.py --tests     # and then test.py, as root (slow: it runs everything)

Needs root, debootstrap and a network. The bare machine gets this machine's apt sources, and pip's index,
certificate and proxy as PIP_ variables; everything else is as Debian ships it.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "installer"))

from sources import read_sources  # noqa: E402  # found only once its folder is on the path

USER = 1000
INSIDE = "O_SWITCHER_BARE_MACHINE"  # set there, so that its own tests do not make another one inside
CERTIFICATES = "/usr/local/share/this-network.pem"  # not the system's own file, which a package may write anew
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class BareMachine:
    """A fresh Debian in a folder; `run` works in it with its own mounts, which vanish by themselves."""

    def __init__(self, root: Path, suite: str, holds: str = "python3") -> None:
        self.root = root
        self._suite = suite
        self._holds = holds
        self._environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", INSIDE: "1"}

    def make(self) -> None:
        """Debootstraps it and copies the checkout in, as an ordinary user would have it."""
        variant = ["--variant=minbase", *([f"--include={self._holds}"] if self._holds else [])]
        command = ["debootstrap", *variant, self._suite, str(self.root), *apt_mirror(self._suite)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        self._share_network_settings()
        home = self.root / "home/user"
        skip = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", ".coverage*", ".venv")
        shutil.copytree(CHECKOUT, home / "o-switcher", ignore=skip)
        with (self.root / "etc/passwd").open("a") as users:
            users.write(f"user:x:{USER}:{USER}::/home/user:/bin/sh\n")
        for path in (home, *home.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)

    def run(self, command: list[str], *, user: int = 0, home: str = "") -> tuple[int, float]:
        """Runs a command in the checkout; its exit code and seconds."""
        started = time.monotonic()
        done = subprocess.run(self._inside(command, user, home), stdin=subprocess.DEVNULL, check=False)
        return done.returncode, time.monotonic() - started

    def hear(self, command: list[str], *, user: int = 0, home: str = "") -> subprocess.CompletedProcess[str]:
        """The same, with what it says."""
        inside = self._inside(command, user, home)
        return subprocess.run(inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def _inside(self, command: list[str], user: int, home: str) -> list[str]:
        mounts = (
            "-t proc proc $0/proc",
            "-t tmpfs tmpfs $0/dev/shm",
            "-t devpts -o newinstance,ptmxmode=666 devpts $0/dev/pts",
        )
        inner = "; ".join(f"mount {mount}" for mount in mounts) + '; exec chroot "$@"'
        chroot = [f"--userspec={user}:{user}", str(self.root), "/usr/bin/env", "-i"]
        environ = self._environ | {"HOME": home or pwd.getpwuid(0).pw_dir}
        settings = [f"{name}={value}" for name, value in environ.items()]
        inside = ["/bin/sh", "-c", 'cd /home/user/o-switcher && exec "$@"', "sh", *command]
        outer = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", inner, str(self.root)]
        return [*outer, *chroot, *settings, *inside]

    def _share_network_settings(self) -> None:
        for name in ("resolv.conf", "hosts"):
            shutil.copyfile(Path("/etc", name), self.root / "etc" / name)
        skip = shutil.ignore_patterns("sources.list*")  # debootstrap wrote one for its own suite
        shutil.copytree("/etc/apt", self.root / "etc/apt", ignore=skip, dirs_exist_ok=True)
        settings = read_sources().settings
        kept = {name: value for name, value in settings.items() if name in {"index-url", "proxy", "trusted-host"}}
        certificates = settings.get("cert") or os.environ.get("SSL_CERT_FILE")
        if certificates:
            (self.root / CERTIFICATES[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(certificates, self.root / CERTIFICATES[1:])
            kept["cert"] = CERTIFICATES
            self._environ["NODE_EXTRA_CA_CERTS"] = CERTIFICATES
        self._environ |= {"PIP_" + name.upper().replace("-", "_"): value for name, value in kept.items()}
        self._environ |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def apt_mirror(suite: str) -> list[str]:
    """The mirror that this machine's apt takes that suite from; empty where it has none: debootstrap's own then."""
    query = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"]
    rows = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    sites = [(release != suite, site) for site, _, release in (row.partition(" ") for row in rows)]
    return [min(sites)[1]] if sites else []  # that suite's, else any: a mirror has all of them


def try_run(machine: BareMachine) -> bool:
    """`run.py demo`, twice, as an ordinary user: it has to work, and the second time at once."""
    fine = True
    for turn in ("first", "second"):
        command = ["python3", "installer/run.py", "demo", "--once"]
        code, seconds = machine.run(command, user=USER, home="/home/user")
        print(f"run.py, {turn} time: exit {code}, {seconds:.1f} s", flush=True)
        fine = fine and code == 0
    return fine


def try_install(machine: BareMachine) -> bool:
    """install.py as the README has it: installed, used, upgraded, and taken away without a trace."""
    installed = "/home/user/.local/bin/o-switcher"
    steps = [
        (["python3", "installer/install.py", "--yes"], 0),
        ([installed, "status"], 3),
        ([installed, "doctor"], 1),  # there is no profile yet
        ([installed, "mcp", "--help"], 0),
        ([installed, "autostart", "status"], 0),
        (["python3", "installer/install.py", "--upgrade"], 0),
        (["python3", "/home/user/.local/share/o-switcher/installer/install.py", "--uninstall", "--purge", "--yes"], 0),
    ]
    fine = True
    for command, expected in steps:
        code, seconds = machine.run(command, user=USER, home="/home/user")
        print(f"{' '.join(command)}: exit {code}, {seconds:.1f} s", flush=True)
        fine = fine and code == expected
    home = machine.root / "home/user"
    left = sorted(str(path.relative_to(home)) for path in home.iterdir() if path.name not in ("o-switcher", ".cache"))
    print(f"left in the home: {left}", flush=True)
    return fine


def try_tests(machine: BareMachine) -> bool:
    """`test.py` as root."""
    code, seconds = machine.run(["python3", "installer/test.py"])
    print(f"test.py: exit {code}, {seconds:.1f} s", flush=True)
    return code == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Tries the README's two commands on a bare Debian.")
    parser.add_argument("--tests", action="store_true", help="test.py too")
    parser.add_argument("--install", action="store_true", help="install.py too")
    parser.add_argument("--suite", default="bookworm")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="o-switcher-bare-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        machine = BareMachine(root, options.suite)
        started = time.monotonic()
        machine.make()
        print(f"bare {options.suite} made in {time.monotonic() - started:.1f} s", flush=True)
        fine = try_run(machine)
        fine = (not options.install or try_install(machine)) and fine
        fine = (not options.tests or try_tests(machine)) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
