"""argv -> faces.cli. Nothing heavy is imported before a command needs it.

A plain start is understood here: at a login nobody should wait for the command line's library.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

LAST_PORT = 65_535
_PORT = re.compile("[0-9]{1,5}")


def main() -> None:
    """Run the command line."""
    from tray_app.host.logs import guard_traces
    from tray_app.host.packed import settle
    from tray_app.house import House

    settle()
    guard_traces()
    house, argv = House(), sys.argv[1:]
    plain = _plain_start(argv)
    if plain is None:
        from tray_app.faces.cli import main as run

        sys.exit(run(house, argv))
    try:
        sys.exit(house.start(tray=plain[0], port=plain[1]))
    except KeyboardInterrupt:
        sys.exit(130)


def _plain_start(argv: Sequence[str]) -> tuple[bool, int | None] | None:
    """With a tray or without, and the port, where nothing but a start is asked for; None is for the command line."""
    match argv:
        case []:
            return True, None
        case ["serve"]:
            return False, None
        case ["serve", "--port", port] if _PORT.fullmatch(port) and int(port) <= LAST_PORT:
            return False, int(port)
    return None


if __name__ == "__main__":
    main()
