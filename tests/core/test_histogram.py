"""Quantiles out of buckets, beside the true ones."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray_app.core import histogram

durations = st.lists(st.integers(1, 3_600_000), min_size=1, max_size=200)


@given(durations, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_five_percent(took: list[int], share: float) -> None:
    counts = Counter(map(histogram.bucket_of, took))
    true = sorted(took)[max(1, math.ceil(share * len(took))) - 1]
    found = histogram.quantile(counts, share)
    assert found is not None
    assert abs(found - true) <= 0.05 * true + 0.5  # and what rounding to whole ms does


@given(durations, durations)
def test_sums_of_histograms_are_histograms_of_sums(one: list[int], other: list[int]) -> None:
    first, second = Counter(map(histogram.bucket_of, one)), Counter(map(histogram.bucket_of, other))
    text = histogram.merged(histogram.merged(None, first), second)
    assert histogram.read(text) == first + second
    assert text == histogram.merged(None, first + second)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param("", {}, id="empty"),
        pytest.param("3:1,7:20", {3: 1, 7: 20}, id="counts"),
        pytest.param("3:1,x:2,4,5:-1", {3: 1}, id="what is none is passed over"),
        pytest.param("3:1,5:99999999999999999999", {3: 1}, id="no count is so large"),
    ],
)
def test_what_stands_in_the_history_is_read(text: str | None, counts: dict[int, int]) -> None:
    assert histogram.read(text) == counts


def test_a_histogram_stands_in_the_order_of_its_buckets() -> None:
    assert histogram.merged("7:20,3:1", {5: 2, 3: 1}) == "3:2,5:2,7:20"
    assert histogram.added({3: 1, 7: 20}, {3: 1}) == {3: 2, 7: 20}
    assert histogram.text_of({}) == ""


def test_of_nothing_there_is_no_quantile() -> None:
    assert histogram.quantile({}, 0.5) is None


def test_the_ends_of_the_scale() -> None:
    assert histogram.bucket_of(0) == histogram.bucket_of(1) == 0
    assert histogram.bucket_of(10**15) == 200


@given(st.lists(durations, max_size=5))
def test_many_in_one_text_are_their_sum(many: list[list[int]]) -> None:
    counts = [Counter(map(histogram.bucket_of, one)) for one in many]
    text = ",".join(histogram.merged(None, one) for one in counts)
    assert histogram.total(text) == sum(counts, Counter())
    assert histogram.total(None) == histogram.total("37,x:5,:1,4:y") == {}
