"""Status in, items out: what the tray says and what a click on it means."""

# ruff: noqa: RUF001  # Russian is written in Cyrillic letters

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from tests.faces.tray.statuses import MINUTE, NOON, cooling, left, many, paused, pinned, profile, status, three
from tray_app.control.views import AppState, ChoiceView, ProfileView, RestView, Status, SwitchView
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
        "11:57 switched to openrouter-work: the rate limit is reached",
        "---",
        "openrouter-main: cooling, back in 38 min (the rate limit is reached, stated by OpenRouter)",
        "openrouter-work: serving",
        "openrouter-spare: paused by the operator",
        "---",
        "Pause, pin, retry",
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
        ("managing", None),
        ("profile:openrouter-main", None),
        ("state:openrouter-main", None),
        ("left:openrouter-main", None),
        ("pin-hour:openrouter-main", Verb("pin", {"profile": "openrouter-main", "for_s": 3600})),
        ("pin-today:openrouter-main", Verb("pin", {"profile": "openrouter-main"}, today=True)),
        ("pin:openrouter-main", Verb("pin", {"profile": "openrouter-main"})),
        ("retry-now:openrouter-main", Verb("retry-now", {"profile": "openrouter-main"})),
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
            cooling(profile("openrouter-a"), NOON + 3 * DAY),
            "cooling, back in 3 d (the rate limit is reached, stated by OpenRouter)",
            id="a reset on another day",
        ),
        pytest.param(
            replace(cooling(profile("p-a")), reset_source="inferred", reason=None),
            "cooling, back in 2 h (assumed)",
            id="a guessed time is called a guess",
        ),
        pytest.param(
            replace(cooling(profile("p-a")), reset_source="probe"),
            "cooling, back in 2 h (the rate limit is reached, found by asking)",
            id="a time that was asked for",
        ),
        pytest.param(
            profile("p-a", state="circuit open", reason="60% of its latest calls failed", resets_at=NOON + 30_000),
            "circuit open, tried again in 1 min (60% of its latest calls failed)",
            id="an open circuit",
        ),
        pytest.param(
            profile("p-a", state="probing", reason="60% of its latest calls failed", resets_at=NOON - 1),
            "probing, 60% of its latest calls failed",
            id="a half-open circuit",
        ),
        pytest.param(
            profile("openrouter-a", active=True, rests=(RestView("key_model", "m", "spent", NOON + 1, "header"),)),
            "serving, m back in 1 min (spent, stated by OpenRouter)",
            id="a profile that rests for one model",
        ),
        pytest.param(
            profile("p-a", state="needs re-authentication", reason="the key is refused"),
            "needs re-authentication, the key is refused",
            id="a refused key",
        ),
        pytest.param(
            replace(paused(profile("p-a")), resets_at=NOON + 120 * MINUTE),
            "paused by the operator, back in 2 h",
            id="a pause that ends by itself",
        ),
        pytest.param(profile("p-a", state="some day"), "some day", id="a state this face has not heard of"),
    ],
)
def test_each_state_is_said_in_words(one: ProfileView, said: str) -> None:
    items = by_key(status(one))
    assert items[f"use:{one.id}"].label == f"{one.id}: {said}"
    assert items[f"state:{one.id}"].label == said


def test_what_is_left_is_said_with_its_countdown() -> None:
    assert by_key(three())["left:openrouter-main"].label == "key limit: 12.40 of 50 USD left, resets in 5 h"
    assert "left:openrouter-work" not in by_key(three())


@pytest.mark.parametrize(
    ("one", "said"),
    [
        pytest.param(
            pinned(three(), "openrouter-work"),
            "openrouter-work is serving, pinned until it ends in 38 min",
            id="the pinned one serves",
        ),
        pytest.param(
            pinned(three(), "openrouter-main", None),
            "openrouter-work is serving; openrouter-main is pinned until unpinned",
            id="another serves meanwhile",
        ),
        pytest.param(
            replace(pinned(three(), "openrouter-work"), choice=ChoiceView("openrouter-work", False, False, None, "")),
            "openrouter-work is serving",
            id="a preference is no pin",
        ),
    ],
)
def test_the_headline_and_the_tooltip_show_a_pin_with_its_end(one: Status, said: str) -> None:
    assert by_key(one)["headline"].label == said
    assert said in drawn(one).tooltip


