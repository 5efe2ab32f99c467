"""Every key of a TOML text is found in its place, and one value can be changed with all else left as it is."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.core.toml_text import KeyPath, edits, lines_of, parts_of, removals, source_of, value_text

TEXTS: list[tuple[str, str, dict[KeyPath, int]]] = [
    ("nothing", "", {}),
    ("only a comment", "# port = 1\n", {}),
    ("a key", "\n\nport = 1\n", {("port",): 3}),
    ("a table", "[proxy]\nport = 1", {("proxy",): 1, ("proxy", "port"): 2}),
    ("dotted keys", "a.b . c = 1\na.d = 2", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "d"): 2}),
    ("dotted headers", "[ a . b ]\nc = 1", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 2}),
    (
        "quoted keys",
        '["a.b"]\n\'c d\' = 1\n"e\\u0041\\"" = 2',
        {("a.b",): 1, ("a.b", "c d"): 2, ("a.b", 'eA"'): 3},
    ),
    ("a bracket in a quoted header", '["a]b"]\nc = 1', {("a]b",): 1, ("a]b", "c"): 2}),
    ("a comment behind a header", "[a] # [b]\nc = 1 # d = 2\n", {("a",): 1, ("a", "c"): 2}),
    ("Windows line ends", "[a]\r\nb = 1\r\n\r\nc = 2\r\n", {("a",): 1, ("a", "b"): 2, ("a", "c"): 4}),
    (
        "lists of tables",
        "[[t]]\na = 1\n\n[[t]]\na = 2\n[t.u]\nb = 3\n[[t.v]]\nc = 4\n[[t.v]]\nc = 5\n",
        {
            ("t",): 1,
            ("t", 0): 1,
            ("t", 0, "a"): 2,
            ("t", 1): 4,
            ("t", 1, "a"): 5,
            ("t", 1, "u"): 6,
            ("t", 1, "u", "b"): 7,
            ("t", 1, "v"): 8,
            ("t", 1, "v", 0): 8,
            ("t", 1, "v", 0, "c"): 9,
            ("t", 1, "v", 1): 10,
            ("t", 1, "v", 1, "c"): 11,
        },
    ),
    (
        "a list over several lines",
        'a = [ # first\n  1,\n  "x, ] # = y", # second\n  [2, 3],\n]\nb = 4\n',
        {
            ("a",): 1,
            ("a", 0): 2,
            ("a", 1): 3,
            ("a", 2): 4,
            ("a", 2, 0): 4,
            ("a", 2, 1): 4,
            ("b",): 6,
        },
    ),
    ("an empty list and table", "a = []\nb = {}\nc = 1", {("a",): 1, ("b",): 2, ("c",): 3}),
    (
        "inline tables",
        "a = { b = 1, c.d = [2], e = { f = 'x' } }\ng = 1",
        {
            ("a",): 1,
            ("a", "b"): 1,
            ("a", "c"): 1,
            ("a", "c", "d"): 1,
            ("a", "c", "d", 0): 1,
            ("a", "e"): 1,
            ("a", "e", "f"): 1,
            ("g",): 2,
        },
    ),
    (
        "inline tables in a list",
        "t = [\n  {a = 1},\n  {a = 2},\n]",
        {("t",): 1, ("t", 0): 2, ("t", 0, "a"): 2, ("t", 1): 3, ("t", 1, "a"): 3},
    ),
    (
        "long strings that look like TOML",
        'a = """\n[b]\nc = 1 \\"""\n"" """\nd = \'\'\'\n[e]\n\'\'\'\nf = """x"""""\ng = 1',
        {("a",): 1, ("d",): 5, ("f",): 8, ("g",): 9},
    ),
    (
        "strings with quotes in them",
        "a = \"\\\"] # \"\nb = '\"'\nc = 'x' # '\nd = 1",
        {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4},
    ),
    (
        "dates with a space in them",
        "a = 1979-05-27 07:32:00Z\nb = [1979-05-27 07:32:00]",
        {("a",): 1, ("b",): 2, ("b", 0): 2},
    ),
    ("a line separator within a comment", "# one\u2028two\u0085three\na = 1", {("a",): 2}),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_each_key_has_its_line(text: str, expected: dict[KeyPath, int]) -> None:
    tomllib.loads(text)
    assert lines_of(text) == expected


