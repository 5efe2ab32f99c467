"""org.freedesktop.Notifications: a message beside the icon, where a daemon will show one.

Nothing waits for the daemon. Where there is none, or it fails or dies, `unseen` is told, and the
message can be shown elsewhere. A click on a message, or on one of its buttons, asks for a verb.
A message takes the place of the last one of its kind: they never pile up.
"""

from __future__ import annotations

import html
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from tray_app.faces.tray.artwork import Look
from tray_app.faces.tray.bus import Bus
from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.library import Click
from tray_app.faces.tray.menu import Verb
from tray_app.faces.tray.objects import Body, CallError

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
_IMAGE_SIZE = 48
_DEFAULT_TIME = -1
_REMEMBERED = 32
_DEFAULT = "default"  # the action of a click on the message itself

_REPORT = Verb("report")

Unseen = Callable[[str, str], None]


class Urgency(IntEnum):
    LOW = 0
    NORMAL = 1
    CRITICAL = 2  # stays until it is looked at


@dataclass(frozen=True, slots=True)
class Note:
    """A message. `verb` is what a click on it asks for, `buttons` are labels and verbs of their own.

    `kind` names what is replaced by the next one of the same.
    """

    title: str
    message: str
    verb: Verb = _REPORT
    buttons: tuple[tuple[str, Verb], ...] = ()
    kind: str = ""
    look: Look | None = None  # the picture beside it; None: the icon's own
    urgency: Urgency = Urgency.NORMAL


class Notifier:
    """Sends notes over a bus, and hears when one is clicked."""

    def __init__(self, bus: Bus, click: Click, unseen: Unseen) -> None:
        self._bus = bus
        self._click = click
        self._unseen = unseen
        self._sent: OrderedDict[int, Note] = OrderedDict()
        self._latest: dict[str, int] = {}  # the message shown of a kind
        self._under_way = 0
        self._listening = False

    @property
    def busy(self) -> bool:
        """Whether the daemon has still to answer for a message."""
        return self._under_way > 0

    def send(self, note: Note, picture: Picture) -> None:
        """Ask what the daemon can do (a new one may have taken over), then send."""
        if not self._listening:
            self._listening = True
            self._bus.listen(NAME, "ActionInvoked", self._invoked)
            self._bus.listen(NAME, "NotificationClosed", self._closed)
        self._under_way += 1

        def answered(answer: Body | CallError) -> None:
            if isinstance(answer, CallError):
                self._under_way -= 1
                self._unseen(note.title, note.message)
            else:
                self._send(note, picture, answer[0])

        self._bus.call(NAME, PATH, NAME, "GetCapabilities", answered=answered)

    def _send(self, note: Note, picture: Picture, capabilities: list[str]) -> None:
        body = html.escape(note.message, quote=False) if "body-markup" in capabilities else note.message
        actions = _actions(note) if "actions" in capabilities else []
        hints = {
            "image-data": ("(iiibiiay)", _image(picture)),
            "desktop-entry": ("s", "o-switcher"),
            "urgency": ("y", int(note.urgency)),
        }

        def answered(answer: Body | CallError) -> None:
            self._under_way -= 1
            if isinstance(answer, CallError):
                self._unseen(note.title, note.message)
            else:
                self._remember(answer[0], note)

        replaces = self._latest.get(note.kind, 0)
        arguments = ("O-Switcher", replaces, "", note.title, body, actions, hints, _DEFAULT_TIME)
        self._bus.call(NAME, PATH, NAME, "Notify", "susssasa{sv}i", arguments, answered)

    def _remember(self, id_: int, note: Note) -> None:
        self._sent[id_] = note
        if note.kind:
            self._latest[note.kind] = id_
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)

    def _invoked(self, _sender: str, body: Body) -> None:
        id_, action = body
        note = self._sent.get(id_)
        if note is None:
            return
        verbs = {_DEFAULT: note.verb} | {str(number): verb for number, (_, verb) in enumerate(note.buttons)}
        if action in verbs:
            self._click(verbs[action])

    def _closed(self, _sender: str, body: Body) -> None:
        """Its number may be given to a message of another program now; a click may come a moment after the end."""
        self._latest = {kind: id_ for kind, id_ in self._latest.items() if id_ != body[0]}


def _actions(note: Note) -> list[str]:
    """Names and labels in turn, as the specification wants them."""
    pairs = [(_DEFAULT, note.title), *((str(number), label) for number, (label, _) in enumerate(note.buttons))]
    return [text for pair in pairs for text in pair]


def _image(picture: Picture) -> Body:
    """Width, height, bytes in a row, alpha, bits in a sample, samples in a pixel, the pixels."""
    pixels = picture.image(_IMAGE_SIZE).tobytes()
    return (_IMAGE_SIZE, _IMAGE_SIZE, 4 * _IMAGE_SIZE, True, 8, 4, pixels)
