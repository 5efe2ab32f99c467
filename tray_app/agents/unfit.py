"""The one error of this room: a file or a wish that cannot be met, said so that a person can mend it."""

from __future__ import annotations


class Unfit(Exception):
    """Says what is in the way and what to do. `line` is the one in the text, where it is known."""

    def __init__(self, words: str, line: int | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.line = line


MISSING = object()  # what stands at a place where nothing does
