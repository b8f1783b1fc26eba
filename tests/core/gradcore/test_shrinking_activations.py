"""softshrink, hardshrink and hardswish at their limits, at infinities and NaN: as torch."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

EDGES = [-np.inf, -1e30, -3.0, -0.5, -0.0, 0.0, 0.25, 0.5, 0.75, 2.9999998, 3.0, 1e30, np.inf]


def seen(library, name, values):
    x = library.from_numpy(values.copy()).requires_grad_()
    out = getattr(library.nn.functional, name)(x)
    (slope,) = library.autograd.grad(out, x, library.from_numpy(np.arange(1.0, len(values) + 1)))
    return out.detach().numpy(), slope.numpy()


@pytest.mark.parametrize("name", ["softshrink", "hardshrink", "hardswish"])
def test_values_and_gradients_at_the_limits_are_torchs(name):
    # 64 of each: torch goes through whole vectors, and through the rest, by different code.
    values = np.repeat([*EDGES, np.nan], 64)
    for expected, found in zip(
        seen(torch, name, values), seen(gradcore, name, values), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
