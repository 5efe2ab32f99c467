"""What the machine does to a session: it sleeps and wakes up, it shuts down, the session ends. Heard from logind.

Timers do not run while a machine sleeps, so what was to end meanwhile is looked at when it wakes up. Where there is
no logind, or no system bus, nothing is heard, and nothing else is different.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from tray_app.faces.tray.bus import Bus, Lost, connect_to
from tray_app.faces.tray.objects import Body

LOGIND = "org.freedesktop.login1"
MANAGER = "org.freedesktop.login1.Manager"
_SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"


def listen(
    woke: Callable[[], None], ended: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> Bus | None:
    """The system bus, to be driven beside the session's; None where there is none.

    `woke` is called when the machine has woken up, `ended` with a reason when the session is over.
    """
    try:
        bus = connect_to(environ.get("DBUS_SYSTEM_BUS_ADDRESS") or _SYSTEM_BUS)
    except Lost:
        return None
    own = environ.get("XDG_SESSION_ID")

    def slept(_sender: str, body: Body) -> None:
        if not body[0]:  # True comes before, False after
            woke()

    def shuts_down(_sender: str, body: Body) -> None:
        if body[0]:
            ended("the machine shuts down")

    def removed(_sender: str, body: Body) -> None:
        if body[0] == own:
            ended("the session has ended")

    heard = {"PrepareForSleep": slept, "PrepareForShutdown": shuts_down, "SessionRemoved": removed}
    for member, act in heard.items():
        bus.listen(MANAGER, member, act, f"sender='{LOGIND}'")
    return bus
