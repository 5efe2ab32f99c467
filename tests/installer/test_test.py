"""The runner of all checks: it shows everything in one run, and fails when anything failed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import system_packages

from .conftest import CHECKOUT, SCRIPTS

START = """
import sys
sys.path.insert(0, "installer")
import test
sys.exit(test.run_all(test.Suite(sys.executable)))
"""


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """`test.py` under another name: `test` is a package of Python's own."""
    specification = importlib.util.spec_from_file_location("all_checks", SCRIPTS / "test.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["all_checks"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("output", "closing"),
    [
        pytest.param(
            "..F\n=== FAILURES ===\nE assert\n=== short test summary info ===\nSKIPPED [1] a.py: no\n"
            "FAILED a.py::test - assert\n=== 1 failed, 2 passed, 1 skipped in 0.12s ===\n",
            ["FAILED a.py::test - assert", "=== 1 failed, 2 passed, 1 skipped in 0.12s ==="],
            id="failures",
        ),
        pytest.param(
            "..\n\x1b[32m=== 2 passed in 61.00s (0:01:01) ===\x1b[0m\n",
            ["=== 2 passed in 61.00s (0:01:01) ==="],
            id="all well",
        ),
        pytest.param("ImportError while loading conftest\n", ["ImportError while loading conftest"], id="no summary"),
    ],
)
def test_pytests_closing_words_are_kept(runner: ModuleType, output: str, closing: list[str]) -> None:
    assert runner.closing_lines(output) == closing


def test_every_stage_runs_although_one_failed(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(CHECKOUT / "pyproject.toml", tmp_path / "pyproject.toml")
    (tmp_path / "tests/core").mkdir(parents=True)
    (tmp_path / "tests/core/test_two.py").write_text("def test_two() -> None:\n    pass\n")
    (tmp_path / "tests/test_one.py").write_text(
        "from tray_app.core.one import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n"
    )
    core = tmp_path / "tray_app/core"
    core.mkdir(parents=True)
    for folder in (core, core.parent):
        (folder / "__init__.py").touch()
    (core / "one.py").write_text("import os\n\n\ndef double(number: int) -> int:\n    return number * 2\n")
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    *_, closing, beside, times = done.stdout.splitlines()
    assert done.returncode == 1
    assert " 1 passed in " in beside
    assert " 1 passed in " in closing
    parts = [part.rpartition(" ")[0].rpartition(" ")[0] for part in times.split(" | ")]
    assert parts == [
        "ruff check: FAILED",
        "ruff format: ok",
        "mypy: ok",
        "pytest: ok",
        "coverage 90 %: ok",
        "coverage of core 100 %: ok",
    ]
    assert "Using --randomly-seed=" in done.stdout


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="not a Debian")
def test_missing_system_packages_are_found_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_packages, "NEEDED", {"dpkg": "is there", "no-such-package": "is not"})
    assert system_packages.missing() == ["no-such-package"]
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(system_packages.Problem, match=r"apt-get install .* no-such-package"):
        system_packages.ensure(needed=True)
    system_packages.ensure(needed=False)
    assert "no-such-package" in capsys.readouterr().err
