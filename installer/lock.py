"""Refreshes the locks beside it, by uv and npm: `python3 installer/lock.py`, or with `--upgrade` for newest versions.

Without arguments pins stay as they are, as far as pyproject.toml allows. The locks hold for Linux, macOS
and Windows, and name only files that are ready-made wheels, each with its hash. That of the coding agents
names no addresses: npm takes them from whichever registry it is told of.
"""

import python_version  # noqa: F401, I001  # first: it refuses a Python that cannot read the rest

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import environment
from terminal import Problem, run_or_explain, say

COMMON = [
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate"),
    *("--only-binary", ":all:", "--no-emit-index-url", "--no-emit-find-links"),
    *("--custom-compile-command", "python3 installer/lock.py"),
]
AGENTS = ["--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]


def main(arguments: list[str]) -> int:
    # the test environment has one, by the lock as it was
    uv = shutil.which("uv") or str(environment.ensure(environment.TEST).python.with_name("uv"))
    runtime, tests = "installer/requirements.lock", "installer/requirements-test.lock"
    # with every extra: what a person had added by hand would be lost with the next environment
    _compile(uv, runtime, "pyproject.toml", "--all-extras", *arguments)
    # the tests must run on the very versions that users get
    _compile(uv, tests, "pyproject.toml", "--group", "test", "--constraint", runtime, *arguments)
    # and so must what is frozen be
    _compile(
        uv, "installer/requirements-build.lock", "pyproject.toml", "--group", "build", "--constraint", tests, *arguments
    )
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("pip\n")
        wanted.flush()
        _compile(uv, "installer/pip.lock", wanted.name, *arguments)
    _compile(uv, "installer/requirements-clients.lock", "--group", "clients", *arguments)
    _lock_agents(upgrade="--upgrade" in arguments)
    return 0


def _compile(uv: str, output: str, *arguments: str) -> None:
    command = [uv, *COMMON, "--output-file", output, *arguments]
    if subprocess.run(command, cwd=environment.CHECKOUT, env=_environment(), check=False).returncode != 0:
        raise Problem(f"uv could not make {output}: what it says stands above.")
    packages = re.findall(r"^[\w.-]+==", (environment.CHECKOUT / output).read_text(encoding="utf-8"), re.MULTILINE)
    say(f"{output}: {len(packages)} packages")


def _lock_agents(*, upgrade: bool) -> None:
    folder = environment.HERE / "clients"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    options = [["--save-exact"]]
    if upgrade:
        sections = {"--save-prod": "dependencies", "--save-optional": "optionalDependencies"}
        options = [
            ["--save-exact", kind, *(f"{name}@latest" for name in wanted[section])]
            for kind, section in sections.items()
        ]
    for chosen in options:
        command = ["npm", "install", *AGENTS, *chosen]
        if not shutil.which("npm") or subprocess.run(command, cwd=folder, check=False).returncode != 0:
            raise Problem("npm could not make the coding agents' lock: what it says stands above, if it is there.")
    locked = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    say(f"installer/clients/package-lock.json: {len(locked) - 1} packages")


def _environment() -> dict[str, str]:
    """No settings of this machine may slip into the locks."""
    return {name: value for name, value in os.environ.items() if not name.startswith("UV_")} | {"UV_NO_CONFIG": "1"}


if __name__ == "__main__":
    sys.exit(run_or_explain(main))
