"""What the README and the pages tell people to type is typed: blocks run in a shell of a sandbox, the rest is parsed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.rig import CHAT, MODEL, key_of
from tests.whole.processes import ROOT, Served, environment, practice, prepared, serve
from tray_app.faces.cli import build
from tray_app.host import settings
from tray_app.house import House
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

DOCS = ROOT / "tray_app" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = {"", "sh", "bash", "console"}
ELSEWHERE = {
    "python": "tests/control/test_scripting.py",
    "sql": "tests/ledger/test_queries_page.py",
}
# Lines that no sandbox can run. Their words are parsed all the same.
NOT_RUN = {
    "o-switcher": "starts the app, and does not end",
    "o-switcher simulate": "does not end",
    "o-switcher config set secrets.store keyring": "there is no keyring here",
    "o-switcher profiles confirm": "only where an address has changed",
    "python3 installer/": "makes an environment: tests/installer",
    "python -m tests": "the project's own",
    "sqlite3": "tests/ledger/test_queries_page.py",
}


def blocks(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text())


def lines_of(block: str) -> list[str]:
    """The lines to type: of a transcript those after the prompt; continued ones joined; without comments."""
    if block.startswith("$ "):
        return [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    joined = re.sub(r"\\\n\s*", "", block)
    return [line for line in (re.sub(r"\s+#.*", "", line).strip() for line in joined.splitlines()) if line]


def is_not_run(line: str) -> bool:
    return any(line == start or (start != "o-switcher" and line.startswith(start)) for start in NOT_RUN)


def is_a_block_to_type(block: str) -> bool:
    """Lines of the shell; not a picture of folders."""
    return bool(re.match(r"(\$ )?(o-switcher|python|curl|sqlite3|claude|codex)\b", block))


TYPED = [
    page
    for page in PAGES
    if page.name != "README.md" and any(kind in SHELL and is_a_block_to_type(text) for kind, text in blocks(page))
]


# -- parsed


COMMAND = typer.main.get_command(build(House()))


def check_words(words: list[str]) -> None:
    """Whether the command line takes these words of ours; nothing is carried out."""
    command: Any = COMMAND
    context: Any = None
    name = "o-switcher"
    while True:
        with command.make_context(name, list(words), parent=context) as context:
            if not hasattr(command, "resolve_command"):
                return
            rest = [*context._protected_args, *context.args]
            if not rest:
                return
            name, found, words = command.resolve_command(context, rest)
            assert found is not None
            command = found


def forms(text: str) -> Iterator[list[str]]:
    """Each way to write a command of the tables: with and without what stands in brackets, each alternative."""
    text = text.replace("\\|", "|")
    options = [one for more in re.findall(r"\[([^\]]*)\]", text) for one in alternatives(more)]
    first, *others = (part.split() for part in re.sub(r"\[[^\]]*\]|\.\.\.", "", text).split(" | "))
    for words in [first, *([*first[: -len(other)], *other] for other in others)]:
        for option in ["", *options]:
            yield [*words, *option.split()]


def alternatives(option: str) -> list[str]:
    """`--for 2h | --until-reset` are two options, `--format csv | jsonl` two values of one."""
    first, *more = [one.strip() for one in option.split("|")]
    return [first, *(one if one.startswith("-") else f"{first.split()[0]} {one}" for one in more)]


def inline(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text())
    return [found for found in re.findall(r"`([^`]+)`", text) if re.match(r"o-switcher [a-z]", found)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_can_be_given_so(page: Path) -> None:
    for text in inline(page):
        for words in forms(" ".join(text.split())):
            given = [STAND_INS.get(word, word) for word in words[1:]]
            try:
                check_words(given)
            except Exception as error:  # of the library's own making, which is hidden in another one
                if len(given) == 1 and type(error).__name__ == "MissingParameter":
                    continue  # the command is only spoken of
                raise AssertionError(f"{page.name}: {text}: {given}: {error}") from error


# What stands for a word in capitals where not every word will do.
STAND_INS = {"N": "1", "KEY": "switcher.retry", "WHAT": "requests", "PATH": "x"}


@pytest.mark.parametrize("page", [ROOT / "README.md", *TYPED], ids=lambda page: page.name)
def test_every_line_of_ours_can_be_given_so(page: Path) -> None:
    found = [line for kind, text in blocks(page) if kind in SHELL for line in lines_of(text)]
    for line in found:
        words = shlex.split(line.partition(" > ")[0])
        if "o-switcher" in words[:1]:
            check_words(words[1:])
        elif words[:1] == ["python3"]:
            script = ROOT / words[1]
            assert script.is_file(), line
            if script.name == "install.py":
                asked = [sys.executable, str(script), *words[2:], "--help"]
                assert subprocess.run(asked, capture_output=True, check=False).returncode == 0, line
            elif script.name == "run.py":
                check_words(words[2:])


# -- run


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    """A machine's home with the commands on its PATH, and others' programs that do nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "key").write_text(key_of("third") + "\n")
    ours = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tray_app "$@" < {tmp_path / "key"}\n'
    for name, text in {"o-switcher": ours, **dict.fromkeys(("opencode", "claude", "codex"), "#!/bin/sh\n")}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    yield tmp_path


