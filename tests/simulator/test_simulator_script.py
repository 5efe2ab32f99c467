"""The script: what it may say, and how each fault in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tray_app.simulator.behaviours import BEHAVIOURS
from tray_app.simulator.script import ScriptError, load, parse, practice

ONE = '[[key]]\nname = "one"\nkey = "sk-one"\n'


def test_a_key_without_steps_answers_well_for_ever() -> None:
    (key,) = parse(ONE, "t").keys
    assert key.steps == ()
    assert key.plain.behaviour.do == "ok"


def test_every_behaviour_can_be_written_with_no_parameters() -> None:
    for name in BEHAVIOURS:
        (key,) = parse(f'{ONE}steps = [{{do = "{name}"}}]', "t").keys
        assert key.steps[0].behaviour.do == name


def test_the_shape_is_set_by_the_script_then_the_key_then_the_step() -> None:
    text = (
        '[answer]\nchunks = 2\nchars = 50\ntext = "a"\n'
        '[[key]]\nname = "one"\nkey = "sk-one"\nchars = 60\ntext = "b"\nsteps = [{do = "ok", text = "c"}]'
    )
    shape = parse(text, "t").keys[0].steps[0].shape
    assert (shape.chunks, shape.chars, shape.text) == (2, 60, "c")


def test_slow_has_delays_of_its_own_that_a_step_may_change() -> None:
    shape = parse(f'{ONE}steps = [{{do = "slow", chunk_delay_ms = 5}}]', "t").keys[0].steps[0].shape
    assert (shape.delay_ms, shape.chunk_delay_ms) == (2_000, 5)


def test_steps_may_be_written_as_tables_of_their_own() -> None:
    text = f'{ONE}[[key.steps]]\ndo = "ok"\ntimes = 2\n[[key.steps]]\ndo = "reset"\n'
    assert [step.behaviour.do for step in parse(text, "t").keys[0].steps] == ["ok", "reset"]


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("keys = 1", 1, "keys", 'Did you mean "key"?'),
        ("", None, "key", "Add a [[key]]"),
        ("x = [", None, "", "is not TOML"),
        ('[[key]]\nname = "one"', 1, "key[1].key", "is missing"),
        ('[[key]]\nkey = "sk-one"', 1, "key[1].name", "is missing"),
        (f'{ONE}\n[[key]]\nname = "two"\nkey = "sk-one"', 7, "key[2].key", "another key's as well"),
        (f'{ONE}[[key]]\nname = "one"\nkey = "sk-two"', 5, "key[2].name", "another key's as well"),
        (f'{ONE}steps = [{{do = "no_credt"}}]', 4, "key[1].steps[1].do", 'Did you mean "no_credit"?'),
        (f'{ONE}steps = [{{do = "zzz"}}]', 4, "key[1].steps[1].do", "Known are: bad_gateway_html"),
        (f"{ONE}steps = [{{times = 3}}]", 4, "key[1].steps[1].do", "is missing"),
        (
            f'{ONE}steps = [\n  {{times = 1, do = "ok"}},\n  {{do = "cut", att = 3}},\n]',
            6,
            "key[1].steps[2].att",
            'Did you mean "at"?',
        ),
        (f'{ONE}steps = [{{do = "cut", how = "maybe"}}]', 4, "key[1].steps[1].how", "Choose one of: fin, rst"),
        (f'{ONE}steps = [{{do = "ok", times = 0}}]', 4, "key[1].steps[1].times", "expected `int` >= 1"),
        (f'{ONE}steps = [{{do = "ok", chunks = "many"}}]', 4, "key[1].steps[1].chunks", "got `str`"),
        (f'{ONE}steps = [{{do = "no_credit", chunks = 3}}]', 4, "key[1].steps[1].chunks", "is not known here"),
        (f'{ONE}steps = [{{do = "ok"}}, {{do = "cut"}}]', 4, "key[1].steps[1].do", "holds for ever"),
        (f'{ONE}[[key.steps]]\ndo = "ok"\nfor_s = -1', 6, "key[1].steps[1].for_s", "expected `float` > 0"),
        (f"{ONE}steps = 7", 4, "key[1].steps", "expected `array`"),
        (f"{ONE}limit = -1", 4, "key[1].limit", "expected `float` >= 0"),
        (f'{ONE}lmit = 1\n[[key]]\nname = "two"', 4, "key[1].lmit", 'Did you mean "limit"?'),
        ("[answer]\n# so many\nchunks = 0", 3, "answer.chunks", "expected `int` >= 1"),
        ('[default]\nnam = "x"', 2, "default.nam", 'Did you mean "name"?'),
        ('[[account]]\nname = "a"\nsteps = [{do = "x"}]', 3, "account[1].steps[1].do", "is no behaviour"),
        (f"models = [1]\n{ONE}", 1, "models", "got `int`"),
    ],
)
def test_a_fault_is_named_by_file_line_key_and_remedy(text: str, line: int | None, key: str, said: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text, "demo.toml")
    assert (caught.value.line, caught.value.key) == (line, key)
    assert str(caught.value).startswith("demo.toml")
    assert said in str(caught.value)


def test_a_fault_never_quotes_a_key() -> None:
    with pytest.raises(ScriptError) as caught:
        parse('[[key]]\nname = "one"\nkey = "sk-or-v1 secret with spaces"', "t")
    assert "secret" not in str(caught.value)


def test_a_script_shows_no_key_when_it_is_printed() -> None:
    assert "sk-one" not in repr(parse(ONE, "t"))


def test_a_line_that_cannot_be_told_is_left_out_rather_than_guessed() -> None:
    text = 'key = [{name = "a", key = "b", steps = [{do = "x"}]}]\n[answer]\n[default]'
    with pytest.raises(ScriptError) as caught:
        parse(text, "t")
    assert (caught.value.line, caught.value.key) == (None, "key[1].steps[1].do")


def test_a_file_is_read_and_a_missing_one_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(ONE)
    assert load(path).keys[0].name == "one"
    with pytest.raises(ScriptError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_the_practice_script_has_the_three_keys_of_the_demo() -> None:
    keys = {key.settings.key: [s.behaviour.do for s in key.steps] for key in practice().keys}
    assert keys == {
        "sk-or-v1-practice-main": ["ok", "no_credit"],
        "sk-or-v1-practice-backup": ["ok", "rate_limit"],
        "sk-or-v1-practice-spare": ["ok"],
    }
