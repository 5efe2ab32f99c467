"""The corpus of real answers (`errors.jsonl`, each with its source): classes, hints and streams come out right."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.core.build import NOW
from tray_app.core.classify import classify
from tray_app.core.sse import EndWatch, Sign, Splitter, sign_of
from tray_app.core.values import Action, Head, Protocol

LINES = (Path(__file__).parent / "errors.jsonl").read_text(encoding="utf-8").splitlines()
CASES: list[dict[str, Any]] = [json.loads(line) for line in LINES]
ANSWERS = [case for case in CASES if case["status"] is not None and case.get("phase") != "stream"]
STREAMS = [case for case in CASES if case.get("phase") == "stream" and not case.get("exc")]

# What still comes out wrong. These lists may only become shorter.
KNOWN_MISSES: frozenset[str] = frozenset()
UNSTATED_RESETS = frozenset({"003-openrouter", "018-openrouter", "106-gemini"})  # core.quota infers these


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=f"{case['id']}: {case['expected_class']}") for case in cases]


def verdict_on(case: dict[str, Any], body: bytes | None = None) -> Any:
    now_s = datetime.fromisoformat(case["now"]).timestamp() if case.get("now") else NOW / 1000
    headers = {name.lower(): str(value) for name, value in (case["headers"] or {}).items()}
    text = case["body"] if isinstance(case["body"], str) else json.dumps(case["body"])
    return classify(case["provider"], Head(case["status"], headers, text.encode() if body is None else body), now_s)


def allowed(case: dict[str, Any], expected: str) -> set[str]:
    return {expected, *case.get("also_ok", ())}


@pytest.mark.parametrize("case", named(ANSWERS))
def test_an_answer_has_its_class(case: dict[str, Any]) -> None:
    right = verdict_on(case).cls.value in allowed(case, case["expected_class"])
    assert right == (case["id"] not in KNOWN_MISSES), case["note"]


@pytest.mark.parametrize("case", named(ANSWERS))
def test_an_answer_has_its_hint(case: dict[str, Any]) -> None:
    stated, found = case["retry_after_s"], verdict_on(case).retry_after_s
    if case["id"] in UNSTATED_RESETS:
        assert found is None
        assert case["also_ok_retry_null"]
    elif stated is None:
        assert found is None
    else:
        assert found == pytest.approx(stated, abs=1)


@pytest.mark.parametrize("case", named(ANSWERS))
def test_only_the_keys_own_fault_condemns_the_key(case: dict[str, Any]) -> None:
    if verdict_on(case).action is Action.REAUTH:
        assert case["expected_class"] == "auth"


def protocol_of(case: dict[str, Any]) -> Protocol:
    if "responses" in case["provider"]:
        return Protocol.RESPONSES
    return {"anthropic": Protocol.MESSAGES, "ollama": Protocol.OLLAMA}.get(case["provider"], Protocol.CHAT)


@pytest.mark.parametrize("case", named(STREAMS))
def test_a_stream_shows_its_error_and_its_end(case: dict[str, Any]) -> None:
    splitter, watch = Splitter(protocol_of(case)), EndWatch(protocol_of(case))
    events = splitter.feed(case["body"].encode()) + splitter.close()
    watch.passed(case["body"].encode())
    errors = [event for event in events if sign_of(event) is Sign.ERROR]
    for event in errors:
        verdict = verdict_on(case, event.data or b"")
        assert verdict.cls.value in allowed(case, case.get("inner_class", case["expected_class"]))
    if case["expected_class"] in ("ok", "content_filter"):
        assert not errors
        assert watch.whole
    elif not errors:
        assert not watch.whole
    if case.get("nothing_delivered"):
        assert Sign.CONTENT not in [sign_of(event) for event in events]


def test_every_case_names_its_source() -> None:
    assert all(case["source"] for case in CASES)
    assert len({case["id"] for case in CASES}) == len(CASES)
