"""Licences as packages state them, in each of the ways that they have; and those of this very app."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.whole.processes import command
from tray_app.host.licences import Package, kind_of, packages

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "installer/requirements.lock"


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", "permissive"),
        ("BSD-3-Clause", "permissive"),
        ("Python Software Foundation License", "permissive"),
        ("HPND", "permissive"),
        ("LGPLv3", "weak copyleft"),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", "weak copyleft"),
        ("MPL-2.0", "weak copyleft"),
        ("GPL-3.0-or-later", "copyleft"),
        ("AGPL-3.0", "copyleft"),
        ("GNU General Public License v2 (GPLv2)", "copyleft"),
        ("MIT AND GPL-2.0-only", "copyleft"),
        ("MIT OR GPL-2.0-only", "permissive"),
        ("GPL-2.0-only OR LGPL-2.1-only", "weak copyleft"),
        ("Proprietary", "unknown"),
        ("LIMITED", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_licence_is_told_by_its_name(licence: str, kind: str) -> None:
    assert kind_of(licence) == kind


Make = Callable[..., None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Installs packages into a folder that is all that Python then finds packages in."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    def made(name: str, *lines: str, files: tuple[str, ...] = ()) -> None:
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        head = ("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0")
        (info / "METADATA").write_text("\n".join((*head, *lines, "")))
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        importlib.invalidate_caches()

    return made


def listed() -> dict[str, Package]:
    return {one.name: one for one in packages()}


def test_it_is_stated_in_the_newer_field_or_the_older_or_by_classifiers(make: Make) -> None:
    make("newer", "License-Expression: MIT", "License: something else")
    make("older", "License: BSD")
    make("whole-text", f"License: {'Permission is granted ' * 9}", "Classifier: License :: OSI Approved :: MIT License")
    make("silent", "Classifier: Topic :: Internet", files=("silent-1.0.dist-info/licenses/LICENSE", "silent.py"))
    found = listed()
    assert {name: one.licence for name, one in found.items()} == {
        "o-switcher": "Apache-2.0",
        "newer": "MIT",
        "older": "BSD",
        "whole-text": "MIT License",
        "silent": "not stated",
    }
    assert (found["silent"].kind, found["silent"].texts) == ("unknown", ("silent-1.0.dist-info/licenses/LICENSE",))
    assert "read its texts" in found["silent"].note and not found["newer"].note


def test_where_it_is_installed_what_it_requires_is_listed_and_no_more(make: Make) -> None:
    make(
        "O_Switcher", "Requires-Dist: direct[fast]>=1", 'Requires-Dist: chosen; extra == "top"', "Requires-Dist: absent"
    )
    make(
        "direct",
        "Requires-Dist: Under.Lying",
        'Requires-Dist: faster; extra == "fast"',
        'Requires-Dist: x; extra == "y"',
    )
    make("under-lying", "License: MIT", "Requires-Dist: direct")  # in a circle
    for name in ("faster", "chosen", "x", "stranger"):
        make(name)
    assert list(listed()) == ["o-switcher", "chosen", "direct", "faster", "under-lying"]


def test_every_package_of_the_lock_is_listed_with_a_licence_that_is_known(tmp_path: Path) -> None:
    done = command(tmp_path, "licences", "--json")
    assert done.returncode == 0, done.stderr
    rows = {re.sub(r"[-_.]+", "-", row["name"]).lower(): row for row in json.loads(done.stdout)}
    pins = re.findall(r"^([\w.-]+)==(\S+)(?: ; (.*) \\)?", LOCK.read_text(), re.MULTILINE)
    pinned = {name: version for name, version, only in pins if name in rows or not only}  # the rest: other systems
    assert pinned == {name: rows[name]["version"] for name in pinned}
    kinds = {name: rows[name]["kind"] for name in pinned}
    weak = {name for name, kind in kinds.items() if kind == "weak copyleft"}
    assert weak - {"python-xlib"} == {"certifi", "pystray"}  # what a frozen app has to leave exchangeable
    assert {kind for name, kind in kinds.items() if name not in weak} == {"permissive"}


def test_the_table_names_packages_and_what_is_to_be_minded(tmp_path: Path) -> None:
    done = command(tmp_path, "licences")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["PACKAGE", "VERSION", "LICENCE", "KIND"]
    assert lines[1].split()[0] == "o-switcher"
    assert any(line.startswith("pystray") and "LGPLv3" in line for line in lines)
    assert "whoever gets a copy may exchange it" in lines[-1]


def test_the_projects_own_licence_is_the_one_that_is_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert packages()[0].licence == project["license"]
