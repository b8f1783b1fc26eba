"""Rows are added to those with their numbers, whichever way is the shorter one."""

import numpy as np
import pytest

from gradcore.ops.segments import add_rows


def _numbers(kind: str, count: int, rows: int) -> np.ndarray:
    draw = np.random.default_rng(4)
    if kind == "even":
        return draw.integers(0, rows, count)
    if kind == "all different":
        return draw.permutation(rows)[:count]
    if kind == "all the same":
        return np.full(count, rows - 1)
    # A few words make up most of a text.
    return np.minimum(draw.zipf(1.3, count) - 1, rows - 1)


@pytest.mark.parametrize("kind", ["even", "all different", "all the same", "words"])
@pytest.mark.parametrize(
    ("count", "rows", "shape"),
    [(0, 5, (3,)), (4, 9, (3,)), (300, 400, ()), (400, 500, (64,)), (500, 70_000, (8, 8))],
)
def test_each_row_is_added_to_the_one_with_its_number(kind, count, rows, shape):
    numbers = _numbers(kind, count, rows)
    values = np.random.default_rng(5).standard_normal((count, *shape)).astype(np.float32)
    expected = np.ones((rows, *shape), np.float64)
    np.add.at(expected, numbers, values.astype(np.float64))
    out = np.ones((rows, *shape), np.float32)
    add_rows(out, numbers, values)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)


def test_nothing_is_read_of_rows_that_are_all_zero():
    numbers = _numbers("words", 400, 500)
    values = np.random.default_rng(6).standard_normal((400, 64)).astype(np.float32)
    one, other = np.zeros((500, 64), np.float32), np.zeros((500, 64), np.float32)
    add_rows(one, numbers, values)
    add_rows(other, numbers, values, is_zero=True)
    np.testing.assert_array_equal(one, other)


def test_what_is_not_finite_stays_in_its_row():
    numbers = np.repeat(np.arange(100), 3)
    values = np.ones((300, 64), np.float32)
    values[3, 5], values[7, 6], values[8, 6] = np.inf, np.inf, -np.inf
    out = np.zeros((100, 64), np.float32)
    add_rows(out, numbers, values)
    assert out[1, 5] == np.inf
    assert np.isnan(out[2, 6])
    assert np.count_nonzero(out != 3) == 2
