"""What `connect` gives an agent beside the address: the command `/switcher`, and the tools over MCP; and back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.control.test_connecting import CLAUDE, OPENCODE, Desk, snapshot
from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.agents.switcher_command import command_file
from tray_app.control.verbs import Refused

FILES = {"opencode": ".config/opencode/commands/switcher.md", "claude-code": ".claude/commands/switcher.md"}
AGENTS = tuple(FILES)
OTHER = "http://127.0.0.1:5000"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def text_of(agent: str, program: str = "o-switcher") -> str:
    found = command_file(agent, program)
    assert found is not None
    return found.text


@pytest.mark.parametrize("agent", AGENTS)
def test_the_command_comes_with_connect_and_goes_with_disconnect(desk: Desk, agent: str) -> None:
    view = desk.connect(agent)
    path = desk.home / FILES[agent]
    assert path.read_text() == text_of(agent) and path.stat().st_mode & 0o777 == 0o600
    assert [file.change for file in view.files if file.path == str(path)] == ["made"]
    assert not desk.connect(agent).changed
    desk.disconnect(agent)
    assert snapshot(desk.home) == {}


@pytest.mark.parametrize("agent", AGENTS)
def test_a_command_that_is_not_wanted_is_not_made_and_goes_again(desk: Desk, agent: str) -> None:
    desk.connect(agent, command=False)
    assert not (desk.home / FILES[agent]).exists()
    assert not desk.connect(agent).changed  # as the last time
    desk.connect(agent, command=True)
    assert (desk.home / FILES[agent]).exists()
    desk.connect(agent, command=False)
    assert not (desk.home / FILES[agent]).parent.exists()
    assert desk.state(agent)[0] == "connected"


@pytest.mark.parametrize(
    ("agent", "place"),
    [
        ("opencode", FILES["opencode"]),
        ("opencode", ".config/opencode/command/switcher.md"),
        ("claude-code", FILES["claude-code"]),
        ("claude-code", ".claude/skills/switcher/SKILL.md"),
    ],
)
def test_a_command_of_the_users_own_of_that_name_is_left_alone(desk: Desk, agent: str, place: str) -> None:
    mine = desk.put(place, b"mine")
    before = snapshot(desk.home)
    view = desk.connect(agent)
    assert any(str(mine) in note and "left alone" in note for note in view.notes)
    assert mine.read_bytes() == b"mine"
    if place != FILES[agent]:
        assert not (desk.home / FILES[agent]).exists()
    desk.disconnect(agent)
    assert snapshot(desk.home) == before


def test_a_command_in_opencodes_settings_is_left_alone(desk: Desk) -> None:
    desk.put(OPENCODE, b'{"command": {"switcher": {"template": "mine"}}}')
    assert "command.switcher in" in desk.connect("opencode").notes[0]
    assert not (desk.home / FILES["opencode"]).exists()


def test_a_link_or_a_folder_in_its_place_is_left_alone(desk: Desk) -> None:
    path = desk.home / FILES["claude-code"]
    path.parent.mkdir(parents=True)
    path.symlink_to("nowhere")
    assert "left alone" in desk.connect("claude-code").notes[0]
    assert os.readlink(path) == "nowhere"  # noqa: PTH115 - as it stands there
    desk.disconnect("claude-code")
    path.unlink()
    path.mkdir()
    assert "left alone" in desk.connect("claude-code").notes[0]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_command_that_was_changed_since_is_the_users(desk: Desk, agent: str) -> None:
    desk.connect(agent)
    path = desk.home / FILES[agent]
    path.write_text("mine now")
    assert desk.state(agent)[0] == "connected"
    assert desk.connecting.move(OTHER) == [(agent, None)] and path.read_text() == "mine now"
    view = desk.disconnect(agent)
    assert path.read_text() == "mine now" and any("so it stays" in note for note in view.notes)
    assert "left alone" in desk.connect(agent).notes[0]


@pytest.mark.parametrize("agent", AGENTS)
def test_with_force_a_changed_command_goes_too(desk: Desk, agent: str) -> None:
    desk.connect(agent)
    (desk.home / FILES[agent]).write_text("mine now")
    desk.disconnect(agent, force=True)
    assert snapshot(desk.home) == {}


@pytest.mark.parametrize("agent", AGENTS)
def test_a_command_that_was_taken_away_stands_in_nobodys_way(desk: Desk, agent: str) -> None:
    desk.connect(agent)
    (desk.home / FILES[agent]).unlink()
    assert desk.state(agent)[0] == "connected"
    assert desk.connecting.move(OTHER) == [(agent, None)]
    assert not (desk.home / FILES[agent]).exists()
    view = desk.disconnect(agent)
    assert view.notes == () and desk.state(agent)[0] == "not connected"


def test_the_command_follows_a_program_that_moved(desk: Desk) -> None:
    desk.connect("claude-code")
    desk.connect("claude-code", program=("/new place/o-switcher",))
    assert "!`'/new place/o-switcher' status`" in (desk.home / FILES["claude-code"]).read_text()
    desk.disconnect("claude-code")
    assert snapshot(desk.home) == {}


def test_a_program_whose_path_would_break_out_of_the_command_gives_none(desk: Desk) -> None:
    desk.connect("claude-code", program=("/odd`rm`/o-switcher",))
    assert not (desk.home / FILES["claude-code"]).exists()


def test_where_commands_cannot_be_written_the_client_is_connected_all_the_same() -> None:
    with shared_folder() as folder, ordinary_user():
        desk = Desk(folder)
        closed = desk.home / ".claude" / "commands"
        closed.mkdir(parents=True)
        closed.chmod(0o500)
        view = desk.connect("claude-code")
        assert "could not be added" in view.notes[0] and desk.state("claude-code")[0] == "connected"
        desk.disconnect("claude-code")
        closed.chmod(0o700)


def test_a_dry_run_shows_the_command_and_makes_none(desk: Desk) -> None:
    view = desk.connect("opencode", dry_run=True)
    assert any("+description: " in file.diff for file in view.files)
    assert snapshot(desk.home) == {}


# -- tools over MCP

SETTINGS = b'{\n  // mine\n  "mcp": {\n    "other": { "type": "remote", "url": "https://x.example" }\n  }\n}\n'


def servers(desk: Desk) -> dict[str, object]:
    text = "".join(
        line for line in (desk.home / OPENCODE).read_text().splitlines() if "//" not in line or "://" in line
    )
    found: dict[str, object] = json.loads(text)["mcp"]
    return found


def test_opencode_gets_our_tools_where_that_is_asked_for(desk: Desk) -> None:
    path = desk.put(OPENCODE, SETTINGS)
    desk.connect("opencode")
    assert servers(desk).keys() == {"other"}
    desk.connect("opencode", mcp=True, program=("/opt/o-switcher",), needed={"O_SWITCHER_HOME": "/x"})
    assert servers(desk)["o-switcher"] == {
        "type": "local",
        "command": ["/opt/o-switcher", "mcp"],
        "enabled": True,
        "environment": {"O_SWITCHER_HOME": "/x"},
    }
    desk.connect("opencode", provider="openai")
    assert servers(desk).keys() == {"other", "o-switcher"}  # as the last time
    desk.connect("opencode", mcp=False)
    assert servers(desk).keys() == {"other"}
    desk.disconnect("opencode")
    assert path.read_bytes() == SETTINGS


def test_tools_follow_to_another_port_and_back(desk: Desk) -> None:
    path = desk.put(OPENCODE, SETTINGS)
    desk.connect("opencode", mcp=True)
    assert desk.connecting.move(OTHER) == [("opencode", None)]
    assert "o-switcher" in servers(desk)
    desk.disconnect("opencode")
    assert path.read_bytes() == SETTINGS


def test_a_server_of_that_name_that_the_user_has_is_left_alone(desk: Desk) -> None:
    mine = b'{"mcp": {"o-switcher": {"type": "local", "command": ["o-switcher", "mcp", "--allow-control"]}}}'
    path = desk.put(OPENCODE, mine)
    assert "mcp.o-switcher stands in" in desk.connect("opencode", mcp=True).notes[0]
    assert b"--allow-control" in path.read_bytes()
    desk.disconnect("opencode")
    assert path.read_bytes() == mine


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ("claude-code", "claude mcp add --scope user o-switcher -- o-switcher mcp"),
        ("codex", "codex mcp add o-switcher -- o-switcher mcp"),
        ("aider", "are not given to aider by connect"),
        ("cline", "are not given to Cline by connect"),
    ],
)
def test_where_connect_does_not_give_tools_it_says_what_does(desk: Desk, client: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        desk.connect(client, mcp=True)
    assert words in refused.value.message and refused.value.code == "bad_argument"
    assert snapshot(desk.home) == {}


def test_a_connection_that_an_earlier_version_noted_gets_the_command_when_connecting_again(desk: Desk) -> None:
    desk.put(CLAUDE, b"{}")
    desk.connect("claude-code", command=False)
    book = json.loads(desk.journal.read_bytes())
    for name in ("command", "mcp"):
        del book["connections"]["claude-code"][name]
    desk.journal.write_text(json.dumps(book))
    desk.connect("claude-code")
    assert (desk.home / FILES["claude-code"]).exists()
