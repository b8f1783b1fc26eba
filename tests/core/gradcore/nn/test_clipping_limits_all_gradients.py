"""Gradients of any size and layout are clipped as PyTorch clips them."""

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn


def _parameter(gradient: np.ndarray) -> nn.Parameter:
    p = nn.Parameter(torch.zeros(*gradient.shape, dtype=torch.float32))
    p.grad = torch.zeros(*gradient.shape)
    p.grad._a = gradient
    return p


@pytest.mark.parametrize("count", [0, 1, 7, 40_000])
def test_values_are_limited_and_nan_stays(count):
    gradient = np.linspace(-3, 3, count, dtype=np.float32)
    if count > 1:
        gradient[1] = np.nan
    expected = np.clip(gradient, -0.5, 0.5)
    p = _parameter(gradient)
    nn.utils.clip_grad_value_([p], 0.5)
    np.testing.assert_array_equal(p.grad.numpy(), expected)


def test_gradients_with_gaps_are_limited():
    p = _parameter(np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2])
    nn.utils.clip_grad_value_(p, 4.0)
    assert p.grad.numpy().tolist() == [[0, 2], [4, 4], [4, 4]]


def test_the_joint_norm_is_limited_and_returned():
    params = [_parameter(np.full(3, 2, np.float32)), _parameter(np.full((1, 1), 2, np.float32))]
    total = nn.utils.clip_grad_norm_(params, 1.0)
    assert total.item() == 4.0
    assert total.dtype is torch.float32
    for p in params:
        np.testing.assert_allclose(p.grad.numpy(), 0.5, rtol=1e-5)
        assert p.grad._version == 1


def test_a_norm_of_nan_spreads_to_every_gradient():
    params = [_parameter(np.array([np.nan], np.float32)), _parameter(np.ones(2, np.float32))]
    nn.utils.clip_grad_norm_(params, 1.0)
    assert np.isnan(params[1].grad.numpy()).all()
