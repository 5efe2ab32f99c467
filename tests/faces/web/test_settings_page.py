"""The page of settings: every kind of change, in a real Chromium, seen in the file and in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.faces.web.report_harness import chromium
from tests.faces.web.visiting import guest_of, send, visiting
from tests.rig import Rig, running, script_of
from tray_app.control.callers import connect
from tray_app.control.configuration import _kinds
from tray_app.faces.web.settings import HERE, shown
from tray_app.faces.web.settings_texts import ENGLISH, RUSSIAN
from tray_app.faces.web.shell_texts import ENGLISH as SHELL


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """An app whose file has a remark; its autostart goes into a home of its own."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    with running(
        tmp_path / "home", script_of(a='{do="ok"}'), settings="[history]\nkeep_days = 30 # a month\n"
    ) as found:
        yield found


def test_every_setting_is_shown_with_where_it_comes_from(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        page = visit.page
        page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        told = page.locator(".settings code").all_inner_texts()
        assert set(told) == _kinds().keys() - {"switcher.retry_budget", "switcher.max_expected_latency_ms"}
        assert len(told) == len(set(told))
        row = page.locator("li[data-key='history.keep_days']")
        expect(row.locator("[id$=from]")).to_contain_text("config.toml, line 12 · default: 90")
        expect(page.locator("li[data-key='proxy.port'] [id$=from]")).to_contain_text(ENGLISH.from_command_line)
        expect(page.locator("li[data-key='switcher.retry'] [id$=from]")).to_contain_text(ENGLISH.from_default)
        kept = page.locator("li[data-key='proxy.host']")
        expect(kept).to_contain_text("o-switcher config set proxy.host")
        expect(kept.locator("form")).to_have_count(0)
        about = visit.card(ENGLISH.about)
        for text in (rig.app.service.about.version, "Apache-2.0", str(rig.home.history), str(rig.home.config)):
            expect(about).to_contain_text(text)
        expect(visit.card(ENGLISH.keys)).to_contain_text(f"file {rig.home.keys}")


def test_changes_edit_one_line_are_in_force_and_taken_back(browser: Browser, rig: Rig) -> None:
    before = rig.home.config.read_text()
    with visiting(browser, rig, HERE) as visit:
        page = visit.page
        row = page.locator("li[data-key='history.keep_days']")
        save = row.get_by_role("button", name=ENGLISH.save)
        expect(save).to_be_hidden()
        row.get_by_role("textbox").fill("many")
        save.click()
        assert "line 12: history.keep_days" in visit.said()
        expect(row.get_by_role("textbox")).to_have_value("many")
        row.get_by_role("textbox").fill("45")
        row.get_by_role("textbox").press("Enter")
        visit.hears(ENGLISH.changed.format(key="history.keep_days"))
        assert rig.home.config.read_text() == before.replace("keep_days = 30 # a", "keep_days = 45 # a")
        assert rig.app.settings.history.keep_days == 45
        expect(save).to_be_hidden()
        page.locator("#said").get_by_role("button", name=SHELL.undo).click()
        visit.hears(ENGLISH.taken_back.format(key="history.keep_days"))
        assert rig.home.config.read_text() == before and rig.app.settings.history.keep_days == 30
        expect(row.get_by_role("textbox")).to_have_value("30")
        row.get_by_role("button", name=ENGLISH.reset).click()
        visit.hears(ENGLISH.is_reset.format(key="history.keep_days"))
        assert rig.app.settings.history.keep_days == 90
        expect(row.get_by_role("button", name=ENGLISH.reset)).to_have_count(0)
        page.reload()
        page.get_by_role("button", name=ENGLISH.undo.format(key="history.keep_days")).click()
        visit.hears(ENGLISH.taken_back.format(key="history.keep_days"))
        assert rig.home.config.read_text() == before


def test_switches_lists_and_choices_are_changed(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        page = visit.page
        switched = page.get_by_role("switch", name=ENGLISH.names["notifications.switched"])
        switched.focus()
        page.keyboard.press("Space")
        visit.hears(ENGLISH.changed.format(key="notifications.switched"))
        expect(switched).to_have_attribute("aria-checked", "false")
        expect(switched).to_be_focused()
        assert not rig.app.settings.notifications.switched
        row = page.locator("li[data-key='quota.warn_at']")
        row.get_by_role("textbox").fill("50, 90")
        row.get_by_role("button", name=ENGLISH.save).click()
        visit.hears(ENGLISH.changed.format(key="quota.warn_at"))
        assert rig.app.settings.quota.warn_at == (50, 90)
        page.get_by_label(ENGLISH.names["switcher.strategy"]).select_option("score")
        page.locator("li[data-key='switcher.strategy']").get_by_role("button", name=ENGLISH.save).click()
        visit.hears(ENGLISH.changed.format(key="switcher.strategy"))
        assert rig.app.service.rules().strategy == "score"
        for value, wanted in (("all", "all"), ("4", 4)):
            row = page.locator("li[data-key='switcher.failover_budget']")
            row.get_by_role("textbox").fill(value)
            row.get_by_role("button", name=ENGLISH.save).click()
            expect(row.locator("[id$=from]")).to_contain_text("config.toml, line")
            expect(row.get_by_role("button", name=ENGLISH.save)).to_be_hidden()
            assert rig.app.settings.switcher.failover_budget == wanted
    rows = rig.eventually("SELECT actor FROM operator_event WHERE verb = 'config-set'")
    assert {row["actor"] for row in rows} == {"api"}


def test_a_change_by_somebody_else_is_shown_and_what_is_being_typed_stays(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        page = visit.page
        mine = page.locator("li[data-key='history.max_size_mb']")
        mine.get_by_role("textbox").fill("20")
        connect(rig.home.running, "cli").ask("config-set", key="switcher.retry", value="1")
        expect(page.locator("li[data-key='switcher.retry']").get_by_role("textbox")).to_have_value("1")
        expect(mine.get_by_role("textbox")).to_have_value("20")
        expect(mine.get_by_role("textbox")).to_be_focused()
        expect(mine.get_by_role("button", name=ENGLISH.save)).to_be_visible()


def test_launch_at_login_is_switched(browser: Browser, rig: Rig) -> None:
    with visiting(browser, rig, HERE) as visit:
        switch = visit.page.get_by_role("switch", name=ENGLISH.login)
        for words, state in ((ENGLISH.login_on, True), (ENGLISH.login_off, False)):
            switch.click()
            visit.hears(words)
            expect(switch).to_have_attribute("aria-checked", str(state).lower())
            assert rig.app.service.autostart.enabled() is state


def test_a_file_with_faults_is_told_and_without_a_script_all_is_done(browser: Browser, rig: Rig) -> None:
    good = rig.home.config.read_text()
    with visiting(browser, rig, HERE, script=False, locale="ru-RU", width=360) as visit:
        page = visit.page
        expect(page.locator("h1")).to_have_text(RUSSIAN.title)
        page.get_by_role("switch", name=RUSSIAN.names["quota.polling"]).click()
        visit.hears(RUSSIAN.changed.format(key="quota.polling"))
        assert rig.app.settings.quota.polling
        rig.home.config.write_text(f"{good}\n[nonsense]\n")
        page.goto(f"{rig.url}{HERE}")
        expect(page.locator(".notices")).to_contain_text("nonsense: is not a known setting")
        page.get_by_role("switch", name=RUSSIAN.names["quota.polling"]).click()
        assert "nonsense" in visit.said()


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("still"), script_of(a='{do="ok"}')) as found:
        yield found


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"do": "set", "about": "proxy.allow_remote", "value": "true"}, "who can reach the proxy"),
        ({"do": "set", "about": "secrets.store", "value": "file"}, "it moves your keys"),
        ({"do": "set", "about": "nothing", "value": "1"}, "no setting is called"),
        ({"do": "set", "about": "switcher.retry", "value": ""}, "needs a value"),
        ({"do": "set"}, "needs a value"),
        ({"do": "reset", "about": "switcher.retry"}, "is not in the file"),
        ({"do": "undo"}, "no setting was changed here"),
    ],
)
def test_what_cannot_be_done_is_said(still: Rig, form: dict[str, str], words: str) -> None:
    before = still.home.config.read_bytes()
    with guest_of(still) as guest:
        assert words in send(guest, HERE, **form)
    assert still.home.config.read_bytes() == before


def test_a_port_counts_from_the_next_start_on(tmp_path: Path) -> None:
    with running(tmp_path, script_of(a='{do="ok"}')) as rig, guest_of(rig) as guest:
        said = send(guest, HERE, do="set", about="proxy.port", value="4599")
        assert ENGLISH.changed_at_start.format(key="proxy.port") in said


def test_values_are_written_as_people_write_them() -> None:
    assert [shown(value) for value in (60.0, 0.5, 3, "all", [80, 95], (), True)] == [
        "60", "0.5", "3", "all", "80, 95", "", "True",
    ]  # fmt: skip