names = st.from_regex(r"[a-c]{1,2}", fullmatch=True)
plain = st.sampled_from(["1", "-2.5", "true", '"x # y"', "'z = [1]'", "2024-01-01", '"""\n[q]\n"""'])
spaces = st.sampled_from(["", " ", "\t", "\n", " # c = 1\n"])


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.integers(0, 3 if depth < 2 else 1))
    if kind <= 1:
        return draw(plain)
    if kind == 2:
        parts = draw(st.lists(values(depth + 1), max_size=3))
        gap = draw(spaces)
        return f"[{gap}" + f",{gap}".join(parts) + f"{gap}]"
    keys = draw(st.lists(names, unique=True, max_size=3))
    inner = (value for _ in keys if "\n" not in (value := draw(values(depth + 1))))
    return "{ " + ", ".join(f"{key} = {value}" for key, value in zip(keys, inner, strict=False)) + " }"


@st.composite
def texts(draw: st.DrawFn) -> str:
    lines = []
    for key in draw(st.lists(names, unique=True, max_size=4)):
        lines += [draw(spaces), f"{key} = {draw(values())}", "\n"]
    for table in draw(st.lists(st.from_regex(r"t[a-c]{1,2}(\.[a-c]){0,2}", fullmatch=True), unique=True, max_size=3)):
        lines += [draw(st.sampled_from(["[{}]", "[[{}]]"])).format(table), "\n"]
        lines += [f"{key} = {draw(values())}\n" for key in draw(st.lists(names, unique=True, max_size=3))]
    return "".join(lines)


def paths(document: object, path: KeyPath = ()) -> set[KeyPath]:
    """The path of every key and item."""
    if isinstance(document, dict):
        inner = document.items()
    elif isinstance(document, list):
        inner = enumerate(document)  # type: ignore[assignment]
    else:
        return {path}
    return {path}.union(*(paths(value, (*path, name)) for name, value in inner))


@given(texts())
def test_the_keys_that_are_found_are_those_of_the_document(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a table given twice, and such
    found = lines_of(text)
    assert set(found) == paths(document) - {()}
    lines = text.split("\n")
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]


# -- changing one value

EDITS = [
    ("a value in its place", "a.b", "[a] # x\nb = 1 # y\nc = 2", "[a] # x\nb = 7 # y\nc = 2"),
    ("a value over several lines", "a.b", "[a]\nb = [ # x\n 1,\n] # y\nc = 2", "[a]\nb = 7 # y\nc = 2"),
    ("a dotted key", "a.b", "a.b = 1\nc = 2", "a.b = 7\nc = 2"),
    ("within an inline table", "a.b", "a = { b = 1, c = 2 }", "a = { b = 7, c = 2 }"),
    ("new within an inline table", "a.b", "a = { c = 2 } # x", "a = { c = 2, b = 7 } # x"),
    ("new within an empty inline table", "a.b.c", "a = {} # x", "a = { b.c = 7 } # x"),
    ("new within the innermost inline table", "a.b.c", "a = { b = { d = 1 } }", "a = { b = { d = 1, c = 7 } }"),
    (
        "new at the end of its table",
        "a.b",
        "[a]\nc = 1 # x\n\n# about d\n[d]\n",
        "[a]\nc = 1 # x\nb = 7\n\n# about d\n[d]\n",
    ),
    ("new in an empty table", "a.b", "[a] # x\n[d]\n", "[a] # x\nb = 7\n[d]\n"),
    ("new without a line end", "a.b", "[a]\nc = 1", "[a]\nc = 1\nb = 7\n"),
    ("new beside dotted keys", "a.b", "a.c = 1\nd = 2", "a.c = 1\na.b = 7\nd = 2"),
    ("new beside dotted keys under a header", "a.b.c", "[a]\nb.d = 1\n[e]\n", "[a]\nb.d = 1\nb.c = 7\n[e]\n"),
    ("a new table", "a.b", "# x\n[c]\nd = 1", "# x\n[c]\nd = 1\n\n[a]\nb = 7\n"),
    ("a new table in an empty text", "a.b", "", "[a]\nb = 7\n"),
    ("a new table behind a blank text", "a.b", "\n", "\n[a]\nb = 7\n"),
    ("a new table above one that is there", "a.b", "[a.c]\nd = 1\n", "[a.c]\nd = 1\n\n[a]\nb = 7\n"),
    ("a new table below one that is there", "a.b.c", "[a]\nd = 1\n", "[a]\nd = 1\n\n[a.b]\nc = 7\n"),
    ("a new table within dotted keys", "a.b.c", "a.d = 1\n", "a.d = 1\n\n[a.b]\nc = 7\n"),
    ("names that need quotes", 'a."b c".d', "", '[a."b c"]\nd = 7\n'),
    ("Windows line ends", "a.b", "[a]\r\nc = 1\r\n", "[a]\r\nc = 1\r\nb = 7\r\n"),
]


