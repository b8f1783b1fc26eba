"""Large products are cut into tiles where OpenBLAS is faster so; eager and replay cut alike."""

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.ops import tiles
from gradcore.ops.sums import product

SIZES = [
    (64, 784, 256),
    (512, 256, 128),
    (100, 300, 50),
    (96, 130, 97),
    (40, 3000, 40),
    (128, 2048, 64),
]


@pytest.fixture(autouse=True)
def processor_with_small_kernels(monkeypatch):
    """Let every processor count as one on which tiles are faster: the result is the same on all."""
    caches = (tiles._plan, tiles.band_width)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(tiles, "has_small_kernels", lambda: True)
    yield
    for cache in caches:
        cache.cache_clear()


def matrix(rows, columns, order):
    numbers = np.random.default_rng(rows + columns)
    if order == "F":
        return numbers.standard_normal((columns, rows), np.float32).T
    return numbers.standard_normal((rows, columns), np.float32)


@pytest.mark.parametrize("orders", ["CC", "CF", "FC", "FF"])
@pytest.mark.parametrize("size", SIZES)
def test_product_is_that_of_the_whole_matrices(size, orders):
    m, k, n = size
    x, y = matrix(m, k, orders[0]), matrix(k, n, orders[1])
    found = product(x, y)
    np.testing.assert_allclose(found, x.astype(np.float64) @ y, rtol=1e-4, atol=2e-3)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("orders", ["CC", "CF", "FC"])
def test_large_matrices_are_cut(orders):
    plan = tiles.plan_of(matrix(128, 256, orders[0]), matrix(256, 192, orders[1]))
    assert plan is not None
    assert 128 % plan.high == 0 or plan.copied == 2


def test_long_sums_over_turned_rows_are_cut():
    plan = tiles.plan_of(matrix(128, 2048, "F"), matrix(2048, 64, "C"))
    assert plan.sums == 4


@pytest.mark.parametrize("case", ["small", "double", "gaps", "odd"])
def test_others_are_not_cut(case):
    x, y = {
        "small": (matrix(64, 64, "C"), matrix(64, 64, "C")),
        "double": (np.zeros((256, 256)), np.zeros((256, 256))),
        "gaps": (matrix(256, 512, "C")[:, ::2], matrix(256, 256, "C")),
        "odd": (matrix(251, 257, "C"), matrix(257, 241, "C")),
    }[case]
    assert tiles.plan_of(x, y) is None


def test_nan_spreads_along_its_row_and_no_further():
    x, y = matrix(128, 256, "C"), matrix(192, 256, "C").T
    x[5, 7] = np.nan
    assert np.isnan(product(x, y)).all(axis=1).nonzero()[0].tolist() == [5]


def test_shapes_that_do_not_fit_are_refused_as_ever():
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(2000x30 and 31x2000\)"):
        gradcore.zeros(2000, 30) @ gradcore.zeros(31, 2000)


@pytest.mark.parametrize("shape", [(64, 784), (512, 784), (16, 128, 784)])
def test_replayed_step_gives_the_bits_of_eager(shape):
    def maker():
        gradcore.manual_seed(0)
        model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.Tanh())
        optimizer = gradcore.optim.Adam(model.parameters())

        def step(x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return model, step

    x = gradcore.tensor(np.random.default_rng(0).standard_normal(shape, np.float32))
    eager, plain = maker()
    replayed, step = maker()
    step = gradcore.compile(step, mode="replay")
    losses = [[one(x).item() for _ in range(6)] for one in (plain, step)]
    assert step.mode == "replay"
    assert losses[0] == losses[1]
    for first, second in zip(eager.parameters(), replayed.parameters(), strict=True):
        assert first.detach().numpy().tobytes() == second.detach().numpy().tobytes()
