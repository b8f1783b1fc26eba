"""The middle one of three axes is summed by products with ones, to the same values."""

import numpy as np
import pytest

import gradcore as torch


@pytest.mark.parametrize("shape", [(4, 50, 16), (1, 3, 1), (5, 1, 7), (2, 0, 3)])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [1, -2, (1,)])
def test_sums_and_means_are_those_of_numpy(shape, keepdim, dim):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    for t in (torch.tensor(x), torch.tensor(x.transpose(2, 1, 0).copy()).permute(2, 1, 0)):
        total, mean = t.sum(dim, keepdim), t.mean(dim, keepdim)
        np.testing.assert_allclose(total.numpy(), x.sum(1, keepdims=keepdim), rtol=1e-5, atol=1e-5)
        if shape[1]:
            np.testing.assert_allclose(mean.numpy(), x.mean(1, keepdims=keepdim), 1e-5, 1e-5)
        assert total.dtype is mean.dtype is torch.float32
        assert total._a.base is None


def test_what_is_not_finite_stays_in_its_sum():
    x = torch.ones(2, 4, 3)
    x[0, 1, 2], x[1, 0, 0], x[1, 1, 0] = float("inf"), float("inf"), float("-inf")
    found = x.sum(1).numpy()
    assert found[0].tolist() == [4.0, 4.0, float("inf")]
    assert np.isnan(found[1, 0])
    assert found[1, 1:].tolist() == [4.0, 4.0]
