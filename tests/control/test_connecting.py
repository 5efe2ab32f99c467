"""Clients are connected and disconnected, and every byte that is not ours stays what it was."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tray_app.agents import journal
from tray_app.agents.jsonc import parsed
from tray_app.agents.unfit import Unfit
from tray_app.agents.wiring.plan import GONE, FileChange, Setting, Where
from tray_app.control.connecting import Asked, Connecting, diff
from tray_app.control.verbs import Refused
from tray_app.control.views import WiringView
from tray_app.core.providers import BUILT_IN
from tray_app.host import user_files
from tray_app.host.vault import FileStore, Vault

URL = "http://127.0.0.1:4417"
KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
ANTHROPIC = "sk-ant-api03-0123456789abcdefghijklmn"


@dataclass
class Desk:
    """Everything that connecting needs, in a folder of the test's. `providers` are those with keys."""

    folder: Path
    providers: tuple[str, ...] = ("openrouter", "anthropic", "openai")
    write: Callable[[Path, str | None, str], None] = user_files.replace
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "user"
        self.home.mkdir(exist_ok=True)
        self.vault = Vault(FileStore(self.folder / "keys.json"))
        self.journal = self.folder / "connections.json"
        self.connecting = Connecting(self.journal, self.vault, lambda: 1234, self.write)

    def connect(
        self,
        client: str,
        url: str = URL,
        *,
        dry_run: bool = False,
        provider: str | None = None,
        models: tuple[str, ...] = (),
        command: bool | None = None,
        mcp: bool | None = None,
        program: tuple[str, ...] = ("o-switcher",),
        needed: Mapping[str, str] | None = None,
    ) -> WiringView:
        served = tuple(BUILT_IN[name] for name in self.providers)
        asked = Asked(url, served, BUILT_IN, provider, models, (), command, mcp, program, needed or {})
        where = Where({"HOME": str(self.home), **self.environ}, self.home, system="linux")
        return self.connecting.connect(client, asked, where, dry_run=dry_run)

    def disconnect(self, client: str, *, dry_run: bool = False, force: bool = False) -> WiringView:
        return self.connecting.disconnect(client, dry_run=dry_run, force=force)

    def put(self, name: str, data: bytes) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def state(self, client: str, url: str = URL) -> tuple[str, str]:
        found = next(one for one in self.connecting.connections(url) if one.client == client)
        return found.state, found.words


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


OPENCODE, CLAUDE, CODEX = ".config/opencode/opencode.json", ".claude/settings.json", ".codex/config.toml"
AIDER, AUTH = ".aider.conf.yml", ".codex/auth.json"
LLM = ".config/io.datasette.llm/extra-openai-models.yaml"

