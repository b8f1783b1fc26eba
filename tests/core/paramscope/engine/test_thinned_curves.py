"""A curve with too many points keeps its spikes, its ends and its order."""

import math

import pytest

from paramscope.engine.thinning import MOST, thinned


@pytest.mark.parametrize("count", [0, 1, 2, MOST])
def test_few_points_stay_as_they_are(count: int) -> None:
    points = [(step, float(step)) for step in range(count)]
    assert thinned(points) == tuple(points)


@pytest.mark.parametrize("count", [MOST + 1, 1_000, 12_345])
def test_every_spike_and_the_end_survive(count: int) -> None:
    points = [(step, 1.0) for step in range(count)]
    points[count // 3] = (count // 3, 100.0)
    points[count // 2] = (count // 2, -100.0)
    kept = thinned(points)
    assert len(kept) <= MOST + 1
    assert {points[count // 3], points[count // 2], points[-1]} <= set(kept)
    assert list(kept) == sorted(kept)


def test_a_value_that_is_no_number_is_kept() -> None:
    points = [(step, 1.0) for step in range(5_000)]
    points[777] = (777, math.nan)
    assert any(math.isnan(value) for _, value in thinned(points))
