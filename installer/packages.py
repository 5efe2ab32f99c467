"""Puts the packages of a lock into a virtual environment, by uv where it is on PATH, else by pip.

Every file is fixed by its hash and must be a ready-made wheel: nothing is built, so no compiler and no
unhashed build dependency is ever needed. What the tools say goes to a log beside the environment; a
person sees how far it is, and on failure one line that says what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetch import pip_archive
from python_version import NEEDED, NEWEST_TRIED
from sources import read_sources
from terminal import Problem, Progress, say

PIP_LOCK = Path(__file__).resolve().parent / "pip.lock"
TICK_S = 0.5

HASH_MARKS = ("DO NOT MATCH THE HASHES", "Hash mismatch", "HashMismatch", "Hashes are required", "do not match")
DISK_MARKS = ("No space left on device", "Errno 28", "os error 28", "Disk quota exceeded", "os error 122")
CERTIFICATE_MARKS = ("CERTIFICATE_VERIFY_FAILED", "invalid peer certificate", "SSLCertVerificationError")
NETWORK_MARKS = (
    "Connection refused",
    "Connection broken",
    "Failed to establish a new connection",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Max retries exceeded",
    "Network is unreachable",
    "ProxyError",
    "ReadTimeoutError",
    "client error (Connect)",
    "connection error",
    "dns error",
    "error sending request",
    "operation timed out",
    "tunnel error",
)
NO_WHEEL_MARKS = ("No matching distribution found for", "has no usable wheels", "no wheels with a matching")
FINAL = "hash", "disk"  # no other tool could do better


@dataclass(frozen=True, slots=True)
class Target:
    """The environment to fill."""

    python: Path
    site_packages: Path
    log: Path
    downloads: Path
    held: int  # the descriptor of the set-up lock: children inherit it, see `Tool.run`


class Failed(Exception):
    """A tool gave up; `kind` says why, as far as its output tells."""

    def __init__(self, kind: str, problem: Problem) -> None:
        super().__init__(kind)
        self.kind = kind
        self.problem = problem


def install(lock: Path, target: Target, make_empty: Callable[[], None]) -> None:
    """Fills the environment with the lock's packages; `make_empty` gives each tool a fresh start."""
    sources = read_sources()
    total = count_packages(lock.read_text(encoding="utf-8"))
    options = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(lock)]
    uv = shutil.which("uv")
    if uv:
        make_empty()
        try:
            command = [uv, "pip", "install", "--python", str(target.python), *options]
            _run("uv", command, sources.for_uv(os.environ), target, total)
            return
        except Failed as failed:
            if failed.kind in FINAL:
                raise failed.problem from None
            say("uv could not do it, so pip does.")
    make_empty()
    archive = pip_archive(PIP_LOCK, target.downloads, sources)
    command = [str(target.python), "-I", f"{archive}/pip", "install", "--no-compile", "--progress-bar", "off"]
    try:
        _run("pip", [*command, *options], sources.for_pip(os.environ), target, total)
    except Failed as failed:
        raise failed.problem from None


def compile_all(target: Target, folders: Sequence[Path]) -> None:
    """Byte-compiles everything in `folders`: else the first start of the app would, and take seconds."""
    with Progress("Compiling") as progress:
        command = [str(target.python), "-I", "-m", "compileall", "-qq"]
        for workers in ("0", "1"):  # several at once need shared memory, which a bare chroot may lack
            run = Run([*command, "-j", workers, *map(str, folders)], None, target)
            run.wait(lambda: progress.update("under way"))
            if "Traceback" not in run.text():
                return  # files that do not compile (templates, code for other versions) do not matter


def count_packages(lock: str) -> int:
    """How many of a lock's packages are for this machine, near enough for a progress line."""
    count = 0
    for line in re.findall(r"^[\w.-]+==.*$", lock, re.MULTILINE):
        only = re.search(r"sys_platform == '(\w+)'", line)
        never = re.search(r"sys_platform != '(\w+)'", line)
        count += not (only and only[1] != sys.platform) and not (never and never[1] == sys.platform)
    return count


