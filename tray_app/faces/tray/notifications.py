"""org.freedesktop.Notifications: a message beside the icon, where a daemon will show one.

Nothing waits for the daemon. Where there is none, or it fails or dies, `unseen` is told, and the
message can be shown elsewhere. A click on a message is a left click on the icon.
"""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tray_app.faces.tray.bus import Bus
from tray_app.faces.tray.icon import Picture
from tray_app.faces.tray.objects import Body, CallError

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
_IMAGE_SIZE = 48
_DEFAULT_TIME = -1


@dataclass(frozen=True, slots=True)
class Note:
    title: str
    message: str
    picture: Picture


class Notifier:
    """Sends notes over a bus, and hears when one is clicked."""

    def __init__(self, bus: Bus, clicked: Callable[[], None], unseen: Callable[[str, str], None]) -> None:
        self._bus = bus
        self._clicked = clicked
        self._unseen = unseen
        self._sent: deque[int] = deque(maxlen=16)
        self._listening = False

    def send(self, note: Note) -> None:
        """Ask what the daemon can do (a new one may have taken over), then send."""
        if not self._listening:
            self._listening = True
            self._bus.listen(NAME, "ActionInvoked", self._invoked)

        def answered(answer: Body | CallError) -> None:
            if isinstance(answer, CallError):
                self._unseen(note.title, note.message)
            else:
                self._send(note, answer[0])

        self._bus.call(NAME, PATH, NAME, "GetCapabilities", answered=answered)

    def _send(self, note: Note, capabilities: list[str]) -> None:
        body = html.escape(note.message, quote=False) if "body-markup" in capabilities else note.message
        actions = ["default", note.title] if "actions" in capabilities else []
        hints = {"image-data": ("(iiibiiay)", _image(note.picture)), "desktop-entry": ("s", "o-switcher")}

        def answered(answer: Body | CallError) -> None:
            if isinstance(answer, CallError):
                self._unseen(note.title, note.message)
            else:
                self._sent.append(answer[0])

        arguments = ("O-Switcher", 0, "", note.title, body, actions, hints, _DEFAULT_TIME)
        self._bus.call(NAME, PATH, NAME, "Notify", "susssasa{sv}i", arguments, answered)

    def _invoked(self, _sender: str, body: Body) -> None:
        id_, action = body
        if action == "default" and id_ in self._sent:
            self._clicked()


def _image(picture: Picture) -> Body:
    """Width, height, bytes in a row, alpha, bits in a sample, samples in a pixel, the pixels."""
    pixels = picture.image(_IMAGE_SIZE).tobytes()
    return (_IMAGE_SIZE, _IMAGE_SIZE, 4 * _IMAGE_SIZE, True, 8, 4, pixels)
