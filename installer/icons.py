"""The program's icon in the format of the system that it is frozen for, drawn from the picture of the menu entry."""

from __future__ import annotations

from pathlib import Path

ENDINGS = {"win32": ".ico", "darwin": ".icns"}
EDGES = (16, 20, 24, 32, 40, 48, 64, 128, 256)  # what Windows shows, at its usual scales


def make_icon(picture: Path, folder: Path, system: str) -> Path | None:
    """That icon, in `folder`; None where programs have none."""
    from PIL import Image  # only the environment that freezes has it

    if system not in ENDINGS:
        return None
    made = folder / f"o-switcher{ENDINGS[system]}"
    with Image.open(picture) as opened:
        if made.suffix == ".ico":
            opened.save(made, sizes=[(edge, edge) for edge in EDGES])
        else:
            opened.save(made)
    return made
