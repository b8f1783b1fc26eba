"""The operations under the layers, by the samples beside them: gradients and dtypes."""

import numpy as np
import pytest

import gradcore
from gradcore.autograd.check import gradcheck, gradgradcheck
from gradcore.graph import TensorBase
from gradcore.ops import __all__ as FAMILIES
from gradcore.ops.every import OPERATIONS
from gradcore.ops.registry import as_sample
from gradcore.ops.samples import arguments

CASES = [
    pytest.param(op, sample, id=f"{name}{as_sample(sample)!r}".replace(" ", ""))
    for name, op in sorted(OPERATIONS.items())
    if op.family not in FAMILIES  # those are tested with the tables
    for sample in op.samples
]


def leaf(array: np.ndarray):
    tensor = gradcore.from_numpy(array)
    return tensor.requires_grad_() if array.dtype.kind == "f" else tensor


def outputs_of(op, call) -> tuple:
    found = op.call(*call.args, **call.kwargs)
    found = found if isinstance(found, tuple) else (found,)
    return tuple(t for t in found if t.is_floating_point())


def leaves(call) -> list:
    values = [*call.args, *call.kwargs.values()]
    return [t for t in values if isinstance(t, TensorBase) and t.requires_grad]


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_gradient_is_that_of_small_differences(op, sample) -> None:
    call = arguments(sample, leaf)
    assert gradcheck(lambda *_: outputs_of(op, call), leaves(call))


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_second_gradient_is_that_of_small_differences(op, sample) -> None:
    call = arguments(sample, leaf)
    assert gradgradcheck(lambda *_: outputs_of(op, call), leaves(call), atol=1e-4)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_single_precision_stays_single(op, sample) -> None:
    call = arguments(sample, leaf, kind="float32")
    outputs = outputs_of(op, call)
    assert {t.dtype for t in outputs} == {gradcore.float32}
    sum((t * t).sum() for t in outputs).backward()
    assert {t.grad.dtype for t in leaves(call)} == {gradcore.float32}


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_memory_order_does_not_matter(op, sample) -> None:
    def scattered(array: np.ndarray):
        wide = np.zeros((*array.shape, 2), array.dtype)
        wide[..., 0] = array
        return gradcore.from_numpy(wide[..., 0])

    plain = outputs_of(op, arguments(sample, gradcore.from_numpy))
    apart = outputs_of(op, arguments(sample, scattered))
    for one, other in zip(plain, apart, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)
