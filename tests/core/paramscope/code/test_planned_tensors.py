"""The tensors that a Module will have equal those that gradcore's Module has."""

import pytest

from paramscope.code.catalog import modules
from paramscope.code.graph import NodeKind
from paramscope.code.planned_tensors import _RULES, planned_tensors


@pytest.mark.parametrize("title", sorted(name for name in _RULES if name in modules()))
def test_planned_tensors_are_those_of_the_living_module(title: str) -> None:
    entry = modules()[title]
    names = [argument.name for argument in entry.arguments]
    for sample in entry.samples:
        arguments = {**dict(zip(names, sample.args, strict=False)), **sample.kwargs}
        module = entry.cls(*sample.args, **sample.kwargs)
        living = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        parameters = {name for name, _ in module.named_parameters()}
        planned = planned_tensors(title, entry.completed(arguments))
        assert {name: shape for name, _, shape in planned} == living
        assert {name for name, kind, _ in planned if kind is NodeKind.PARAMETER} == parameters


def test_size_that_is_not_known_stands_as_written() -> None:
    planned = planned_tensors("Linear", {"in_features": "dim", "out_features": 4, "bias": True})
    assert [shape for _, _, shape in planned] == [(4, "dim"), (4,)]


def test_class_without_tensors_plans_none() -> None:
    assert planned_tensors("ReLU", {}) == ()
    assert planned_tensors("Linear", {}) == ()
