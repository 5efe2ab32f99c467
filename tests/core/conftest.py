"""For every test of core: the machine stands in a zone of its own, and what is decided is the same as anywhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _far_from_utc() -> Iterator[None]:
    """5 h 45 min ahead, so that a time taken as local is wrong in hours and minutes."""
    before = os.environ.get("TZ")
    _stand_in("XXX-05:45")
    yield
    _stand_in(before)


def _stand_in(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    if hasattr(time, "tzset"):  # not on Windows
        time.tzset()
