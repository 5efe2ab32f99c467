"""Keys that OpenCode holds: its logins, and its configuration as OpenCode itself merges it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.host.ordinary_user import ordinary_user, shared_folder
from tray_app.agents.catalog import discover
from tray_app.agents.found import Found
from tray_app.agents.opencode import auth_file, config_files, read_jsonc
from tray_app.core.providers import BUILT_IN, Provider, custom

KEY = "sk-0123456789abcdef"
OTHER = "sk-fedcba9876543210"
THIRD = "sk-aaaabbbbccccdddd"
MINE = custom("mine", "https://llm.mine.example/v1")
KNOWN: Mapping[str, Provider] = {**BUILT_IN, "mine": MINE}


class Machine:
    """A home and a project of a user who has OpenCode."""

    def __init__(self, root: Path) -> None:
        self.home, self.project = root / "home", root / "work" / "project"
        self.environ: dict[str, str] = {}
        for folder in (self.home, self.project):
            folder.mkdir(parents=True)

    def write(self, path: Path | str, content: Any) -> Path:
        """A file under the home; what is no text is written as JSON."""
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def auth(self, content: Any) -> Path:
        return self.write(".local/share/opencode/auth.json", content)

    def config(self, content: Any, name: str = "opencode.json") -> Path:
        return self.write(f".config/opencode/{name}", content)

    def found(self) -> list[Found]:
        return discover(self.environ, self.home, self.project, KNOWN)

    def keys(self) -> dict[str, str]:
        """Each key with the provider that it is for."""
        return {one.secret: one.provider for one in self.found()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def block(key: object = KEY, url: object = None, name: str = "openrouter", **more: object) -> dict[str, Any]:
    """A configuration with one provider block."""
    options = {"apiKey": key, **({} if url is None else {"baseURL": url})}
    return {"provider": {name: {"options": {k: v for k, v in options.items() if v is not None}, **more}}}


# -- logins


def test_a_login_is_found(machine: Machine) -> None:
    machine.auth({"openrouter": {"type": "api", "key": KEY}})
    assert machine.found() == [Found("openrouter", "opencode", "OpenCode's auth.json", KEY)]


def test_several_providers_are_found_by_the_names_that_we_have_for_them(machine: Machine) -> None:
    machine.auth({
        "openrouter": {"type": "api", "key": KEY},
        "togetherai": {"type": "api", "key": "together-0123456789"},
        "fireworks-ai": {"type": "api", "key": "fw_0123456789abcdef"},
        "mine": {"type": "api", "key": "mine-0123456789"},
    })  # fmt: skip
    assert [(one.provider, one.secret) for one in machine.found()] == [
        ("openrouter", KEY),
        ("together", "together-0123456789"),
        ("fireworks", "fw_0123456789abcdef"),
        ("mine", "mine-0123456789"),
    ]


NOT_TAKEN = [
    ("an OAuth login", {"anthropic": {"type": "oauth", "refresh": KEY, "access": OTHER, "expires": 1}}),
    ("an OAuth login with a key", {"openai": {"type": "oauth", "key": KEY, "access": OTHER}}),
    ("a well-known one", {"openai": {"type": "wellknown", "key": "OPENAI_KEY", "token": KEY}}),
    ("one without a type", {"openrouter": {"key": KEY}}),
    ("one of an unknown type", {"openrouter": {"type": "apikey", "key": KEY}}),
    ("one of an unknown provider", {"some-gateway": {"type": "api", "key": KEY}}),
    ("a number for a key", {"openrouter": {"type": "api", "key": 123456789}}),
    ("no key", {"openrouter": {"type": "api"}}),
    ("an empty key", {"openrouter": {"type": "api", "key": ""}}),
    ("a token of our own", {"openrouter": {"type": "api", "key": "osw-opencode-0123456789abcdef0123456789abcdef"}}),
    ("a key for another address", {"openai": {"type": "api", "key": KEY, "baseURL": "https://gateway.example/v1"}}),
    ("a list", {"openrouter": [{"type": "api", "key": KEY}]}),
    ("a text", {"openrouter": KEY}),
    ("a list of logins", [{"type": "api", "key": KEY}]),
]


@pytest.mark.parametrize("content", [row[1] for row in NOT_TAKEN], ids=[row[0] for row in NOT_TAKEN])
def test_what_is_no_login_with_a_key_is_not_taken(machine: Machine, content: object) -> None:
    machine.auth(content)
    assert machine.found() == []


def test_white_space_around_a_key_does_not_belong_to_it(machine: Machine) -> None:
    machine.auth({"openrouter": {"type": "api", "key": f"  {KEY}\n"}})
    assert machine.keys() == {KEY: "openrouter"}


def test_a_login_for_a_known_address_is_for_whoever_lives_there(machine: Machine) -> None:
    machine.auth({"my-router": {"type": "api", "key": KEY, "baseURL": "https://openrouter.ai/api/v1"}})
    assert machine.found() == [Found("openrouter", "my-router", "OpenCode's auth.json", KEY)]


def test_the_folder_for_data_may_be_elsewhere(machine: Machine, tmp_path: Path) -> None:
    machine.environ["XDG_DATA_HOME"] = str(tmp_path / "data")
    assert auth_file(machine.environ, machine.home) == tmp_path / "data" / "opencode" / "auth.json"
    machine.write(tmp_path / "data/opencode/auth.json", {"openrouter": {"type": "api", "key": KEY}})
    machine.auth({"openrouter": {"type": "api", "key": OTHER}})
    assert machine.keys() == {KEY: "openrouter"}


def test_logins_in_a_variable_stand_for_the_file(machine: Machine) -> None:
    machine.auth({"openrouter": {"type": "api", "key": KEY}})
    machine.environ["OPENCODE_AUTH_CONTENT"] = json.dumps({"openrouter": {"type": "api", "key": OTHER}})
    assert machine.found() == [Found("openrouter", "opencode", "OPENCODE_AUTH_CONTENT", OTHER)]
    machine.environ["OPENCODE_AUTH_CONTENT"] = "{}"
    assert machine.found() == []
    machine.environ["OPENCODE_AUTH_CONTENT"] = "{broken"
    assert machine.keys() == {KEY: "openrouter"}


# -- configuration: what a block says

TAKEN = [
    ("a built-in provider", block(), ("openrouter", "config")),
    ("with its own address", block(url="https://openrouter.ai/api/v1"), ("openrouter", "config")),
    ("with another path of its own address", block(url="https://openrouter.ai/v1"), ("openrouter", "config")),
    ("by another name for it", block(name="gemini"), ("google", "config")),
    ("key and address beside the options", {"provider": {"openrouter": {"apiKey": KEY, "baseURL": "https://openrouter.ai/api/v1"}}}, ("openrouter", "config")),
    ("a custom one at a known address", block(url="https://openrouter.ai/api/v1", name="My Pool!"), ("openrouter", "my-pool")),
    ("a custom one whose name has no letters", block(url="https://openrouter.ai/api/v1", name="!!!"), ("openrouter", "config")),
    ("a custom one with a long name", block(url="https://openrouter.ai/api/v1", name="x" * 80), ("openrouter", "x" * 40)),
    ("a built-in name at another's address", block(url="https://api.groq.com/openai/v1", name="openai"), ("groq", "openai")),
    ("one from our own settings", block(url="https://llm.mine.example/other/v1", name="whatever"), ("mine", "whatever")),
    ("one from our own settings by name", block(name="mine"), ("mine", "config")),
    ("a model list and more beside it", block(models={"x": {}}, npm="@ai-sdk/openai"), ("openrouter", "config")),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_a_key_in_a_provider_block_is_for_whoever_lives_at_its_address(
    machine: Machine, content: object, expected: tuple[str, str]
) -> None:
    machine.config(content)
    (one,) = machine.found()
    assert (one.provider, one.label) == expected
    assert (one.secret, one.source) == (KEY, "OpenCode's opencode.json")
    assert KEY not in repr(one)


def test_a_block_of_our_own_provider_keeps_its_address(machine: Machine) -> None:
    machine.config(block(url="https://llm.mine.example/other/v1", name="whatever"))
    assert machine.found()[0].base_url == "https://llm.mine.example/other/v1"
    machine.config(block(url="https://openrouter.ai/v1"))
    assert machine.found()[0].base_url is None


IGNORED = [
    ("an unknown provider", block(name="some-gateway")),
    ("an unknown provider at an unknown address", block(url="https://gateway.example/v1", name="some-gateway")),
    ("a known name at an unknown address", block(url="https://gateway.example/v1", name="openai")),
    ("our own provider's name at an unknown address", block(url="https://evil.example/v1", name="mine")),
    ("this very proxy", block(url="http://127.0.0.1:4417/openrouter/v1")),
    ("this very proxy with its token", block("osw-opencode-0123456789abcdef", "http://127.0.0.1:4417/v1", "pool")),
    ("a known address in the clear", block(url="http://openrouter.ai/api/v1")),
    ("an address that is none", block(url="https://[::1")),
    ("an address of several words", block(url="https://openrouter.ai/api v1")),
    ("no key", block(key=None)),
    ("a number for a key", block(key=123456789)),
    ("a list for options", {"provider": {"openrouter": {"options": [KEY]}}}),
    ("a text for a block", {"provider": {"openrouter": KEY}}),
    ("a text for the blocks", {"provider": KEY}),
    ("no provider at all", {"model": "x"}),
]  # fmt: skip


@pytest.mark.parametrize("content", [row[1] for row in IGNORED], ids=[row[0] for row in IGNORED])
def test_a_block_that_gives_no_key_for_a_known_address_is_ignored(machine: Machine, content: object) -> None:
    machine.config(content)
    assert machine.found() == []


PLACEHOLDERS = [
    "YOUR_API_KEY",
    "your-key-here",
    "sk-your-key-here",
    "my-api-key-goes-here",
    "<your key>",
    "<OPENROUTER_API_KEY>",
    "$OPENROUTER_API_KEY",
    "${OPENROUTER_API_KEY}",
    "%OPENROUTER_API_KEY%",
    "{env:NOBODY_SET_THIS}",
    "prefix-{env:NOBODY_SET_THIS}",
    "sk-...",
    "sk-or-v1-...",
    "sk-xxxxxxxxxxxxxxxx",
    "XXXXXXXXXXXX",
    "sk-or-****************",
    "changeme",
    "change-me-please",
    "replace-this",
    "INSERT_KEY_HERE",
    "placeholder",
    "example-key",
    "test-key",
    "dummy-key-123",
    "null",
    "none",
    "undefined",
    "opencode-oauth-dummy-key",
    "short",
    "has a blank in it",
    "sk-or-v1-ключ-0123456789",
    "sk-or-v1-\x00-0123456789",
    "osw-opencode-0123456789abcdef",
    "OSW-opencode-0123456789abcdef",
]


@pytest.mark.parametrize("text", PLACEHOLDERS, ids=repr)
def test_a_placeholder_is_no_key(machine: Machine, text: str) -> None:
    machine.config(block(text))
    machine.auth({"openrouter": {"type": "api", "key": text}})
    machine.environ["OPENROUTER_API_KEY"] = text
    assert machine.found() == []


REAL = [
    "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",
    "sk-proj-AbC_dEf-GhI123jklMNOpqrSTUvwxYZ0123456789",
    "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz-0123456789_AA",
    "AIzaSyD-0123456789abcdefghijklmnopqrstu",
    "gsk_0123456789abcdefghijklmnop",
    "xai-0123456789abcdef",
    "0123456789abcdef0123456789abcdef",
    "csk-test0123456789",
    "hf_example0123456789",
    "sk-or-v1-test-main-0123456789",
]


@pytest.mark.parametrize("text", REAL)
def test_a_key_of_any_real_form_is_taken(machine: Machine, text: str) -> None:
    machine.config(block(text, name="mine"))
    assert machine.keys() == {text: "mine"}


# -- configuration: variables in it


def test_a_variable_of_the_environment_is_put_in(machine: Machine) -> None:
    machine.environ["MY_ROUTER"] = KEY
    machine.environ["HOST"] = "openrouter.ai"
    machine.config(block("{env:MY_ROUTER}", "https://{env:HOST}/api/v1", "pool"))
    assert machine.found() == [Found("openrouter", "pool", "OpenCode's opencode.json", KEY)]


@pytest.mark.parametrize("name", ["./key.txt", "key.txt", "~/.config/opencode/key.txt", " key.txt ", "{absolute}"])
def test_a_file_is_put_in_without_its_line_end(machine: Machine, name: str) -> None:
    path = machine.write(".config/opencode/key.txt", f"{KEY}\n")
    machine.config(block(f"{{file:{name.replace('{absolute}', str(path))}}}"))
    assert machine.keys() == {KEY: "openrouter"}


def test_a_file_is_looked_for_beside_the_configuration_that_names_it(machine: Machine) -> None:
    machine.write(".config/opencode/key.txt", KEY)
    machine.config(block("{file:./key.txt}"))
    machine.write(machine.project / "key.txt", OTHER)
    machine.write(
        machine.project / "opencode.json",
        {"provider": {"openrouter": {"options": {"baseURL": "https://openrouter.ai/v1"}}}},
    )
    assert machine.keys() == {KEY: "openrouter"}


@pytest.mark.parametrize("name", ["nothing.txt", ".", "/dev/zero", "pipe", "huge.txt", "binary", "loop"])
def test_a_file_that_gives_no_key_is_passed_over(machine: Machine, name: str) -> None:
    folder = machine.config(block(f"{{file:{name}}}")).parent
    os.mkfifo(folder / "pipe")
    (folder / "huge.txt").write_text("k" * 100_000)
    (folder / "binary").write_bytes(b"\xff\xfe" * 10)
    (folder / "loop").symlink_to(folder / "loop")
    began = time.monotonic()
    assert machine.found() == []
    assert time.monotonic() - began < 5


# -- configuration: places and their order


def place(machine: Machine, name: str) -> Path:
    """One of the places that OpenCode looks in, by the order in which it merges them."""
    project, config = machine.project, machine.home / ".config" / "opencode"
    return {
        "1 global config.json": config / "config.json",
        "2 global opencode.json": config / "opencode.json",
        "3 global opencode.jsonc": config / "opencode.jsonc",
        "4 OPENCODE_CONFIG": machine.home / "elsewhere.json",
        "5 the checkout's root": project.parent / "opencode.json",
        "6 the checkout's root, with comments": project.parent / "opencode.jsonc",
        "7 the project": project / "opencode.json",
        "8 the project, with comments": project / "opencode.jsonc",
        "9 the project's folder": project / ".opencode" / "opencode.json",
        "A the project's folder, with comments": project / ".opencode" / "opencode.jsonc",
        "B the home's folder": machine.home / ".opencode" / "opencode.json",
        "C OPENCODE_CONFIG_DIR": machine.home / "dir" / "opencode.jsonc",
    }[name]


PLACES = [
    "1 global config.json",
    "2 global opencode.json",
    "3 global opencode.jsonc",
    "4 OPENCODE_CONFIG",
    "5 the checkout's root",
    "6 the checkout's root, with comments",
    "7 the project",
    "8 the project, with comments",
    "9 the project's folder",
    "A the project's folder, with comments",
    "B the home's folder",
    "C OPENCODE_CONFIG_DIR",
]


@pytest.fixture
def checkout(machine: Machine) -> Machine:
    (machine.project.parent / ".git").mkdir()
    machine.environ |= {
        "OPENCODE_CONFIG": str(place(machine, "4 OPENCODE_CONFIG")),
        "OPENCODE_CONFIG_DIR": "~/dir",
    }
    return machine


@pytest.mark.parametrize("name", PLACES)
def test_a_key_is_found_in_each_place(checkout: Machine, name: str) -> None:
    path = checkout.write(place(checkout, name), block())
    project = name[0] in "56789A"
    assert checkout.found() == [Found("openrouter", "config", f"OpenCode's {path.name}", KEY, project=project)]


@pytest.mark.parametrize(("early", "late"), list(zip(PLACES, PLACES[1:], strict=False)))
def test_of_two_places_the_later_one_wins(checkout: Machine, early: str, late: str) -> None:
    checkout.write(place(checkout, early), block(KEY))
    checkout.write(place(checkout, late), block(OTHER))
    own = [KEY] if early.startswith("4") else []  # a project does not take away what is the user's own
    assert list(checkout.keys()) == [*own, OTHER]


def test_the_files_are_merged_in_their_order(checkout: Machine) -> None:
    for name in PLACES:
        checkout.write(place(checkout, name), {})
    found = list(config_files(checkout.environ, checkout.home, checkout.project))
    assert found == [place(checkout, name) for name in PLACES]


def test_content_in_a_variable_comes_last(checkout: Machine) -> None:
    for name in PLACES:
        checkout.write(place(checkout, name), block(KEY))
    checkout.write(checkout.project / "key.txt", OTHER)
    checkout.environ["OPENCODE_CONFIG_CONTENT"] = json.dumps(block("{file:key.txt}"))
    assert checkout.found() == [Found("openrouter", "config", "OPENCODE_CONFIG_CONTENT", OTHER)]
    checkout.environ["OPENCODE_CONFIG_CONTENT"] = "[1]"
    assert checkout.keys() == {KEY: "openrouter"}


def test_blocks_of_several_files_are_merged_option_by_option(checkout: Machine) -> None:
    checkout.config(block(KEY, "https://gateway.example/v1", "pool"))
    assert checkout.found() == []
    checkout.write(
        checkout.project / "opencode.json",
        {"provider": {"pool": {"options": {"baseURL": "https://openrouter.ai/api/v1"}}}},
    )
    assert checkout.keys() == {KEY: "openrouter"}


def test_a_later_empty_key_takes_the_earlier_one_away(checkout: Machine) -> None:
    checkout.config(block(KEY))
    checkout.write(place(checkout, "4 OPENCODE_CONFIG"), block("{env:NOBODY_SET_THIS}"))
    assert checkout.found() == []


# -- configuration: a project's, which may come from a stranger


def test_a_key_of_a_project_asks_first_and_hides_none_of_the_users_own(checkout: Machine) -> None:
    checkout.config(block(KEY))
    checkout.write(checkout.project / "opencode.json", block(OTHER))
    assert [(one.secret, one.project) for one in checkout.found()] == [(KEY, False), (OTHER, True)]
    checkout.write(checkout.project / "opencode.json", block("{env:NOBODY_SET_THIS}"))
    assert [(one.secret, one.project) for one in checkout.found()] == [(KEY, False)]


def test_a_project_that_leads_a_users_key_to_another_known_address_asks_first(checkout: Machine) -> None:
    checkout.config(block(KEY, "https://gateway.example/v1", "pool"))
    checkout.write(checkout.project / "opencode.json", block(None, "https://openrouter.ai/api/v1", "pool"))
    assert [(one.provider, one.project) for one in checkout.found()] == [("openrouter", True)]


@pytest.mark.parametrize(
    "name", ["../../home/secret.txt", "~/secret.txt", "{home}/secret.txt", "link", "folder/secret.txt"]
)
def test_a_project_cannot_have_a_file_beyond_it_read(checkout: Machine, name: str) -> None:
    checkout.write("secret.txt", KEY)
    (checkout.project / "link").symlink_to(checkout.home / "secret.txt")
    (checkout.project / "folder").symlink_to(checkout.home)
    given = name.replace("{home}", str(checkout.home))
    checkout.write(checkout.project / "opencode.json", block(f"{{file:{given}}}"))
    assert checkout.found() == []


@pytest.mark.parametrize(
    ("name", "put_in"),
    [
        ("OPENROUTER_API_KEY", True),
        ("GROQ_API_KEY", True),
        ("TEAM_OPENROUTER_KEY", True),
        ("OPENROUTER_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", False),
        ("GITHUB_TOKEN", False),
        ("STRIPE_API_KEY", False),
        ("DATABASE_URL", False),
        ("GOOGLE_CLIENT_SECRET", False),
        ("NOTOPENROUTERS_KEY", False),
    ],
)
def test_a_project_names_keys_of_providers_and_no_other_secret(checkout: Machine, name: str, put_in: bool) -> None:
    """Else whoever takes over what a stranger's file offers would show a provider what is none of its business."""
    checkout.environ[name] = "AKIA0123456789abcdef"
    given = block(f"{{env:{name}}}", "https://openrouter.ai/api/v1", "pool")
    checkout.write(checkout.project / "opencode.json", given)
    taken = [one.secret for one in checkout.found() if one.label == "pool"]
    assert taken == (["AKIA0123456789abcdef"] if put_in else [])
    checkout.config(given)  # the user's own file may name whatever it likes
    assert checkout.environ[name] in [one.secret for one in checkout.found()]


