"""The map of the house is kept honest: who imports whom, no cycles, and documentation that names real things."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tray_app"
ROOMS = ("core", "proxy", "ledger", "host", "agents", "simulator", "control", "faces")
MAY_IMPORT = {
    "core": set(),
    "proxy": {"core"},
    "ledger": {"core"},
    "host": {"core"},
    "agents": {"core"},
    "simulator": {"core"},
    "control": {"core", "proxy", "ledger", "host", "agents", "simulator"},
    "faces": {"core", "control"},
}
# The edges of the machine that a face may touch, each with its reason.
EXCEPTIONS = {
    ("tray_app.faces.cli.common", "tray_app.host.home"),  # the type of what the house gives it
    ("tray_app.faces.cli.run", "tray_app.host.browser"),  # the browser is opened by whoever was asked to
    ("tray_app.faces.cli.run", "tray_app.host.autostart"),  # works without a running app
    ("tray_app.faces.cli.licences", "tray_app.host.licences"),  # the same
}


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text())
    return found


MODULES = modules()


def imports(name: str, tree: ast.Module) -> Iterator[str]:
    """The modules of ours that `name` imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tray_app"))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = (
                    name
                    if (PACKAGE.parent / Path(*name.split(".")) / "__init__.py").is_file()
                    else name.rpartition(".")[0]
                )
                base = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], *filter(None, [base])]
                )
            if base.startswith("tray_app"):
                yield from (
                    f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names
                )


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def test_rooms_import_only_what_the_map_allows() -> None:
    wrong = []
    for name, tree in MODULES.items():
        mine = room(name)
        if mine is None:
            continue
        for imported in imports(name, tree):
            theirs = room(imported)
            allowed = (theirs in (mine, None) and imported in MODULES) or theirs in MAY_IMPORT[mine]
            if imported in ("tray_app",):
                allowed = True
            if not allowed and (name, imported) not in EXCEPTIONS:
                wrong.append((name, imported))
    assert wrong == []


def test_no_room_imports_the_composition_root() -> None:
    roots = {"tray_app.app", "tray_app.house", "tray_app.desktop", "tray_app.demo", "tray_app.__main__"}
    assert [
        (name, one) for name, tree in MODULES.items() if room(name) for one in imports(name, tree) if one in roots
    ] == []


def test_there_are_no_import_cycles() -> None:
    graph = {name: set(imports(name, tree)) & MODULES.keys() - {name} for name, tree in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_core_does_no_io_and_knows_no_clock() -> None:
    banned = {
        "asyncio",
        "socket",
        "sqlite3",
        "time",
        "random",
        "os",
        "pathlib",
        "logging",
        "threading",
        "httpx",
        "secrets",
    }
    for name, tree in MODULES.items():
        if room(name) == "core":
            for node in ast.walk(tree):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {one.partition(".")[0] for one in names} & banned, (name, names)


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, tree in MODULES.items() if not ast.get_docstring(tree)] == []


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    code = "import sys, tray_app.faces.cli; print([m for m in ('sqlmodel','sqlalchemy','httpx','starlette','rich.console','PIL','mcp','textual','pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_running_app_holds_no_library_that_it_may_never_need() -> None:
    code = "import sys, tray_app.app; print([m for m in ('sqlmodel','sqlalchemy','httpx','starlette','jinja2','PIL','keyring','aiohttp','mcp','textual','pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_top_level_holds_what_it_should() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False).stdout.split()
    tops = {path.partition("/")[0] for path in tracked if not path.startswith(".")}
    assert tops <= {"pyproject.toml", "tray_app", "tests", "assets", "installer", "README.md", "LICENSE"}


def commands_of(text: str) -> set[str]:
    return {match.group(1) for match in re.finditer(r"o-switcher ([a-z][a-z-]+)", text)}


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (PACKAGE / "docs").rglob("*.md"))]
)
def test_documentation_names_only_commands_that_exist(page: str) -> None:
    import typer

    from tray_app.faces.cli import build
    from tray_app.house import House

    known = set(typer.main.get_command(build(House())).commands)  # type: ignore[attr-defined]
    text = (ROOT / page).read_text()
    assert commands_of(text) - known <= {"does", "is", "runs"}, commands_of(text) - known


def test_the_readme_names_every_command() -> None:
    import typer

    from tray_app.faces.cli import build
    from tray_app.house import House

    text = (ROOT / "README.md").read_text()
    for name, command in typer.main.get_command(build(House())).commands.items():  # type: ignore[attr-defined]
        assert re.search(rf"\b{name}\b", text), name
        for sub in getattr(command, "commands", {}):
            assert re.search(rf"`[^`]*\b{sub}\b", text), (name, sub)


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (PACKAGE / "docs").rglob("*.md"))]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target


def test_the_settings_page_names_every_setting() -> None:
    import msgspec

    from tray_app.host.settings import Settings

    text = (PACKAGE / "docs" / "settings.md").read_text()
    tables = msgspec.to_builtins(Settings())
    for name, table in tables.items():
        assert name in text, name
        if isinstance(table, dict) and name != "providers":
            for key in table:
                assert re.search(rf"[`.]{key}\b", text), f"{name}.{key}"
