"""How long things took, as counts by bucket: quantiles within 5 %, a few bytes an hour, and sums that add up.

Bucket n holds what took from RATIO ** n to RATIO ** (n + 1) ms. As text: `37:5,41:2`, buckets in their order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import msgspec

RATIO = 1.1  # the middle of a bucket is less than 5 % from its edges
_LOG = math.log(RATIO)
_LAST = 200  # more than two days
LONGEST = 20  # characters of a part: numbers that fit into 64 bits
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=256)  # under load much takes about as long
def bucket_of(ms: int) -> int:
    """The bucket of a duration."""
    return min(_LAST, int(math.log(max(ms, 1)) / _LOG + 1e-9))


def merged(text: str | None, more: Mapping[int, int]) -> str:
    """The histogram `text` with the counts of `more` added."""
    return text_of(added(read(text), more))


def added(counts: dict[int, int], more: Mapping[int, int]) -> dict[int, int]:
    """Both, in the order of the buckets; `counts` are in it."""
    sums = counts.copy()
    for bucket, count in more.items():
        sums[bucket] = sums.get(bucket, 0) + count
    return sums if len(sums) == len(counts) else dict(sorted(sums.items()))


def text_of(counts: Mapping[int, int]) -> str:
    """The histogram of `counts`, which are in the order of the buckets. By the encoder: it is made for every commit."""
    return _encode(counts).translate(None, b'{"}').decode()


def read(text: str | None) -> dict[int, int]:
    """Counts by bucket, in their order. What is no histogram has none."""
    counts: dict[int, int] = {}
    for part in (text or "").split(","):
        bucket, _, count = part.partition(":")
        if len(part) < LONGEST and bucket.isdecimal() and count.isdecimal():
            counts[int(bucket)] = counts.get(int(bucket), 0) + int(count)
    return dict(sorted(counts.items()))


def total(texts: str | None) -> dict[int, int]:
    """The sums of many histograms that stand in one text, separated by commas."""
    counts: dict[str, int] = {}
    for part, times in Counter((texts or "").split(",")).items():  # the same parts are met over and over
        bucket, _, count = part.partition(":")
        if count.isdecimal():
            counts[bucket] = counts.get(bucket, 0) + int(count) * times
    return {int(bucket): count for bucket, count in counts.items() if bucket.isdecimal()}


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """How long the `share` (0.0 to 1.0) quickest took at most, in ms; None of nothing."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = max(1, math.ceil(share * total)), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            middle: float = RATIO ** (bucket + 0.5)
            return round(middle)
    raise AssertionError("the counts add up")  # pragma: no cover
