"""The table of evidence: its rows can match, do not contradict each other, and say what they do."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tray_app.core import errorbody
from tray_app.core.buckets import FAMILIES, UNKNOWN, Family
from tray_app.core.evidence import (
    ABOUT_THE_KEY,
    ABOUT_THE_REQUEST,
    ACTION,
    BUDGET,
    CONTENT,
    RULES,
    Finding,
    Rule,
    finding,
    says,
)
from tray_app.core.values import Action, ErrorClass, Scope, Window

ROWS = [pytest.param(rule, id=rule.reason) for rule in RULES]


@pytest.mark.parametrize("rule", ROWS)
def test_a_row_can_match_and_says_why(rule: Rule) -> None:
    assert rule.codes or rule.sentences
    assert rule.reason
    assert all(code == code.lower() for code in rule.codes)


@pytest.mark.parametrize("rule", ROWS)
def test_a_number_among_the_codes_is_of_a_provider_whose_numbers_are_its_own(rule: Rule) -> None:
    for code in rule.codes:
        provider, _, number = code.rpartition(":")
        assert not number.isdecimal() or FAMILIES[provider].numbers, code


@pytest.mark.parametrize("rule", ROWS)
def test_a_sentence_counts_only_under_statuses_that_are_named(rule: Rule) -> None:
    assert (rule.sentences is None) == (not rule.statuses)
    assert all(400 <= status < 500 or status in (503, 529) for status in rule.statuses)


@pytest.mark.parametrize("rule", ROWS)
def test_words_are_looked_for_in_lower_case(rule: Rule) -> None:
    for phrase, pattern in rule.sentences.phrases if rule.sentences else ():
        assert phrase == phrase.lower()
        assert pattern is None or pattern.pattern == pattern.pattern.replace("[A-Z", "[a-z")


@pytest.mark.parametrize("rule", ROWS)
def test_a_row_gives_its_class_scope_and_action(rule: Rule) -> None:
    found = rule.finding(UNKNOWN)
    expected = (
        rule.cls,
        rule.scope or Scope.KEY_MODEL,
        rule.reason,
        rule.action or ACTION[rule.cls],
        rule.window,
        True,
    )
    assert found == expected


def test_no_code_stands_in_two_rows() -> None:
    codes = Counter(code for rule in RULES for code in rule.codes)
    assert not [code for code, times in codes.items() if times > 1]


def test_what_is_about_the_request_never_costs_a_profile_anything() -> None:
    assert all(rule.finding(UNKNOWN).action in (Action.RETURN, Action.NEXT) for rule in ABOUT_THE_REQUEST)
    assert {rule.finding(UNKNOWN).action for rule in ABOUT_THE_KEY} == {Action.REAUTH, Action.PARK}
    assert {*ABOUT_THE_REQUEST, *ABOUT_THE_KEY, BUDGET, CONTENT} <= set(RULES)
    assert ABOUT_THE_REQUEST[0].reason == "the request is larger than the plan allows for this model"


SPENT = Rule(
    ErrorClass.QUOTA_EXHAUSTED,
    Scope.KEY,
    "spent",
    frozenset({"gone"}),
    says("all gone", ("nothing", "^nothing left")),
    (402,),
    re.compile("^g_"),
)
FULL = Rule(ErrorClass.OVERLOADED, Scope.MODEL, "full", frozenset({"gone"}))


@pytest.mark.parametrize(
    ("rule", "status", "body", "fits"),
    [
        pytest.param(SPENT, 400, b'{"error": {"code": "GONE"}}', True, id="a code, whatever the client's status"),
        pytest.param(SPENT, None, b'{"error": {"code": "gone"}}', True, id="a code inside a success"),
        pytest.param(SPENT, 400, b'{"error": {"code": "g_7"}}', True, id="a code of that kind"),
        pytest.param(SPENT, 499, b'{"error": {"code": "gone"}}', True, id="to the last of the client's statuses"),
        pytest.param(SPENT, 500, b'{"error": {"code": "gone"}}', False, id="not of a failing provider"),
        pytest.param(SPENT, 500, b'{"error": {"code": "g_7"}}', False, id="nor a code of that kind"),
        pytest.param(FULL, 500, b'{"error": {"code": "gone"}}', True, id="unless it is about overload"),
        pytest.param(SPENT, 402, b'{"error": {"message": "it is ALL gone"}}', True, id="a sentence under its status"),
        pytest.param(SPENT, None, b'{"error": {"message": "it is all gone"}}', True, id="a sentence inside a success"),
        pytest.param(SPENT, 400, b'{"error": {"message": "it is all gone"}}', False, id="not under another status"),
        pytest.param(SPENT, 402, b'{"error": {"message": "gone"}}', False, id="not in other words"),
        pytest.param(SPENT, 402, b'{"error": {"message": "nothing left"}}', True, id="a phrase as it must stand"),
        pytest.param(SPENT, 402, b'{"error": {"message": "and nothing left"}}', False, id="not as it stands elsewhere"),
        pytest.param(FULL, 402, b'{"error": {"message": "gone"}}', False, id="a code is no sentence"),
    ],
)
def test_a_row_fits(rule: Rule, status: int | None, body: bytes, fits: bool) -> None:
    assert rule.fits(status, errorbody.read(body)) is fits


def test_a_finding_takes_the_action_of_its_class_unless_told_otherwise() -> None:
    assert finding(ErrorClass.AUTH, Scope.KEY, "no") == Finding(ErrorClass.AUTH, Scope.KEY, "no", Action.REAUTH)
    assert finding(ErrorClass.AUTH, Scope.KEY, "no", Action.RETURN, known=False) == Finding(
        ErrorClass.AUTH, Scope.KEY, "no", Action.RETURN, None, False
    )
    assert finding(ErrorClass.QUOTA_EXHAUSTED, Scope.KEY, "no", window=Window.DAY).window is Window.DAY


def test_the_scope_of_a_plan_is_the_providers() -> None:
    rule = Rule(ErrorClass.MODEL_UNAVAILABLE, None, "not in the plan", frozenset({"x"}))
    assert rule.finding(UNKNOWN).scope is Scope.KEY_MODEL
    assert rule.finding(FAMILIES["openai"]).scope is Scope.ACCOUNT_MODEL


def test_an_overload_of_the_users_own_machine_is_no_models() -> None:
    local = Family("ollama", local=True)
    assert FULL.finding(UNKNOWN).scope is Scope.MODEL
    assert FULL.finding(local).scope is Scope.NONE
    assert SPENT.finding(local).scope is Scope.KEY
