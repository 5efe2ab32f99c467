"""Another model's name in a body, and every other byte as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import unhurried
from tray_app.core.rewrite import with_model


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        pytest.param(b'{"model":"old"}', b'{"model":"new"}', id="alone"),
        pytest.param(b'{ "a":1 , "model" :\n\t"old" }', b'{ "a":1 , "model" :\n\t"new" }', id="with every space kept"),
        pytest.param(b'{"a":{"model":"old"},"model":"old"}', b'{"a":{"model":"old"},"model":"new"}', id="not inside"),
        pytest.param(b'{"model":"old","a":{"model":"old"}}', b'{"model":"new","a":{"model":"old"}}', id="nor behind"),
        pytest.param(
            rb'{"a":"\"model\":\"old\"","model":"old"}', rb'{"a":"\"model\":\"old\"","model":"new"}', id="nor in a text"
        ),
        pytest.param(
            b'{"a":["model","old"],"model":"old"}', b'{"a":["model","old"],"model":"new"}', id="nor as an item"
        ),
        pytest.param(
            rb'{"x\"model":"old","model":"o"}', rb'{"x\"model":"old","model":"new"}', id="a name's end is not"
        ),
        pytest.param(rb'{"model":"o\"l\\d","a":1}', b'{"model":"new","a":1}', id="a name with escapes"),
        pytest.param(b'{"model":"","a":1}', b'{"model":"new","a":1}', id="an empty name"),
        pytest.param(
            b'{"model":"one","model":"two"}', b'{"model":"one","model":"new"}', id="the one that holds of two"
        ),
        pytest.param(b'{"model":"a","model":"\xff"}', b'{"model":"a","model":"new"}', id="even if it was no UTF-8"),
        pytest.param('{"model":"ä","a":"ö"}'.encode(), '{"model":"new","a":"ö"}'.encode(), id="beyond ASCII"),
    ],
)
def test_the_model_is_changed_and_nothing_else(body: bytes, changed: bytes) -> None:
    assert with_model(body, "new") == changed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="no model"),
        pytest.param(b'{"model":null}', id="no name"),
        pytest.param(b'{"model":7,"a":{"model":"old"}}', id="a number, and a name inside"),
        pytest.param(b'["model","old"]', id="no object"),
        pytest.param(b'{"model":"old"', id="cut off after it"),
        pytest.param(b'{"model":"old', id="cut off in it"),
        pytest.param(b'{"model":"old","a":\xff}', id="no JSON"),
        pytest.param(b'{"model":"old","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="as deep as a well"),
        pytest.param(rb'{"mod\u0065l":"old"}', id="a member that is spelled with escapes"),
    ],
)
def test_what_names_no_model_stays_as_it_is(body: bytes) -> None:
    assert with_model(body, "new") is body


def test_the_new_name_is_spelled_as_json() -> None:
    assert json.loads(with_model(b'{"model":"old"}', 'a"b\\c\n')) == {"model": 'a"b\\c\n'}


words = st.sampled_from(["model", '"model"', '"model":"old"', "old", "a", "\\", 'x"'])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)


@unhurried
@given(st.dictionaries(words, values, max_size=4), st.sampled_from([None, 1]), st.sampled_from(["n/1", 'n"', "ü"]))
def test_any_object_differs_in_its_model_alone(document: dict[str, Any], indent: int | None, model: str) -> None:
    body = json.dumps(document, indent=indent).encode()
    changed = json.loads(with_model(body, model))
    named = isinstance(document.get("model"), str)
    assert changed == ({**document, "model": model} if named else document)
    assert list(changed) == list(document)
