"""The walk finds what a model holds, wherever it is kept, and never runs the user's code."""

import time
from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from paramscope.census.census import rows_of
from paramscope.census.evidence import Evidence
from paramscope.census.rows import Kind, TensorRow
from paramscope.census.walk import walk_model


@pytest.fixture
def torch(adapter) -> Any:
    return adapter.torch


@pytest.fixture
def empty(torch) -> Any:
    """A model without anything in it."""

    class Model(torch.nn.Module):
        pass

    return Model()


def rows(model, adapter) -> dict[str, TensorRow]:
    evidence = Evidence(model, walk_model(model, adapter), [], adapter)
    return {row.path: row for row in rows_of(evidence)}


def kinds(model, adapter) -> dict[str, Kind]:
    return {path: row.kind for path, row in rows(model, adapter).items()}


def test_registered_tensors_have_their_kinds(adapter, torch, empty) -> None:
    empty.weight = torch.nn.Parameter(torch.ones(2))
    empty.register_buffer("mean", torch.zeros(2))
    empty.register_buffer("mask", torch.ones(2), persistent=False)
    empty.layer = torch.nn.Linear(2, 1)
    empty.plain = torch.zeros(3)
    assert kinds(empty, adapter) == {
        "weight": Kind.PARAMETER,
        "mean": Kind.BUFFER,
        "mask": Kind.BUFFER_NOT_SAVED,
        "layer.weight": Kind.PARAMETER,
        "layer.bias": Kind.PARAMETER,
        "plain": Kind.TENSOR,
    }


def test_hidden_parameters_are_found_in_every_container(adapter, torch, empty) -> None:
    @dataclass
    class Config:
        gain: Any

    class Slotted:
        __slots__ = ("shift",)

    new = lambda: torch.nn.Parameter(torch.ones(1))  # noqa: E731 - short here
    slotted = Slotted()
    slotted.shift = new()
    empty.in_list = [new(), [new()]]
    empty.in_tuple = (1, new())
    empty.in_dict = {"a": {"b": new()}, 3: new()}
    empty.in_deque = deque([new()])
    empty.in_dataclass = Config(new())
    empty.in_namespace = SimpleNamespace(deep=[{"x": new()}])
    empty.in_slots = slotted
    found = kinds(empty, adapter)
    assert set(found) == {
        "in_list.0",
        "in_list.1.0",
        "in_tuple.1",
        "in_dict.a.b",
        "in_dict.3",
        "in_deque.0",
        "in_dataclass.gain",
        "in_namespace.deep.0.x",
        "in_slots.shift",
    }
    assert set(found.values()) == {Kind.FORGOTTEN_PARAMETER}


def test_hidden_modules_are_listed_with_their_parameters(adapter, torch, empty) -> None:
    empty.hidden = [torch.nn.Linear(2, 3)]
    teacher = torch.nn.Linear(2, 3)
    teacher.requires_grad_(False)
    empty.teacher = [teacher]
    found = kinds(empty, adapter)
    assert found["hidden.0"] is Kind.FORGOTTEN_MODULE
    assert found["hidden.0.weight"] is Kind.FORGOTTEN_PARAMETER
    assert found["teacher.0"] is Kind.TENSOR
    assert found["teacher.0.weight"] is Kind.TENSOR
    assert rows(empty, adapter)["hidden.0"].note == "Linear in a list: 2 Parameters, 9 values"


def test_what_is_listed_again_is_not_found_twice(adapter, torch, empty) -> None:
    empty.layer = torch.nn.Linear(2, 2)
    empty.again = [empty.layer.weight, {"b": empty.layer.bias}]
    empty.layers = [empty.layer]
    assert set(kinds(empty, adapter)) == {"layer.weight", "layer.bias"}


def test_optimizer_kept_by_the_model_hides_nothing(adapter, torch, empty) -> None:
    empty.layer = torch.nn.Linear(2, 2)
    empty.optimizer = torch.optim.Adam(empty.parameters())

    assert set(kinds(empty, adapter)) == {"layer.weight", "layer.bias"}


