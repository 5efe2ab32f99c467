"""The README's first command, on a fresh Debian that holds python3 and nothing else (about a minute)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .bare_machine import INSIDE, BareMachine, try_run


@pytest.mark.skipif(INSIDE in os.environ, reason="this is the bare machine")
def test_the_demo_runs_for_an_ordinary_user_and_starts_at_once_the_second_time(tmp_path: Path) -> None:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("needs root and debootstrap")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs namespaces")
    machine = BareMachine(tmp_path / "bare", "bookworm")
    try:
        machine.make()
        assert try_run(machine)
    finally:
        shutil.rmtree(machine.root, ignore_errors=True)  # 300 MB: not to be kept with the last runs' folders