def test_when_nobody_can_serve_the_headline_counts_down_to_the_first_who_can() -> None:
    both = status(
        cooling(profile("p-a"), NOON + 90 * MINUTE),
        cooling(profile("p-b"), NOON + 20 * MINUTE),
        state=AppState.EXHAUSTED,
        headline="as it was a while ago",
    )
    assert labels(both)[0] == "no profile can serve; p-b is back in 20 min"
    assert labels(both, RUSSIAN)[0] == "Все ключи исчерпаны; p-b вернётся через 20 мин"
    assert labels(replace(both, profiles=()))[0] == ENGLISH.no_keys


def test_a_chosen_profile_can_be_let_go_of_and_only_it() -> None:
    one = pinned(three(), "openrouter-work")
    assert by_key(one)["unpin:openrouter-work"].label == "Unpin openrouter-work"
    assert by_key(one)["unpin:openrouter-work"].verb == Verb("unpin")
    assert "unpin:openrouter-main" not in by_key(one)
    liked = status(profile("p-a", preferred=True))
    assert by_key(liked)["unpin:p-a"].label == "No longer prefer p-a"


@pytest.mark.parametrize(
    ("hour", "local", "left_s"),
    [
        pytest.param(12, time.gmtime, 12 * 3600, id="noon"),
        pytest.param(23, time.gmtime, 3600, id="an hour before midnight"),
        pytest.param(0, time.gmtime, 24 * 3600, id="midnight"),
        pytest.param(12, lambda s: time.gmtime(s + 3600 * (s >= NOON / 1000 + 60)), 11 * 3600, id="a day of 23 hours"),
        pytest.param(12, lambda s: time.gmtime(s - 3600 * (s >= NOON / 1000 + 60)), 13 * 3600, id="a day of 25 hours"),
    ],
)
def test_today_ends_at_the_local_midnight(hour: int, local: Callable[[float], time.struct_time], left_s: int) -> None:
    now = NOON / 1000 + (hour - 12) * 3600
    assert Verb("pin", {"profile": "p"}, today=True).arguments(now, local) == {"profile": "p", "for_s": left_s}
    assert Verb("pin", {"profile": "p"}).arguments(now, local) == {"profile": "p"}


@pytest.mark.parametrize(
    ("one", "ms"),
    [
        pytest.param(status(profile("p-a")), None, id="nothing to come"),
        pytest.param(status(cooling(profile("p-a"), NOON + 38 * MINUTE + 5000)), 5000, id="the minute is over"),
        pytest.param(status(cooling(profile("p-a"), NOON + 38 * MINUTE)), MINUTE, id="a whole minute"),
        pytest.param(status(profile("p-a", left=left("p-a"))), 30 * MINUTE, id="hours are looked at now and then"),
        pytest.param(pinned(status(profile("p-a")), "p-a", NOON + 61_000), 1000, id="a pin"),
        pytest.param(
            status(profile("p-a", rests=(RestView("key_model", "m", "r", NOON + 7000, "body"),))), 7000, id="a model"
        ),
        pytest.param(status(cooling(profile("p-a"), NOON - 1)), None, id="a time that is over"),
    ],
)
def test_a_face_says_how_long_its_times_hold(one: Status, ms: int | None) -> None:
    until = drawn(one).until
    assert (None if until is None else round(until * 1000) - NOON) == ms


def test_a_long_reason_gives_way_so_that_the_source_is_still_read() -> None:
    one = replace(cooling(profile("openrouter-main")), reason="a limit of some kind " * 20)
    label = by_key(status(one))["use:openrouter-main"].label
    assert label.startswith("openrouter-main: cooling, back in 2 h (a limit of some kind")
    assert label.endswith("…, stated by OpenRouter)") and len(label) <= 100


def test_a_disabled_profile_can_be_neither_used_nor_paused() -> None:
    items = by_key(status(profile("p-a", state="disabled", admin_state="disabled")))
    assert not items["use:p-a"].enabled
    assert not items["pause:p-a"].enabled
    assert not items["pin:p-a"].enabled
    assert not items["retry-now:p-a"].enabled


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
    assert "openrouter-spare: приостановлен вами" in said
    assert "openrouter-main: отдыхает, вернётся через 38 мин (the rate limit is reached, сообщил OpenRouter)" in said
    one = drawn(pinned(three(), "openrouter-work"), RUSSIAN)
    assert one.items[0].label.endswith("часть ключей на отдыхе, закреплён, срок кончится через 38 мин")
    words = [item.label for item in walk(one.items)]
    assert "key limit: осталось 12,40 из 50 USD, сброс через 5 ч" in words
    assert "Закрепить openrouter-work на сегодня" in words


def test_fifty_profiles_are_all_drawn() -> None:
    crowd = status(*(cooling(profile(f"openrouter-key{n:02}")) for n in range(50)))
    assert len(list(walk(drawn(crowd).items))) > 100
