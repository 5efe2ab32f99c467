"""Cline keeps its settings in the editor's secret store, which is not ours to write: it is shown what to paste."""

from __future__ import annotations

from tray_app.agents.wiring.plan import Client
from tray_app.agents.wiring.sdk import paste_lines

CLIENT = Client("cline", "Cline", lines=paste_lines, paste=True)
