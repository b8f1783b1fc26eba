"""What eager does in a quicker way than its tables say comes to the same result."""

import gc
import weakref

import numpy as np
import pytest
import torch

import gradcore
from gradcore.graph import AccumulateGrad
from gradcore.nn import functional


def heads(rows: int, columns: int) -> list[np.ndarray]:
    numbers = np.random.default_rng(0)
    return [
        numbers.standard_normal((2, size, 4, 16)).astype(np.float32).transpose(0, 2, 1, 3)
        for size in (rows, columns, columns)
    ]


@pytest.mark.parametrize("masked", ["no", "causal", "bias"])
@pytest.mark.parametrize("columns", [128, 96])
def test_attention_of_many_heads_equals_torch(masked: str, columns: int) -> None:
    bias = np.random.default_rng(1).standard_normal((128, columns)).astype(np.float32)
    results = []
    for library in (torch, gradcore):
        attend = library.nn.functional.scaled_dot_product_attention
        q, k, v = (library.tensor(a.copy(), requires_grad=True) for a in heads(128, columns))
        mask = library.tensor(bias) if masked == "bias" else None
        y = attend(q, k, v, attn_mask=mask, is_causal=masked == "causal")
        (y * y).sum().backward()
        results.append([y.detach().numpy(), *(x.grad.numpy() for x in (q, k, v))])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


WAYS = [
    lambda library, h: h * 2 + h.exp(),
    lambda library, h: h.exp() + h * 2,
    lambda library, h: (h * 2).sin() * h + h.unbind()[0],
    lambda library, h: h.unbind()[0] + (h * 2).sin() * h,
    lambda library, h: h + library.cat([h, h * h])[:2],
]


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_is_reached_by_two_ways_gets_both_gradients(way) -> None:
    found = []
    for library in (torch, gradcore):
        x = library.tensor([1.0, 2.0], requires_grad=True)
        way(library, x * 3).sum().backward()
        found.append(x.grad.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


def test_backward_passes_nodes_that_were_looked_at() -> None:
    x = gradcore.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 3).exp().sum()
    node = y.grad_fn
    while not isinstance(node, AccumulateGrad):
        node = node.next_functions[0][0]
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * np.exp([3.0, 6.0]), rtol=1e-6)


def test_a_row_added_to_a_stack_gets_the_sum_over_the_stack() -> None:
    for shape in [(5, 3), (2, 5, 3), (2, 0, 3), (4, 2, 5, 3)]:
        row = gradcore.ones(3, requires_grad=True)
        weight = gradcore.arange(int(np.prod(shape))).reshape(shape).float()
        ((gradcore.zeros(shape) + row) * weight).sum().backward()
        np.testing.assert_allclose(row.grad.numpy(), weight.numpy().reshape(-1, 3).sum(0))


def test_the_gradient_of_a_sum_may_be_written_to() -> None:
    x = gradcore.ones(2, 3, requires_grad=True)
    x.sum().backward()
    x.grad[0, 0] = 5.0
    assert x.grad.tolist() == [[5.0, 1.0, 1.0], [1.0, 1.0, 1.0]]


@pytest.mark.parametrize("classes", [1, 2, 8, 9, 40])
def test_cross_entropy_of_few_and_many_classes_equals_torch(classes: int) -> None:
    numbers = np.random.default_rng(classes)
    scores = numbers.standard_normal((16, classes)).astype(np.float32) * 30
    scores[3, 0] = -np.inf
    targets = numbers.integers(0, classes, 16)
    targets[3] = classes - 1
    results = []
    for library in (torch, gradcore):
        x = library.tensor(scores, requires_grad=True)
        loss = library.nn.functional.cross_entropy(x, library.tensor(targets))
        loss.backward()
        results.append((loss.detach().numpy(), x.grad.numpy()))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-5)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("reduce", [lambda x: x.mean(), lambda x: x.sum() * 0.3])
def test_a_scaled_loss_gives_the_scaled_gradient_to_the_last_bit(reduce) -> None:
    scores = gradcore.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 0.3]], requires_grad=True)
    targets = gradcore.tensor([0, 2])
    (functional.cross_entropy(scores, targets) * 0.25).backward()
    quarter, scores.grad = scores.grad, None
    functional.cross_entropy(scores, targets).backward()
    assert (quarter == scores.grad * 0.25).all()
    scores.grad = None
    reduce(scores * 2).backward()
    assert scores.grad.dtype == gradcore.float32


def test_linear_names_both_dtypes_where_they_differ() -> None:
    x, weight = gradcore.ones(2, 3), gradcore.ones(4, 3, dtype=gradcore.float64)
    with pytest.raises(RuntimeError, match="expected m1 and m2 to have the same dtype"):
        functional.linear(x, weight)


@pytest.mark.parametrize("name", ["tanh", "exp", "relu", "sigmoid", "sqrt", "softmax"])
def test_a_result_that_is_dropped_goes_at_once(name: str) -> None:
    x = gradcore.ones(3, 3, requires_grad=True)
    y = getattr(x, name)(-1) if name == "softmax" else getattr(x, name)()
    gone = weakref.ref(y)
    gc.disable()
    try:
        del y
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("look", [lambda y: y, lambda y: y.detach(), lambda y: y[0]])
def test_an_output_that_is_written_to_after_it_was_kept_is_refused(look) -> None:
    y = gradcore.ones(3, 3, requires_grad=True).exp()
    z = y.sum()
    with gradcore.no_grad():
        look(y).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()
