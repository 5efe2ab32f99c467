"""What calls cost, by the list of prices that comes with the app; loaded when a provider gives no figure of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from tray_app.core.cost import Price, Prices, cost_of, from_genai
from tray_app.core.usage import Usage

_log = logging.getLogger(__name__)


class PriceList:
    """Prices calls on the writer's thread. `overrides` are the user's own prices, asked anew each time."""

    def __init__(self, overrides: Callable[[], Mapping[str, Price]] = dict) -> None:
        self.overrides = overrides
        self._listed: Prices | None = None

    def __call__(self, provider: str, model: str | None, usage: Usage) -> tuple[float | None, str | None]:
        """US dollars and who says so."""
        return cost_of(provider, model, usage, self.overrides(), self._ask)

    def _ask(self, provider: str, model: str, asked: int, output: int, read: int, written: int) -> float | None:
        if self._listed is None:
            self._listed = _load()
        return self._listed(provider, model, asked, output, read, written)


def _load() -> Prices:
    """The list, some 16 MB: only who needs it pays for it."""
    try:
        from genai_prices import Usage as Used
        from genai_prices import calc_price
    except ImportError:
        _log.warning("the list of prices is not installed; costs that providers do not state stay unknown")
        return lambda *_: None
    return from_genai(calc_price, Used)
