"""argv -> faces.cli. Nothing heavy is imported before a command needs it.

The two words that start the app are understood here: at a login nobody should wait for the command line's library.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line."""
    from tray_app.host.logs import guard_traces
    from tray_app.host.packed import settle
    from tray_app.house import House

    settle()
    guard_traces()
    house, argv = House(), sys.argv[1:]
    if _is_plain_start(argv):
        sys.exit(house.start(tray=not argv, port=None))
    from tray_app.faces.cli import main as run

    sys.exit(run(house, argv))


def _is_plain_start(argv: Sequence[str]) -> bool:
    """Whether it is `o-switcher` or `o-switcher serve`, and no more."""
    return list(argv) in ([], ["serve"])


if __name__ == "__main__":
    main()
