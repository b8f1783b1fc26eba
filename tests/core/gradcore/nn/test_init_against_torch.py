"""Fills for Parameters draw what PyTorch draws from the same seed."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity to check")

FILLS = [
    ("uniform_", {"a": -0.5, "b": 2.0}),
    ("normal_", {"mean": 1.0, "std": 0.3}),
    ("trunc_normal_", {"std": 0.02}),
    ("trunc_normal_", {"mean": 0.0, "std": 1.0, "a": -0.1, "b": 0.2}),
    ("constant_", {"val": 0.3}),
    ("ones_", {}),
    ("zeros_", {}),
    ("eye_", {}),
    ("xavier_uniform_", {"gain": 1.5}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": 0.1, "mode": "fan_out"}),
    ("kaiming_normal_", {"nonlinearity": "relu"}),
    ("orthogonal_", {"gain": 2.0}),
    ("sparse_", {"sparsity": 0.3}),
]


def filled(library, name, settings, shape):
    library.manual_seed(5)
    parameter = library.nn.Parameter(library.zeros(shape))
    returned = getattr(library.nn.init, name)(parameter, **settings)
    assert returned is parameter
    assert parameter.grad_fn is None
    return parameter.detach().numpy()


@pytest.mark.parametrize("shape", [(6, 9), (9, 4)])
@pytest.mark.parametrize(("name", "settings"), FILLS)
def test_values_are_those_of_torch(name, settings, shape):
    own, theirs = (filled(library, name, settings, shape) for library in (gradcore, torch))
    np.testing.assert_allclose(own, theirs, rtol=1e-4, atol=1e-6)


def test_dirac_hands_channels_through():
    own, theirs = (filled(lib, "dirac_", {"groups": 2}, (4, 2, 3, 3)) for lib in (gradcore, torch))
    np.testing.assert_array_equal(own, theirs)


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "tanh", "relu", "leaky_relu", "selu", "sigmoid"]
)
def test_gains_are_those_of_torch(name):
    own = gradcore.nn.init.calculate_gain(name)
    assert own == pytest.approx(torch.nn.init.calculate_gain(name))
