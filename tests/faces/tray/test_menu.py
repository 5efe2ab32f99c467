"""Status in, items out: what the tray says and what a click on it means."""

# ruff: noqa: RUF001  # Russian is written in Cyrillic letters

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.faces.tray.statuses import MINUTE, NOON, cooling, left, many, paused, pinned, profile, status, three
from tray_app.control.verbs import verb_named
from tray_app.control.views import AppState, ChoiceView, ClientView, ProfileView, RestView, Status, SwitchView
from tray_app.core.values import Phase
from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.menu import Face, Item, Kind, Verb, face, starting
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
        "Open usage report",
        "Copy address and token for an SDK",
        "Pause everything",
        "---",
        "Start at login",
        "Add a profile...",
        "Logs and data folder",
        "About O-Switcher",
        "---",
        "Quit O-Switcher",
    ]


def test_without_profiles_the_menu_says_how_to_add_one() -> None:
    said = labels(status())
    assert said[:3] == ["No keys yet: o-switcher profiles add openrouter --label main", "---", "Open usage report"]
    assert "Add a profile..." in said


@pytest.mark.parametrize("texts", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_before_there_is_a_status_the_menu_says_so_and_keeps_what_will_stay(texts: Texts) -> None:
    early, later = starting(texts, "12:00 a message"), face(three(), NOON / 1000, texts)
    assert early.look is Look.WAITING and early.tooltip.splitlines()[1] == texts.starting
    assert [item.label for item in early.items] == [texts.starting, "12:00 a message", "", texts.report, "", texts.quit]
    kinds = {item.key: item.kind for item in later.items}
    assert all(kinds[item.key] is item.kind for item in early.items if item.key != "unseen"), "Plasma fixes it for good"


def test_a_profiles_submenu_holds_all_that_can_be_done_with_it() -> None:
    said = [item.label or "---" for item in by_key(three())["profile:openrouter-main"].children]
    assert said == [
        "cooling, back in 38 min (the rate limit is reached, stated by OpenRouter)",
        "key limit: 12.40 of 50 USD left, resets in 5 h",
        "---",
        "Use openrouter-main",
        "Pin openrouter-main for 1 hour",
        "Pin openrouter-main for today",
        "Pin openrouter-main until unpinned",
        "Unpin openrouter-main",
        "---",
        "Pause openrouter-main for 30 min",
        "Pause openrouter-main for 2 h",
        "Pause openrouter-main until its limit resets",
        "Pause openrouter-main until resumed",
        "Resume openrouter-main",
        "Drain openrouter-main: finish, take nothing new",
        "---",
        "Retry openrouter-main now",
    ]


@pytest.mark.parametrize(
    ("key", "verb"),
    [
        ("use:openrouter-main", Verb("use", {"profile": "openrouter-main"})),
        ("pause:openrouter-main", Verb("pause", {"profile": "openrouter-main"})),
        ("pause-half-hour:openrouter-main", Verb("pause", {"profile": "openrouter-main", "for_s": 1800})),
        ("pause-two-hours:openrouter-main", Verb("pause", {"profile": "openrouter-main", "for_s": 7200})),
        ("pause-reset:openrouter-main", Verb("pause", {"profile": "openrouter-main", "until_reset": True})),
        ("drain:openrouter-main", Verb("drain", {"profile": "openrouter-main"})),
        ("unpin:openrouter-main", Verb("unpin")),
        ("copy", Verb("token", {"client": "sdk"})),
        ("pause-all", Verb("pause-all")),
        ("add", Verb("report", {"page": "profiles"})),
        ("folder", Verb("folder")),
        ("about", None),
        ("resume:openrouter-spare", Verb("resume", {"profile": "openrouter-spare"})),
        ("report", Verb("report")),
        ("autostart", Verb("autostart", {"enabled": True})),
        ("quit", Verb("stop")),
        ("headline", Verb("report")),
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


@pytest.mark.parametrize(
    ("one", "impossible"),
    [
        pytest.param(profile("p-a"), {"unpin", "pause-reset", "resume"}, id="ready"),
        pytest.param(cooling(profile("p-a")), {"unpin", "resume"}, id="cooling"),
        pytest.param(paused(profile("p-a")), {"unpin", "pause-reset", "pause", "drain"}, id="paused"),
        pytest.param(profile("p-a", state="draining"), {"unpin", "pause-reset", "drain"}, id="draining"),
        pytest.param(profile("p-a", preferred=True), {"pause-reset", "resume"}, id="preferred"),
        pytest.param(
            profile("p-a", state="disabled", preferred=True),
            {"use", "pin-hour", "pin-today", "pin", "pause-half-hour", "pause-two-hours", "pause-reset", "pause"}
            | {"resume", "drain", "retry-now"},
            id="disabled",
        ),
    ],
)
def test_what_cannot_be_done_now_keeps_its_place_and_is_disabled(one: ProfileView, impossible: set[str]) -> None:
    children = by_key(status(one))["profile:p-a"].children
    actions = [item for item in children if item.verb is not None]
    assert {item.key.partition(":")[0] for item in actions if not item.enabled} == impossible
    assert len(actions) == 12


def test_every_click_asks_for_a_verb_of_the_control_surface() -> None:
    for item in by_key(replace(three(), autostart=True)).values():
        if item.verb is not None:
            args = item.verb.arguments(NOON / 1000, time.gmtime)
            assert verb_named(item.verb.name).checked({**args}) == dict(args)


def test_everything_is_paused_and_resumed_by_one_item() -> None:
    item = by_key(replace(three(), paused_all=True))["pause-all"]
    assert (item.kind, item.checked, item.verb) == (Kind.CHECK, True, Verb("resume-all"))
    assert not by_key(three())["pause-all"].checked


@pytest.mark.parametrize(
    ("until", "said", "told"),
    [
        (None, "everything is paused", "everything is paused"),
        (NOON + 30 * MINUTE, "everything is paused; it ends in 30 min", "everything is paused; it ends at 12:30"),
    ],
)
def test_the_headline_says_that_everything_is_paused(until: int | None, said: str, told: str) -> None:
    one = replace(pinned(three(), "openrouter-work"), paused_all=True, paused_until=until, state=AppState.PAUSED)
    assert labels(one)[0] == said
    assert drawn(one).tooltip.splitlines()[1] == told


def test_clients_are_shown_with_their_state_and_a_click_asks_for_the_opposite() -> None:
    clients = (ClientView("opencode", "OpenCode", True), ClientView("codex", "Codex", False))
    one = by_key(replace(three(), clients=clients))
    assert [item.key for item in one["clients"].children] == ["client:opencode", "client:codex"]
    assert (one["client:opencode"].label, one["client:opencode"].checked) == ("OpenCode: connected", True)
    assert (one["client:codex"].label, one["client:codex"].checked) == ("Codex: not connected", False)
    assert one["client:opencode"].verb == Verb("disconnect", {"client": "opencode"})
    assert one["client:codex"].verb == Verb("connect", {"client": "codex"})
    assert "clients" not in by_key(three())


def test_about_tells_the_version_and_the_address() -> None:
    said = [item.label for item in by_key(three())["about"].children]
    assert said == ["O-Switcher 1.0.0", "http://127.0.0.1:4417", "running since 10:30"]


def test_start_at_login_shows_how_it_is_and_asks_for_the_opposite() -> None:
    item = by_key(replace(three(), autostart=True))["autostart"]
    assert (item.checked, item.verb) == (True, Verb("autostart", {"enabled": False}))


def test_start_at_login_is_hidden_where_the_system_offers_none() -> None:
    assert "autostart" not in by_key(replace(three(), autostart=None))


def test_exactly_one_item_is_the_default_and_it_opens_the_report() -> None:
    assert [item.key for item in by_key(three()).values() if item.default] == ["report"]


def test_only_the_active_profile_is_marked() -> None:
    radios = [item for item in by_key(three()).values() if item.kind is Kind.RADIO]
    assert len(radios) == 3
    assert [item.key for item in radios if item.checked] == ["use:openrouter-work"]


def test_each_provider_has_its_own_group_with_its_own_mark() -> None:
    mixed = status(
        profile("openrouter-main", active=True),
        profile("anthropic-home", active=True),
        profile("openrouter-work"),
    )
    items = [(one.label, one.sign) for one in drawn(mixed).items if one.key.startswith(("profile", "provider"))]
    assert items == [
        ("anthropic", None),
        ("anthropic-home: serving", Look.READY),
        ("openrouter", None),
        ("openrouter-main: serving", Look.READY),
        ("openrouter-work: ready", Look.SPARE),
    ]


@pytest.mark.parametrize("phase", Phase)
def test_each_state_has_its_sign(phase: Phase) -> None:
    sign = by_key(status(profile("p-a", state=phase.value)))["profile:p-a"].sign
    assert (sign is Look.SPARE) is (phase is Phase.READY)


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
    assert items[f"profile:{one.id}"].label == f"{one.id}: {said}"
    assert items[f"state:{one.id}"].label == said


def test_what_is_left_is_said_with_its_countdown() -> None:
    assert by_key(three())["left:openrouter-main"].label == "key limit: 12.40 of 50 USD left, resets in 5 h"
    assert "left:openrouter-work" not in by_key(three())


@pytest.mark.parametrize(
    ("one", "said", "told"),
    [
        pytest.param(
            pinned(three(), "openrouter-work"),
            "openrouter-work is serving, pinned until it ends in 38 min",
            "openrouter-work is serving, pinned until it ends at 12:38",
            id="the pinned one serves",
        ),
        pytest.param(
            pinned(three(), "openrouter-main", None),
            "openrouter-work is serving; openrouter-main is pinned until unpinned",
            "openrouter-work is serving; openrouter-main is pinned until unpinned",
            id="another serves meanwhile",
        ),
        pytest.param(
            replace(pinned(three(), "openrouter-work"), choice=ChoiceView("openrouter-work", False, False, None, "")),
            "openrouter-work is serving",
            "openrouter-work is serving",
            id="a preference is no pin",
        ),
    ],
)
def test_the_headline_and_the_tooltip_show_a_pin_with_its_end(one: Status, said: str, told: str) -> None:
    assert by_key(one)["headline"].label == said
    assert drawn(one).tooltip.splitlines()[1] == told


@pytest.mark.parametrize(
    ("one", "why"),
    [
        pytest.param(status(profile("p-a", active=True)), None, id="there is no other"),
        pytest.param(
            status(profile("p-a", active=True), profile("p-b")), "in use because it comes first", id="the first"
        ),
        pytest.param(
            status(cooling(profile("p-a")), profile("p-b", active=True), profile("p-c")),
            "in use because those before it cannot serve",
            id="the first who can",
        ),
        pytest.param(
            status(profile("p-a"), profile("p-b", active=True)), "stays in use as long as it can serve", id="it stays"
        ),
        pytest.param(
            status(profile("p-a", active=True), profile("q-a")),
            None,
            id="one of another provider is no rival",
        ),
        pytest.param(
            status(profile("p-a"), profile("p-b", active=True, priority=3)),
            "in use because it has the highest priority",
            id="by priority",
        ),
        pytest.param(
            status(profile("p-a"), profile("p-b", active=True, preferred=True)),
            "in use because you prefer it",
            id="preferred",
        ),
        pytest.param(pinned(status(profile("p-a"), profile("p-b", active=True)), "p-b"), None, id="the headline says"),
        pytest.param(three(), None, id="the latest switch says"),
        pytest.param(status(profile("p-a"), state=AppState.EXHAUSTED), None, id="nobody is active"),
    ],
)
def test_the_menu_says_why_the_active_one_is_active(one: Status, why: str | None) -> None:
    found = by_key(one).get("why")
    assert (found and found.label) == why


def test_what_the_active_one_has_left_stands_under_the_headline() -> None:
    one = status(profile("p-a", active=True, left=left("p-a"), used_percent=75.2))
    assert labels(one)[:2] == ["p-a is serving", "key limit: 12.40 of 50 USD left, resets in 5 h"]
    assert drawn(one).tooltip.splitlines()[2] == "key limit: 12.40 of 50 USD left"
    over = status(profile("p-a", active=True, left=left("p-a", resets_at=NOON)))
    assert len(drawn(over).tooltip.splitlines()) == 2, "what was left before a reset is no news"


@pytest.mark.parametrize(
    ("used", "tenths"), [(None, None), (0.0, 10), (75.2, 3), (99.9, 1), (100.0, 0), (130.0, 0), (-3.0, 10)]
)
def test_the_bar_shows_what_is_left_of_the_active_ones_quota(used: float | None, tenths: int | None) -> None:
    assert drawn(status(profile("p-a", active=True, used_percent=used))).tenths == tenths
    assert drawn(status(profile("p-a", used_percent=used))).tenths is None


def switched(ms_ago: int, **more: Any) -> Status:
    switch = SwitchView(NOON - ms_ago, "p-a", "p-b", "r", False)
    return status(profile("p-a"), profile("p-b", active=True), last_switch=switch, **more)


@pytest.mark.parametrize(
    ("one", "look", "in_ms"),
    [
        pytest.param(switched(0), Look.SWITCHED, 10_000, id="just now"),
        pytest.param(switched(9_999), Look.SWITCHED, 1, id="a moment ago"),
        pytest.param(switched(10_000), Look.READY, None, id="a while ago"),
        pytest.param(switched(-5_000), Look.READY, None, id="by a clock that was set back"),
        pytest.param(switched(0, state=AppState.EXHAUSTED), Look.EXHAUSTED, None, id="what is worse wins"),
        pytest.param(switched(0, active="p-a"), Look.READY, None, id="another serves by now"),
        pytest.param(
            status(profile("p-a", active=True), waiting=2, waiting_since=NOON - 1000), Look.WAITING, None, id="waiting"
        ),
        pytest.param(
            status(profile("p-a", active=True), waiting=2, waiting_since=NOON - 400), Look.READY, 600, id="not for long"
        ),
        pytest.param(switched(0, waiting=1, waiting_since=NOON - 400), Look.SWITCHED, 600, id="the sooner counts"),
    ],
)
def test_what_passes_is_shown_by_the_icon_for_a_while(one: Status, look: Look, in_ms: int | None) -> None:
    face = drawn(one)
    assert face.look is look
    assert (face.until and round(face.until * 1000) - NOON) == in_ms


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
    assert not by_key(one)["unpin:openrouter-main"].enabled
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
        pytest.param(status(paused_all=True, paused_until=NOON + 90_000), 30_000, id="a pause of everything"),
    ],
)
def test_a_face_says_how_long_what_it_tells_of_times_holds(one: Status, ms: int | None) -> None:
    until = drawn(one).told_until
    assert (None if until is None else round(until * 1000) - NOON) == ms


def test_a_long_reason_gives_way_so_that_the_source_is_still_read() -> None:
    one = replace(cooling(profile("openrouter-main")), reason="a limit of some kind " * 20)
    label = by_key(status(one))["profile:openrouter-main"].label
    assert label.startswith("openrouter-main: cooling, back in 2 h (a limit of some kind")
    assert label.endswith("…, stated by OpenRouter)") and len(label) <= 100


def test_notices_and_a_notification_nobody_showed_stand_under_the_headline() -> None:
    noticed = status(profile("p-a", active=True), notices=("The history is on a full disk.", "Update to 1.1."))
    items = drawn(noticed, unseen="12:00 Gone: p-b").items
    assert [item.label for item in items[:4]] == [
        "p-a is serving",
        "12:00 Gone: p-b",
        "The history is on a full disk.",
        "Update to 1.1.",
    ]
    assert [item.enabled for item in items[:4]] == [True, False, False, False]


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
    assert drawn(replace(three(), state=state)).look == state


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
    everything = replace(three(), paused_all=True, paused_until=NOON + 30 * MINUTE, state=AppState.PAUSED)
    assert labels(everything, RUSSIAN)[0] == "Всё приостановлено, пауза кончится через 30 мин"
    assert drawn(everything, RUSSIAN).tooltip.splitlines()[1] == "Всё приостановлено, пауза кончится в 12:30"


def test_fifty_profiles_are_all_drawn() -> None:
    crowd = status(*(cooling(profile(f"openrouter-key{n:02}")) for n in range(50)))
    assert len(list(walk(drawn(crowd).items))) > 100