def test_a_file_within_the_checkout_may_be_read(checkout: Machine) -> None:
    checkout.write(checkout.project.parent / "keys" / "one.txt", KEY)
    checkout.write(checkout.project / "opencode.json", block("{file:../keys/one.txt}"))
    assert [(one.secret, one.project) for one in checkout.found()] == [(KEY, True)]


def test_a_folder_of_the_home_is_no_project_although_the_project_is_the_home(machine: Machine) -> None:
    """As it is for an app that was started at login."""
    machine.project = machine.home
    machine.write(".opencode/opencode.json", block(KEY))
    assert [one.project for one in machine.found()] == [False]
    machine.write("opencode.json", block(OTHER))
    assert [(one.secret, one.project) for one in machine.found()] == [(KEY, False)]


def test_outside_of_a_checkout_only_the_folder_itself_counts(machine: Machine) -> None:
    machine.write(machine.project.parent / "opencode.json", block(KEY))
    assert machine.found() == []
    machine.write(machine.project / "opencode.json", block(OTHER))
    assert machine.keys() == {OTHER: "openrouter"}


def test_a_file_in_place_of_dot_git_marks_a_checkout_too(machine: Machine) -> None:
    machine.write(machine.project.parent / ".git", "gitdir: elsewhere")  # as worktrees have it
    machine.write(machine.project.parent / "opencode.json", block(KEY))
    assert machine.keys() == {KEY: "openrouter"}


