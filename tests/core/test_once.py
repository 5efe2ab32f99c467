"""What is computed once stays, for each object by itself."""

from __future__ import annotations

from tray_app.core.once import once


class Thing:
    def __init__(self, size: int) -> None:
        self.size = size
        self.asked = 0

    @once
    def area(self) -> int:
        """Its size, squared."""
        self.asked += 1
        return self.size**2


def test_it_is_computed_once_for_each_object() -> None:
    one, other = Thing(2), Thing(3)
    assert (one.area, one.area, other.area, one.asked, other.asked) == (4, 4, 9, 1, 1)


def test_its_words_are_kept() -> None:
    assert Thing.__dict__["area"].__doc__ == "Its size, squared."
