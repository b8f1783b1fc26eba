"""Every operation of the tables, by its samples: gradients, dtypes, layouts, in-place forms."""

import numpy as np
import pytest

import gradcore
from gradcore.autograd.check import gradcheck, gradgradcheck
from gradcore.graph import TensorBase
from gradcore.ops import __all__ as FAMILIES
from gradcore.ops.every import COMPOSITES, METHODS, OPERATIONS
from gradcore.ops.registry import as_sample
from gradcore.ops.samples import arguments


def _entries():
    for name, op in OPERATIONS.items():
        if op.family in FAMILIES:
            yield name, op.call, op.samples, op.gradcheck and op.differentiable
    for name, item in COMPOSITES.items():
        if item.family in FAMILIES:
            yield name, item.function, item.samples, item.gradcheck


CASES = [
    pytest.param(function, sample, checked, id=f"{name}{as_sample(sample)!r}".replace(" ", ""))
    for name, function, samples, checked in _entries()
    for sample in samples
]
DIFFERENTIABLE = [case for case in CASES if case.values[2]]


def leaf(array):
    t = gradcore.from_numpy(array)
    if array.dtype.kind in "fc":
        t.requires_grad_()
    return t


def is_undefined(function):
    """Tell whether the operation, as in torch, refuses to be differentiated."""
    return getattr(getattr(function, "operation", None), "undefined", False)


def flat(args):
    for arg in args:
        if isinstance(arg, (list, tuple)):
            yield from flat(arg)
        else:
            yield arg


def floats(result):
    found = result if isinstance(result, (list, tuple)) else [result]
    return [t for t in flat(found) if isinstance(t, TensorBase)]


def as_function(function, call):
    """Return a function of the call's float tensors alone, and those tensors."""
    tensors = [t for t in flat([*call.args, *call.kwargs.values()]) if isinstance(t, TensorBase)]
    tensors = [t for t in tensors if t.requires_grad]

    def run(*own):
        return tuple(floats(function(*call.args, **call.kwargs)))

    return run, tensors


@pytest.mark.parametrize(("function", "sample", "checked"), DIFFERENTIABLE)
def test_gradient_equals_differences_of_values(function, sample, checked):
    call = arguments(sample, leaf)
    run, tensors = as_function(function, call)
    assert gradcheck(run, tensors)


@pytest.mark.parametrize(("function", "sample", "checked"), DIFFERENTIABLE)
def test_second_gradient_equals_differences_of_gradients(function, sample, checked):
    call = arguments(sample, leaf)
    run, tensors = as_function(function, call)
    assert gradgradcheck(run, tensors, atol=1e-4)


@pytest.mark.parametrize(("function", "sample", "checked"), CASES)
def test_float32_stays_float32(function, sample, checked):
    call = arguments(sample, leaf, kind="float32")
    outs = [t for t in floats(function(*call.args, **call.kwargs)) if t.dtype.is_floating_point]
    if getattr(function, "__name__", "") == "float_power":
        return
    assert {t.dtype for t in outs} <= {gradcore.float32}
    for out in outs:
        if out.requires_grad and not is_undefined(function):
            out.sum().backward(retain_graph=True)
    for t in flat([*call.args, *call.kwargs.values()]):
        if isinstance(t, TensorBase) and t.grad is not None and not t.is_complex():
            assert t.grad.dtype is gradcore.float32


@pytest.mark.parametrize(("function", "sample", "checked"), CASES)
def test_memory_layout_does_not_change_the_result(function, sample, checked):
    def scattered(array):
        wide = np.zeros(
            (*array.shape[:-1], 2 * array.shape[-1]) if array.ndim else (2,), array.dtype
        )
        cut = wide[..., ::2] if array.ndim else wide[0:1].reshape(())
        cut[...] = array
        return gradcore.from_numpy(cut)

    plain, apart = arguments(sample, leaf), arguments(sample, scattered)
    expected = floats(function(*plain.args, **plain.kwargs))
    if function.__name__ in ("as_strided", "view_as_complex"):
        # What they return is the memory itself, or pairs that lie side by side, as in torch.
        return
    found = floats(function(*apart.args, **apart.kwargs))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


INPLACE = [
    pytest.param(name, sample, id=f"{name}{as_sample(sample)!r}".replace(" ", ""))
    for name in sorted(METHODS)
    if name.endswith("_") and not name.startswith("_") and name[:-1] in OPERATIONS
    for sample in OPERATIONS[name[:-1]].samples
    if OPERATIONS[name[:-1]].family in FAMILIES
]


@pytest.mark.parametrize(("name", "sample"), INPLACE)
def test_inplace_form_writes_what_the_plain_form_returns(name, sample):
    call = arguments(sample, gradcore.from_numpy)
    target = call.args[0]
    if not isinstance(target, TensorBase):
        return
    expected = METHODS[name[:-1]](*call.args, **call.kwargs)
    if expected.shape != target.shape:
        return
    before = target.data_ptr()
    version = target._version
    returned = METHODS[name](*call.args, **call.kwargs)
    assert returned is target
    assert target.data_ptr() == before
    assert target._version == version + 1
    np.testing.assert_allclose(target.numpy(), expected.numpy().astype(target.numpy().dtype))


@pytest.mark.parametrize(("name", "sample"), INPLACE)
def test_inplace_form_has_the_gradient_of_the_plain_form(name, sample):
    plain, written = arguments(sample, leaf), arguments(sample, leaf)
    target = plain.args[0]
    if not isinstance(target, TensorBase) or not target.requires_grad:
        return
    out = METHODS[name[:-1]](*plain.args, **plain.kwargs)
    if out.shape != target.shape or not out.requires_grad or OPERATIONS[name[:-1]].undefined:
        return
    other = METHODS[name](written.args[0].clone(), *written.args[1:], **written.kwargs)
    out.sum().backward()
    try:
        other.sum().backward()
    except gradcore.errors.ModifiedError:
        return
    for a, b in zip(flat(plain.args), flat(written.args), strict=True):
        if isinstance(a, TensorBase) and a.requires_grad:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy())
