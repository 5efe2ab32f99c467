"""`python3 installer/test.py` runs every check on a fresh machine; with arguments, pytest alone with these.

It makes its own environments, installs the system packages that the tests need (as root), then runs every
stage even if an earlier one failed, so that one run shows everything that is wrong.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import environment
import system_packages
from terminal import run_or_explain

# Tests wait more than they compute, for desktops, browsers and programs to start: these run beside the others, each
# line in a process of its own. More of them crowd two cores. Only the others may use what there is but one of, such
# as a port.
BESIDE = (
    ("tests/agents", "tests/core", "tests/ledger", "tests/proxy", "tests/simulator"),
    ("tests/clients", "tests/control", "tests/faces/cli", "tests/faces/web", "tests/host"),
)
COVERAGE_ALL = 90
COVERAGE_CORE = 100


@dataclass(slots=True)
class Stage:
    """One check and how it went."""

    name: str
    run: Callable[[], int]
    code: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Suite:
    """The stages, run with the environment's Python in the checkout."""

    python: str
    closing: list[str] = field(default_factory=list)

    def stages(self) -> list[Stage]:
        return [
            Stage("ruff check", lambda: self._module("ruff", "check")),
            Stage("ruff format", lambda: self._module("ruff", "format", "--check")),
            Stage("mypy", lambda: self._module("mypy")),
            Stage("pytest", self.everything),
            Stage(f"coverage {COVERAGE_ALL} %", lambda: self._coverage(COVERAGE_ALL, "tray_app/*")),
            Stage(f"coverage of core {COVERAGE_CORE} %", lambda: self._coverage(COVERAGE_CORE, "tray_app/core/*")),
        ]

    def pytest(self, arguments: list[str]) -> int:
        """Runs pytest, passing its output on as it comes."""
        return subprocess.run(self._command("pytest", *arguments), cwd=environment.CHECKOUT, check=False).returncode

    def everything(self) -> int:
        """Runs all tests, and keeps the closing lines of each process; their output comes one after the other."""
        lanes = [[folder for folder in lane if (environment.CHECKOUT / folder).is_dir()] for lane in BESIDE]
        rest = ["tests", *(f"--ignore={folder}" for lane in lanes for folder in lane)]
        # what Hypothesis tries follows from the code, so that a change is judged by itself; with arguments it varies
        measured = self._command("coverage", "run", "-m", "pytest", "--hypothesis-profile=ci")
        self._module("coverage", "erase")
        with ThreadPoolExecutor() as threads:
            others = [(lane, threads.submit(_kept, [*measured, *lane], shown=False)) for lane in lanes if lane]
            code, output = _kept([*measured, *rest], shown=True)
            self.closing = closing_lines(output)
            for lane, other in others:
                beside, output = other.result()
                print(f"\n--- beside it: {' '.join(lane)}\n{output}", flush=True)
                self.closing += closing_lines(output)
                code = code or beside
        self._module("coverage", "combine", "--quiet")
        return code

    def _command(self, *arguments: str) -> list[str]:
        return [self.python, "-m", *arguments]

    def _module(self, *arguments: str) -> int:
        return subprocess.run(self._command(*arguments), cwd=environment.CHECKOUT, check=False).returncode

    def _coverage(self, least: int, files: str) -> int:
        return self._module("coverage", "report", f"--fail-under={least}", f"--include={files}")


def _kept(command: list[str], *, shown: bool) -> tuple[int, str]:
    """Runs `command`: its exit code, and its latest output, which is passed on as it comes if `shown`."""
    tail = b""
    with subprocess.Popen(
        command,
        cwd=environment.CHECKOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        pipe = process.stdout.fileno()
        for chunk in iter(lambda: os.read(pipe, 65536), b""):  # what is there, as soon as it is there
            if shown:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            tail = (tail + chunk)[-262144:]
    return process.returncode, tail.decode("utf-8", "replace")


def closing_lines(output: str) -> list[str]:
    """What pytest says at its end: the list of what failed, and the line that counts."""
    lines = re.sub(r"\x1b\[[\d;]*m", "", output).splitlines()
    starts = [number for number, line in enumerate(lines) if "short test summary info" in line]
    counts = [number for number, line in enumerate(lines) if re.match(r"=+ .*\bin [\d.]+s\b.*=+$", line)]
    if not counts:
        return lines[-20:]
    start = starts[-1] if starts and starts[-1] < counts[-1] else counts[-1]
    wanted = [line for line in lines[start : counts[-1]] if line.startswith(("FAILED", "ERROR"))]
    return [*wanted[-30:], lines[counts[-1]]]


def main(arguments: list[str]) -> int:
    system_packages.ensure(needed=not arguments)
    suite = Suite(str(environment.ensure(environment.TEST).python))
    if arguments:
        return suite.pytest(arguments)
    environment.ensure(environment.CLIENTS)  # before the stages: else it would be a test that waits for it
    return run_all(suite)


def run_all(suite: Suite) -> int:
    """Every stage in order, and the summary; 1 if any failed."""
    stages = suite.stages()
    for stage in stages:
        print(f"\n--- {stage.name}", flush=True)
        started = time.monotonic()
        stage.code = stage.run()
        stage.seconds = time.monotonic() - started
    return _summary(stages, suite.closing)


def _summary(stages: list[Stage], closing: list[str]) -> int:
    print("\n--- summary")
    print("\n".join(closing))
    times = (f"{stage.name}: {'FAILED' if stage.code else 'ok'} {stage.seconds:.1f} s" for stage in stages)
    print(" | ".join(times), flush=True)
    return 1 if any(stage.code for stage in stages) else 0


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
