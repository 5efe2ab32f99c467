"""Settings: what is in force, where it comes from, and single changes of the file that can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.rig import Rig, running, script_of
from tray_app.control.callers import HttpCaller, connect
from tray_app.control.configuration import BY_HAND, Configuration
from tray_app.control.verbs import Refused
from tray_app.host import settings

FILE = """# my settings
[switcher]
retry_budget = 5   # patient
strategy = "score" # the best

[proxy]
port = 0

[[targets]]
profile = "openrouter-main"

[[routes]]
model = "sonnet"
targets = ["openrouter:anthropic/claude-sonnet-4.5"]

[providers.mylab]
base_url = "https://llm.example.org/v1"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


class Held:
    """What an app does with it: it obeys the file when told to."""

    def __init__(self, path: Path, port: int | None = None) -> None:
        self.now = settings.load(path)
        self.made = Configuration(
            path, lambda: self.now, self.now, port, lambda: setattr(self, "now", settings.load(path))
        )


def told(made: Configuration) -> dict[str, Any]:
    return {one.key: one for one in made.view().settings}


def test_every_setting_is_told_with_where_it_comes_from(path: Path) -> None:
    found = told(Held(path).made)
    every = set()
    tables = msgspec.to_builtins(settings.Settings())
    for table, value in tables.items():
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                every |= {f"{table}.{key}.{one}" for one in inner} if isinstance(inner, dict) else {f"{table}.{key}"}
        else:
            every.add(table)
    assert found.keys() == every - {"switcher.retry", "switcher.max_expected_latency_ms"}
    one = found["switcher.retry_budget"]
    assert (one.value, one.default, one.origin, one.line, one.editable) == (5, None, "file", 3, True)
    one = found["quota.warn_at"]
    assert (one.value, one.origin, one.line, one.kind) == ([80, 95], "default", None, "numbers")
    assert (found["switcher.strategy"].value, found["switcher.strategy"].kind) == ("score", "choice")
    assert "round_robin" in found["switcher.strategy"].choices
    assert (found["switcher.failover_budget"].kind, found["switcher.failover_budget"].choices) == (
        "number or word", ("all",),
    )  # fmt: skip
    assert (found["proxy.port"].least, found["proxy.port"].most) == (0, 65535)
    assert [found[key].value for key in ("targets", "routes", "providers", "prices")] == [
        ["openrouter-main"], ["sonnet"], ["mylab"], [],
    ]  # fmt: skip
    assert found["targets"].line == 9
    assert {key for key, one in found.items() if not one.editable} == BY_HAND.keys()


def test_what_the_command_line_said_is_told(path: Path) -> None:
    one = told(Held(path, 4999).made)["proxy.port"]
    assert (one.value, one.origin, one.line, one.waits) == (4999, "command line", None, False)


def test_what_counts_from_the_next_start_waits(path: Path) -> None:
    made = Held(path).made
    assert "counts from the next start on" in made.set("proxy.port", "4500")
    one = told(made)["proxy.port"]
    assert (one.value, one.at_start, one.waits) == (4500, True, True)
    made.undo()
    assert not told(made)["proxy.port"].waits


CHANGES = [
    ("switcher.strategy", "priority", '"score"', '"priority"'),
    ("switcher.retry_budget", "0", "= 5 ", "= 0 "),
    ("notifications.switched", "false", None, "\n[notifications]\nswitched = false\n"),
    ("quota.warn_at", "[50, 90]", None, "\n[quota]\nwarn_at = [50, 90]\n"),
    ("switcher.failover_budget", "all", '"score" # the best\n', '"score" # the best\nfailover_budget = "all"\n'),
]


@pytest.mark.parametrize(("key", "value", "old", "new"), CHANGES, ids=[one[0] for one in CHANGES])
def test_a_change_is_the_smallest_edit_and_is_taken_back_byte_for_byte(
    path: Path, key: str, value: str, old: str | None, new: str
) -> None:
    held = Held(path)
    assert held.made.set(key, value).startswith(f"{key} is ")
    assert path.read_text() == (FILE.replace(old, new, 1) if old else FILE + new)
    assert told(held.made)[key].origin == "file"
    assert held.made.view().undo == key
    assert held.made.undo()[0] == key
    assert path.read_text() == FILE
    assert held.made.view().undo is None
    assert held.now == settings.load(path)


