"""How a face within the app reaches the service: across threads, and waiting for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tray_app.control.verbs import Refused


class ThreadCaller:
    """Hands verbs from another thread to the event loop, and waits for nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        perform: Callable[[str, Mapping[str, object], str], Any],
        done: Callable[[str, object], None],
        actor: str,
    ) -> None:
        self._loop = loop
        self._perform = perform
        self._done = done
        self._actor = actor

    def ask(self, verb: str, arguments: Mapping[str, object]) -> None:
        """Have a verb carried out soon. `done(verb, result or Refused)` is then called on the loop's thread."""
        asyncio.run_coroutine_threadsafe(self._carry_out(verb, arguments), self._loop)

    async def _carry_out(self, verb: str, arguments: Mapping[str, object]) -> None:
        try:
            result = await self._perform(verb, arguments, self._actor)
        except Refused as refused:
            result = refused
        self._done(verb, result)
