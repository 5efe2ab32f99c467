"""Questions with a yes or a no: answered by a flag, else by a person on a terminal, else not at all.

Nobody is waited for who is not there: without a terminal the answer is None, and what was asked about stays as it is.
"""

from __future__ import annotations

import sys

YES = {"y", "yes"}
NO = {"n", "no"}
TRIES = 3


def answered(flag: bool | None, question: str) -> bool | None:
    """The answer that a flag gave, else a person's; an empty line is a no. None where nobody can be asked."""
    if flag is not None:
        return flag
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    for _ in range(TRIES):
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        word = line.strip().lower()
        if word in YES:
            return True
        if not word or word in NO:
            return False
        sys.stderr.write("Please answer y or n.\n")
    return False