WELL: list[tuple[str, str, str, bytes]] = [
    ("nothing at all", "opencode", OPENCODE, b""),
    ("only blanks", "opencode", OPENCODE, b" \n\n"),
    ("an empty object", "opencode", OPENCODE, b"{}"),
    ("an empty object over two lines", "opencode", OPENCODE, b"{\n}\n"),
    ("only comments", "opencode", OPENCODE, b"// nothing yet\n/* really */\n"),
    ("an object that holds a comment", "opencode", OPENCODE, b"{\n  // nothing yet\n}\n"),
    ("a comment without an end of line", "opencode", OPENCODE, b"{} // the end"),
    ("two spaces and a comment on the last line", "opencode", OPENCODE, b'{\n  "theme": "dark" // nice\n}\n'),
    ("tabs", "opencode", OPENCODE, b'{\n\t"theme": "dark",\n\t"provider": {\n\t\t"x": {}\n\t}\n}\n'),
    ("four spaces, no final newline", "opencode", OPENCODE, b'{\n    "theme": "dark"\n}'),
    ("CRLF", "opencode", OPENCODE, b'{\r\n  "theme": "dark",\r\n  "provider": {\r\n  }\r\n}\r\n'),
    ("a byte order mark", "opencode", OPENCODE, b'\xef\xbb\xbf{\n  "theme": "dark"\n}\n'),
    ("mixed line ends", "opencode", OPENCODE, b'{\r\n  "a": 1,\n  "b": 2\r\n}\n'),
    ("trailing commas", "opencode", OPENCODE, b'{\n  "provider": {\n    "x": {},\n  },\n}\n'),
    ("a trailing comma and a comment", "opencode", OPENCODE, b'{\n  "a": [1, [2, [3,],],], // list\n  // end\n}\n'),
    ("one line", "opencode", OPENCODE, b'{"theme":"dark","provider":{}}'),
    ("one line with blanks", "opencode", OPENCODE, b'{ "theme": "dark" }\n'),
    ("an empty block", "opencode", OPENCODE, b'{"provider":{"openrouter":{}}}\n'),
    ("an empty options table", "opencode", OPENCODE, b'{"provider":{"openrouter":{"options":{}}}}\n'),
    (
        "a key of the user's",
        "opencode",
        OPENCODE,
        b'{\n  "provider": {\n    "openrouter": {\n      "options": { "apiKey": "' + KEY.encode() + b'" } // mine\n    }\n  }\n}\n',
    ),
    (
        "an address and a key of the user's, escaped",
        "opencode",
        OPENCODE,
        b'{"provider":{"openrouter":{"options":{"baseURL":"https:\\/\\/openrouter.ai\\/api\\/v1","apiKey":"{env:MY_KEY}"}}}}',
    ),
    (
        "a block of another name that leads to a known provider",
        "opencode",
        OPENCODE,
        b'{"provider": {"mine": {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": "https://openrouter.ai/api/v1"}}}}\n',
    ),
    ("repeated keys", "opencode", OPENCODE, b'{"provider": {"a": {}}, "provider": {"b": {}}, "x": 1, "x": 2}\n'),
    ("repeated keys, the last one no table of ours", "opencode", OPENCODE, b'{"provider": [1], "provider": {}}\n'),
    ("nested arrays", "opencode", OPENCODE, b'{"mcp": [[[{"provider": {"openrouter": 1}}], [{}]], []]}\n'),
    ("braces and slashes in texts", "opencode", OPENCODE, b'{"a": "} // \\" /* {", "b\\"{": "\\\\"}\n'),
    ("a comment between a value and its comma", "opencode", OPENCODE, b'{\n  "a": 1 /* one */ , // two\n  "b": 2 /* x */\n}\n'),
    ("the end on the line of the last value", "opencode", OPENCODE, b'{\n  "a": 1,\n  "b": 2 }\n'),
    ("other letters", "opencode", OPENCODE, '{"thème": "größe ✓ 🎉", "k": "\\ud83d"}\n'.encode()),
    ("a large file", "opencode", OPENCODE, b'{\n  "a": [' + b", ".join(b'"%d"' % n for n in range(3_000)) + b"]\n}\n"),
    ("settings with hooks", "claude-code", CLAUDE, b'{\n  "permissions": {"allow": ["Bash(ls)"]},\n  "env": {\n    "FOO": "1"\n  }\n}\n'),
    ("an env of the user's", "claude-code", CLAUDE, b'{"env": {"ANTHROPIC_BASE_URL": "https://gateway.example", "ANTHROPIC_AUTH_TOKEN": "tok-0123456789abcdef"}}'),
    ("an empty env", "claude-code", CLAUDE, b'{\n  "env": {}\n}\n'),
    ("Codex: nothing", "codex", CODEX, b""),
    ("Codex: comments only", "codex", CODEX, b"# mine\n"),
    ("Codex: a table first", "codex", CODEX, b'[features]\nplugins = false # no\n'),
    ("Codex: keys, then tables", "codex", CODEX, b'model = "gpt-5"\n\n[projects."/a"]\ntrust_level = "trusted"\n'),
    ("Codex: CRLF", "codex", CODEX, b'model = "gpt-5"\r\n\r\n[a]\r\nb = 1\r\n'),
    ("Codex: a byte order mark", "codex", CODEX, b'\xef\xbb\xbfmodel = "gpt-5"\n'),
    ("Codex: no final newline", "codex", CODEX, b'[a]\nb = 1'),
    (
        "Codex: a provider of the user's",
        "codex",
        CODEX,
        b'model_provider = "router" # mine\n[model_providers.router]\nname = "R"\nbase_url = "https://openrouter.ai/api/v1" # there\n'
        b'env_key = "OPENROUTER_API_KEY" # from the shell\nwire_api = "responses"\n\n[other]\na = [1, [2]]\n',
    ),
    (
        "Codex: the same inline",
        "codex",
        CODEX,
        b'model_provider = "r"\nmodel_providers = { r = { name = "R", base_url = "https://x.example/v1", env_key = "K" } }\n',
    ),
    (
        "Codex: the same with dotted keys",
        "codex",
        CODEX,
        b'model_provider = "r"\nmodel_providers.r.name = "R"\nmodel_providers.r.base_url = "https://x.example/v1"\n',
    ),
    (
        "Codex: a profile chooses the provider",
        "codex",
        CODEX,
        b'profile = "work"\n\n[profiles.work]\nmodel_provider = "ollama"\n',
    ),
    ("Codex: an address moved already", "codex", CODEX, b'openai_base_url = "https://eu.api.openai.com/v1"\n'),
    ("Codex: a key in auth.json", "codex", AUTH, b'{"OPENAI_API_KEY": "sk-proj-0123456789abcdefghijkl"}'),
    ("Codex: a ChatGPT login", "codex", AUTH, b'{"auth_mode": "chatgpt", "tokens": {"access_token": "eyJhbGciOiJSUzI1NiJ9.e30.x"}}'),
    ("aider: nothing", "aider", AIDER, b""),
    ("aider: settings", "aider", AIDER, b"# mine\nmodel: openai/gpt-4o  # good\nread:\n  - CONVENTIONS.md\nauto-commits: false\n"),
    ("aider: a key of the user's", "aider", AIDER, b"openai-api-key: " + KEY.encode() + b" # mine\nopenai-api-base: 'https://x.example/v1'\n"),
    ("aider: no final newline, CRLF", "aider", AIDER, b"dark-mode: true\r\nmodel: x"),
    ("aider: variables of the user's", "aider", AIDER, b"set-env:\n  - A=1\n"),
    ("llm: models of the user's", "llm", LLM, b"# more\n- model_id: mine\n  model_name: x\n  api_base: http://localhost:8000\n"),
    ("llm: no final newline", "llm", LLM, b"- model_id: mine\n  model_name: x"),
]  # fmt: skip


