"""What somebody changes between two steps counts from the next step on, in each mode.

A case is a function that is given a `Stage`. It returns the factor of the loss, as a function that
the step calls, and what to do between two steps so that the next ones differ. By then the step is
replayed: a change that nobody sees would leave the old numbers.
"""

import enum
import functools
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.nn import functional as F

STEPS, CHANGED = 10, 6
Factor = Callable[[], Any]
Case = Callable[["Stage"], tuple[Factor, Callable[[], Any]]]
CASES: list[Case] = []


def case(function: Case) -> Case:
    """Enter a case into the table."""
    CASES.append(function)
    return function


class Net(nn.Module):
    """Two layers, by whose class a case may change something."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 6), nn.Linear(6, 3), nn.Linear(6, 3)
        self.current, self.scale = self.second, 1.0

    def hidden(self, x: Any) -> Any:
        return self.first(x).relu()

    def forward(self, x: Any) -> Any:
        return self.current(self.hidden(x)) * self.scale


class Stage:
    """A model, its optimizer, and a step that multiplies the loss by what the case says."""

    def __init__(self, prepare: Case) -> None:
        # A class of its own, so that no other case sees what is done to it.
        self.kind: Any = type("Net", (Net,), {"forward": Net.forward, "hidden": Net.hidden})
        self.net = self.kind()
        self.optimizer = gradcore.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
        self.undo: list[Callable[[], Any]] = []
        factor, self.change = prepare(self)
        net, optimizer = self.net, self.optimizer

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y) * factor()
            loss.backward()
            optimizer.step()
            return loss

        self.step = step
        self._done = 0

    def replace(self, thing: Any, name: str, value: Any) -> None:
        """Put something in the place of a name of the library, until the test ends."""
        self.undo.append(functools.partial(setattr, thing, name, getattr(thing, name)))
        setattr(thing, name, value)

    def look(self) -> list[Any]:
        """Return all that training changes; called after each step, so it makes the change."""
        self._done += 1
        if self._done == CHANGED:
            self.change()
        parameters = list(self.net.parameters())
        state = self.optimizer.state
        return [
            *parameters,
            *[p.grad for p in parameters],
            *[p._version for p in parameters],
            *[state[p].get("momentum_buffer") for p in parameters if p in state],
        ]


def one() -> float:
    return 1.0


def three() -> float:
    return 3.0


# --- functions


@case
def a_default_is_replaced(stage: Stage) -> Any:
    def factor(number: float = 1.0) -> float:
        return number

    return factor, lambda: setattr(factor, "__defaults__", (3.0,))


@case
def a_keyword_default_is_replaced(stage: Stage) -> Any:
    def factor(*, number: float = 1.0) -> float:
        return number

    return factor, lambda: setattr(factor, "__kwdefaults__", {"number": 3.0})


@case
def the_code_of_a_function_is_replaced(stage: Stage) -> Any:
    def factor() -> float:
        return 1.0

    return factor, lambda: setattr(factor, "__code__", three.__code__)


@case
def an_attribute_of_a_function_changes(stage: Stage) -> Any:
    def factor() -> Any:
        return factor.number  # type: ignore[attr-defined]  # set below

    factor.number = 1.0  # type: ignore[attr-defined]  # functions take attributes
    return factor, lambda: setattr(factor, "number", 3.0)


@case
def a_name_of_pythons_gets_another_meaning(stage: Stage) -> Any:
    space: dict[str, Any] = {"__name__": "notebook"}
    exec("def factor():\n    return max(1.0, 0.5)\n", space)
    return space["factor"], lambda: space.update(max=lambda *numbers: 3.0)


# --- classes


@case
def the_class_of_the_model_gets_another_forward(stage: Stage) -> Any:
    def other(self: Any, x: Any) -> Any:
        return self.second(self.first(x).tanh())

    return one, lambda: setattr(stage.kind, "forward", other)


@case
def the_class_of_the_model_loses_its_forward(stage: Stage) -> Any:
    stage.kind.forward = lambda self, x: self.second(self.first(x).tanh())
    return one, lambda: delattr(stage.kind, "forward")


@case
def a_helper_method_is_replaced(stage: Stage) -> Any:
    return one, lambda: setattr(stage.kind, "hidden", lambda self, x: self.first(x).tanh())


@case
def a_method_of_a_plain_class_is_replaced(stage: Stage) -> Any:
    class Weight:
        def __call__(self) -> float:
            return self.number()

        def number(self) -> float:
            return 1.0

    return Weight(), lambda: setattr(Weight, "number", lambda self: 3.0)


@case
def a_static_method_is_replaced(stage: Stage) -> Any:
    class Weight:
        @staticmethod
        def number() -> float:
            return 1.0

    return lambda: Weight.number(), lambda: setattr(Weight, "number", staticmethod(three))


@case
def an_object_in_a_class_is_replaced(stage: Stage) -> Any:
    class Holder:
        def __init__(self, number: float) -> None:
            self.number = number

    class Settings:
        held = Holder(1.0)

    return lambda: Settings.held.number, lambda: setattr(Settings, "held", Holder(3.0))


@case
def a_partial_function_in_a_class_is_replaced(stage: Stage) -> Any:
    class Settings:
        factor = functools.partial(float, 1)

    change = functools.partial(setattr, Settings, "factor", functools.partial(float, 3))
    return lambda: Settings.factor(), change


@case
def an_object_gets_another_class(stage: Stage) -> Any:
    class First:
        def number(self) -> float:
            return 1.0

    class Second:
        def number(self) -> float:
            return 3.0

    held: Any = First()
    return lambda: held.number(), lambda: setattr(held, "__class__", Second)


@case
def a_class_of_a_class_changes(stage: Stage) -> Any:
    class Kind(type):
        number = 1.0

    class Settings(metaclass=Kind):
        pass

    return lambda: Settings.number, lambda: setattr(Kind, "number", 3.0)


@case
def another_member_of_an_enumeration_is_chosen(stage: Stage) -> Any:
    class Way(enum.Enum):
        PLAIN = 1
        THREEFOLD = 2

    class Settings:
        way = Way.PLAIN

    def factor() -> float:
        return 3.0 if Settings.way is Way.THREEFOLD else 1.0

    return factor, lambda: setattr(Settings, "way", Way.THREEFOLD)


# --- containers and attributes


@case
def a_set_gets_another_member(stage: Stage) -> Any:
    names = {"plain"}
    return lambda: 3.0 if "threefold" in names else 1.0, lambda: names.add("threefold")


@case
def a_slot_gets_another_value(stage: Stage) -> Any:
    class Settings:
        __slots__ = ("number",)

    settings = Settings()
    settings.number = 1.0
    return lambda: settings.number, lambda: setattr(settings, "number", 3.0)


@case
def frozen_settings_are_replaced(stage: Stage) -> Any:
    @dataclass(frozen=True, slots=True)
    class Settings:
        number: float = 1.0

    held = {"settings": Settings()}
    change = functools.partial(held.update, settings=replace(held["settings"], number=3.0))
    return lambda: held["settings"].number, change


@case
def a_list_of_a_class_of_the_users_gets_another_attribute(stage: Stage) -> Any:
    class Numbers(list[float]):
        factor = 1.0

        def product(self) -> float:
            return self[0] * self.factor

    numbers = Numbers([1.0])
    return lambda: numbers.product(), lambda: setattr(numbers, "factor", 3.0)


@case
def a_dictionary_of_a_class_of_the_users_answers_otherwise(stage: Stage) -> Any:
    class Numbers(dict[str, float]):
        other = 1.0

        def __missing__(self, name: str) -> float:
            return self.other

    numbers = Numbers()
    return lambda: numbers["any"], lambda: setattr(numbers, "other", 3.0)


@case
def a_number_with_attributes_gets_another_one(stage: Stage) -> Any:
    class Number(float):
        factor = 1.0

    number = Number(1.0)
    return lambda: number.factor, lambda: setattr(number, "factor", 3.0)


@case
def a_tensor_gets_another_attribute(stage: Stage) -> Any:
    weight = stage.net.first.weight
    weight.factor = 1.0
    return lambda: weight.factor, lambda: setattr(weight, "factor", 3.0)


@case
def a_tensor_in_a_class_is_written(stage: Stage) -> Any:
    class Settings:
        number = gradcore.tensor(1.0)

    return lambda: Settings.number, lambda: Settings.number.fill_(3.0)


@case
def a_module_of_the_users_gets_another_function(stage: Stage) -> Any:
    module: Any = types.ModuleType("settings")
    exec("NUMBER = 1.0\ndef factor():\n    return NUMBER\n", vars(module))
    return lambda: module.factor(), lambda: setattr(module, "NUMBER", 3.0)


@case
def an_attribute_comes_to_stand_for_another_known_layer(stage: Stage) -> Any:
    return one, lambda: setattr(stage.net, "current", stage.net.third)


@case
def an_attribute_is_set_past_the_module(stage: Stage) -> Any:
    return one, lambda: vars(stage.net).update(scale=3.0)


@case
def a_parameter_is_put_into_the_modules_own_table(stage: Stage) -> Any:
    made = nn.Parameter(gradcore.full((6, 4), 0.1))
    return one, lambda: stage.net.first._parameters.update(weight=made)


# --- the library's own


@case
def a_function_of_the_library_is_replaced(stage: Stage) -> Any:
    plain = F.cross_entropy
    return one, lambda: stage.replace(F, "cross_entropy", lambda *args: plain(*args) * 3)


@case
def a_layer_of_the_library_is_changed(stage: Stage) -> Any:
    def other(self: Any, x: Any) -> Any:
        return F.linear(x, self.weight)

    return one, lambda: stage.replace(nn.Linear, "forward", other)


@case
def a_method_of_tensors_is_replaced(stage: Stage) -> Any:
    change = functools.partial(stage.replace, gradcore.Tensor, "relu", lambda self: self.tanh())
    return one, change


@case
def a_step_of_the_optimizer_is_replaced(stage: Stage) -> Any:
    return one, lambda: setattr(stage.optimizer, "step", lambda *args: None)


@case
def the_step_of_all_optimizers_of_a_class_is_replaced(stage: Stage) -> Any:
    change = functools.partial(stage.replace, gradcore.optim.SGD, "step", lambda *args: None)
    return one, change


@case
def setting_gradients_to_zero_is_replaced(stage: Stage) -> Any:
    return one, lambda: setattr(stage.optimizer, "zero_grad", lambda *args: None)


@case
def a_known_tensor_leaves_its_optimizer(stage: Stage) -> Any:
    return one, lambda: stage.optimizer.param_groups[0]["params"].pop(0)


@case
def a_group_is_replaced_by_one_of_other_settings(stage: Stage) -> Any:
    groups = stage.optimizer.param_groups
    return one, lambda: groups.__setitem__(0, dict(groups[0], lr=0.01))


@case
def a_tensor_that_the_step_does_not_touch_gets_a_gradient(stage: Stage) -> Any:
    unused = stage.net.third.weight
    return one, lambda: setattr(unused, "grad", gradcore.ones_like(unused))


def batches() -> list[tuple[Any, Any]]:
    draw = np.random.default_rng(3)
    return [
        (
            gradcore.tensor(draw.standard_normal((5, 4)).astype("f4")),
            gradcore.tensor(draw.integers(0, 3, 5)),
        )
        for _ in range(STEPS)
    ]


@pytest.mark.parametrize("prepare", CASES, ids=lambda one: one.__name__)
def test_a_change_between_steps_counts_from_the_next_step_on(
    prepare: Case, mode: str, agree: Any
) -> None:
    stages: list[Stage] = []

    def make() -> Any:
        # What the run before has replaced in the library comes back first.
        put_back(stages)
        stages.append(Stage(prepare))
        return stages[-1].step, stages[-1].look

    try:
        run = agree(make, batches(), mode)
    finally:
        put_back(stages)
    assert run.modes[CHANGED - 1] == mode, "nothing was replayed that a change could be missed in"


def put_back(stages: list[Stage]) -> None:
    """Undo what stages have replaced in the library."""
    for stage in stages:
        while stage.undo:
            stage.undo.pop()()
