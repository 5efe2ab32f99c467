"""The locks: whole, hashed, of no particular machine, and in step with pyproject.toml."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fetch import read_pin
from packages import PIP_LOCK
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from python_version import NEEDED

from .conftest import CHECKOUT, SCRIPTS

RUNTIME, TESTS = SCRIPTS / "requirements.lock", SCRIPTS / "requirements-test.lock"
BUILD = SCRIPTS / "requirements-build.lock"
CLIENTS, AGENTS = SCRIPTS / "requirements-clients.lock", SCRIPTS / "clients"


def pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


@pytest.mark.parametrize("lock", [RUNTIME, TESTS, BUILD, CLIENTS, PIP_LOCK], ids=lambda lock: lock.name)
def test_every_package_has_hashes_and_nothing_names_a_machine(lock: Path) -> None:
    text = lock.read_text()
    entry = r"^[\w.-]+==\S+(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
    rest = re.sub(entry, "", text, flags=re.MULTILINE)
    assert all(line.startswith("#") for line in rest.splitlines()), rest
    assert not re.search(r"https?:|file:|--(?:index|extra|find)|/(?:home|root|tmp|opt)", text)


def test_the_locks_meet_the_project_and_each_other(project: dict[str, Any]) -> None:
    runtime, tests = pins(RUNTIME), pins(TESTS)
    extras = project["project"]["optional-dependencies"].values()
    wanted = {RUNTIME: [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]}
    wanted[TESTS] = [*wanted[RUNTIME], *project["dependency-groups"]["test"]]
    wanted[BUILD] = [*wanted[RUNTIME], *project["dependency-groups"]["build"]]
    wanted[BUILD] += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    wanted[CLIENTS] = project["dependency-groups"]["clients"]
    for lock, requirements in wanted.items():
        for requirement in map(Requirement, requirements):
            pinned = pins(lock).get(canonicalize_name(requirement.name))
            assert pinned is not None, f"{requirement.name} is not in {lock.name}: run python3 installer/lock.py"
            assert requirement.specifier.contains(pinned), f"{requirement}: run python3 installer/lock.py"
    assert runtime.items() <= tests.items()
    build = pins(BUILD)
    assert runtime.items() <= build.items()
    assert {name: build[name] for name in build.keys() & tests.keys()}.items() <= tests.items()  # what ships was tested


def test_the_agents_are_pinned_with_hashes_and_name_no_address() -> None:
    wanted = json.loads((AGENTS / "package.json").read_text())
    text = (AGENTS / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    own = packages.pop("")
    for section in ("dependencies", "optionalDependencies"):
        assert own[section] == wanted[section], "run python3 installer/lock.py"
        for name, version in wanted[section].items():
            assert packages[f"node_modules/{name}"]["version"] == version
    assert all(re.fullmatch(r"sha512-[\w+/]{86}==", package["integrity"]) for package in packages.values())
    assert not re.search(r"https?:|file:|resolved|/(?:home|root|tmp|opt)", text)


def test_the_python_that_is_asked_for_is_the_projects(project: dict[str, Any]) -> None:
    assert project["project"]["requires-python"] == f">={NEEDED[0]}.{NEEDED[1]}"


def test_pip_is_pinned() -> None:
    version, hashes = read_pin(PIP_LOCK)
    assert re.fullmatch(r"[\d.]+", version)
    assert len(hashes) == 2  # the wheel and the source archive


@pytest.mark.parametrize(
    "script", ["python_version", "run", "test", "install", "lock", "deb", "wheels", "bundle", "stamp", "launch"]
)
def test_the_scripts_can_be_read_by_the_pythons_that_they_turn_away(script: str) -> None:
    ast.parse((SCRIPTS / f"{script}.py").read_text(), feature_version=(3, 7))