def typed(sandbox: Path, served: Served, line: str) -> subprocess.CompletedProcess[str]:
    variables = environment(sandbox / "home", PATH=f"{sandbox / 'bin'}:/usr/bin:/bin", HOME=str(sandbox / "home"))
    found = served.caller().ask("history", limit=1) if "REQUEST_ID" in line else []
    line = line.replace("REQUEST_ID", found[0]["id"] if found else "").replace("http://127.0.0.1:4417", served.url)
    variables["TOKEN"] = served.caller().running.admin_token if "curl" in line else ""
    command = ["sh", "-c", f"{line}\n"]
    return subprocess.run(command, env=variables, cwd=sandbox, capture_output=True, text=True, timeout=60, check=False)


def test_what_the_pages_tell_to_type_works_in_their_order(sandbox: Path) -> None:
    with SimulatorThread(parse(practice("main", "backup"), "docs")) as simulator:
        home, token = prepared(sandbox / "home", simulator.url, ["main", "backup"])
        served = serve(home)
        try:
            ask(served, token, {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
            assert typed(sandbox, served, "o-switcher backup history.before-schema-5.db").returncode == 0
            for line in dict.fromkeys(line for page in TYPED for line in lines_to_type(page)):
                done = typed(sandbox, served, line)
                allowed = {0, 1} if line.startswith("o-switcher doctor") else {0}  # it finds what is wrong here
                assert done.returncode in allowed, (line, done.stdout, done.stderr)
                assert "Traceback" not in done.stderr
                if "curl" in line:
                    json.loads(done.stdout)
        finally:
            served.end()


def lines_to_type(page: Path) -> list[str]:
    shown = [text for kind, text in blocks(page) if kind in SHELL and is_a_block_to_type(text)]
    return [line for text in shown for line in lines_of(text) if not is_not_run(line)]


def ask(served: Served, token: str, body: dict[str, object]) -> None:
    import httpx

    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.post(served.url + CHAT, json=body, headers=headers, timeout=10, trust_env=False)
    assert answer.status_code == 200


def test_the_first_steps_of_the_readme_work_on_a_machine_with_nothing(sandbox: Path) -> None:
    home, _ = prepared(sandbox / "home", "http://127.0.0.1:9", [])
    (steps,) = [text for kind, text in blocks(ROOT / "README.md") if kind in SHELL and "profiles add" in text]
    served: Served | None = None
    variables = environment(sandbox / "home", PATH=f"{sandbox / 'bin'}:/usr/bin:/bin", HOME=str(sandbox / "home"))
    try:
        for number, line in enumerate(lines_of(steps)):
            (sandbox / "key").write_text(key_of(f"key{number}") + "\n")
            if line == "o-switcher":
                served = serve(home)
                continue
            done = subprocess.run(
                ["sh", "-c", line], env=variables, cwd=sandbox, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, (line, done.stderr)
        assert served is not None
        assert {one["id"] for one in served.caller().ask("status")["profiles"]} == {
            "openrouter-main",
            "openrouter-backup",
        }
        assert served.url in (sandbox / "home/.config/opencode/opencode.json").read_text()
    finally:
        if served is not None:
            served.end()


# -- files


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_other_block_is_what_it_says_it_is(page: Path) -> None:
    import yaml

    for kind, text in blocks(page):
        if kind in SHELL or kind in ELSEWHERE:
            assert kind not in ELSEWHERE or (ROOT / ELSEWHERE[kind]).is_file()
        elif kind == "toml":
            assert tomllib.loads(text)
            if page.name in ("settings.md", "providers.md"):
                assert settings.parse(text)[1] == []
        elif kind == "json":
            json.loads(text if text.lstrip().startswith("{") else f"{{{text}}}")
        elif kind == "yaml":
            assert yaml.safe_load(text)
        else:
            raise AssertionError(f"{page.name}: nobody looks at a block of {kind}")
