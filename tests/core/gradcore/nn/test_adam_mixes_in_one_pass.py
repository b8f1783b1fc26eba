"""Adam moves by sums of scaled arrays in one pass, where NumPy's BLAS has them."""

import numpy as np
import pytest

import gradcore as torch
from gradcore.ops.openblas import scaled_sum
from gradcore.optim.adam import _AdamStep
from gradcore.optim.mixing import Places, mixer

needs_blas = pytest.mark.skipif(scaled_sum("f") is None, reason="NumPy comes without OpenBLAS")


@needs_blas
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_mixing_scales_and_adds(kind):
    mix = mixer(np.dtype(kind), None)
    assert mix is not None
    x, y = np.array([1, 2, np.inf, 4], kind), np.array([10, np.nan, 30, 40], kind)
    mix(0.5, x, 2.0, y)
    np.testing.assert_array_equal(y, np.array([20.5, np.nan, np.inf, 82], kind))


@needs_blas
def test_mixing_takes_arrays_with_gaps():
    mix = mixer(np.dtype(np.float32), None)
    assert mix is not None
    x, y = np.arange(12, dtype=np.float32).reshape(3, 4).T, np.ones((4, 6), np.float32)[:, ::2]
    mix(2.0, x, 1.0, y)
    np.testing.assert_array_equal(y, 1 + 2 * x)


@needs_blas
def test_arrays_that_are_forgotten_are_let_go():
    places = Places()
    mix = mixer(np.dtype(np.float32), places)
    assert mix is not None
    x, y = np.ones(3, np.float32), np.ones(3, np.float32)
    places.add(x, y)
    mix(1.0, x, 1.0, y)
    places.forget(x, y)
    assert places.known == {}
    mix(1.0, x, 1.0, y)
    assert y.tolist() == [3.0, 3.0, 3.0]


def test_mixing_leaves_half_precision_to_numpy():
    assert mixer(np.dtype(np.float16), None) is None


def _trained(steps: int, **settings: float) -> list[np.ndarray]:
    draw = np.random.default_rng(2)
    shapes = [(300, 300), (300,), (7, 5), ()]
    params = [torch.nn.Parameter(torch.tensor(draw.standard_normal(s))) for s in shapes]
    optimizer = torch.optim.AdamW(params, **settings)
    for _ in range(steps):
        for p in params:
            p.grad = torch.tensor(draw.standard_normal(p._a.shape))
        optimizer.step()
    return [p.detach().numpy() for p in params]


@pytest.mark.parametrize("settings", [{"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.0}, {"lr": 0.0}])
def test_one_pass_ends_where_several_end(monkeypatch, settings):
    mixed = _trained(6, **settings)
    monkeypatch.setattr(_AdamStep, "move", _AdamStep._move_by_passes)
    for one, other in zip(mixed, _trained(6, **settings), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_a_rate_of_zero_lets_nan_through_as_on_torch():
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([p], lr=0.0)
    p.grad = torch.tensor([1.0, float("nan"), 1.0])
    optimizer.step()
    assert np.isnan(p.detach().numpy()).tolist() == [False, True, False]


def test_an_infinite_gradient_makes_the_mean_nan_as_on_torch():
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([p])
    for value in (float("inf"), 1.0):
        p.grad = torch.tensor([value, 1.0])
        optimizer.step()
    state = optimizer.state[p]
    assert np.isnan(state["exp_avg"].numpy()).tolist() == [True, False]
    assert np.isinf(state["exp_avg_sq"].numpy()).tolist() == [True, False]
