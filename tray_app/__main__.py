"""argv -> faces.cli. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    from tray_app.host.packed import settle

    settle()
    from tray_app.faces.cli import main as run
    from tray_app.host.logs import guard_traces
    from tray_app.house import House

    guard_traces()
    sys.exit(run(House(), sys.argv[1:]))


if __name__ == "__main__":
    main()
