"""The live terminal view: profiles, quotas, requests and events, with keys for the verbs. A process of its own.

Two threads ask the running app, over the admin API: one follows its events, one fetches its state. Only Textual's
own loop draws. When the app goes, the view says so and waits until it is back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable, Footer, RichLog, Static

from tray_app.control.callers import Following, HttpCaller, NotRunning
from tray_app.control.verbs import Refused
from tray_app.faces import top_text

REFRESH_S = 2.0  # countdowns and calls in flight change without an event
AGAIN_S = 1.0  # between two tries to reach an app that is gone
_COLOURS = {
    "ready": "green",
    "probing": "yellow",
    "cooling": "yellow",
    "circuit open": "red",
    "needs re-authentication": "red",
}


def show(find: Callable[[], HttpCaller]) -> None:
    """Show the view until it is left; `find` finds the running app."""
    Top(find).run()


class StateCame(Message):
    """The app's state, or None with the words why there is none."""

    def __init__(self, status: dict[str, Any] | None, words: str = "") -> None:
        super().__init__()
        self.status = status
        self.words = words


class Happened(Message):
    """A live event."""

    def __init__(self, event: dict[str, Any]) -> None:
        super().__init__()
        self.event = event


class Answered(Message):
    """What came of a verb."""

    def __init__(self, words: str, *, refused: bool) -> None:
        super().__init__()
        self.words = words
        self.refused = refused


class Top(App[None]):
    """The view."""

    TITLE = "O-Switcher"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #headline { height: auto; padding: 0 1; background: $panel; text-style: bold; }
    #profiles { height: auto; max-height: 40%; }
    #requests { height: 1fr; border-top: solid $panel; }
    #events { height: 1fr; border-top: solid $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "verb('use')", "use"),
        Binding("n", "verb('next', False)", "next"),
        Binding("i", "verb('pin')", "pin"),
        Binding("o", "verb('unpin', False)", "unpin"),
        Binding("p", "switch('pause', 'resume')", "pause/resume"),
        Binding("d", "verb('drain')", "drain"),
        Binding("x", "switch('disable', 'enable')", "disable/enable"),
        Binding("r", "verb('retry-now')", "retry now"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, find: Callable[[], HttpCaller]) -> None:
        super().__init__()
        self._find = find
        self._requests = top_text.Requests()
        self._profiles: list[dict[str, Any]] = []
        self._wanted = threading.Event()
        self._over = threading.Event()
        self._following: Following | None = None

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield Static("asking the app ...", id="headline")
        yield DataTable(id="profiles", cursor_type="row", zebra_stripes=True)
        yield DataTable(id="requests", cursor_type="none", show_cursor=False)
        yield RichLog(id="events", wrap=True, max_lines=1000)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self._table("profiles").add_columns(*top_text.PROFILE_COLUMNS)
        self._table("requests").add_columns(*top_text.REQUEST_COLUMNS)
        self._table("profiles").focus()
        for work in (self._fetch, self._follow):
            threading.Thread(target=work, name=f"top-{work.__name__}", daemon=True).start()

    def on_unmount(self) -> None:
        """Stop asking."""
        self._over.set()
        self._wanted.set()
        if self._following is not None:
            self._following.close()

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(f"#{name}", DataTable)

    # -- in threads of their own

    def _tell(self, message: Message) -> None:
        if not self._over.is_set():
            self.post_message(message)

    def _fetch(self) -> None:
        while not self._over.is_set():
            self._wanted.clear()
            try:
                self._tell(StateCame(self._find().get("/api/v1/status")))
            except (NotRunning, Refused) as error:
                self._tell(StateCame(None, str(error)))
            self._wanted.wait(REFRESH_S)

    def _follow(self) -> None:
        last: str | None = None
        while not self._over.is_set():
            with suppress(NotRunning, Refused):
                self._following = self._find().follow(last)
                for event in self._following:
                    last = event["id"]
                    self._tell(Happened(event))
            self._over.wait(AGAIN_S)

    def _carry_out(self, verb: str, arguments: Mapping[str, object]) -> None:
        try:
            answer = self._find().ask(verb, **arguments)
        except (NotRunning, Refused) as error:
            self._tell(Answered(str(error), refused=True))
        else:
            self._tell(Answered(answer["message"], refused=False))
            self._wanted.set()

    # -- what came

    def on_state_came(self, message: StateCame) -> None:
        """Draw the state."""
        line = self.query_one("#headline", Static)
        if message.status is None:
            line.update(Text(message.words))
            return
        line.update(Text(top_text.headline(message.status)))
        self._profiles = message.status["profiles"]
        rows = [
            [
                Text(cell, style=_COLOURS.get(one["state"], "dim") if place == 1 else "")
                for place, cell in enumerate(row)
            ]
            for one in self._profiles
            for row in [top_text.profile_row(one)]
        ]
        _fill(self._table("profiles"), rows)

    def on_happened(self, message: Happened) -> None:
        """Draw an event, and have the state fetched anew where it may have changed."""
        event = message.event
        if self._requests.see(event):
            _fill(self._table("requests"), [[Text(cell) for cell in row] for row in self._requests.rows()])
        line = top_text.event_line(event)
        if line is not None:
            self.query_one("#events", RichLog).write(Text(line))
            self._wanted.set()

    def on_answered(self, message: Answered) -> None:
        """Say what came of a verb."""
        self.notify(message.words, severity="warning" if message.refused else "information", markup=False)

    # -- keys

    def _chosen(self) -> dict[str, Any] | None:
        row = self._table("profiles").cursor_row
        return self._profiles[row] if 0 <= row < len(self._profiles) else None

    def action_verb(self, verb: str, of_profile: bool = True) -> None:
        """Carry out a verb, on the chosen profile where it needs one."""
        chosen = self._chosen()
        if of_profile and chosen is None:
            self.notify("there is no profile yet; add one with: o-switcher profiles add", severity="warning")
            return
        arguments = {"profile": chosen["id"]} if of_profile and chosen is not None else {}
        threading.Thread(target=self._carry_out, args=(verb, arguments), name="top-verb", daemon=True).start()

    def action_switch(self, out: str, back: str) -> None:
        """Take the chosen profile out of use, or back."""
        chosen = self._chosen()
        self.action_verb(out if chosen is None else top_text.toggled(chosen, out, back))


def _fill(table: DataTable[Text], rows: list[list[Text]]) -> None:
    """Show these rows; the cursor stays where it is."""
    at = table.cursor_row
    table.clear()
    for row in rows:
        table.add_row(*row)
    if rows:
        table.move_cursor(row=min(at, len(rows) - 1))