@pytest.mark.parametrize(("client", "name", "data"), [row[1:] for row in WELL], ids=[row[0] for row in WELL])
def test_what_was_connected_and_disconnected_is_as_it_was_to_the_byte(
    desk: Desk, client: str, name: str, data: bytes
) -> None:
    path = desk.put(name, data)
    path.chmod(0o640)
    before = snapshot(desk.home)
    desk.connect(client, models=("a/b",))
    connected = snapshot(desk.home)
    assert connected != before
    assert desk.state(client)[0] == "connected"
    assert path.stat().st_mode & 0o777 == 0o640
    assert desk.vault.tokens()[client] in "".join(text.decode() for text in connected.values())
    assert not desk.connect(client, models=("a/b",)).changed
    assert snapshot(desk.home) == connected
    desk.disconnect(client)
    assert snapshot(desk.home) == before
    assert not desk.journal.exists() and not desk.vault.replaced(client)
    assert desk.state(client)[0] == "not connected"


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, links as what they lead to."""
    return {
        str(path.relative_to(folder)): b"" if path.is_dir() else path.read_bytes() for path in sorted(folder.rglob("*"))
    }


def test_all_but_our_values_stays_where_it_was(desk: Desk) -> None:
    for number, (title, client, name, data) in enumerate(WELL):
        (desk.folder / str(number)).mkdir()
        other = Desk(desk.folder / str(number))
        path = other.put(name, data)
        other.connect(client, models=("a/b",))
        noted = journal.read(other.journal.read_bytes()).connections[client]
        steps = [
            step
            for edit in journal.revealed(noted, other.vault.replaced(client)).edits
            if edit.path == str(path)
            for step in edit.steps
        ]
        after, before = path.read_bytes().decode(), data.decode()
        for step in steps:
            assert step.before is None or step.before.words is not None
            before = before.replace(step.before.words or "" if step.before else "", "", 1)
        before = re.sub(r"env_key *= *(#|,)?", "", before)
        assert is_within(before, after), title
        changed = Counter(data.split(b"\n")) - Counter(path.read_bytes().split(b"\n"))
        assert sum(changed.values()) <= max(1, len(steps)), title


def is_within(part: str, whole: str) -> bool:
    """Whether all characters of `part` are in `whole`, in their order."""
    rest = iter(whole)
    return all(mark in rest for mark in part)


@pytest.mark.parametrize(
    ("client", "name", "data"), [row[1:] for row in WELL if b"provider" in row[3]], ids=lambda _: ""
)
def test_what_the_client_reads_is_ours_and_all_else_is_what_it_was(
    desk: Desk, client: str, name: str, data: bytes
) -> None:
    if client != "opencode":
        return
    path = desk.put(name, data)
    desk.connect(client)
    before, after = parsed(data), parsed(path.read_bytes())
    assert isinstance(before, dict) and isinstance(after, dict)
    pointed = {one: block["options"] for one, block in after["provider"].items() if "options" in block}
    token = desk.vault.tokens()["opencode"]
    assert len(pointed) >= 3
    for block, options in pointed.items():
        provider = "openrouter" if block == "mine" else block
        assert options["baseURL"] == f"{URL}/{provider}/v1" and options["apiKey"] == token
    assert {key: after[key] for key in after if key != "provider"} == {
        key: before[key] for key in before if key != "provider"
    }


# -- what cannot be edited is left alone, and said

BROKEN: list[tuple[str, str, str, bytes, str]] = [
    ("broken JSON", "opencode", OPENCODE, b'{\n  "a": 1\n  "b": 2\n}\n', "line 3: a comma or the end of an object is missing"),
    ("JSON cut off", "opencode", OPENCODE, b'{\n  "a": [1, 2', "line 2: a comma or the end of a list is missing"),
    ("a list", "opencode", OPENCODE, b"[1]", "line 1: the document is no object, so provider cannot be set in it"),
    ("provider is a list", "opencode", OPENCODE, b'{\n"provider": []}', "line 2: provider is no object"),
    ("options is null", "opencode", OPENCODE, b'{"provider":{"openrouter":{"options":null}}}', "provider.openrouter.options is no object"),
    ("no UTF-8", "opencode", OPENCODE, b'{"a": "\xff"}', "is not UTF-8"),
    ("nested without end", "opencode", OPENCODE, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
    ("something behind the end", "opencode", OPENCODE, b"{}\n{}", "line 2: something stands behind the end"),
    ("a text without end", "opencode", OPENCODE, b'{"a": "b\n}', "one of them has no end"),
    ("a wrong escape", "opencode", OPENCODE, b'{"a\\q": 1}', "wrongly escaped"),
    ("a comment without end", "opencode", OPENCODE, b'{"a": 1 /* }', "line 1: a comma"),
    ("no colon", "opencode", OPENCODE, b'{"a" 1}', "a colon is missing"),
    ("no value", "opencode", OPENCODE, b'{"a": }', "a value is missing"),
    ("single quotes", "opencode", OPENCODE, b"{'a': 1}", "a name in quotation marks is missing"),
    ("env is a text", "claude-code", CLAUDE, b'{"env": "x"}', "env is no object"),
    ("broken TOML", "codex", CODEX, b'a = 1\nb = \n', "line 2"),
    ("repeated TOML keys", "codex", CODEX, b"a = 1\na = 2\n", "Cannot overwrite a value"),
    ("model_providers is a text", "codex", CODEX, b'model_provider = "x"\nmodel_providers = "no"\n', "model_providers is no table"),
    ("YAML that is a list", "aider", AIDER, b"- a\n{b: 1}\n", "line 2: this line is no `key: value`"),
    ("a YAML value over lines", "aider", AIDER, b"openai-api-base: >\n  http://x\n", "more than a value on one line"),
    ("a YAML list under our key", "aider", AIDER, b"openai-api-base:\n- a\n", "more than a value on one line"),
    ("a YAML key twice", "aider", AIDER, b"openai-api-key: a\nopenai-api-key: b\n", "stands there twice"),
    ("models that are no list", "llm", LLM, b"models:\n  - a\n", "belongs to no list of models"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("client", "name", "data", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_file_that_cannot_be_edited_is_left_alone_and_said(
    desk: Desk, client: str, name: str, data: bytes, words: str
) -> None:
    path = desk.put(name, data)
    before = snapshot(desk.home)
    with pytest.raises(Refused) as refused:
        desk.connect(client, models=("a/b",))
    assert words in refused.value.message and str(path) in refused.value.message
    assert snapshot(desk.home) == before
    assert not desk.journal.exists()


def test_a_file_that_is_too_large_is_left_alone(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"a": "' + b"x" * user_files.MAX_FILE + b'"}')
    with pytest.raises(Refused, match="larger than 4 MB"):
        desk.connect("claude-code")
    assert path.stat().st_size > user_files.MAX_FILE


def test_a_read_only_file_is_left_alone_and_the_command_that_mends_it_is_named(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    path.chmod(0o444)
    with pytest.raises(Refused, match="read-only; allow it with: chmod u\\+w"):
        desk.connect("claude-code")
    assert path.read_bytes() == b"{}" and not desk.journal.exists()


def test_a_folder_in_place_of_the_file_is_refused(desk: Desk) -> None:
    (desk.home / CLAUDE).mkdir(parents=True)
    with pytest.raises(Refused, match="no ordinary file"):
        desk.connect("claude-code")


# -- links, new files, modes


def test_a_link_stays_and_what_it_leads_to_is_edited(desk: Desk) -> None:
    real = desk.put("dotfiles/claude.json", b'{"a": 1}\n')
    link = desk.home / CLAUDE
    link.parent.mkdir()
    link.symlink_to(real)
    desk.connect("claude-code")
    assert link.is_symlink() and "ANTHROPIC_BASE_URL" in real.read_text()
    desk.disconnect("claude-code")
    assert link.is_symlink() and real.read_bytes() == b'{"a": 1}\n'


def test_a_file_of_two_names_keeps_both(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    other = desk.home / "other"
    other.hardlink_to(path)
    desk.connect("claude-code")
    assert other.read_bytes() == path.read_bytes() != b"{}"
    desk.disconnect("claude-code")
    assert other.read_bytes() == path.read_bytes() == b"{}"


@pytest.mark.parametrize("client", ["opencode", "claude-code", "codex", "aider", "llm"])
def test_a_client_that_has_no_file_gets_one_for_its_user_only_and_loses_it_again(desk: Desk, client: str) -> None:
    view = desk.connect(client, models=("a/b",))
    for file in view.files:
        assert file.change == "made"
        assert Path(file.path).stat().st_mode & 0o777 == 0o600
    desk.disconnect(client)
    assert snapshot(desk.home) == {}


def test_a_new_file_that_others_have_written_in_since_stays_with_what_they_wrote(desk: Desk) -> None:
    desk.connect("claude-code")
    path = desk.home / CLAUDE
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "theme": "dark"}, indent=2))
    desk.disconnect("claude-code")
    assert json.loads(path.read_text()) == {"theme": "dark"}


# -- others write too


def test_what_others_have_changed_elsewhere_stays(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{\n  "provider": {\n    "openrouter": { "options": { "apiKey": "{env:K}" } }\n  }\n}\n')
    desk.connect("opencode")
    text = path.read_text().replace('"provider"', '"theme": "dark", // new\n  "provider"')
    path.write_text(text)
    assert desk.state("opencode")[0] == "connected"
    desk.disconnect("opencode")
    assert path.read_text() == (
        '{\n  "theme": "dark", // new\n  "provider": {\n    "openrouter": { "options": { "apiKey": "{env:K}" } }\n  }\n}\n'
    )


def test_codex_may_trust_a_project_meanwhile(desk: Desk) -> None:
    before = 'model = "gpt-5"\n# mine\n[projects."/a"]\ntrust_level = "trusted"\n'
    path = desk.put(CODEX, before.encode())
    desk.put(AUTH, b'{"tokens": {"a": 1}}')
    desk.connect("codex")
    assert tomllib.loads(path.read_text())["model_provider"] == "o-switcher"
    added = '\n[projects."/b"]\ntrust_level = "trusted"\n'
    path.write_text(path.read_text() + added)
    desk.disconnect("codex")
    assert path.read_text() == before + added


def test_a_value_that_the_user_has_changed_since_is_not_overwritten(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"env": {"ANTHROPIC_BASE_URL": "https://old.example"}}')
    desk.connect("claude-code")
    mine = path.read_text().replace(f"{URL}/anthropic", "https://mine.example")
    path.write_text(mine)
    assert "env.ANTHROPIC_BASE_URL" in desk.state("claude-code")[1]
    with pytest.raises(Refused) as refused:
        desk.disconnect("claude-code")
    assert "was not disconnected, since somebody has changed env.ANTHROPIC_BASE_URL" in refused.value.message
    assert "--force" in refused.value.message and "What it would do:" in refused.value.message
    assert path.read_text() == mine
    with pytest.raises(Refused):
        desk.disconnect("claude-code", dry_run=True)
    desk.disconnect("claude-code", force=True)
    assert path.read_text() == '{"env": {"ANTHROPIC_BASE_URL": "https://old.example"}}'


def test_force_touches_our_values_only(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{\n  "a": 1\n}\n')
    desk.connect("claude-code")
    path.write_text(path.read_text().replace(f"{URL}/anthropic", "https://mine.example").replace('"a": 1', '"a": 2'))
    desk.disconnect("claude-code", force=True)
    assert path.read_text() == '{\n  "a": 2\n}\n'


def test_what_the_user_has_put_back_by_hand_needs_no_disconnecting(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{\n  "env": {"ANTHROPIC_BASE_URL": "https://old.example"}\n}\n')
    desk.connect("claude-code", command=False)
    path.write_text('{\n  "env": {"ANTHROPIC_BASE_URL": "https://old.example"}, "b": 1\n}\n')
    assert not desk.disconnect("claude-code").changed
    path.write_text("{}")
    assert desk.state("claude-code")[0] == "not connected"


def test_a_file_that_is_gone_is_not_made_again(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"a": 1}')
    desk.connect("claude-code")
    path.unlink()
    assert desk.state("claude-code")[0] == "changed"
    view = desk.disconnect("claude-code")
    assert not path.exists() and "is no longer there" in view.notes[0]


def test_a_file_that_is_broken_since_is_refused_by_line(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"a": 1}')
    desk.connect("claude-code")
    path.write_text("{\n")
    assert "line 2" in desk.state("claude-code")[1]
    with pytest.raises(Refused, match="line 2"):
        desk.disconnect("claude-code")
    assert path.read_text() == "{\n"


def test_connecting_again_takes_what_the_user_has_set_since_for_what_was_there(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"env": {"ANTHROPIC_BASE_URL": "https://old.example"}}')
    desk.connect("claude-code")
    path.write_text(path.read_text().replace(f"{URL}/anthropic", "https://mine.example"))
    assert desk.connect("claude-code").changed
    assert f"{URL}/anthropic" in path.read_text()
    desk.disconnect("claude-code")
    assert path.read_text() == '{"env": {"ANTHROPIC_BASE_URL": "https://mine.example"}}'


def test_a_file_that_somebody_writes_at_the_same_moment_is_read_again(tmp_path: Path) -> None:
    others = iter([b'{"theme": "one"}', b'{"theme": "two"}'])

    def write(path: Path, expected: str | None, text: str) -> None:
        if (data := next(others, None)) is not None:
            path.write_bytes(data)
        user_files.replace(path, expected, text)

    desk = Desk(tmp_path, write=write)
    path = desk.put(CLAUDE, b"{}")
    desk.connect("claude-code")
    assert json.loads(path.read_text())["theme"] == "two"
    desk.disconnect("claude-code")
    assert path.read_bytes() == b'{"theme": "two"}'


def test_a_file_that_is_written_without_end_is_given_up(tmp_path: Path) -> None:
    count = iter(range(100))

    def write(path: Path, expected: str | None, text: str) -> None:
        path.write_text(json.dumps({"theme": next(count)}))
        user_files.replace(path, expected, text)

    desk = Desk(tmp_path, write=write)
    path = desk.put(CLAUDE, b"{}")
    with pytest.raises(Refused, match="was changed meanwhile again and again"):
        desk.connect("claude-code")
    assert json.loads(path.read_text()) == {"theme": 2}
    assert not desk.journal.exists()


def test_two_who_connect_at_once_take_turns(desk: Desk) -> None:
    path = desk.put(OPENCODE, b"{}")
    threads = [Thread(target=desk.connect, args=("opencode",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.disconnect("opencode")
    assert path.read_bytes() == b"{}"


# -- all or nothing


def test_where_the_second_file_cannot_be_written_the_first_one_is_put_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path, providers=("openai",))
    config = desk.put(CODEX, b'model = "gpt-5"\n')
    auth = desk.put(AUTH, b'{"OPENAI_API_KEY": "sk-proj-0123456789abcdefghijkl"}')
    auth.chmod(0o400)
    before = snapshot(desk.home)
    with pytest.raises(Refused, match="read-only"):
        desk.connect("codex")
    assert snapshot(desk.home) == before
    assert not desk.journal.exists() and not desk.vault.replaced("codex")
    assert config.read_bytes() == b'model = "gpt-5"\n'


def test_an_end_between_the_journal_and_the_file_loses_nothing(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def killed(path: Path, expected: str | None, text: str) -> None:
        saved.append(desk.journal.read_bytes())
        raise Killed

    saved: list[bytes] = []
    desk = Desk(tmp_path, write=killed)
    path = desk.put(CLAUDE, b'{"a": 1}')
    with pytest.raises(Killed):
        desk.connect("claude-code")
    desk.journal.write_bytes(saved[0])  # as it was on the disk when it happened
    again = Desk(tmp_path)
    assert not again.disconnect("claude-code").changed
    assert path.read_bytes() == b'{"a": 1}'
    desk.journal.write_bytes(saved[0])
    assert Desk(tmp_path).connect("claude-code").changed
    Desk(tmp_path).disconnect("claude-code")
    assert path.read_bytes() == b'{"a": 1}'


def test_a_dry_run_shows_the_same_diff_and_changes_nothing(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{"provider":{"openrouter":{"options":{"apiKey":"' + KEY.encode() + b'"}}}}\n')
    before = snapshot(desk.folder)
    shown = desk.connect("opencode", dry_run=True)
    assert snapshot(desk.folder) == before and shown.changed and shown.dry_run
    assert shown.message.startswith("OpenCode would be pointed at")
    done = desk.connect("opencode")
    assert [file.diff for file in done.files] == [file.diff for file in shown.files]
    connected = path.read_bytes()
    back = desk.disconnect("opencode", dry_run=True)
    assert back.changed and path.read_bytes() == connected
    assert desk.disconnect("opencode").files == back.files


# -- keys


def test_no_key_is_in_what_is_shown_or_in_the_journal(desk: Desk) -> None:
    secrets = (KEY, ANTHROPIC, "plain-word-key-without-shape", "https://user:pass0word1@proxy.example/v1")
    data = {
        "provider": {
            "openrouter": {"options": {"apiKey": KEY}},
            "anthropic": {"options": {"apiKey": "plain-word-key-without-shape", "headers": {"x-api-key": ANTHROPIC}}},
            "openai": {"options": {"apiKey": "{env:K}"}},
        }
    }
    path = desk.put(OPENCODE, json.dumps(data, indent=2).encode())
    desk.put(CLAUDE, json.dumps({"env": {"ANTHROPIC_BASE_URL": secrets[3]}}).encode())
    said = [desk.connect("opencode", dry_run=True), desk.connect("opencode"), desk.connect("claude-code")]
    said += [desk.disconnect("opencode", dry_run=True)]
    shown = msgspec.json.encode(said).decode() + desk.journal.read_text()
    for secret in secrets:
        assert secret not in shown
    assert desk.vault.tokens()["opencode"] not in shown
    assert desk.journal.stat().st_mode & 0o777 == 0o600
    assert KEY not in path.read_text() and KEY in (desk.folder / "keys.json").read_text()
    desk.disconnect("opencode")
    assert json.loads(path.read_text()) == data
    assert KEY not in (desk.folder / "keys.json").read_text()


def test_a_key_that_the_vault_has_lost_is_said_and_force_takes_ours_out(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{"provider":{"openrouter":{"options":{"apiKey":"' + KEY.encode() + b'"}}}}\n')
    desk.connect("opencode")
    desk.vault.keep_replaced("opencode", {})
    connected = path.read_bytes()
    with pytest.raises(Refused, match=r"provider.openrouter.options.apiKey is no longer known"):
        desk.disconnect("opencode")
    assert path.read_bytes() == connected
    desk.disconnect("opencode", force=True)
    assert parsed(path.read_bytes()) == {"provider": {"openrouter": {"options": {}}}}


def test_our_own_placeholder_is_never_kept_as_what_was_there(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{\n  "theme": "x"\n}\n')
    desk.connect("opencode")
    desk.journal.unlink()  # lost, with all that was known
    desk.connect("opencode", "http://127.0.0.1:5000")
    assert "5000/openrouter" in path.read_text() and "4417" not in path.read_text()
    desk.disconnect("opencode")
    document = parsed(path.read_bytes())
    assert "127.0.0.1" not in path.read_text() and "osw-" not in path.read_text()
    assert isinstance(document, dict) and document["theme"] == "x"


def test_a_file_that_others_can_read_is_said(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    path.chmod(0o644)
    assert "can read" in desk.connect("claude-code").notes[0]
    desk.disconnect("claude-code")
    path.chmod(0o600)
    assert desk.connect("claude-code").notes == ()


def test_a_token_that_was_revoked_is_said_and_connecting_gives_a_new_one(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"a": 1}')
    desk.connect("claude-code")
    first = desk.vault.tokens()["claude-code"]
    desk.vault.revoke("claude-code")
    assert "its token was revoked" in desk.state("claude-code")[1]
    desk.connect("claude-code")
    second = desk.vault.tokens()["claude-code"]
    assert first != second and second in path.read_text() and first not in path.read_text()
    desk.disconnect("claude-code")
    assert path.read_bytes() == b'{"a": 1}'


# -- another port


@pytest.mark.parametrize("client", ["opencode", "claude-code", "codex", "aider", "llm"])
def test_clients_follow_to_another_port_and_back_to_what_they_were(desk: Desk, client: str) -> None:
    names = {"opencode": OPENCODE, "claude-code": CLAUDE, "codex": CODEX, "aider": AIDER, "llm": LLM}
    data = b"# mine\n" if client in ("codex", "aider", "llm") else b'{"mine": 1}\n'
    path = desk.put(names[client], data)
    before = snapshot(desk.home)
    desk.connect(client, models=("a/b",))
    at_first = snapshot(desk.home)
    assert desk.connecting.move(URL) == []
    assert desk.state(client, "http://127.0.0.1:5000")[0] == "old address"
    assert desk.connecting.move("http://127.0.0.1:5000") == [(client, None)]
    assert "127.0.0.1:5000/" in path.read_text() and "4417" not in path.read_text()
    assert desk.state(client, "http://127.0.0.1:5000")[0] == "connected"
    assert desk.connecting.move(URL) == [(client, None)]
    assert snapshot(desk.home) == at_first
    desk.connect(client, "http://127.0.0.1:6000", models=("a/b",))
    assert "127.0.0.1:6000/" in path.read_text() and "4417" not in path.read_text()
    desk.disconnect(client)
    assert snapshot(desk.home) == before


def test_clients_follow_in_a_file_that_was_edited_since(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"a": 1}\n')
    desk.connect("claude-code")
    path.write_text(path.read_text().replace('"a": 1', '"a": 2'))
    assert desk.connecting.move("http://127.0.0.1:5000") == [("claude-code", None)]
    desk.connect("claude-code", "http://127.0.0.1:6000")
    assert json.loads(path.read_text())["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:6000/anthropic"
    desk.disconnect("claude-code")
    assert path.read_bytes() == b'{"a": 2}\n'


def test_a_client_whose_file_is_not_ours_any_more_does_not_follow_and_it_is_said(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    desk.connect("claude-code")
    path.write_text("{}")
    [(client, trouble)] = desk.connecting.move("http://127.0.0.1:5000")
    assert client == "claude-code" and trouble is not None
    assert "was changed since; point it here with: o-switcher connect claude-code" in trouble
    path.write_text("{")
    assert "line 1" in str(desk.connecting.move("http://127.0.0.1:5000")[0][1])
    path.unlink()
    assert desk.connecting.move("http://127.0.0.1:5000")[0][1] is not None


# -- the journal


def test_a_damaged_journal_is_named_and_nothing_is_changed(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    desk.journal.write_text("{")
    for ask in (lambda: desk.connect("claude-code"), lambda: desk.disconnect("claude-code")):
        with pytest.raises(Refused, match=r"connections\.json is damaged"):
            ask()
    assert desk.connecting.move(URL)[0][0] == ""
    desk.journal.write_text('{"version": 99}')
    with pytest.raises(Refused, match="newer version"):
        desk.connect("claude-code")
    assert path.read_bytes() == b"{}"


def test_a_journal_that_cannot_be_written_changes_nothing(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    desk.journal.mkdir()
    with pytest.raises(Refused, match=r"connections\.json cannot be read"):
        desk.connect("claude-code")
    assert path.read_bytes() == b"{}"


def test_disconnecting_what_is_not_connected_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="OpenCode is not connected"):
        desk.disconnect("opencode")
    with pytest.raises(Refused, match="no client is called 'emacs'; known are: opencode, claude-code"):
        desk.connect("emacs")


def test_a_file_that_moved_is_left_as_it_was_and_the_other_one_is_edited(desk: Desk) -> None:
    path = desk.put(CLAUDE, b'{"a": 1}')
    desk.connect("claude-code")
    desk.environ = {"CLAUDE_CONFIG_DIR": str(desk.home / "elsewhere")}
    desk.connect("claude-code")
    assert path.read_bytes() == b'{"a": 1}'
    assert "ANTHROPIC" in (desk.home / "elsewhere" / "settings.json").read_text()
    desk.disconnect("claude-code")
    assert snapshot(desk.home) == {".claude": b"", CLAUDE: b'{"a": 1}'}


def test_every_other_client_with_a_token_is_listed(desk: Desk) -> None:
    desk.vault.token("my-script")
    listed = {one.client: one for one in desk.connecting.connections(URL)}
    assert listed["my-script"].has_token and not listed["my-script"].connected
    assert not listed["opencode"].has_token


def test_a_diff_shows_ends_without_a_newline() -> None:
    shown = diff(Path("x"), '{"a": 1}', '{"a": 2}', "osw-none")
    assert shown.splitlines()[3:] == [
        '-{"a": 1}',
        "\\ No newline at end of file",
        '+{"a": 2}',
        "\\ No newline at end of file",
    ]


# -- properties

_WORDS = st.text("abcé \"\\/{}[],:#'=", max_size=6)
_GAPS = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", " // note\n", " /* a, b */ ", "\n\n"])
_NAMES = st.sampled_from(["provider", "openrouter", "options", "baseURL", "apiKey", "anthropic", "x"])


@st.composite
def jsonc(draw: st.DrawFn, depth: int = 0, *, table: bool = False) -> str:
    """A JSON text as a person might write it. On the way to our places there are only objects."""
    kind = (
        "object"
        if table
        else draw(st.sampled_from(["object", "list", "text", "plain"]) if depth < 4 else st.just("plain"))
    )
    if kind == "text":
        return json.dumps(draw(_WORDS), ensure_ascii=draw(st.booleans()))
    if kind == "plain":
        return draw(st.sampled_from(["1", "-2.5e3", "true", "null", '""']))
    count = draw(st.integers(0, 3))
    parts = []
    for _ in range(count):
        if kind == "object":
            name = draw(_NAMES | _WORDS)
            way = name in ("provider", "openrouter", "anthropic", "options")
            value = draw(jsonc(depth + 1, table=way))
            parts.append(f"{draw(_GAPS)}{json.dumps(name)}{draw(_GAPS)}:{draw(_GAPS)}{value}{draw(_GAPS)}")
        else:
            parts.append(f"{draw(_GAPS)}{draw(jsonc(depth + 1))}{draw(_GAPS)}")
    comma = "," if parts and draw(st.booleans()) else ""
    inside = ",".join(parts) + comma + draw(_GAPS)
    return "{" + inside + "}" if kind == "object" else "[" + inside + "]"


@given(st.builds(lambda a, b, c: a + b + c, _GAPS, jsonc(table=True), _GAPS), st.booleans())
@settings(max_examples=60, deadline=None)
def test_going_back_in_any_json_is_exact(text: str, marked: bool) -> None:
    whole = ("\ufeff" if marked else "") + text
    change = FileChange(
        Path("x"),
        "json",
        (
            Setting(("provider", "openrouter", "options", "baseURL"), f"{URL}/openrouter/v1"),
            Setting(("provider", "openrouter", "options", "apiKey"), "osw-t", secret=True),
            Setting(("provider", "anthropic", "options", "apiKey"), "osw-t", secret=True),
        ),
    )
    made = journal.made(whole, change, "osw-t", (URL,))
    assert journal.undone(made.text, made.edit).text == whole
    after = parsed(made.text.encode())
    assert isinstance(after, dict)
    assert after["provider"]["openrouter"]["options"]["apiKey"] == "osw-t"
    # value by value, as where somebody has written something in between: all but ours is what it was
    edited = made.text + "\n// a word"
    back = journal.undone(edited, made.edit)
    assert not back.conflicts and not back.exact
    assert back.text is not None and parsed(back.text.encode()) == parsed(text.encode())
    assert "osw-t" not in back.text


_TOML_VALUES = st.sampled_from(
    ['"x"', "1", "[1, [2, 3], ]", '"""a\nb = 1\n"""', "{ a = 1, b = { c = 2 } }", "'lit'", "1979-05-27"]
)
_TOML_KEYS = st.sampled_from(["model", "a.b", '"q.r"', "x"])


@st.composite
def toml(draw: st.DrawFn) -> str:
    """A TOML text as a person might write it; None of its keys is ours but `model_provider`."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    lines = draw(st.lists(st.sampled_from(["", "# note", "  "]), max_size=2))
    names = draw(st.lists(_TOML_KEYS, unique=True, max_size=3))
    lines += [f"{name} = {draw(_TOML_VALUES)}{draw(st.sampled_from(['', ' # why']))}" for name in names]
    if draw(st.booleans()):
        lines.append(f'{draw(st.sampled_from(["", "  "]))}model_provider = "r" # mine')
    for table in draw(
        st.lists(st.sampled_from(["[t]", "[model_providers.other]", "[[list]]", '[projects."/a b"]']), unique=True)
    ):
        lines += [*draw(st.lists(st.sampled_from(["", "# c"]), max_size=2)), table]
        lines += [
            f"{name} = {draw(_TOML_VALUES)}" for name in draw(st.lists(st.sampled_from(["k", "l.m"]), unique=True))
        ]
    if draw(st.booleans()):
        lines += ["[model_providers.r]", 'name = "R"', "env_key = 'K' # k"][: draw(st.integers(1, 3))]
    return newline.join(lines) + draw(st.sampled_from(["", newline, newline * 2]))


