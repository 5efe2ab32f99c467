"""The wheel: the same bytes each time, whole, and it works where pip has put it.

`uv tool install`, pipx and pip with everything from the index are `wheel_trial.py`'s, which takes minutes.
"""

from __future__ import annotations

import site
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import wheels as builder

from tests.installer.wheel_trial import answers
from tray_app import __version__

from .conftest import CHECKOUT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (made,) = builder.build(sys.executable, tmp_path_factory.mktemp("wheel"), ("wheel",))
    return made


def test_the_same_bytes_come_of_the_same_files(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (again,) = builder.build(sys.executable, tmp_path, ("wheel",))
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_it_holds_the_package_whole_with_its_icons_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tray_app").rglob("*") if path.is_file()}
    icons = {f"tray_app/assets/o-switcher.{ending}" for ending in ("png", "svg")}
    assert held == {name for name in ours if "__pycache__" not in name} | icons
    kinds = {Path(name).suffix for name in held}
    assert {".html", ".css", ".js", ".sql", ".md", ".toml", ".svg"} <= kinds  # pages, migrations, help, practice


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = f"o_switcher-{__version__}.dist-info"
        about = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        commands = archive.read(f"{info}/entry_points.txt").decode()
        assert archive.read(f"{info}/licenses/LICENSE") == (CHECKOUT / "LICENSE").read_bytes()
    assert (about["Name"], about["Version"], about["Requires-Python"]) == ("o-switcher", __version__, ">=3.11")
    assert (about["License-Expression"], about["License-File"]) == ("Apache-2.0", "LICENSE")
    assert set(about.get_all("Provides-Extra", [])) == {"keyring", "mcp", "top"}
    for command in ("o-switcher", "o-switcher-tray"):
        assert f"{command} = tray_app.__main__:main" in commands


def test_pip_installs_it_the_command_runs_and_the_app_answers(wheel: Path, tmp_path: Path, pip_wheel: Path) -> None:
    place = tmp_path / "venv"
    venv.EnvBuilder(with_pip=False).create(place)
    python = place / "bin/python"
    (folder,) = place.glob("lib/python*/site-packages")
    # the packages that it needs are those of the tests' environment: the same versions
    (folder / "needed.pth").write_text("\n".join(site.getsitepackages()))
    pip = [str(python), "-I", f"{pip_wheel}/pip"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    checked = subprocess.run([*pip, "check"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "No broken requirements found.\n"), checked.stdout
    where = "import tray_app; print(tray_app.__file__)"
    found = subprocess.run([str(python), "-I", "-c", where], capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(folder), "the tests' own checkout answers"
    answers([str(place / "bin/o-switcher")], tmp_path / "home")
