"""Every client whose files are edited, with files of every kind: back to the byte, or left alone and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.control.test_connecting import AIDER, CLAUDE, CODEX, LLM, OPENCODE, Desk, snapshot
from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.control.verbs import Refused
from tray_app.host import user_files

# client -> its file, settings of a user's in it, a comment, and what breaks it
FILES: dict[str, tuple[str, str, str, str]] = {
    "opencode": (OPENCODE, '{\n  "theme": "dark",\n  "provider": {\n    "x": {}\n  }\n}\n', "// mine\n", '{"a": '),
    "claude-code": (CLAUDE, '{\n  "theme": "dark",\n  "env": {\n    "A": "1"\n  }\n}\n', "// mine\n", '{"a": '),
    "codex": (CODEX, 'model = "m"\n\n[features]\n  plugins = false\n', "# mine\n", "a = \n"),
    "aider": (AIDER, "dark-mode: true\nread:\n  - a.md\n", "# mine\n", "{a: 1}\nb\n"),
    "llm": (LLM, "- model_id: mine\n  model_name: x\n", "# mine\n", "a: [\n"),
}
CLIENTS = tuple(FILES)

KINDS: dict[str, Callable[[str, str], bytes]] = {
    "as a person writes it": lambda text, _: text.encode(),
    "with comments": lambda text, comment: (comment + text + comment).encode(),
    "with a comment that holds other letters": lambda text, comment: f"{comment[:-1]} größe ✓ 🎉\n{text}".encode(),
    "with CRLF": lambda text, comment: (comment + text).replace("\n", "\r\n").encode(),
    "with a byte order mark": lambda text, _: b"\xef\xbb\xbf" + text.encode(),
    "with both": lambda text, _: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
    "without a final newline": lambda text, _: text.rstrip("\n").encode(),
    "with blank lines": lambda text, comment: f"\n\n{text}\n\n{comment}\n".encode(),
    "with blanks at the ends of lines": lambda text, _: text.replace("\n", "  \n").encode(),
    "empty": lambda _, __: b"",
    "only a newline": lambda _, __: b"\n",
    "only comments": lambda _, comment: (comment * 3).encode(),
    "long": lambda text, comment: (comment * 4_000 + text).encode(),
}


def wired(desk: Desk, client: str) -> None:
    desk.connect(client, models=("a/b",))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_of_that_kind_is_as_it_was_afterwards(desk: Desk, client: str, kind: str) -> None:
    name, text, comment, _ = FILES[client]
    path = desk.put(name, KINDS[kind](text, comment))
    before = snapshot(desk.home)
    wired(desk, client)
    assert path.read_bytes() != before[name] and desk.state(client)[0] == "connected"
    kept = [line for line in KINDS[kind](text, comment).decode().split("\n") if "mine" in line]
    assert [line for line in path.read_bytes().decode().split("\n") if "mine" in line] == kept
    desk.disconnect(client)
    assert snapshot(desk.home) == before


@pytest.mark.parametrize("client", ["opencode", "claude-code"])
def test_a_file_with_tabs_is_as_it_was_and_ours_is_with_tabs(desk: Desk, client: str) -> None:
    name, text, _, _ = FILES[client]
    path = desk.put(name, text.replace("  ", "\t").encode())
    before = snapshot(desk.home)
    wired(desk, client)
    assert not [line for line in path.read_text().splitlines() if line.startswith(" ")]
    desk.disconnect(client)
    assert snapshot(desk.home) == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_link_stays_one_and_leads_to_what_it_led_to(desk: Desk, client: str) -> None:
    name, text, _, _ = FILES[client]
    real = desk.put(f"dotfiles/{Path(name).name}", text.encode())
    link = desk.home / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(real)
    wired(desk, client)
    assert link.is_symlink() and real.read_text() != text
    desk.disconnect(client)
    assert link.is_symlink() and real.read_text() == text


@pytest.mark.parametrize("client", CLIENTS)
def test_what_somebody_writes_at_the_same_moment_is_not_lost(tmp_path: Path, client: str) -> None:
    name, text, comment, _ = FILES[client]
    later = iter([(comment + text).encode()])

    def write(path: Path, expected: str | None, new: str) -> None:
        if path.name == Path(name).name and (data := next(later, None)) is not None:
            path.write_bytes(data)
        user_files.replace(path, expected, new)

    desk = Desk(tmp_path, write=write)
    path = desk.put(name, text.encode())
    wired(desk, client)
    assert comment.strip() in path.read_text() and desk.state(client)[0] == "connected"
    desk.disconnect(client)
    assert path.read_text() == comment + text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_that_may_only_be_read_is_left_alone(client: str) -> None:
    name, text, _, _ = FILES[client]
    with shared_folder() as folder, ordinary_user():
        desk = Desk(folder)
        path = desk.put(name, text.encode())
        path.chmod(0o444)
        before = snapshot(desk.home)
        with pytest.raises(Refused, match="read-only; allow it with: chmod u\\+w"):
            wired(desk, client)
        assert snapshot(desk.home) == before and not desk.journal.exists()


def too_large(text: str, comment: str) -> bytes:
    return comment.encode() * (user_files.MAX_FILE // len(comment) + 1) + text.encode()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("broken", "line "), ("no text", "is not UTF-8"), ("huge", "larger than 4 MB"), ("a folder", "no ordinary file")],
)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_that_cannot_be_edited_is_left_alone_and_named(desk: Desk, client: str, kind: str, words: str) -> None:
    name, text, comment, broken = FILES[client]
    if kind == "a folder":
        (desk.home / name).mkdir(parents=True)
    else:
        desk.put(name, {"broken": broken.encode(), "no text": b"\xff", "huge": too_large(text, comment)}[kind])
    before = snapshot(desk.home)
    with pytest.raises(Refused) as refused:
        wired(desk, client)
    assert words in refused.value.message and str(desk.home / name) in refused.value.message
    assert snapshot(desk.home) == before and not desk.journal.exists()


def test_every_client_that_has_a_file_is_in_the_table(desk: Desk) -> None:
    from tray_app.agents.wiring.clients import CLIENTS as ALL

    assert {name for name, client in ALL.items() if client.plan is not None} == set(FILES)
    assert {one.client for one in desk.connecting.connections(None)} >= set(FILES)


def test_each_client_has_a_token_of_its_own(desk: Desk) -> None:
    for client in CLIENTS:
        wired(desk, client)
    tokens = desk.vault.tokens()
    assert set(tokens) == set(CLIENTS) and len(set(tokens.values())) == len(CLIENTS)
    for client, (name, *_) in FILES.items():
        others = [token for other, token in tokens.items() if other != client]
        assert not any(token in (desk.home / name).read_text() for token in others)
