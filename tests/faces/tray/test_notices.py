"""News as notes: the words of each kind, in both languages, and where a click leads."""

# Russian is written in Cyrillic letters

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.faces.tray.statuses import MINUTE, NOON, cooling, left, profile
from tray_app.control.news import News, NewsKind
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.menu import Verb
from tray_app.faces.tray.notices import note
from tray_app.faces.tray.notifications import Note, Urgency
from tray_app.faces.tray.texts import ENGLISH, RUSSIAN, Texts

MAIN = "openrouter-main"
RESTS = cooling(profile(MAIN))
LEFT = profile(MAIN, left=left(MAIN))


def said(news: News, texts: Texts = ENGLISH) -> Note:
    return note(news, texts, NOON / 1000, time.gmtime)


@pytest.mark.parametrize(
    ("news", "title", "message"),
    [
        pytest.param(
            News(NewsKind.SWITCHED, ("openrouter-b",), "out of credit", MAIN),
            "Switched to openrouter-b",
            "openrouter-main: out of credit",
            id="a switch",
        ),
        pytest.param(
            News(NewsKind.SWITCHED, ("openrouter-b",), "first"), "Switched to openrouter-b", "first", id="from nobody"
        ),
        pytest.param(
            News(NewsKind.SWITCHED, ("openrouter-b", "openrouter-c"), "out of credit", MAIN, count=4),
            "4 switches in a minute, now openrouter-c",
            "openrouter-main: out of credit",
            id="several switches",
        ),
        pytest.param(
            News(NewsKind.WARNED, (MAIN,), "80 % of key limit are used", percent=83, view=LEFT),
            "openrouter-main: quota 83\u00a0% used",
            "key limit: 12.40 of 50 USD left, resets at 17:00",
            id="a threshold",
        ),
        pytest.param(
            News(NewsKind.WARNED, (MAIN,), "80 % of key limit are used"),
            "openrouter-main: quota used",
            "80 % of key limit are used",
            id="a threshold of which little is known",
        ),
        pytest.param(
            News(NewsKind.WARNED, (MAIN,), "r", percent=83, view=replace(LEFT, left=left(MAIN, resets_at=None))),
            "openrouter-main: quota 83\u00a0% used",
            "key limit: 12.40 of 50 USD left",
            id="a quota without a reset",
        ),
        pytest.param(
            News(NewsKind.EXHAUSTED, (MAIN,), "out of credit", view=RESTS),
            "openrouter-main: out of quota",
            "out of credit; back at 14:05",
            id="exhausted",
        ),
        pytest.param(
            News(NewsKind.EXHAUSTED, ("openrouter-b", MAIN), "out of credit", count=2),
            "openrouter-b, openrouter-main: out of quota",
            "out of credit",
            id="two are exhausted",
        ),
        pytest.param(
            News(NewsKind.BACK, (MAIN,)), "openrouter-main: back again", ENGLISH.note_back_means, id="back again"
        ),
        pytest.param(
            News(NewsKind.ALL_EXHAUSTED, (MAIN,), view=cooling(profile(MAIN), NOON + 26 * 60 * MINUTE)),
            "No profile can serve",
            "openrouter-main is the first, back at 27 Jun 14:00",
            id="all are exhausted",
        ),
        pytest.param(News(NewsKind.ALL_EXHAUSTED), "No profile can serve", "", id="nobody knows when"),
        pytest.param(
            News(NewsKind.CONNECTED, ("opencode",)), "opencode: connected", ENGLISH.note_connected_means, id="a client"
        ),
    ],
)
def test_each_kind_says_what_happened_and_what_follows(news: News, title: str, message: str) -> None:
    one = said(news)
    assert (one.title, one.message, one.kind) == (title, message, news.kind)
    assert one.verb == Verb("report")


def test_a_refused_key_needs_a_person() -> None:
    one = said(News(NewsKind.REAUTH, (MAIN,), "the key is refused"))
    assert one.verb == Verb("report", {"page": "profiles", "profile": MAIN})
    assert (one.urgency, one.look) == (Urgency.CRITICAL, Look.NEEDS_YOU)


@pytest.mark.parametrize("kind", NewsKind)
def test_every_kind_has_words_in_both_languages(kind: NewsKind) -> None:
    news = News(kind, (MAIN,), view=RESTS)
    english, russian = said(news), said(news, RUSSIAN)
    assert english.title and russian.title and english.title != russian.title


def test_times_are_told_by_the_clock_in_russian_too() -> None:
    one = said(News(NewsKind.ALL_EXHAUSTED, (MAIN,), view=RESTS), RUSSIAN)
    assert one.message == "Первым будет openrouter-main: вернётся в 14:05"
