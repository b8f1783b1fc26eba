"""Activation functions with ``inplace=True``: one node, and torch's values and gradients."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

CASES = [
    ("relu", ()),
    ("leaky_relu", (0.2,)),
    ("leaky_relu", (2.0,)),
    ("relu6", ()),
    ("hardtanh", ()),
    ("hardtanh", (-2.0, 0.5)),
    ("elu", ()),
    ("elu", (0.5,)),
    ("elu", (0.0,)),
    ("selu", ()),
    ("celu", (0.7,)),
    ("silu", ()),
    ("mish", ()),
    ("hardsigmoid", ()),
    ("hardswish", ()),
    ("threshold", (0.1, 0.05)),
]


def trained(library, name, settings, kind="float64"):
    values = np.random.default_rng(0).uniform(-4, 7, (40, 60)).astype(kind)
    x = library.from_numpy(values).requires_grad_()
    y = x * 1.5
    out = getattr(library.nn.functional, name)(y, *settings, inplace=True)
    assert out is y
    (out * library.from_numpy(values)).sum().backward()
    return out.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_written_values_and_their_gradient_are_torchs(name, settings, kind):
    theirs, ours = (trained(library, name, settings, kind) for library in (torch, gradcore))
    # Some of torch's constants are in single precision for doubles, too.
    tolerance = 1e-7 if kind == "float64" else 2e-5
    for expected, found in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_write_of_an_activation_is_one_node(name, settings):
    before = gradcore.ones(2, requires_grad=True) * 1
    node = before.grad_fn
    after = getattr(gradcore.nn.functional, name)(before, *settings, inplace=True)
    assert [parent for parent, _ in after.grad_fn.next_functions] == [node]


@pytest.mark.parametrize(
    ("name", "settings"), [("leaky_relu", (-0.3,)), ("leaky_relu", (0.0,)), ("elu", (-0.5,))]
)
def test_settings_that_torch_refuses_have_the_gradient_of_the_plain_form(name, settings):
    x = gradcore.linspace(-3, 3, 13, dtype=gradcore.float64).requires_grad_()
    function = getattr(gradcore.nn.functional, name)
    (expected,) = gradcore.autograd.grad(function(x, *settings).sum(), x)
    (found,) = gradcore.autograd.grad(function(x * 1, *settings, inplace=True).sum(), x)
    np.testing.assert_allclose(found.numpy(), expected.numpy())


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "selu", "celu", "silu", "relu6"])
def test_written_activation_has_a_second_gradient(name):
    x = gradcore.linspace(-2, 2, 9, dtype=gradcore.float64).requires_grad_()
    function = getattr(gradcore.nn.functional, name)
    found = []
    for write in (False, True):
        out = function(x * x * x, inplace=write)
        (first,) = gradcore.autograd.grad(out.sum(), x, create_graph=True)
        found.append(gradcore.autograd.grad((first * first).sum(), x)[0].numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_whole_numbers_are_refused_where_the_result_has_a_fraction():
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
        gradcore.nn.functional.leaky_relu(gradcore.tensor([-3, 2]), inplace=True)
    limited = gradcore.nn.functional.relu6(gradcore.tensor([-3, 2, 9]), inplace=True)
    assert limited.tolist() == [0, 2, 6]


def test_tensor_that_lies_with_gaps_is_written_to():
    whole = gradcore.tensor([[-1.0, 5.0], [-2.0, 5.0]])
    gradcore.nn.functional.leaky_relu(whole[:, 0], 0.5, inplace=True)
    assert whole.tolist() == [[-0.5, 5.0], [-1.0, 5.0]]
