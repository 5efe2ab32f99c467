"""Status in, items out: what the tray says and what a click on it means."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from tests.faces.tray.statuses import MINUTE, NOON, cooling, many, profile, status, three
from tray_app.control.views import AppState, ProfileView, Status, SwitchView
from tray_app.faces.tray.menu import Face, Item, Kind, Verb, face
from tray_app.faces.tray.texts import ENGLISH, RUSSIAN, Texts

DAY = 24 * 60 * MINUTE


def drawn(status: Status, texts: Texts = ENGLISH, unseen: str | None = None) -> Face:
    return face(status, NOON / 1000, texts, time.gmtime, unseen)


def walk(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from walk(item.children)


def by_key(status: Status) -> dict[str, Item]:
    return {item.key: item for item in walk(drawn(status).items)}


def labels(status: Status, texts: Texts = ENGLISH) -> list[str]:
    return [item.label or "---" for item in drawn(status, texts).items]


def test_the_menu_of_three_profiles_reads_as_a_person_would_say_it() -> None:
    assert labels(three()) == [
        "openrouter-work is serving",
        "11:57 switched to openrouter-work: rate limit stated by the provider",
        "---",
        "openrouter-main: cooling until 14:05, rate limit stated by the provider",
        "openrouter-work: serving",
        "openrouter-spare: paused",
        "---",
        "Pause or resume",
        "Open usage report",
        "Start at login",
        "---",
        "Quit O-Switcher",
    ]


def test_without_profiles_the_menu_says_how_to_add_one() -> None:
    assert labels(status()) == [
        "No keys yet: o-switcher profiles add openrouter --label main",
        "---",
        "Open usage report",
        "Start at login",
        "---",
        "Quit O-Switcher",
    ]


@pytest.mark.parametrize(
    ("key", "verb"),
    [
        ("use:openrouter-main", Verb("use", {"profile": "openrouter-main"})),
        ("pause:openrouter-main", Verb("pause", {"profile": "openrouter-main"})),
        ("resume:openrouter-spare", Verb("resume", {"profile": "openrouter-spare"})),
        ("report", Verb("report")),
        ("autostart", Verb("autostart", {"enabled": True})),
        ("quit", Verb("stop")),
        ("headline", None),
        ("pausing", None),
    ],
)
def test_a_click_means_a_verb(key: str, verb: Verb | None) -> None:
    assert by_key(three())[key].verb == verb


def test_a_profile_can_be_paused_or_resumed_but_never_both() -> None:
    keys = by_key(three()).keys()
    assert {"pause:openrouter-main", "pause:openrouter-work", "resume:openrouter-spare"} <= keys
    assert not {"resume:openrouter-main", "resume:openrouter-work", "pause:openrouter-spare"} & keys


def test_start_at_login_shows_how_it_is_and_asks_for_the_opposite() -> None:
    item = by_key(replace(three(), autostart=True))["autostart"]
    assert (item.checked, item.verb) == (True, Verb("autostart", {"enabled": False}))


def test_start_at_login_is_hidden_where_the_system_offers_none() -> None:
    assert "autostart" not in by_key(replace(three(), autostart=None))


def test_exactly_one_item_is_the_default_and_it_opens_the_report() -> None:
    assert [item.key for item in by_key(three()).values() if item.default] == ["report"]


def test_only_the_active_profile_is_marked() -> None:
    radios = [item for item in drawn(three()).items if item.kind is Kind.RADIO]
    assert [item.key for item in radios if item.checked] == ["use:openrouter-work"]


def test_each_provider_has_its_own_group_with_its_own_mark() -> None:
    mixed = status(
        profile("openrouter-main", active=True),
        profile("anthropic-home", active=True),
        profile("openrouter-work"),
    )
    items = [(item.label, item.checked) for item in drawn(mixed).items if item.key.startswith(("use", "provider"))]
    assert items == [
        ("anthropic", False),
        ("anthropic-home: serving", True),
        ("openrouter", False),
        ("openrouter-main: serving", True),
        ("openrouter-work: ready", False),
    ]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        pytest.param(profile("p-a"), "ready", id="ready"),
        pytest.param(profile("p-a", active=True), "serving", id="ready and active"),
        pytest.param(
            cooling(profile("p-a"), NOON + DAY),
            "cooling until 27 Jun 12:00, rate limit stated by the provider",
            id="a reset on another day has its date",
        ),
        pytest.param(
            replace(cooling(profile("p-a")), reset_source="inferred", reason=None),
            "cooling until about 14:05",
            id="a guessed time is called a guess",
        ),
        pytest.param(
            profile("p-a", state="needs re-authentication", reason="the key is refused"),
            "needs re-authentication, the key is refused",
            id="a refused key",
        ),
        pytest.param(
            profile("p-a", state="paused", admin_state="paused", resets_at=NOON + 120 * MINUTE),
            "paused until 14:00",
            id="a pause that ends by itself",
        ),
        pytest.param(profile("p-a", state="some day"), "some day", id="a state this face has not heard of"),
    ],
)
def test_each_state_is_said_in_words(one: ProfileView, said: str) -> None:
    assert by_key(status(one))["use:p-a"].label == f"p-a: {said}"


def test_a_disabled_profile_can_be_neither_used_nor_paused() -> None:
    items = by_key(status(profile("p-a", state="disabled", admin_state="disabled")))
    assert not items["use:p-a"].enabled
    assert not items["pause:p-a"].enabled


def test_a_draining_profile_can_be_resumed() -> None:
    assert "resume:p-a" in by_key(status(profile("p-a", state="draining", admin_state="draining")))


def test_notices_and_a_notification_nobody_showed_stand_under_the_headline() -> None:
    noticed = status(profile("p-a", active=True), notices=("The history is on a full disk.", "Update to 1.1."))
    items = drawn(noticed, unseen="12:00 Gone: p-b").items
    assert [item.label for item in items[:4]] == [
        "p-a is serving",
        "12:00 Gone: p-b",
        "The history is on a full disk.",
        "Update to 1.1.",
    ]
    assert not any(item.enabled for item in items[:4])


def test_a_providers_words_stay_on_one_line_of_bearable_length() -> None:
    wordy = "Rate limit\nexceeded: " + "free-models-per-day " * 20
    one = replace(cooling(profile("p-a")), reason=wordy)
    switch = SwitchView(NOON, "p-b", "p-a", wordy, False)
    for item in by_key(status(one, last_switch=switch, headline=wordy)).values():
        assert len(item.label) <= 100
        assert "\n" not in item.label


def test_keys_are_unique() -> None:
    items = list(walk(drawn(many(50)).items))
    assert len({item.key for item in items}) == len(items)


def test_the_same_status_makes_equal_faces_so_that_nothing_is_repainted() -> None:
    assert drawn(three()) == drawn(three())
    assert drawn(three()) != drawn(replace(three(), headline="changed"))


@pytest.mark.parametrize("unseen", ["requests_today", "dropped_facts"])
def test_a_count_that_moves_with_every_request_changes_nothing_visible(unseen: str) -> None:
    assert drawn(replace(three(), **{unseen: 4711})) == drawn(three())


def test_the_tooltip_has_a_title_a_headline_and_a_count() -> None:
    assert drawn(three()).tooltip == "O-Switcher\nopenrouter-work is serving\n1 of 3 profiles ready"
    assert drawn(status(profile("p-a", active=True))).tooltip == "O-Switcher\np-a is serving"


@pytest.mark.parametrize("state", AppState)
def test_the_icon_follows_the_apps_state(state: AppState) -> None:
    assert drawn(replace(three(), state=state)).state is state


def test_russian_has_its_own_words_throughout() -> None:
    said = labels(three(), RUSSIAN)
    assert said[0] == "Работает openrouter-work, часть ключей на отдыхе"
    assert said[-1] == "Выйти из O-Switcher"
    assert "openrouter-spare: приостановлен" in said


def test_fifty_profiles_are_drawn_in_less_than_five_milliseconds() -> None:
    crowd = status(*(cooling(profile(f"openrouter-key{n:02}")) for n in range(50)))
    assert len(list(walk(drawn(crowd).items))) > 100
    assert min(_seconds(crowd) for _ in range(20)) < 0.005


def _seconds(crowd: Status) -> float:
    start = time.perf_counter()
    drawn(crowd)
    return time.perf_counter() - start