@pytest.mark.parametrize(("key", "before", "after"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
def test_a_value_is_put_where_a_person_would_put_it(key: str, before: str, after: str) -> None:
    assert next(edits(before, parts_of(key), "7")) == after
    tomllib.loads(after)


VALUES = [
    ("1", "1"),
    (" 1.5 # x", "1.5"),
    ("true", "true"),
    ('"a b"', '"a b"'),
    ("'a b'", "'a b'"),
    ("[1, 2]", "[1, 2]"),
    ("{ a = 1 }", "{ a = 1 }"),
    ("score", '"score"'),
    ("127.0.0.1", '"127.0.0.1"'),
    ("https://x.example/v1", '"https://x.example/v1"'),
    ("", '""'),
    ("1\nb = 2", '"1\\nb = 2"'),
    ('a "b" \\', '"a \\"b\\" \\\\"'),
    ("ä\x7f\x00\u2028😀", '"ä\\u007f\\u0000\u2028😀"'),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[repr(row[0]) for row in VALUES])
def test_a_value_is_taken_as_toml_or_as_a_string(text: str, value: str) -> None:
    assert value_text(text) == value
    tomllib.loads(f"a = {value}")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_a_value(text: str) -> None:
    found = tomllib.loads(f"a = {value_text(text)}")
    assert found["a"] == text or tomllib.loads(f"a = {text}") == found


@given(texts(), st.sampled_from(["a", "b.c", "ta.b", "tb.q", "ta.a.b.c", "tc.a"]))
def test_whatever_is_changed_nothing_else_is(text: str, key: str) -> None:
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for after in edits(text, parts_of(key), "'new'"):
        try:
            document = tomllib.loads(after)
        except tomllib.TOMLDecodeError:
            continue
        others = paths(before) - paths(document)
        parts = parts_of(key)
        assert all(path[: len(parts)] == parts or parts[: len(path)] == path for path in others if "new" not in path)


KEYS = [
    ("a.b", ("a", "b")),
    (" a", ()),
    ("a . b", ("a", "b")),
    ('"a.b".c', ("a.b", "c")),
    ("'a\"b'", ('a"b',)),
    ("", ()),
    ("a.", ()),
    (".a", ()),
    ("a..b", ()),
    ("a b", ()),
    ("a=1", ()),
    ("[a]", ()),
    ("a\nb", ()),
]


@pytest.mark.parametrize(("key", "parts"), KEYS, ids=[repr(row[0]) for row in KEYS])
def test_a_key_is_taken_apart_as_toml_does(key: str, parts: tuple[str, ...]) -> None:
    assert parts_of(key) == parts


REMOVALS = [
    ("a line", "a = 1\nb = 2\n", ["a"], "b = 2\n"),
    ("the last line, without its end", "a = 1\nb = 2", ["b"], "a = 1\n"),
    ("a line of CRLF", "a = 1\r\nb = 2\r\n", ["a"], "b = 2\r\n"),
    ("all but the comment", "a = 1 # why\nb = 2\n", ["a"], " # why\nb = 2\n"),
    ("the first of a table in a line", "t = { a = 1, b = 2 }", ["t", "a"], "t = { b = 2 }"),
    ("the last of a table in a line", "t = { a = 1, b = 2 }", ["t", "b"], "t = { a = 1 }"),
    ("the only one of a table in a line", "t = { a = 1 }", ["t", "a"], "t = {  }"),
    ("a table and the blank line before it", "x = 1\n\n[t]\n[u]\n", ["t"], "x = 1\n[u]\n"),
    ("a table on the first line", "[t]\n# c\n", ["t"], "# c\n"),
    ("a table on the last line", "x = 1\n[t]", ["t"], "x = 1\n"),
]


@pytest.mark.parametrize(("text", "path", "after"), [row[1:] for row in REMOVALS], ids=[row[0] for row in REMOVALS])
def test_what_is_taken_out_leaves_the_rest(text: str, path: list[str], after: str) -> None:
    *tables, name = path
    wanted = tomllib.loads(text)
    table = wanted
    for part in tables:
        table = table[part]
    del table[name]
    ways = [way for way in removals(text, path) if _loads(way) == wanted]
    assert ways[0] == after


def _loads(text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def test_the_whole_text_is_no_table_that_could_be_taken_out() -> None:
    assert list(removals("a = 1\n", [])) == [] and list(removals("a = 1\n", ["b"])) == []


def test_the_source_of_a_value_is_as_it_stands_there() -> None:
    text = "a = 'x' # c\n[t]\nb = [1,\n 2]\n"
    assert source_of(text, ["a"]) == "'x'" and source_of(text, ["t", "b"]) == "[1,\n 2]"
    assert source_of(text, ["t"]) is None and source_of(text, ["c"]) is None