@given(toml())
@settings(max_examples=40, deadline=None)
def test_going_back_in_any_toml_is_exact(text: str) -> None:
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    path = ("model_providers", "r")
    change = FileChange(
        Path("x"),
        "toml",
        (
            Setting((*path, "name"), "O-Switcher"),
            Setting((*path, "base_url"), f"{URL}/openai/v1"),
            Setting((*path, "experimental_bearer_token"), "osw-t", secret=True),
            Setting(("model_provider",), "o-switcher"),
        ),
    )
    made = journal.made(text, change, "osw-t", (URL,))
    assert journal.undone(made.text, made.edit).text == text
    assert tomllib.loads(made.text)["model_providers"]["r"]["base_url"] == f"{URL}/openai/v1"
    back = journal.undone(made.text + "\n# a word", made.edit)
    assert not back.conflicts and back.text is not None
    assert tomllib.loads(back.text) == before


def test_the_owner_of_a_file_stays(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    before = path.stat()
    desk.connect("claude-code")
    assert (path.stat().st_uid, path.stat().st_gid) == (before.st_uid, before.st_gid)


def test_connecting_again_with_more_providers_adds_them_and_goes_back_all_the_way(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{\n  "provider": {\n    "x": {} // mine\n  }\n}\n')
    desk.providers = ("openrouter",)
    desk.connect("opencode")
    desk.providers = ("openrouter", "groq")
    assert desk.connect("opencode").changed and "/groq/v1" in path.read_text()
    desk.providers = ("groq",)
    assert desk.connect("opencode").changed and "/openrouter/v1" not in path.read_text()
    desk.disconnect("opencode")
    assert path.read_bytes() == b'{\n  "provider": {\n    "x": {} // mine\n  }\n}\n'


def test_where_the_second_of_two_new_files_fails_the_first_one_and_its_folder_go(tmp_path: Path) -> None:
    def write(path: Path, expected: str | None, text: str) -> None:
        if path.name == "auth.json":
            raise user_files.Untouchable("the disk is full")
        user_files.replace(path, expected, text)

    desk = Desk(tmp_path, write=write)
    with pytest.raises(Refused, match="the disk is full"):
        desk.connect("codex")
    assert snapshot(desk.home) == {} and not desk.journal.exists()


def test_where_the_journal_cannot_be_written_what_was_known_before_stays(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{"provider":{"openrouter":{"options":{"apiKey":"' + KEY.encode() + b'"}}}}\n')
    desk.providers = ("openrouter",)
    desk.connect("opencode")
    connected, kept = path.read_bytes(), desk.vault.replaced("opencode")
    # a name that a file may have, with no room for the temporary one beside it
    desk.connecting.journal_file = desk.journal.rename(desk.folder / ("j" * 250))
    with pytest.raises(Refused, match="cannot be written: File name too long"):
        desk.connect("opencode", "http://127.0.0.1:5000")
    assert path.read_bytes() == connected
    assert (
        KEY in "".join(desk.vault.replaced("opencode").values())
        and kept.items() <= desk.vault.replaced("opencode").items()
    )


def test_an_end_between_the_vault_and_the_journal_loses_no_key(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{"provider":{"openrouter":{"options":{"apiKey":"' + KEY.encode() + b'"}}}}\n')
    before = path.read_bytes()
    desk.connect("opencode")
    desk.vault.keep_replaced("opencode", {**desk.vault.replaced("opencode"), "later": "x"})
    desk.disconnect("opencode")
    assert path.read_bytes() == before and desk.vault.replaced("opencode") == {}


def test_a_step_that_is_not_needed_is_not_noted() -> None:
    assert journal.read(None).connections == {}
    change = FileChange(Path("x"), "toml", (Setting(("a", "env_key"), GONE), Setting(("b",), "v")))
    made = journal.made("[a]\nc = 1\n", change, "osw-t", ())
    assert [step.path for step in made.edit.steps] == [("b",)]
    change = FileChange(Path("x"), "toml", (Setting(("a", "c"), GONE),))
    made = journal.made("[a]\nc = 1\nd = 2\n", change, "osw-t", ())
    assert made.text == "[a]\nd = 2\n"
    again = journal.moved(
        made.text + "# more\n", made.edit, journal.values_at(made.edit, URL, URL, "osw-t"), "osw-t", ()
    )
    assert again.text == made.text + "# more\n"
    assert journal.undone(again.text, again.edit).text == "[a]\nd = 2\nc = 1\n# more\n"


def test_a_table_that_cannot_take_a_key_is_said(desk: Desk) -> None:
    path = desk.put(CODEX, b'model_provider = "r"\nmodel_providers = {r = {base_url = "u"}, x = """\n"""}\n')
    before = path.read_bytes()
    desk.connect("codex")
    assert tomllib.loads(path.read_text())["model_providers"]["x"] == ""
    desk.disconnect("codex")
    assert path.read_bytes() == before


def test_what_was_asked_for_once_holds_when_connecting_again(desk: Desk) -> None:
    desk.connect("llm", models=("a/b",), provider="openrouter")
    assert not desk.connect("llm").changed
    assert desk.connect("llm", models=("c",)).changed and "c" in (desk.home / LLM).read_text()
    assert "a/b" not in (desk.home / LLM).read_text() and "/openrouter/v1" in (desk.home / LLM).read_text()
    desk.disconnect("llm")
    assert snapshot(desk.home) == {}


_YAML_LINES = st.sampled_from(
    [
        "# note",
        "",
        "model: x  # why",
        "read:",
        "  - a.md",
        "- b.md",
        "openai-api-key: 'it''s' # mine",
        "dark: true",
        "---",
        "openai-api-base: http://x/#y",
        "set-env:",
        "long: [a, b]",
        '"quoted": "v"',
        "openai-api-key:",
        "    deeper: 1",
    ]
)


@given(st.lists(_YAML_LINES, unique=True, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_going_back_in_any_yaml_is_exact_or_it_is_not_begun(lines: list[str], newline: str, ended: bool) -> None:
    text = newline.join(lines) + (newline if ended and lines else "")
    settings = (Setting(("openai-api-base",), f"{URL}/openai/v1"), Setting(("openai-api-key",), "osw-t", secret=True))
    try:
        made = journal.made(text, FileChange(Path("x"), "yaml", settings), "osw-t", (URL,))
    except Unfit:
        return
    assert journal.undone(made.text, made.edit).text == text
    end = "" if made.text.endswith("\n") else newline
    back = journal.undone(made.text + end + "# a word" + newline, made.edit)
    assert back.text is not None and not back.conflicts and "osw-t" not in back.text
    left = [line.strip() for line in back.text.splitlines() if line.strip() and line != "# a word"]
    assert left == [line.strip() for line in lines if line.strip()]


def test_a_client_whose_token_was_revoked_does_not_get_a_new_one_by_itself(desk: Desk) -> None:
    path = desk.put(CLAUDE, b"{}")
    desk.connect("claude-code")
    connected = path.read_bytes()
    desk.vault.revoke("claude-code")
    [(client, trouble)] = desk.connecting.move("http://127.0.0.1:5000")
    assert client == "claude-code" and "its token was revoked" in str(trouble)
    assert path.read_bytes() == connected and not desk.vault.tokens()


def test_connecting_again_moves_nothing_in_a_file_that_was_edited_since(desk: Desk) -> None:
    path = desk.put(OPENCODE, b'{\n  "a": 1\n}\n')
    desk.connect("opencode")
    edited = path.read_text()[: -len("\n}\n")] + ',\n  "theme": "dark"\n}\n'
    path.write_text(edited)
    assert not desk.connect("opencode").changed and path.read_text() == edited
    assert desk.connect("opencode", "http://127.0.0.1:5000").changed
    assert path.read_text() == edited.replace(URL, "http://127.0.0.1:5000")
    desk.disconnect("opencode")
    assert path.read_text() == '{\n  "a": 1,\n  "theme": "dark"\n}\n'
