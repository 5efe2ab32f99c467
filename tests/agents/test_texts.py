"""One value set or taken out in JSON, TOML and YAML, with all else left as it is: what comes out, letter by letter."""

from __future__ import annotations

import pytest

from tray_app.agents import jsonc_text, toml_text, yaml_list, yaml_text
from tray_app.agents.unfit import MISSING, Unfit

JSON = [
    ("into nothing", "", "a.b", '{\n  "a": {\n    "b": "v"\n  }\n}\n'),
    ("behind comments", "// c", "a", '// c\n{\n  "a": "v"\n}\n'),
    ("into an empty object", "{}", "a", '{\n  "a": "v"\n}'),
    ("beside a comment", "{ // c\n}", "a", '{ // c\n  "a": "v"\n}'),
    ("beside a comment on the same line", "{ /* c */ }", "a", '{ /* c */\n  "a": "v"\n}'),
    ("in one line", '{"x":1}', "a.b", '{"x":1, "a": {"b": "v"}}'),
    ("in one line with a comma", '{"x":1,}', "a", '{"x":1, "a": "v",}'),
    ("into an empty object of one line", '{"x":{}}', "x.a", '{"x":{"a": "v"}}'),
    ("into an empty object of many lines", '{\n\t"x": {}\n}', "x.a", '{\n\t"x": {\n\t\t"a": "v"\n\t}\n}'),
    ("as the next line", '{\n  "x": 1\n}', "a", '{\n  "x": 1,\n  "a": "v"\n}'),
    ("behind a comma", '{\n  "x": 1,\n}', "a", '{\n  "x": 1,\n  "a": "v",\n}'),
    ("behind a comment", '{\n  "x": 1 // c\n}', "a", '{\n  "x": 1, // c\n  "a": "v"\n}'),
    ("behind a comma and a comment", '{\n  "x": 1, /* c */\n}', "a", '{\n  "x": 1, /* c */\n  "a": "v",\n}'),
    ("CRLF", '{\r\n  "x": 1\r\n}', "a", '{\r\n  "x": 1,\r\n  "a": "v"\r\n}'),
    ("over a value", '{"a": /* c */ [1, {"b": 2}] , "x": 1}', "a", '{"a": /* c */ "v" , "x": 1}'),
    ("over the last of two alike", '{"a": 1, "a": 2}', "a", '{"a": 1, "a": "v"}'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "path", "after"), [row[1:] for row in JSON], ids=[row[0] for row in JSON])
def test_a_value_is_set_in_json(before: str, path: str, after: str) -> None:
    assert jsonc_text.with_value(before, path.split("."), "v") == after
    assert jsonc_text.with_raw(before, path.split("."), '"v"') == after
    assert jsonc_text.value_at(after, path.split(".")) == "v"


