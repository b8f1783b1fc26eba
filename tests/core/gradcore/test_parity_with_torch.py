"""Values and gradients of every operation against PyTorch's, where it is installed."""

import numpy as np
import pytest

import gradcore
from gradcore.graph import TensorBase
from gradcore.ops import __all__ as FAMILIES
from gradcore.ops.every import COMPOSITES, OPERATIONS
from gradcore.ops.registry import as_sample
from gradcore.ops.samples import arguments

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)


def _entries():
    for name, op in OPERATIONS.items():
        if op.family in FAMILIES:
            yield name, op.call, op.samples, op.parity
    for name, item in COMPOSITES.items():
        if item.family in FAMILIES:
            yield name, item.function, item.samples, item.parity


def _theirs(name, parity):
    if parity == "method":
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)
    found = torch
    for part in parity.split(".")[1:]:
        found = getattr(found, part)
    return getattr(found, name.rpartition(".")[2])


CASES = [
    pytest.param(name, function, sample, parity, id=f"{name}{as_sample(sample)!r}".replace(" ", ""))
    for name, function, samples, parity in _entries()
    if parity is not None
    for sample in samples
]


def leaf(library):
    def make(array):
        t = library.from_numpy(np.array(array))
        return t.requires_grad_() if array.dtype.kind in "fc" else t

    return make


def is_undefined(function):
    """Tell whether the operation, as in torch, refuses to be differentiated."""
    return getattr(getattr(function, "operation", None), "undefined", False)


def flat(result):
    if isinstance(result, (list, tuple)) and not hasattr(result, "numel"):
        return [t for part in result for t in flat(part)]
    return [result]


def compare(ours, theirs, tolerance):
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(a, TensorBase):
            assert str(a.dtype) == str(b.dtype)
            assert tuple(a.shape) == tuple(b.shape)
            np.testing.assert_allclose(
                a.detach().numpy(),
                b.detach().resolve_conj().numpy(force=True),
                rtol=tolerance,
                atol=tolerance,
            )
        else:
            assert a == b


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize(("name", "function", "sample", "parity"), CASES)
def test_values_and_gradients_equal_torch(name, function, sample, parity, kind):
    tolerance = 1e-9 if kind == "float64" else 2e-5
    own = arguments(sample, leaf(gradcore), kind=kind)
    other = arguments(sample, leaf(torch), kind=kind)
    ours = flat(function(*own.args, **own.kwargs))
    theirs = flat(_theirs(name, parity)(*other.args, **other.kwargs))
    compare(ours, theirs, tolerance)
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if isinstance(a, TensorBase)]
    assert [a.requires_grad for a, _ in pairs] == [b.requires_grad for _, b in pairs]
    for a, b in pairs:
        if a.requires_grad and not is_undefined(function):
            seed = np.random.default_rng(1).uniform(0.5, 1.5, tuple(a.shape))
            seed = seed.astype(a.detach().numpy().dtype)
            a.backward(gradcore.from_numpy(seed), retain_graph=True)
            b.backward(torch.from_numpy(seed), retain_graph=True)
    for a, b in zip(flat(own.args), flat(other.args), strict=True):
        if isinstance(a, TensorBase) and a.requires_grad:
            if b.grad is None or a.grad is None:
                assert (a.grad is None) == (b.grad is None)
            else:
                compare([a.grad], [b.grad], tolerance * 10)
