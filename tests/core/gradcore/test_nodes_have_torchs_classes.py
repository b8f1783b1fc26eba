"""Code that draws graphs walks `grad_fn` and asks for the class of each node."""

import pytest

import gradcore
import gradcore.autograd.graph

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)


def walked(lib, y):
    names, waiting = [], [y.grad_fn]
    while waiting:
        node = waiting.pop(0)
        names.append(type(node).__name__)
        waiting += [parent for parent, _ in node.next_functions if parent is not None]
    return names


def graph_of_a_layer(lib):
    x = lib.ones(2, 3)
    w, b = lib.ones(3, 4, requires_grad=True), lib.ones(4, requires_grad=True)
    hidden = (x @ w + b).relu()
    return (hidden**2 + (hidden * 2).exp()).mean()


def test_classes_of_a_whole_graph_have_torchs_names():
    names = walked(gradcore, graph_of_a_layer(gradcore))
    assert names.count("AccumulateGrad") == 4
    assert names == walked(torch, graph_of_a_layer(torch))


NAMED = {
    "product without bias": lambda lib, x: lib.nn.functional.linear(x, x),
    "number to the power": lambda lib, x: 2**x,
    "square": lambda lib, x: x.square(),
    "view": lambda lib, x: x.view(-1),
    "row": lambda lib, x: x[0],
    "rows": lambda lib, x: x[:1],
    "bilinear": lambda lib, x: lib.nn.functional.interpolate(
        x[None, None], size=5, mode="bilinear"
    ),
    "loss with logits": lambda lib, x: lib.nn.functional.binary_cross_entropy_with_logits(
        x, lib.ones(2, 2)
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_node_is_named_as_on_torch_also_after_backward(name):
    found = []
    for lib in (gradcore, torch):
        y = NAMED[name](lib, lib.ones(2, 2, requires_grad=True))
        before = y.grad_fn.name()
        y.sum().backward()
        found.append((before, y.grad_fn.name(), type(y.grad_fn).__name__))
    assert found[0] == found[1]


def test_backward_passes_nodes_that_were_looked_at():
    x = gradcore.ones(2, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    assert [type(node).__name__ for node, _ in z.grad_fn.next_functions] == ["MulBackward0"]
    assert isinstance(y.grad_fn, gradcore.autograd.graph.Node)
    z.backward()
    assert x.grad.tolist() == [8.0, 8.0]


def test_node_hands_out_what_it_saved_under_torchs_names():
    x = gradcore.tensor([1.0, 2.0], requires_grad=True)
    assert (x * x).grad_fn._saved_self is x
    assert x.exp().grad_fn._saved_result.tolist() == x.exp().tolist()


def test_hook_on_several_gradients_is_called_once_with_all():
    for lib in (gradcore, torch):
        a, b = lib.ones(1, requires_grad=True), lib.ones(1, requires_grad=True)
        seen = []
        handle = lib.autograd.graph.register_multi_grad_hook((a, b), seen.append)
        (a * b * 3).sum().backward()
        handle.remove()
        (a * b).sum().backward()
        assert [[g.item() for g in gradients] for gradients in seen] == [[3.0, 3.0]]


def test_variable_of_old_scripts_is_a_tensor():
    for lib in (gradcore, torch):
        made = lib.autograd.Variable(lib.ones(2), requires_grad=True)
        assert type(made) is lib.Tensor
        assert made.requires_grad
        assert isinstance(lib.ones(1), lib.autograd.Variable)
