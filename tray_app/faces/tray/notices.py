"""News as notes: what a notification says, and where a click on it leads. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tray_app.control import wording
from tray_app.control.news import News, NewsKind
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.menu import LocalTime, Verb, moment
from tray_app.faces.tray.notifications import Note, Urgency
from tray_app.faces.tray.texts import Texts

_REPORT = Verb("report")


def note(news: News, texts: Texts, now: float, local: LocalTime) -> Note:
    """The message for `news`. Times are told by the clock, since it may be read later; `now` is in seconds."""

    def when(at: int) -> str:
        return texts.at.format(time=moment(at, now, local, texts))

    return replace(_NOTES[news.kind](news, texts, when), kind=news.kind.value, look=_LOOKS[news.kind])


When = Callable[[int], str]


def _switched(news: News, texts: Texts, _when: When) -> Note:
    to, before = news.profiles[-1], news.from_profile
    title = texts.note_switched.format(to=to)
    if news.count > 1:
        title = texts.note_switches.format(count=news.count, to=to)
    reason = news.reason or ""
    message = reason if before is None else texts.note_because.format(id=before, reason=reason)
    return Note(title, message, _REPORT, urgency=Urgency.LOW)


def _warned(news: News, texts: Texts, when: When) -> Note:
    used = f" {news.percent}\u00a0%" if news.percent is not None else ""
    title = texts.note_warned.format(ids=_ids(news), used=used)
    return Note(title, _left(news, texts, when) or news.reason or "", _REPORT)


def _left(news: News, texts: Texts, when: When) -> str | None:
    left = news.view.left if news.view is not None else None
    if left is None or left.remaining is None:
        return None
    far = left.resets_at is not None
    words = wording.quota_words(wording.endless(left), 0, texts.wording)
    return words + (texts.wording.resets.format(when=when(left.resets_at)) if far and left.resets_at else "")


def _exhausted(news: News, texts: Texts, when: When) -> Note:
    return Note(texts.note_exhausted.format(ids=_ids(news)), _back(news, texts, when, news.reason), _REPORT)


def _back(news: News, texts: Texts, when: When, reason: str | None) -> str:
    """When the profile of the news is back, and why it is out."""
    at = news.view.resets_at if news.view is not None else None
    parts = [reason, None if at is None else texts.wording.back.format(when=when(at))]
    return "; ".join(part for part in parts if part)


def _is_back(news: News, texts: Texts, _when: When) -> Note:
    return Note(texts.note_back.format(ids=_ids(news)), texts.note_back_means, _REPORT, urgency=Urgency.LOW)


def _reauth(news: News, texts: Texts, _when: When) -> Note:
    give = Verb("report", {"page": "profiles", "profile": news.profiles[-1]})
    title = texts.note_reauth.format(ids=_ids(news))
    return Note(title, news.reason or "", give, ((texts.note_give_key, give),), urgency=Urgency.CRITICAL)


def _all_exhausted(news: News, texts: Texts, when: When) -> Note:
    message = ""
    if news.view is not None:
        message = texts.note_first.format(id=news.view.id, back=_back(news, texts, when, None))
    retry = (texts.note_retry, Verb("retry-now", {"all": True}))
    return Note(texts.note_all_exhausted, message, _REPORT, (retry,), urgency=Urgency.CRITICAL)


def _connected(news: News, texts: Texts, _when: When) -> Note:
    return Note(texts.note_connected.format(ids=_ids(news)), texts.note_connected_means, _REPORT)


def _ids(news: News) -> str:
    return ", ".join(news.profiles)


_LOOKS = {
    NewsKind.SWITCHED: Look.SWITCHED,
    NewsKind.WARNED: Look.DEGRADED,
    NewsKind.EXHAUSTED: Look.EXHAUSTED,
    NewsKind.BACK: Look.READY,
    NewsKind.REAUTH: Look.NEEDS_YOU,
    NewsKind.ALL_EXHAUSTED: Look.EXHAUSTED,
    NewsKind.CONNECTED: Look.READY,
}

_NOTES: dict[NewsKind, Callable[[News, Texts, When], Note]] = {
    NewsKind.SWITCHED: _switched,
    NewsKind.WARNED: _warned,
    NewsKind.EXHAUSTED: _exhausted,
    NewsKind.BACK: _is_back,
    NewsKind.REAUTH: _reauth,
    NewsKind.ALL_EXHAUSTED: _all_exhausted,
    NewsKind.CONNECTED: _connected,
}
