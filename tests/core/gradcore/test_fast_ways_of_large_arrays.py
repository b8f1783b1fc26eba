"""Kernels take other ways with long arrays than with the tables' small samples: the same values."""

import numpy as np
import pytest

import gradcore
import gradcore.nn.functional as own
from gradcore.ops.choosing import at_least, at_most, choose, kept

torch = pytest.importorskip("torch")
theirs = torch.nn.functional

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 3.0, -3.0, 0.5, -0.5]


def long_array(kind="float32", shape=(48, 1024)):
    values = np.random.default_rng(0).normal(size=shape).astype(kind)
    values.reshape(-1)[: len(ODD)] = ODD
    return values * 4


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize(
    "shapes", [((48, 64),) * 3, ((64,), (48, 64), (48, 1)), ((48, 64), (), ())]
)
def test_choosing_by_bits_is_np_where(kind, shapes):
    numbers = np.random.default_rng(1)
    mask = numbers.random(shapes[0]) < 0.5
    one, other = ((numbers.normal(size=shape) * 9).astype(kind) for shape in shapes[1:])
    for first, second in ((one, other), (one, 0), (3, other), (other, one)):
        if np.ndim(first) or np.ndim(second):
            expected = np.where(mask, first, second)
            found = choose(mask, first, second)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_what_is_not_kept_is_zero_even_if_it_is_nan():
    values = np.full(5000, np.nan, np.float32)
    mask = np.arange(5000) % 3 == 0
    found = kept(mask, values)
    assert np.isnan(found[mask]).all()
    assert (found[~mask] == 0).all()


@pytest.mark.parametrize("size", [16384, 16411, 40000])
def test_limits_of_long_arrays_are_numpys(size):
    values = np.resize(long_array(), size)
    np.testing.assert_array_equal(at_least(values, 0.5), np.maximum(values, 0.5))
    np.testing.assert_array_equal(at_most(values, 0.5), np.minimum(values, 0.5))


ACTIVATIONS = {
    "leaky_relu": {}, "elu": {"alpha": 0.7}, "selu": {}, "celu": {"alpha": 0.7}, "silu": {},
    "softplus": {"beta": 2.0, "threshold": 3.0}, "mish": {}, "logsigmoid": {}, "hardswish": {},
    "threshold": {"threshold": 0.2, "value": -1.0}, "softshrink": {}, "hardshrink": {},
    "relu": {}, "relu6": {}, "hardsigmoid": {},
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_of_a_long_array_is_torchs(name):
    results = []
    for library, functions in ((torch, theirs), (gradcore, own)):
        x = library.from_numpy(long_array()).requires_grad_()
        y = getattr(functions, name)(x, **ACTIVATIONS[name])
        y.backward(library.from_numpy(long_array()[::-1].copy()))
        finite = np.isfinite(x.detach().numpy())
        results.append((y.detach().numpy()[finite], x.grad.numpy()[finite]))
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
