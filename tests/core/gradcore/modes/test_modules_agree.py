"""Every Module of the catalogue trains the same in each mode, in both of its states.

One test for each sample and state: the module's outputs, gradients, weights and buffers after each
of five steps on ordinary values and three on values with NaN and infinities among them.
"""

import warnings
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.nn.catalog import ModuleEntry, Sample, all_modules
from layer_samples import values_of

CASES = [
    pytest.param(entry, sample, id=f"{name}-{number}")
    for name, entry in sorted(all_modules().items())
    for number, sample in enumerate(entry.samples)
]
ORDINARY, ODD = 5, (1, 2, 7)
FACTOR = 4.0  # a module is several operations: so much more than one may it differ
WIDER = {"Transformer": 16.0}  # with two stacks of layers, each of a dozen


def flat(result: Any) -> list[Any]:
    """Return the tensors among what a module returns."""
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in flat(item)]
    return [result] if gradcore.is_tensor(result) else []


def maker(entry: ModuleEntry, sample: Sample, training: bool):
    """Return what makes the step: the module on its inputs plus parameters, SGD after it."""

    def make():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = getattr(nn, entry.name)(*sample.args, **sample.kwargs).train(training)
        shifts = [
            None
            if spec.kind in ("integers", "signs", "distribution", "probability")
            else gradcore.zeros(spec.shape, requires_grad=True)
            for spec in sample.inputs
        ]
        anchor = gradcore.ones(1, requires_grad=True)
        own = [anchor, *(t for t in shifts if t is not None), *module.parameters()]
        own = [t for t in own if t.is_floating_point()]
        optimizer = gradcore.optim.SGD(own, lr=0.01)

        def step(*given):
            optimizer.zero_grad()
            inputs = [
                x if shift is None else x + shift for x, shift in zip(given, shifts, strict=True)
            ]
            outputs = flat(module(*inputs))
            loss = anchor.sum()
            for number, out in enumerate(outputs):
                if out.is_floating_point():
                    loss = loss + (out * (1.0 + 0.5 * number)).cos().sum()
            loss.backward()
            optimizer.step()
            return [loss, *outputs]

        return step, lambda: [*own, *module.buffers(), *(t.grad for t in own)]

    return make


def batches(sample: Sample, odd_values: Any) -> list[list[Any]]:
    """Return the inputs of each step."""
    given = []
    for number in range(ORDINARY + len(ODD)):
        arrays = [values_of(spec, 10 * number + i) for i, spec in enumerate(sample.inputs)]
        if number >= ORDINARY:
            arrays = [odd_values(array, ODD[number - ORDINARY]) for array in arrays]
        given.append([gradcore.from_numpy(np.array(array)) for array in arrays])
    return given


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_a_module_trains_the_same_in_each_mode(
    entry, sample, training, mode, agree, odd_values
) -> None:
    factor = WIDER.get(entry.name, FACTOR)
    agree(maker(entry, sample, training), batches(sample, odd_values), mode, factor)
