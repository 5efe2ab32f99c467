"""Errors that no rule knew are kept by kind."""

from __future__ import annotations

import json

from tests.core.build import NOW
from tray_app.core.unknown import unknown_answer
from tray_app.core.values import Head

KEY = "sk-or-v1-" + "0123456789abcdef" * 4


def of(body: object, status: int = 418) -> tuple[str, str]:
    fact = unknown_answer("openrouter", Head(status, {"x-ratelimit-limit": "3"}, json.dumps(body).encode()), NOW)
    assert (fact.provider, fact.status, fact.at) == ("openrouter", status, NOW)
    return fact.shape, fact.line


def test_answers_that_differ_in_numbers_alone_are_of_one_kind() -> None:
    shape, line = of({"error": {"message": "teapot 17 is empty", "code": 4711}})
    assert of({"error": {"message": "teapot 3 is empty", "code": 4711}})[0] == shape
    assert of({"error": {"message": "teapot 17 is empty", "code": 4712}})[0] != shape  # a code is a kind
    assert of({"error": {"message": "kettle 17 is empty", "code": 4711}})[0] != shape
    assert of({"error": {"message": "teapot 17 is empty", "code": 4711}}, 419)[0] != shape
    assert json.loads(line)["headers"] == {"x-ratelimit-limit": "3"}


def test_neither_keys_nor_what_users_wrote_are_kept() -> None:
    _, line = of({"error": {"message": f"bad key {KEY}"}, "input": "my secret plan"})
    assert KEY not in line and "secret plan" not in line
