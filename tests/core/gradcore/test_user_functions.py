"""Functions with a backward of their own, checks of gradients, anomalies, Jacobians."""

import gc
import weakref

import numpy as np
import pytest

import gradcore as torch
from gradcore.errors import AutogradError


def test_user_function_has_its_own_backward():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = torch.tensor([2.0], requires_grad=True)
    y = Cube.apply(x)
    assert y.grad_fn.name() == "CubeBackward"
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.item() == 12.0
    (second,) = torch.autograd.grad(g, x)
    assert second.item() == 12.0
    assert torch.autograd.gradcheck(
        Cube.apply, torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
    )


def test_user_function_that_saves_its_output_leaves_no_cycle():
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    gc.collect()
    gc.disable()
    try:
        y = Exp.apply(torch.ones(1, requires_grad=True))
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_user_function_with_the_wrong_number_of_gradients_is_refused():
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g

    a = torch.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        Two.apply(a, a).backward()


def test_user_function_gets_zeros_for_an_output_nobody_used():
    seen = []

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            seen.append(second.tolist())
            return first * 2 + second * 3

    x = torch.ones(2, requires_grad=True)
    first, _ = Both.apply(x)
    first.sum().backward()
    assert seen == [[0.0, 0.0]]
    assert x.grad.tolist() == [2.0, 2.0]


def test_anomaly_detection_names_the_operation():
    x = torch.zeros(1, requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = (x / x).sum()
        with pytest.raises(RuntimeError, match=r"'DivBackward0' returned nan"):
            y.backward()


def test_graph_is_freed_by_reference_counting_alone():
    gc.collect()
    gc.disable()
    try:
        x = torch.ones(3, 3, requires_grad=True)
        y = torch.softmax((x @ x).tanh().relu(), 1).max(1)[0].sum()
        node = weakref.ref(y.grad_fn.next_functions[0][0])
        del y
        assert node() is None
    finally:
        gc.enable()


def test_wrong_gradient_function_is_found_by_gradcheck():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(AutogradError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(Wrong.apply, x)


def test_jacobian_and_hessian():
    x = torch.tensor([1.0, 2.0])
    jacobian = torch.autograd.functional.jacobian(lambda t: t**2, x)
    assert jacobian.tolist() == [[2.0, 0.0], [0.0, 4.0]]
    hessian = torch.autograd.functional.hessian(lambda t: (t**3).sum(), x)
    assert hessian.tolist() == [[6.0, 0.0], [0.0, 12.0]]
    _, product = torch.autograd.functional.jvp(lambda t: t**2, x, torch.ones(2))
    assert product.tolist() == [2.0, 4.0]
    _, product = torch.autograd.functional.vhp(lambda t: (t**3).sum(), x, torch.ones(2))
    assert product.tolist() == [6.0, 12.0]


def test_one_array_may_be_reached_by_many_leaves_at_once():
    leaves = [torch.ones(2, requires_grad=True) for _ in range(3)]
    torch.stack(leaves).sum().backward()
    pointers = {leaf.grad.data_ptr() for leaf in leaves}
    assert len(pointers) == 3
    np.testing.assert_array_equal(leaves[0].grad.numpy(), [1.0, 1.0])