def test_no_code_of_the_user_runs(adapter, torch) -> None:
    class Trap(torch.nn.Module):
        @property
        def scale(self) -> Any:
            raise AssertionError("a property was read")

        def __getattr__(self, name: str) -> Any:
            if name in ("extra", "tensor"):
                raise AssertionError("__getattr__ was called")
            return super().__getattr__(name)

        def __len__(self) -> int:
            raise AssertionError("__len__ was called")

        def __bool__(self) -> bool:
            raise AssertionError("__bool__ was called")

    model = Trap()
    model.layer = torch.nn.Linear(1, 1)
    assert set(kinds(model, adapter)) == {"layer.weight", "layer.bias"}


def test_cycles_end(adapter, torch, empty) -> None:
    empty.layer = torch.nn.Linear(1, 1)
    loop: list[Any] = [empty]
    loop.append(loop)
    empty.loop = loop
    empty.layer.parent = SimpleNamespace(model=empty)
    assert set(kinds(empty, adapter)) == {"layer.weight", "layer.bias"}


def test_tied_tensors_name_each_other(adapter, torch, empty) -> None:
    empty.encoder = torch.nn.Linear(3, 3)
    empty.decoder = torch.nn.Linear(3, 3)
    empty.decoder.weight = empty.encoder.weight
    found = rows(empty, adapter)
    assert found["encoder.weight"].tied_with == ("decoder.weight",)
    assert found["decoder.weight"].tied_with == ("encoder.weight",)
    assert found["encoder.bias"].tied_with == ()


def test_shared_module_is_seen_under_both_names(adapter, torch, empty) -> None:
    empty.first = torch.nn.Linear(2, 2)
    empty.second = empty.first
    assert rows(empty, adapter)["second.weight"].tied_with == ("first.weight",)


def test_shadowed_parameter_is_marked(adapter, torch, empty) -> None:
    empty.scale = torch.nn.Parameter(torch.ones(1))
    object.__setattr__(empty, "scale", 2.0)
    assert rows(empty, adapter)["scale"].shadowed


def test_tensor_on_the_class_is_found(adapter, torch) -> None:
    class Model(torch.nn.Module):
        scale = torch.ones(2, requires_grad=True)

    assert kinds(Model(), adapter) == {"scale": Kind.FORGOTTEN_TENSOR}


def test_result_of_a_calculation_is_no_leaf(adapter, torch, empty) -> None:
    empty.scaled = torch.nn.Parameter(torch.ones(2)) * 0.5
    assert kinds(empty, adapter) == {"scaled": Kind.NON_LEAF}


def test_plain_tensors_in_containers_are_limited(adapter, torch, empty) -> None:
    tensor = torch.zeros(1)
    empty.memory = [tensor.clone() for _ in range(1_500)]
    assert len(kinds(empty, adapter)) == 1_000


def test_ten_thousand_modules_are_walked_fast(adapter, torch, empty) -> None:
    for outer in range(100):
        block = torch.nn.Module()
        for inner in range(100):
            block.add_module(f"m{inner}", torch.nn.Identity())
        empty.add_module(f"b{outer}", block)
    start = time.process_time()
    assert len(walk_model(empty, adapter).modules) == 10_101
    assert time.process_time() - start < 3.0


def test_a_thousand_levels_are_no_recursion(adapter, torch, empty) -> None:
    module = empty
    for _ in range(1_500):
        module.inner = torch.nn.Module()
        module = module.inner
    module.weight = torch.nn.Parameter(torch.ones(1))
    assert list(kinds(empty, adapter)) == ["inner." * 1_500 + "weight"]
    # Freed from the inside, or the chain's own destruction would recurse.
    chain = list(walk_model(empty, adapter).modules.values())
    while chain:
        chain.pop()._modules.clear()


def test_objects_of_a_file_named_like_a_library_are_entered(adapter, torch, empty) -> None:
    class Owner:
        pass

    Owner.__module__ = "resnet"  # begins as ``re`` does
    empty.owner = Owner()
    empty.owner.weight = torch.nn.Parameter(torch.ones(2))
    assert kinds(empty, adapter) == {"owner.weight": Kind.FORGOTTEN_PARAMETER}


def test_module_that_is_part_of_itself_is_listed_once(adapter, torch, empty) -> None:
    empty.inner = torch.nn.Linear(2, 1, bias=False)
    empty.inner.add_module("up", empty)
    assert list(rows(empty, adapter)) == ["inner.weight"]
