"""Batch norm of images goes block by block and gives what the plain formula gives."""

import numpy as np
import pytest

import gradcore as torch
from gradcore.nn import functional as F
from gradcore.ops.channels import normalize_channels

SHAPES = [
    (16, 8, 10, 10),
    (32, 64, 4, 4),
    (3, 5, 300, 2),
    (2, 3, 400, 400),
    (2, 70, 60, 60),
    (8, 4, 200),
    (2, 2, 10, 12, 14),
]


def _channel(numbers: np.ndarray, ndim: int) -> np.ndarray:
    return numbers.reshape((1, -1) + (1,) * (ndim - 2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_affine", [True, False])
def test_values_and_gradients_are_those_of_the_formula(shape, is_affine):
    draw = np.random.default_rng(3)
    x = draw.standard_normal(shape) * 2 + 1
    weight = draw.standard_normal(shape[1]) if is_affine else np.ones(shape[1])
    g = draw.standard_normal(shape)
    axes = (0, *range(2, len(shape)))
    count = x.size // shape[1]
    inverse = 1 / np.sqrt(x.var(axes) + 1e-5)
    x_hat = (x - x.mean(axes, keepdims=True)) * _channel(inverse, x.ndim)
    expected = x_hat * _channel(weight, x.ndim)
    slope = _channel((g * x_hat).sum(axes) / count, x.ndim)
    into_x = g - g.mean(axes, keepdims=True) - x_hat * slope
    into_x *= _channel(weight * inverse, x.ndim)

    own = torch.tensor(x, dtype=torch.float32, requires_grad=True)
    scale = torch.tensor(weight, dtype=torch.float32, requires_grad=True) if is_affine else None
    shift = torch.zeros(shape[1], requires_grad=True) if is_affine else None
    y = F.batch_norm(own, None, None, scale, shift, True)
    y.backward(torch.tensor(g, dtype=torch.float32))
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(own.grad.numpy(), into_x, rtol=1e-3, atol=1e-4)
    if scale is not None and shift is not None:
        np.testing.assert_allclose(scale.grad.numpy(), (g * x_hat).sum(axes), rtol=1e-3, atol=5e-2)
        np.testing.assert_allclose(shift.grad.numpy(), g.sum(axes), rtol=1e-3, atol=5e-2)


def test_results_are_no_views_of_other_memory():
    x = np.random.default_rng(0).standard_normal((4, 8, 16, 16), np.float32)
    assert all(a.base is None for a in normalize_channels(x, None, None, 1e-5)[:2])
    own = torch.tensor(x)
    assert F.conv2d(own, torch.ones(3, 8, 3, 3), padding=1)._a.base is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_channel_alone(bad):
    x = np.random.default_rng(0).standard_normal((4, 8, 16, 16), np.float32)
    x[1, 2, 3, 4] = bad
    y = F.batch_norm(torch.tensor(x), None, None, None, None, True).numpy()
    assert np.isnan(y[:, 2]).all()
    assert np.isfinite(np.delete(y, 2, 1)).all()
