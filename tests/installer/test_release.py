"""What builds a release: the frozen app's recipe, the Windows installer, the workflows.

The frozen app itself is `bundle_trial.py`'s, which takes minutes.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import bundle
import environment
import PIL
import pytest
import stamp
import yaml
from icons import make_icon
from PIL import Image
from terminal import Problem

from tray_app import __version__
from tray_app.agents.wiring.clients import CLIENTS, has_files
from tray_app.host.home import APP

from .conftest import CHECKOUT, SCRIPTS

WORKFLOWS = sorted((CHECKOUT / ".github/workflows").glob("*.yml"))
RELEASE = CHECKOUT / ".github/workflows/release.yml"
NSI = (SCRIPTS / "windows.nsi").read_text()


# -- the Windows installer


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """What PyInstaller leaves, as far as the installer looks at it."""
    folder = tmp_path / "o-switcher"
    (folder / "_internal").mkdir(parents=True)
    shutil.copyfile(CHECKOUT / "LICENSE", folder / "_internal/LICENSE")
    for name in ("o-switcher.exe", "o-switcher-tray.exe"):
        (folder / name).write_bytes(b"MZ" * 1000)
    return folder


@pytest.mark.skipif(shutil.which("makensis") is None, reason="makensis is not here")
def test_the_windows_installer_compiles_without_a_warning(frozen: Path, tmp_path: Path) -> None:
    made = tmp_path / "o-switcher-setup.exe"
    bundle.make_installer(frozen, made)
    content = made.read_bytes()
    assert content[:2] == b"MZ" and b"NullsoftInst" in content
    assert __version__.encode("utf-16-le") in content  # what Windows shows of the file
    assert b"requireAdministrator" not in content


@pytest.mark.skipif(shutil.which("makensis") is None, reason="makensis is not here")
def test_what_makensis_complains_of_is_said(frozen: Path, tmp_path: Path) -> None:
    (frozen / "_internal/LICENSE").unlink()
    with pytest.raises(Problem, match=r"makensis: .*LICENSE"):
        bundle.make_installer(frozen, tmp_path / "o-switcher-setup.exe")


def test_the_uninstaller_disconnects_every_client_that_has_files() -> None:
    disconnected = set(re.findall(r"!insertmacro Disconnect ([\w-]+)", NSI))
    assert disconnected == {name for name in CLIENTS if has_files(name)}


def test_the_uninstaller_keeps_the_data_unless_told() -> None:
    asked, deleted = NSI.index("MB_DEFBUTTON2"), NSI.index(rf'RMDir /r "$LOCALAPPDATA\{APP}"')
    assert asked < deleted < NSI.index("kept:")
    assert "/SD IDNO IDNO kept" in NSI
    # never what the user may have put beside it, nor a folder of the user's choice as a whole
    assert re.findall(r'RMDir /r "([^"]+)"', NSI) == [r"$INSTDIR\_internal", rf"$LOCALAPPDATA\{APP}"]


# -- the frozen app


def test_the_recipe_is_python_and_names_modules_that_are_there() -> None:
    tree = ast.parse((SCRIPTS / "o-switcher.spec").read_text())
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    backends = ast.literal_eval(values["BACKENDS"])
    assert set(backends) == set(bundle.SYSTEMS)
    site = Path(PIL.__path__[0]).parent  # importing these would need a display, or another system
    for name in (name for names in backends.values() for name in names):
        found = site.joinpath(*name.split("."))
        assert found.with_suffix(".py").is_file() or (found / "__init__.py").is_file(), name


@pytest.mark.parametrize(("system", "begins"), [("win32", b"\0\0\1\0"), ("darwin", b"icns")])
def test_its_icon_is_in_the_systems_own_format(system: str, begins: bytes, tmp_path: Path) -> None:
    made = make_icon(CHECKOUT / "assets/o-switcher.png", tmp_path, system)
    assert made is not None and made.read_bytes().startswith(begins)
    with Image.open(made) as picture:
        sizes = {edge for size in picture.info["sizes"] for edge in size[:2]}
    assert {16, 32, 256} <= sizes if system == "win32" else max(sizes) >= 256
    assert make_icon(CHECKOUT / "assets/o-switcher.png", tmp_path, "linux") is None


def test_on_macos_it_may_show_its_icon_and_shows_none_in_the_dock() -> None:
    tree = ast.parse((SCRIPTS / "o-switcher.spec").read_text())
    tables = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "info_plist"]
    (table,) = map(ast.literal_eval, tables)
    assert (table["LSUIElement"], table["LSBackgroundOnly"]) == (True, False)


def test_every_extra_is_in_what_is_frozen() -> None:
    lock = environment.BUILD.lock.read_text()
    for name in ("keyring", "mcp", "textual", "pyinstaller", "hatchling"):
        assert re.search(rf"^{name}==", lock, re.MULTILINE), name


# -- the workflows


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_its_actions_and_runs_what_is_there(path: Path) -> None:
    text = path.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}  # a job that needs more says so
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action}: which version is it?"
    scripts = re.findall(r"python3? (\S+\.py)", text)
    assert scripts and all((CHECKOUT / script).is_file() for script in scripts)
    for step in steps(workflow):  # what a contributor can name reaches a shell as a variable, never as its text
        assert "${{" not in step.get("run", ""), step
        assert (
            step.get("uses", "checkout").split("@")[0] != "actions/checkout" or not step["with"]["persist-credentials"]
        )


def test_a_pin_is_the_same_everywhere() -> None:
    pins = {tuple(pin) for path in WORKFLOWS for pin in re.findall(r"uses: (\S+)@(\S+) ", path.read_text())}
    assert len(pins) == len({action for action, _ in pins})


def test_a_release_is_checked_summed_attested_and_only_then_put_out() -> None:
    jobs = yaml.safe_load(RELEASE.read_text())["jobs"]
    commands = [step.get("run", "") for step in jobs["packages"]["steps"]]
    assert 'python installer/stamp.py "$GITHUB_REF_NAME"' in commands
    made = [row["os"].partition("-")[0] for row in jobs["frozen"]["strategy"]["matrix"]["include"]]
    assert sorted(set(made)) == ["macos", "ubuntu", "windows"]
    publish = jobs["publish"]
    assert set(publish["needs"]) == set(jobs) - {"publish"}
    assert publish["permissions"] == {"contents": "write", "id-token": "write", "attestations": "write"}
    order = [step.get("run", "") + step.get("uses", "") for step in publish["steps"]]
    places = [
        next(at for at, text in enumerate(order) if word in text) for word in ("sha256sum", "attest", "gh release")
    ]
    assert places == sorted(places)


def test_ci_runs_what_a_person_runs() -> None:
    jobs = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert {"run": "python3 installer/test.py"} in jobs["everything"]["steps"]


def test_the_tag_of_a_release_is_its_version() -> None:
    assert stamp.version() == __version__
    assert stamp.main([f"v{__version__}"]) == 0
    with pytest.raises(Problem, match=f"it would be v{re.escape(__version__)}"):
        stamp.main(["v0.0.0-nothing"])