TAKEN = [
    ("the only one", '{"a": 1}', "{}"),
    ("the only one with a comma", '{ "a": 1, }', "{}"),
    ("the only line", '{\n  "a": 1\n}', "{}"),
    ("the only line beside a comment", '{\n  // c\n  "a": 1\n}', "{\n  // c\n}"),
    ("the first", '{"a": 1, "b": 2}', '{"b": 2}'),
    ("the last", '{"b": 2, "a": 1}', '{"b": 2}'),
    ("the last with blanks", '{ "b": 2, "a": 1 }', '{ "b": 2 }'),
    ("the last with a comma", '{"b": 2, "a": 1,}', '{"b": 2,}'),
    ("the first line", '{\n  "a": 1,\n  "b": 2\n}', '{\n  "b": 2\n}'),
    ("the last line", '{\n  "b": 2, // c\n  "a": 1\n}', '{\n  "b": 2 // c\n}'),
    ("the last line of CRLF", '{\r\n  "b": 2,\r\n  "a": 1\r\n}', '{\r\n  "b": 2\r\n}'),
    ("a line with a comment, which stays", '{\n  "a": 1, // c\n  "b": 2\n}', '{\n  // c\n  "b": 2\n}'),
    ("the last of two alike", '{"a": 0, "b": 2, "a": 1}', '{"a": 0, "b": 2}'),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_a_member_is_taken_out_of_json(before: str, after: str) -> None:
    assert jsonc_text.without(before, ["a"]) == after


def test_other_letters_stand_as_they_are() -> None:
    assert jsonc_text.with_value('{"x": 1}', ["größe", "é"], "✓") == '{"x": 1, "größe": {"é": "✓"}}'
    assert jsonc_text.value_at('{"a\tb": "c\td"}', ["a\tb"]) == "c\td"


def test_json_is_read_as_every_reader_does() -> None:
    text = '// c\n{"a": {"b": [1, [true, null,], "x\\n"]}, "a": {"c": -1.5e3, "d": {}}, /* e */ "f": []}'
    assert jsonc_text.value_at(text, []) == {"a": {"c": -1500.0, "d": {}}, "f": []}
    assert jsonc_text.value_at('{"b": [1, [true, null,], "x\\n"]}', ["b"]) == [1, [True, None], "x\n"]
    assert jsonc_text.value_at(text, ["a", "b"]) is MISSING and jsonc_text.raw_at("", ["a"]) is None
    assert jsonc_text.value_at('{"a": 1}', ["a", "b"]) is MISSING
    assert jsonc_text.raw_at("// c\n", []) is None
    assert jsonc_text.is_empty(" { \n} ") and jsonc_text.is_empty("") and not jsonc_text.is_empty('{"a":1}')


def test_toml_is_set_and_taken_out() -> None:
    own = '[t]\na = "b"\n'
    assert toml_text.with_value(own, ["k"], "v") == 'k = "v"\n[t]\na = "b"\n'
    assert toml_text.with_value(own, ["q r"], "v") == '"q r" = "v"\n[t]\na = "b"\n'
    made = toml_text.with_value(own, ["m", "n", "k"], "v")
    assert made == own + '\n[m.n]\nk = "v"\n'
    assert toml_text.without(toml_text.without(made, ["m", "n", "k"]), ["m", "n"]) == own
    assert toml_text.raw_at(own, ["t", "a"]) == '"b"' and toml_text.raw_at(own, ["t", "x"]) is None
    assert toml_text.value_at(own, ["t", "a", "x"]) is MISSING
    assert toml_text.without("a.b.c = 1\nd = 2\n", ["a", "b", "c"]) == "d = 2\n"
    assert toml_text.without("a = { b = 1, c = 2 } # n\n", ["a", "b"]) == "a = { c = 2 } # n\n"
    assert toml_text.without('k = "v" # why\n', ["k"]) == " # why\n"
    assert toml_text.is_empty(" \n") and not toml_text.is_empty("# c")


def test_what_cannot_be_done_in_toml_without_touching_the_rest_is_refused() -> None:
    with pytest.raises(Unfit, match="a is no table"):
        toml_text.with_value("a = 1\n", ["a", "b"], "v")
    with pytest.raises(Unfit, match="cannot be taken out"):
        toml_text.without("[a.b]\nc = 1\n[a.d]\ne = 1\n", ["a"])


YAML = [
    ("into nothing", "", 'a: "v"\n'),
    ("behind the rest", "b: 1", 'b: 1\na: "v"\n'),
    ("over a value", "a: x y # c\nb: 1\n", 'a: "v" # c\nb: 1\n'),
    ("over a text", "a: 'it''s' # c\n", 'a: "v" # c\n'),
    ("over a list", "a: [1, 2]\n", 'a: "v"\n'),
    ("over no value", "a:\nb: 1\n", 'a: "v"\nb: 1\n'),
    ("over no value with a comment", "a: # c\n", 'a: "v" # c\n'),
    ("a quoted key", '"a": 1\n', '"a": "v"\n'),
    ("CRLF", "b: 1\r\n", 'b: 1\r\na: "v"\r\n'),
    ("beside lists and documents", "---\n# c\nb:\n- 1\n  - 2\n", '---\n# c\nb:\n- 1\n  - 2\na: "v"\n'),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in YAML], ids=[row[0] for row in YAML])
def test_a_value_is_set_in_yaml(before: str, after: str) -> None:
    assert yaml_text.with_value(before, ["a"], "v") == after
    assert yaml_text.value_at(after, ["a"]) == "v"


def test_yaml_is_read_and_taken_out() -> None:
    assert yaml_text.value_at("a: 'it''s'\nb: [\"x\"]\nc: [y]\nd: plain # c\n", ["a"]) == "it's"
    assert yaml_text.value_at('b: ["x"]\n', ["b"]) == ["x"] and yaml_text.value_at("c: [y]\n", ["c"]) == "[y]"
    assert yaml_text.value_at("d: http://x/#y # c\n", ["d"]) == "http://x/#y"
    assert yaml_text.value_at("d: 1\n", ["a"]) is MISSING
    assert yaml_text.without("b: 1\na: 2\nc: 3", ["a"]) == "b: 1\nc: 3" and yaml_text.without("a: 1", ["a"]) == ""
    assert yaml_text.is_empty("\n") and not yaml_text.is_empty("# c")


def test_models_are_added_to_a_yaml_list_and_taken_out() -> None:
    table = {"model_id": "o/x", "model_name": "x"}
    ours = '- model_id: "o/x"\n  model_name: "x"\n'
    for before in ("", "# c\n", "- model_id: mine\n  model_name: y\n", "- model_id: mine"):
        made = yaml_list.with_value(before, ["o/x"], table)
        assert made.endswith(ours) and made.startswith(before)
        assert yaml_list.value_at(made, ["o/x"]) == table
        assert yaml_list.without(made, ["o/x"]) in (before, before + "\n")
        more = made + "- model_id: z\n"
        assert yaml_list.with_value(more, ["o/x"], {**table, "model_name": "w"}).count("model_id") == more.count(
            "model_id"
        )
        assert yaml_list.without(more, ["o/x"]).endswith("- model_id: z\n")
    assert yaml_list.value_at("- model_id: a\n", ["o/x"]) is MISSING and yaml_list.raw_at("", ["x"]) is None
    assert (
        yaml_list.value_at('- model_id: "o/x"\n  can_stream: true\n', ["o/x"])
        == '- model_id: "o/x"\n  can_stream: true\n'
    )
    assert yaml_list.is_empty("\n") and "\r\n" in yaml_list.with_value("# c\r\n", ["o/x"], table)
