"""Metrics: promtool accepts them, they tell what happened, and only who may know is told. What menu-bar readers take."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.rig import Key, Rig, plain_http, running
from tray_app.control.callers import connect
from tray_app.control.tally import BOUNDS_MS, Tally
from tray_app.control.views import ProfileView, QuotaView, RestView
from tray_app.core.history import UsageTotal
from tray_app.faces.web.metrics import exposition
from tray_app.faces.web.quota_stats import quota_stats
from tray_app.host.instance import find_running

KEYS = {
    "a": Key('{do="ok", times=1}, {do="no_credit"}'),
    "b": Key('{do="ok"}', more="limit = 100\nusage = 25\n"),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("metrics"), KEYS) as found:
        for _ in range(3):
            assert found.chat().status_code == 200
        found.chat(stream=True)
        connect(found.home.running, "cli").ask("quota")
        yield found


def token_of(rig: Rig, client: str | None = None) -> str:
    if client is not None:
        return str(connect(rig.home.running).ask("token", client=client)["token"])
    announced = find_running(rig.home.running)
    assert announced is not None
    return announced.admin_token


def get(rig: Rig, path: str, token: str | None) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=rig.url, headers=headers, transport=plain_http(), timeout=30) as client:
        return client.get(path)


def samples(text: str) -> dict[str, float]:
    """The value of each sample, by its name and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def promtool(text: str) -> str:
    """What promtool has to say against it."""
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_promtool_accepts_what_prometheus_is_told(rig: Rig) -> None:
    answer = get(rig, "/metrics", token_of(rig))
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert promtool(answer.text) == ""
    assert promtool(answer.text.replace("_total", "")) != ""  # it does look


def test_the_figures_are_what_happened(rig: Rig) -> None:
    told = samples(get(rig, "/metrics", token_of(rig)).text)
    served = 'o_switcher_requests_total{provider="openrouter",profile="openrouter-b",outcome="served"}'
    assert told[served] == 3
    assert (
        told['o_switcher_failovers_total{from_profile="openrouter-a",to_profile="openrouter-b",initiator="app"}'] == 1
    )
    assert told['o_switcher_profile_state{profile="openrouter-a",provider="openrouter",state="cooling"}'] == 1
    assert told['o_switcher_profile_state{profile="openrouter-a",provider="openrouter",state="ready"}'] == 0
    assert told['o_switcher_profile_active{profile="openrouter-b",provider="openrouter"}'] == 1
    assert told['o_switcher_request_duration_seconds_count{provider="openrouter"}'] == 4
    assert told['o_switcher_request_duration_seconds_bucket{provider="openrouter",le="+Inf"}'] == 4
    assert told["o_switcher_ledger_up"] == 1 and told["o_switcher_queued_requests"] == 0
    cooled = 'o_switcher_cooldowns_total{profile="openrouter-a",scope="account",error_class="quota_exhausted"}'
    assert told[cooled] == 1
    tokens = [value for name, value in told.items() if name.startswith("o_switcher_tokens_total") and "input" in name]
    assert sum(tokens) > 0


def test_only_who_may_know_is_told(rig: Rig) -> None:
    assert get(rig, "/metrics", None).status_code == 401
    assert get(rig, "/metrics", token_of(rig, "aider")).status_code == 401
    assert get(rig, "/metrics", token_of(rig, "prometheus")).status_code == 200
    refused = get(rig, "/v1/quota-stats", "wrong")
    assert refused.status_code == 401 and "o-switcher token" in refused.json()["detail"]


def test_a_scrape_asks_the_history_at_most_now_and_then_and_outlives_its_silence() -> None:
    asked: list[float] = []
    now = [0.0]
    tally = Tally(lambda: now[0])
    used = UsageTotal("a", "m", 1, 2, 3, 0, 0, 0, 0.5, 0)

    def answer() -> list[UsageTotal]:
        asked.append(now[0])
        if len(asked) > 1:
            raise OSError("the file is locked")
        return [used]

    async def scrape() -> None:
        for passed in (0.0, 10.0, 31.0, 40.0):
            now[0] = passed
            assert await tally.usage(answer) == [used]

    asyncio.run(scrape())
    assert asked == [0.0, 31.0]


def test_odd_names_do_not_break_the_format(rig: Rig) -> None:
    status = rig.app.service.status()
    odd = replace(status.profiles[0], id='a "quoted"\nname\\')
    text = exposition(replace(status, profiles=(odd,)), (), Tally(), (), 0, 0)
    assert r'profile="a \"quoted\"\nname\\"' in text
    assert promtool(text) == ""