def test_where_there_was_no_file_there_is_none_again(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    made = Held(path).made
    assert not made.view().exists
    made.set("switcher.retry", "1")
    assert path.read_text() == "[switcher]\nretry = 1\n"
    made.undo()
    assert not path.exists()


def test_changes_are_taken_back_one_by_one(path: Path) -> None:
    made = Held(path).made
    made.set("switcher.strategy", "priority")
    made.set("history.keep_days", "30")
    assert [made.undo()[0], made.undo()[0]] == ["history.keep_days", "switcher.strategy"]
    assert path.read_text() == FILE
    with pytest.raises(Refused, match="no setting was changed here"):
        made.undo()


def test_what_somebody_else_has_written_since_is_not_lost(path: Path) -> None:
    made = Held(path).made
    made.set("switcher.strategy", "priority")
    path.write_text(path.read_text() + "# by hand\n")
    assert made.view().undo is None
    with pytest.raises(Refused, match="was changed since by somebody else"):
        made.undo()
    assert path.read_text().endswith("# by hand\n")


def test_a_setting_is_taken_out_of_the_file(path: Path) -> None:
    held = Held(path)
    assert held.made.reset("switcher.retry_budget") == "switcher.retry_budget is null again, its default"
    assert path.read_text() == FILE.replace("retry_budget = 5   # patient\n", "   # patient\n")
    assert told(held.made)["switcher.retry"].value == 3
    held.made.undo()
    assert path.read_text() == FILE
    with pytest.raises(Refused, match="is not in the file: its default is in force"):
        held.made.reset("switcher.retry")


WRONG = [
    ("proxy.host", "0.0.0.0", "who can reach the proxy"),
    ("proxy.allow_remote", "true", "who can reach the proxy"),
    ("secrets.store", "file", "it moves your keys"),
    ("targets", "[]", "made of tables"),
    ("providers.mylab.base_url", "https://other.example", "made of tables"),
    ("switcher.nothing", "1", "no setting is called"),
    ("switcher.backoff", "1", "no setting is called"),
    ("", "1", "no setting is called"),
    ("switcher.retry_budget", "many", "line 3: switcher.retry_budget"),
    ("switcher.strategy", "guess", "must be one of"),
    ("proxy.port", "70000", "proxy.port"),
    ("quota.warn_at", "[0]", "item 1 of the list"),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=[f"{one[0]} {one[1]}" for one in WRONG])
def test_what_may_not_be_or_does_not_fit_is_refused_and_nothing_written(
    path: Path, key: str, value: str, words: str
) -> None:
    made = Held(path).made
    with pytest.raises(Refused, match=words):
        made.set(key, value)
    assert path.read_text() == FILE and made.view().undo is None


def test_a_file_with_faults_is_told_and_not_touched(path: Path) -> None:
    held = Held(path)
    path.write_text("[switcher]\nretry = 'x'\n")
    view = held.made.view()
    assert view.faults and view.faults[0].startswith("line 2: switcher.retry")
    assert {one.key: one for one in view.settings}["switcher.strategy"].value == "score", "the last good ones"
    for change in (lambda: held.made.set("history.keep_days", "3"), lambda: held.made.reset("switcher.retry")):
        with pytest.raises(Refused, match=r"line 2: switcher\.retry"):
            change()
    assert path.read_text() == "[switcher]\nretry = 'x'\n"


def test_what_cannot_be_taken_out_alone_is_left_to_a_person(path: Path) -> None:
    path.write_text("history = { keep_days = 3 }\n")
    made = Held(path).made
    made.reset("history.keep_days")
    assert settings.load(path).history.keep_days == 90


def test_a_key_in_the_wrong_place_is_not_said_back(path: Path) -> None:
    made = Held(path).made
    key = "sk-or-v1-0123456789abcdef0123456789abcdef"
    for name, value in ((key, "1"), ("switcher.strategy", key)):
        with pytest.raises(Refused) as refused:
            made.set(name, value)
        assert key not in refused.value.message


# -- in the running app


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, script_of(a='{do="ok"}'), settings="# mine\n") as found:
        yield found


def test_a_change_is_obeyed_at_once_and_recorded(rig: Rig) -> None:
    caller: HttpCaller = connect(rig.home.running, "api")
    before = rig.home.config.read_bytes()
    assert caller.ask("config-set", key="switcher.retry", value="1")["message"] == "switcher.retry is 1 now"
    assert rig.app.service.rules().retry_budget == 1
    found = {one["key"]: one for one in caller.ask("config-show")["settings"]}
    assert found["switcher.retry"]["origin"] == "file"
    assert found["proxy.port"]["origin"] == "command line", "tests take any free port"
    caller.ask("config-undo")
    assert rig.home.config.read_bytes() == before
    assert rig.app.service.rules().retry_budget == 3
    caller.ask("config-set", key="history.keep_days", value="3")
    caller.ask("config-reset", key="history.keep_days")
    rows = rig.eventually("SELECT actor, verb, detail FROM operator_event WHERE verb = 'config-reset'")
    assert rows == [{"actor": "api", "verb": "config-reset", "detail": "history.keep_days is 90 again, its default"}]
