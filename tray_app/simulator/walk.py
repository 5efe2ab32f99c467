"""How far a key, or all keys of an account, have come in their steps. The one thing here that moves."""

from __future__ import annotations

from .steps import Step


class Walk:
    """The steps are tried in order; the first that is for the call and not used up answers it.

    The last step of the list is never used up. Where no step is for a call, there is none.
    """

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._answered = [0] * len(steps)
        self._begun: list[float | None] = [None] * len(steps)

    def next(
        self, steps: tuple[Step, ...], path: str, model: str, now: float, under_way: int, *, costs: bool
    ) -> Step | None:
        """The step that answers this call, which is counted against it. `under_way`: other calls of the key."""
        number = self._find(steps, path, model, now, under_way, costs)
        if number is None:
            return None
        self._answered[number] += 1
        if self._begun[number] is None:
            self._begun[number] = now
        return steps[number]

    def peek(self, steps: tuple[Step, ...], now: float) -> Step | None:
        """The step that an ordinary call would meet; nothing is counted."""
        number = self._find(steps, "chat/completions", "", now, 0, costs=True)
        return None if number is None else steps[number]

    def _find(
        self, steps: tuple[Step, ...], path: str, model: str, now: float, under_way: int, costs: bool
    ) -> int | None:
        last = len(steps) - 1
        for number, step in enumerate(steps):
            suits = step.when.suits(path, model, under_way, costs=costs)
            if suits and (number == last or not self._spent(number, step, now)):
                return number
        return None

    def _spent(self, number: int, step: Step, now: float) -> bool:
        times, for_s, begun = step.when.times, step.when.for_s, self._begun[number]
        if times is not None and self._answered[number] >= times:
            return True
        return for_s is not None and begun is not None and now - begun >= for_s
