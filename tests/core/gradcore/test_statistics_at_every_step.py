"""Rows of statistics equal what NumPy says of each tensor, non-finite values included."""

import threading
import time

import numpy as np
import pytest

import gradcore as torch
from gradcore.statistics import (
    GATHERED,
    GRADIENT,
    LARGEST,
    NON_FINITE,
    NORM,
    SMALLEST,
    SUM,
    UPDATE,
    VALUE,
    ZEROS,
    Meter,
    Table,
)

SHAPES = [(), (1,), (7,), (3, 5), (GATHERED + 3,), (2, 0), (130, 140)]


def tensors(dtype: np.dtype) -> list:
    numbers = np.random.default_rng(0)
    made = []
    for shape in SHAPES:
        values = np.asarray(numbers.standard_normal(shape)).astype(dtype)
        made.append(torch.from_numpy(values).requires_grad_())
        gradient = np.asarray(numbers.standard_normal(shape)).astype(dtype)
        made[-1].grad = torch.from_numpy(np.where(gradient < -1, 0, gradient).astype(dtype))
    return made


def expected(values: np.ndarray) -> dict[int, float]:
    wide = values.astype(np.float64).ravel()
    return {
        SUM: wide.sum(),
        NORM: np.sqrt((wide * wide).sum()),
        SMALLEST: wide.min(),
        LARGEST: wide.max(),
        ZEROS: (wide == 0).sum(),
        NON_FINITE: (~np.isfinite(wide)).sum(),
    }


def assert_row(row: np.ndarray, column: int, values: np.ndarray) -> None:
    for offset, number in expected(values).items():
        np.testing.assert_allclose(row[column + offset], number, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spoil", [None, np.nan, np.inf, -np.inf, 1e30])
def test_rows_are_what_numpy_says_of_each_tensor(dtype: type, spoil: float | None) -> None:
    made = tensors(np.dtype(dtype))
    meter = Meter(made)
    before = [t._a.copy() for t in made]
    for t in made:
        if t.numel():
            t._a.reshape(-1)[-1] += 0.5
        if spoil is not None and t.numel() > 3:
            t._a.reshape(-1)[1] = spoil
            t.grad._a.reshape(-1)[2] = spoil
    with np.errstate(all="raise"):
        meter.measure(1)
    step, rows = meter.table.read()
    assert step == 1
    assert [t.numel() > 0 for t in meter.tensors] == [True] * len(rows)
    for row, t in zip(rows, meter.tensors, strict=True):
        with np.errstate(all="ignore"):
            assert_row(row, VALUE, t._a)
            assert_row(row, GRADIENT, t.grad._a)
            old = next(b for b, m in zip(before, made, strict=True) if m is t)
            change = (t._a - old).astype(np.float64)
            norm = np.sqrt((change * change).sum())
        np.testing.assert_allclose(row[UPDATE], norm, rtol=1e-4)


def test_what_has_no_gradient_has_zeros() -> None:
    made = tensors(np.dtype(np.float32))
    for t in made:
        t.grad = None
    meter = Meter(made)
    meter.measure(1)
    _, rows = meter.table.read()
    assert not rows[:, GRADIENT:VALUE].any()


def test_updates_are_those_since_the_last_measure() -> None:
    t = torch.zeros(4, requires_grad=True)
    meter = Meter([t])
    for step in range(1, 4):
        t._a += step
        meter.measure(step)
        assert meter.table.read()[1][0, UPDATE] == pytest.approx(2.0 * step)


def test_a_reader_beside_the_writer_never_sees_half_a_page() -> None:
    table = Table(50)
    until = time.monotonic() + 0.3

    def write() -> None:
        step = 0
        while time.monotonic() < until:
            step += 1
            table.blank[:] = step
            table.turn(step)

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while writer.is_alive():
        step, rows = table.read()
        assert (rows == step).all()
        seen = max(seen, step)
    writer.join()
    assert seen > 0
