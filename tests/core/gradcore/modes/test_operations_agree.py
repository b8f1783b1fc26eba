"""Every operation of the tables gives the same values and gradients in each mode.

One test for each sample: five steps on ordinary values, of which the later ones are replayed, and
four on values with NaN and infinities among them.
"""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore.ops.every import COMPOSITES, METHODS, OPERATIONS
from gradcore.ops.registry import T, as_sample
from gradcore.ops.samples import array_of

PLACE = "the tensor with number"
ORDINARY, ODD = 5, (1, 2, 4, 7)
KINDS = ("float32", "float64")
REFUSE_GRADIENTS = ("AutogradError", "ModifiedError")
# The share of samples that may run as they are: what depends on values in Python.
MOST_AS_THEY_ARE = 0.08


def entries():
    """Yield name, function and samples of everything that the tables hold."""
    for table, function in ((OPERATIONS, "call"), (COMPOSITES, "function")):
        for name, entry in table.items():
            yield name, getattr(entry, function), entry.samples
    for name in sorted(METHODS):
        if name.endswith("_") and not name.startswith("_") and name[:-1] in OPERATIONS:
            yield name, written(METHODS[name]), OPERATIONS[name[:-1]].samples


def written(method):
    """Return a function that calls an in-place form on a copy of its first argument."""

    def call(first, *args, **kwargs):
        return method(first.clone() if gradcore.is_tensor(first) else first, *args, **kwargs)

    return call


CASES = [
    pytest.param(function, sample, id=f"{name}{as_sample(sample)!r}".replace(" ", ""))
    for name, function, samples in entries()
    for sample in samples
]


def template(item: Any, tensors: list[T]) -> Any:
    """Return a sample's arguments as plain values, with a mark at the place of each tensor."""
    if isinstance(item, T):
        tensors.append(item)
        return (PLACE, len(tensors) - 1)
    if isinstance(item, (list, tuple)):
        return type(item)([template(part, tensors) for part in item])
    return item


def filled(item: Any, tensors: list[Any]) -> Any:
    """Return what ``template`` made of arguments with tensors at their places."""
    if isinstance(item, tuple) and len(item) == 2 and item[0] is PLACE:
        return tensors[item[1]]
    if isinstance(item, (list, tuple)):
        return type(item)([filled(part, tensors) for part in item])
    return item


def flat(result: Any) -> list[Any]:
    """Return the tensors of what an operation returns."""
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in flat(item)]
    return [result] if gradcore.is_tensor(result) else []


def loss_of(outputs: list[Any], anchor: Any) -> Any:
    """Return a sum of all that can be differentiated, to which no two values count the same."""
    total = anchor.sum()
    for out in outputs:
        if out.is_complex():
            out = gradcore.view_as_real(out)
        if out.is_floating_point() and out.requires_grad:
            total = total + (out * out + out).sum()
    return total


def maker(function: Any, sample: Any, kind: str, trained: bool = True):
    """Return what makes the step: the operation on its inputs plus parameters, and backward.

    Not ``trained``: no gradient goes through the operation.
    """
    tensors: list[T] = []
    call = as_sample(sample)
    args = tuple(template(item, tensors) for item in call.args)
    kwargs = {name: template(value, tensors) for name, value in call.kwargs.items()}
    arrays = [array_of(item, np.random.default_rng(0), kind) for item in tensors]

    def make():
        anchor = gradcore.ones(1, dtype=getattr(gradcore, kind), requires_grad=True)
        shifts = [
            gradcore.from_numpy(np.zeros_like(a)).requires_grad_()
            if trained and a.dtype.kind in "fc"
            else None
            for a in arrays
        ]

        def step(*given):
            for t in [anchor, *shifts]:
                if t is not None:
                    t.grad = None
            inputs = [
                x if shift is None else x + shift for x, shift in zip(given, shifts, strict=True)
            ]
            result = function(
                *[filled(item, inputs) for item in args],
                **{name: filled(value, inputs) for name, value in kwargs.items()},
            )
            outputs = flat(result)
            loss_of(outputs, anchor).backward()
            return outputs or result

        return step, lambda: [t.grad for t in [anchor, *shifts] if t is not None]

    return make, tensors


def batches(tensors: list[T], kind: str, odd_values: Any) -> list[list[Any]]:
    """Return the inputs of each step."""
    given = []
    for number in range(ORDINARY + len(ODD)):
        numbers = np.random.default_rng(number)
        arrays = [array_of(item, numbers, kind) for item in tensors]
        if number >= ORDINARY:
            arrays = [odd_values(array, ODD[number - ORDINARY]) for array in arrays]
        given.append([gradcore.from_numpy(np.array(array)) for array in arrays])
    return given


def chosen(function: Any, sample: Any, kind: str, run: Any):
    """Return what makes the step, with gradients unless the operation refuses them here."""
    make, tensors = maker(function, sample, kind)
    given = batches(tensors, kind, lambda array, number: array)[:1]
    if str(run(make, given, "eager").seen[0][0]).startswith(REFUSE_GRADIENTS):
        make, tensors = maker(function, sample, kind, trained=False)
    return make, tensors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("function", "sample"), CASES)
def test_an_operation_is_the_same_in_each_mode(
    function, sample, kind, mode, agree, run, odd_values
):
    make, tensors = chosen(function, sample, kind, run)
    agree(make, batches(tensors, kind, odd_values), mode)


def test_nearly_all_of_them_are_run_by_that_mode(mode, run, odd_values):
    reports = {}
    for case in CASES:
        make, tensors = chosen(*case.values, "float32", run)
        found = run(make, batches(tensors, "float32", odd_values)[:ORDINARY], mode)
        is_error = isinstance(found.seen[-2][0], str)
        if mode not in found.modes and not is_error:
            reports[case.id] = found.report
    listed = "\n".join(f"{name}: {report}" for name, report in sorted(reports.items()))
    assert len(reports) <= MOST_AS_THEY_ARE * len(CASES), listed
