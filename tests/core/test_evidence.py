"""The table of evidence: its rows can match, do not contradict each other, and say what they do."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tray_app.core import errorbody
from tray_app.core.evidence import ABOUT_THE_KEY, ABOUT_THE_REQUEST, ACTION, RULES, Rule, verdict
from tray_app.core.values import Action, ErrorClass, Scope, Window

ROWS = [pytest.param(rule, id=rule.reason) for rule in RULES]


@pytest.mark.parametrize("rule", ROWS)
def test_a_row_can_match_and_says_why(rule: Rule) -> None:
    assert rule.codes or rule.pattern
    assert rule.reason
    assert all(code == code.lower() for code in rule.codes)


@pytest.mark.parametrize("rule", ROWS)
def test_a_sentence_counts_only_under_statuses_that_are_named(rule: Rule) -> None:
    assert (rule.pattern is None) == (not rule.statuses)
    assert all(400 <= status < 500 for status in rule.statuses)


@pytest.mark.parametrize("rule", ROWS)
def test_a_row_gives_its_class_scope_and_action(rule: Rule) -> None:
    found = rule.verdict()
    assert (found.cls, found.scope, found.reason, found.window) == (rule.cls, rule.scope, rule.reason, rule.window)
    assert found.action is (rule.action or ACTION[rule.cls])


def test_no_code_stands_in_two_rows() -> None:
    codes = Counter(code for rule in RULES for code in rule.codes)
    assert not [code for code, times in codes.items() if times > 1]


def test_what_is_about_the_request_never_costs_a_profile_anything() -> None:
    assert all(rule.verdict().action in (Action.RETURN, Action.NEXT) for rule in ABOUT_THE_REQUEST)
    assert {rule.verdict().action for rule in ABOUT_THE_KEY} == {Action.REAUTH, Action.PARK}
    assert {*ABOUT_THE_REQUEST, *ABOUT_THE_KEY} <= set(RULES)


SPENT = Rule(
    ErrorClass.QUOTA_EXHAUSTED, Scope.KEY, "spent", ("gone",), re.compile("all gone"), (402,), re.compile("^g_")
)
FULL = Rule(ErrorClass.OVERLOADED, Scope.KEY, "full", ("gone",))


@pytest.mark.parametrize(
    ("rule", "status", "body", "fits"),
    [
        pytest.param(SPENT, 400, b'{"error": {"code": "GONE"}}', True, id="a code, whatever the client's status"),
        pytest.param(SPENT, None, b'{"error": {"code": "gone"}}', True, id="a code inside a success"),
        pytest.param(SPENT, 400, b'{"error": {"code": "g_7"}}', True, id="a code of that kind"),
        pytest.param(SPENT, 500, b'{"error": {"code": "gone"}}', False, id="not of a failing provider"),
        pytest.param(FULL, 500, b'{"error": {"code": "gone"}}', True, id="unless it is about overload"),
        pytest.param(SPENT, 402, b'{"error": {"message": "it is all gone"}}', True, id="a sentence under its status"),
        pytest.param(SPENT, None, b'{"error": {"message": "it is all gone"}}', True, id="a sentence inside a success"),
        pytest.param(SPENT, 400, b'{"error": {"message": "it is all gone"}}', False, id="not under another status"),
        pytest.param(SPENT, 402, b'{"error": {"message": "gone"}}', False, id="not in other words"),
        pytest.param(FULL, 402, b'{"error": {"message": "gone"}}', False, id="a code is no sentence"),
    ],
)
def test_a_row_fits(rule: Rule, status: int | None, body: bytes, fits: bool) -> None:
    assert rule.fits(status, errorbody.read(body)) is fits


def test_a_verdict_takes_the_action_of_its_class_unless_told_otherwise() -> None:
    assert verdict(ErrorClass.AUTH, Scope.KEY, "no").action is Action.REAUTH
    assert verdict(ErrorClass.AUTH, Scope.KEY, "no", Action.RETURN).action is Action.RETURN
    assert verdict(ErrorClass.QUOTA_EXHAUSTED, Scope.KEY, "no", window=Window.DAY).window is Window.DAY