class Run:
    """One tool at work: its output is kept in the log, and in memory for the diagnosis."""

    def __init__(
        self, command: Sequence[str], environ: dict[str, str] | None, target: Target, folder: Path | None = None
    ) -> None:
        self._lines: list[str] = []
        self._log = target.log
        # The set-up lock goes along: if this process is killed and the tool lives on for a moment,
        # the next set-up waits for it instead of working in the same folder.
        kept = {} if sys.platform == "win32" else {"pass_fds": (target.held,)}
        self._process = subprocess.Popen(
            command,
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            **kept,  # type: ignore[call-overload]  # the overloads do not know a dictionary of options
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._log.open("a", encoding="utf-8") as log, self._process.stdout as said:
            for line in said:
                self._lines.append(line)
                log.write(line)

    def wait(self, tick: Callable[[], None]) -> int:
        """The exit code, calling `tick` now and then until it is there."""
        try:
            while self._reader.is_alive():
                self._reader.join(TICK_S)
                tick()
            return int(self._process.wait())
        except BaseException:
            self._process.terminate()
            self._process.wait()
            raise

    def text(self) -> str:
        return "".join(self._lines)

    def lines_with(self, mark: str) -> int:
        return sum(mark in line for line in self._lines)


def _run(name: str, command: list[str], environ: dict[str, str], target: Target, total: int) -> None:
    with Progress(f"Installing {total} packages with {name}") as progress:
        try:
            run = Run(command, environ, target)
        except OSError as error:
            raise Failed("broken", Problem(f"{command[0]} does not start: {error.strerror}.")) from error

        def tick() -> None:
            installed = sum(1 for _ in target.site_packages.glob("*.dist-info"))
            found = min(run.lines_with("Collecting "), total)
            progress.update(f"{installed} installed" if installed else f"{found} of {total} downloaded")

        if run.wait(tick) != 0:
            raise diagnose(run.text(), target.log)


def diagnose(output: str, log: Path) -> Failed:
    """What a tool's output says of its failure, with the advice that goes with it."""

    def shows(marks: tuple[str, ...]) -> bool:
        return any(mark.lower() in output.lower() for mark in marks)

    if shows(DISK_MARKS):
        return Failed("disk", Problem("the disk is full: free some space and run the same command again."))
    if shows(HASH_MARKS):
        return Failed(
            "hash",
            Problem(
                f"a downloaded package{_culprit(output)} does not have the hash that the lock names, so nothing was "
                "installed: the package index is at fault, or the lock is damaged (git restore installer). "
                f"Details: {log}"
            ),
        )
    if shows(CERTIFICATE_MARKS):
        return Failed(
            "certificate",
            Problem(
                "the package index's certificate is not trusted here: where your network has its own certificate "
                "authority, set PIP_CERT to its file and run the same command again."
            ),
        )
    if shows(NETWORK_MARKS):
        return Failed(
            "network",
            Problem(
                "no answer from the package index: check the network (behind a proxy set HTTPS_PROXY, for another "
                f"index PIP_INDEX_URL) and run the same command again. Details: {log}"
            ),
        )
    if shows(NO_WHEEL_MARKS):
        return Failed(
            "wheel",
            Problem(
                f"no ready-made package{_culprit(output)} for this Python ({sys.version.split()[0]}) on this system: "
                f"use Python {NEEDED[0]}.{NEEDED[1]} to 3.{NEWEST_TRIED}. Details: {log}"
            ),
        )
    errors = re.findall(r"^(?:ERROR|error): (.*)$", output, re.MULTILINE)
    last = f" ({errors[-1].strip()[:200]})" if errors else ""
    return Failed("unknown", Problem(f"the packages could not be installed{last}. Details: {log}"))


def _culprit(output: str) -> str:
    """The package a failure is about, where one is named."""
    found = re.search(r"([\w.-]+)==[\w.]+ (?:from|has no)|No matching distribution found for ([\w.-]+)", output)
    found = found or re.search(r"(?:download|read)[^`]*`([\w.-]+)==", output)
    name = next((group for group in found.groups() if group), "") if found else ""
    return f" ({name})" if name else ""
