"""What the test set-up installs beside Python packages: the coding agents, and axe-core, which looks through pages."""

from __future__ import annotations

import sys

from tests.whole.processes import ROOT

sys.path.append(str(ROOT / "installer"))  # as a script's own folder is; at the end, so that it shadows nothing

import environment  # found only once its folder is on the path


def clients() -> environment.Environment:
    """Their environment; made now where the set-up has not been run before the tests."""
    place = environment.ensure(environment.CLIENTS)
    place.hold()
    return place