def test_nothing_above_the_checkout_counts(machine: Machine) -> None:
    (machine.project / ".git").mkdir()
    machine.write(machine.project.parent / "opencode.json", block(KEY))
    assert machine.found() == []


@pytest.mark.parametrize("value", ["1", "true"])
def test_projects_can_be_switched_off(checkout: Machine, value: str) -> None:
    checkout.write(checkout.project / "opencode.json", block(KEY))
    checkout.environ["OPENCODE_DISABLE_PROJECT_CONFIG"] = value
    assert checkout.found() == []


def test_the_folder_for_configuration_may_be_elsewhere(machine: Machine, tmp_path: Path) -> None:
    machine.environ["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    machine.write(tmp_path / "xdg/opencode/opencode.jsonc", block(KEY))
    machine.config(block(OTHER))
    assert machine.keys() == {KEY: "openrouter"}


@pytest.mark.parametrize("name", ["~/mine.json", "{home}/mine.json"])
def test_the_named_file_may_be_in_the_home(machine: Machine, name: str) -> None:
    machine.write("mine.json", block(KEY))
    machine.environ["OPENCODE_CONFIG"] = name.replace("{home}", str(machine.home))
    assert machine.keys() == {KEY: "openrouter"}


@pytest.mark.parametrize("name", ["/nowhere/x.json", "~nobody/x.json", "\x00", "/dev/null", "/dev/zero", "."])
def test_a_named_file_that_is_none_is_passed_over(machine: Machine, name: str) -> None:
    machine.environ["OPENCODE_CONFIG"] = machine.environ["OPENCODE_CONFIG_DIR"] = name
    machine.config(block(KEY))
    assert machine.keys() == {KEY: "openrouter"}


# -- files as people write them

COMMENTED = """\
// mine
{
  /* the "provider": {"openrouter": {"options": {"apiKey": "sk-or-v1-in-a-comment"}}} */
  "provider": {
    "openrouter": {
      "options": {
        "apiKey": "%s", // the key, "apiKey": "sk-or-v1-in-a-line-comment"
        "headers": {"x": "a // b /* c */, ]"},
      }, /* trailing */
    },
  },
  "list": [1, 2, /* three */ ],
}
// the end"""


@pytest.mark.parametrize("name", ["opencode.json", "opencode.jsonc"])
def test_comments_and_trailing_commas_are_allowed(machine: Machine, name: str) -> None:
    machine.config(COMMENTED % KEY, name)
    assert machine.keys() == {KEY: "openrouter"}


def test_texts_that_look_like_comments_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": "http://x // y", "b": "/* z */ \\" , }", "c": [1,], // d\n}')
    assert read_jsonc(path) == {"a": "http://x // y", "b": '/* z */ " , }', "c": [1]}


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(machine: Machine) -> None:
    path = machine.config("")
    path.write_bytes(b"\xef\xbb\xbf" + (COMMENTED % KEY).replace("\n", "\r\n").encode())
    assert machine.keys() == {KEY: "openrouter"}


BROKEN = [
    ("empty", b""),
    ("white space", b" \n"),
    ("cut short", b'{"provider": {"openrouter": {"options": {"apiKey": "sk-or-v1-0123456789'),
    ("a list", b"[]"),
    ("null", b"null"),
    ("no JSON", b"provider = 'openrouter'"),
    ("not UTF-8", b'{"provider": "\xff\xfe"}'),
    ("UTF-16", '{"provider": {}}'.encode("utf-16")),
    ("endless nesting", b"[" * 100_000),
    ("a comment without end", b"{} /* and so on"),
    ("a quote in every line", b'{"' * 20_000),
    ("comments in every line", b"/*" * 100_000),
    ("single quotes", b"{'provider': {}}"),
]


@pytest.mark.parametrize("data", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_file_is_passed_over_at_once(machine: Machine, data: bytes) -> None:
    machine.auth("").write_bytes(data)
    machine.config("").write_bytes(data)
    machine.config(block(KEY), "opencode.jsonc")
    began = time.thread_time()
    assert machine.keys() == {KEY: "openrouter"}
    assert time.thread_time() - began < 1


def test_a_big_file_is_read_and_a_huge_one_is_not(machine: Machine) -> None:
    padding = "// " + "x" * 1000 + "\n"
    machine.config(padding * 3000 + json.dumps(block(KEY)))
    began = time.thread_time()
    assert machine.keys() == {KEY: "openrouter"}
    assert time.thread_time() - began < 2
    machine.config(padding * 5000 + json.dumps(block(KEY)))
    assert machine.found() == []


def test_what_is_no_file_is_passed_over(machine: Machine) -> None:
    auth = machine.auth("")
    auth.unlink()
    config = machine.config("")
    config.unlink()
    machine.config(block(OTHER), "opencode.jsonc")
    makers = [Path.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/nowhere"), os.mkfifo]
    for make in makers:
        make(auth)
        make(config)
        assert machine.keys() == {OTHER: "openrouter"}
        for path in (auth, config):
            path.rmdir() if path.is_dir() else path.unlink()


def test_a_link_to_a_file_is_read(machine: Machine, tmp_path: Path) -> None:
    real = machine.write(tmp_path / "dotfiles" / "opencode.json", block(KEY))
    machine.config("").unlink()
    (machine.home / ".config/opencode/opencode.json").symlink_to(real)
    assert machine.keys() == {KEY: "openrouter"}


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
@pytest.mark.parametrize("what", ["files", "folders"])
def test_what_may_not_be_read_is_passed_over(what: str) -> None:
    with shared_folder() as root, ordinary_user():
        machine = Machine(root)
        (machine.project.parent / ".git").mkdir()
        paths = [machine.auth({"openrouter": {"type": "api", "key": KEY}}), machine.config(block(KEY))]
        paths.append(machine.write(machine.project / "opencode.json", block("{file:secret.txt}")))
        paths.append(machine.write(machine.project / "secret.txt", KEY))
        shut = (
            [paths[0], paths[1], paths[3]]
            if what == "files"
            else [paths[0].parent, machine.home / ".config", machine.project]
        )
        for path in shut:
            path.chmod(0)
        machine.environ["GROQ_API_KEY"] = OTHER
        assert machine.keys() == {OTHER: "groq"}
        for path in shut:
            path.chmod(0o700)