def test_a_duration_falls_into_the_first_bucket_that_holds_it() -> None:
    durations = Tally().durations
    for ms in (0, BOUNDS_MS[0], BOUNDS_MS[0] + 1, BOUNDS_MS[-1] + 1):
        durations.add("openrouter", ms)
    spread = durations["openrouter"]
    assert (spread.counts[0], spread.counts[1], spread.counts[-1]) == (2, 1, 1)


# -- quota-stats


def as_menu_bars_read(document: dict[str, object]) -> tuple[float, str | None]:
    """The least that is left, in percent, and the next reset: as the readers of menu bars work it out."""
    providers = document["providers"]
    assert isinstance(providers, dict)
    groups = [group for one in providers.values() for group in one["quota_groups"].values()]
    resets = [group["reset_time"] for group in groups if group["reset_time"]]
    return min(group["remaining_percent"] for group in groups), min(resets, default=None)


def test_menu_bars_find_what_they_look_for(rig: Rig) -> None:
    document = get(rig, "/v1/quota-stats", token_of(rig, "menubar")).json()
    provider = document["providers"]["openrouter"]
    assert (provider["credential_count"], provider["active_count"], provider["exhausted_count"]) == (2, 1, 1)
    assert document["summary"]["total_credentials"] == 2 and document["summary"]["total_requests"] == 4
    assert [one["identifier"] for one in provider["credentials"]] == ["openrouter-a", "openrouter-b"]
    assert provider["total_requests"] == 4 and provider["tokens"]["output"] > 0
    left, _ = as_menu_bars_read(document)
    assert 0 <= left <= 75


def test_one_provider_can_be_asked_for(rig: Rig) -> None:
    assert get(rig, "/v1/quota-stats?provider=nobody", token_of(rig)).json()["providers"] == {}
    assert list(get(rig, "/v1/quota-stats?provider=openrouter", token_of(rig)).json()["providers"]) == ["openrouter"]


def shown(profile: ProfileView, **more: object) -> ProfileView:
    return replace(profile, **more)  # type: ignore[arg-type]


def test_a_provider_shows_the_allowance_that_is_nearest_to_its_end(rig: Rig) -> None:
    status = rig.app.service.status()
    first, second = status.profiles
    quotas = [
        QuotaView(first.id, "credits", 10, 100, "USD", 90.0, 3_600_000, "probe", 0),
        QuotaView(second.id, "credits", 60, 100, "USD", 40.0, None, "probe", 0),
        QuotaView(second.id, "free", None, None, "requests", None, None, "probe", 0),
    ]
    usage = [UsageTotal(first.id, "m", 3, 100, 20, 40, 0, 0, 0.5, 1), UsageTotal("gone", "m", 9, 9, 9, 9, 9, 9, 9.0, 0)]
    stats = quota_stats(status, quotas, usage, 2_000)
    group = stats["providers"]["openrouter"]["quota_groups"]["credits"]
    assert (group["remaining_percent"], group["reset_time"]) == (10.0, "1970-01-01T01:00:00+00:00")
    assert stats["providers"]["openrouter"]["quota_groups"]["free"]["remaining_percent"] is None
    assert stats["providers"]["openrouter"]["tokens"] == {"input_cached": 40, "input_uncached": 60, "output": 20}
    assert stats["summary"]["approx_cost"] == 0.5 and stats["timestamp"] == 2.0
    assert stats["providers"]["openrouter"]["credentials"][1]["approx_cost"] is None


@pytest.mark.parametrize(
    ("state", "error_class", "said"),
    [
        ("ready", "", "active"),
        ("cooling", "rate_limited", "cooldown"),
        ("cooling", "quota_exhausted", "exhausted"),
        ("paused", "", "disabled"),
        ("needs re-authentication", "", "disabled"),
    ],
)
def test_states_in_the_words_of_menu_bars(rig: Rig, state: str, error_class: str, said: str) -> None:
    status = rig.app.service.status()
    rest = RestView("key", None, "a limit", 0, "body", error_class)
    one = replace(status, profiles=(shown(status.profiles[0], state=state, rests=(rest,)),))
    credential = quota_stats(one, (), (), 0)["providers"]["openrouter"]["credentials"][0]
    assert (credential["status"], credential["state"]) == (said, state)


def test_nothing_secret_is_told(rig: Rig) -> None:
    for path in ("/metrics", "/v1/quota-stats"):
        assert not re.search(r"sk-or|osw-", get(rig, path, token_of(rig)).text)
