"""On a system for which OpenCode's pinned version has no package, its tests are left out, and it is said why."""

from __future__ import annotations

import subprocess
import sys

from tests.clients.agents import has_opencode
from tests.whole.processes import ROOT

COLLECT = """
import platform, sys, pytest
platform.machine = lambda: "s390x"
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "tests/clients"]))
"""


def test_which_systems_have_it_is_what_the_lock_says() -> None:
    assert (
        has_opencode("linux", "x86_64") and not has_opencode("linux", "s390x") and not has_opencode("plan9", "x86_64")
    )


def test_its_tests_alone_are_left_out_with_the_reason() -> None:
    done = subprocess.run([sys.executable, "-c", COLLECT], cwd=ROOT, capture_output=True, text=True, check=True)
    named = [line.lower() for line in done.stdout.splitlines() if "::" in line]
    assert not [line for line in named if "opencode" in line or "test_logins" in line]
    assert len([line for line in named if "[claude" in line]) >= 5
    assert "tests of OpenCode are not run here: its pinned version has no package for" in done.stdout
