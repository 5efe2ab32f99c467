"""The Python packages `openai` and `anthropic`, in a process of their own environment that makes calls on request."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.agents import HERE
from tests.rig import Rig

Told = dict[str, Any]


class Packages:
    """The process; `sdk_calls` says what calls there are."""

    def __init__(self, python: Path, way_out: str) -> None:
        variables = {"HTTP_PROXY": way_out, "HTTPS_PROXY": way_out, "NO_PROXY": HERE}
        self._process = subprocess.Popen(
            [python, "-I", Path(__file__).with_name("sdk_calls.py")],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, name: str, rig: Rig, *, token: str | None = None, retries: int | None = None) -> Told:
        """What that call through `rig` gave, by the package's own retries unless told otherwise."""
        assert self._process.stdin is not None and self._process.stdout is not None
        token = token or rig.app.vault.token("sdk")
        asked = {"call": name, "url": rig.url, "token": token, "retries": retries}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told: Told = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate(timeout=20)  # the end of its input is the end of it
        assert self._process.returncode == 0
