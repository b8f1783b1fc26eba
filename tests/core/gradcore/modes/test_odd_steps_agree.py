"""Steps that are odd in one way or another end as eagerly in each mode, counts of writes included.

Each case makes a step, what to look at after each call, and the arguments of all calls.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.nn import functional as F

CALLS = 12
Made = tuple[Callable[..., Any], Callable[[], Any], list[tuple[Any, ...]]]
CASES: list[Callable[[], Made]] = []


def case(function: Callable[[], Made]) -> Callable[[], Made]:
    """Enter a case into the table."""
    CASES.append(function)
    return function


def data(number: int, rows: int = 5) -> tuple[Any, Any]:
    draw = np.random.default_rng(number)
    x = draw.standard_normal((rows, 4)).astype("f4")
    return gradcore.tensor(x), gradcore.tensor(draw.integers(0, 3, rows))


def calls(count: int = CALLS) -> list[tuple[Any, ...]]:
    return [data(number) for number in range(count)]


def model_and_optimizer() -> tuple[Any, Any]:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    return model, gradcore.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def all_of(*models: Any) -> list[Any]:
    parameters = [p for model in models for p in model.parameters()]
    return [*parameters, *[p.grad for p in parameters], *[p._version for p in parameters]]


# --- what the step changes in Python


@case
def a_counter_in_a_dictionary() -> Made:
    model, optimizer = model_and_optimizer()
    kept = {"count": 0, "mean": 0.0}

    def step(x: Any, y: Any) -> Any:
        loss = train(model, optimizer, x, y)
        kept["count"] += 1
        kept["mean"] = 0.9 * kept["mean"] + 0.1 * loss.item()
        return loss

    return step, lambda: [*all_of(model), *kept.values()], calls()


@case
def counters_in_a_class_and_in_slots() -> Made:
    class Total:
        count = 0

    class Kept:
        __slots__ = ("mean",)

    model, optimizer = model_and_optimizer()
    kept = Kept()
    kept.mean = 0.0

    def step(x: Any, y: Any) -> Any:
        loss = train(model, optimizer, x, y)
        Total.count += 1
        kept.mean = 0.9 * kept.mean + 0.1 * loss.item()
        return loss

    return step, lambda: [*all_of(model), Total.count, kept.mean], calls()


@case
def a_place_that_is_deleted_between_steps() -> Made:
    model, optimizer = model_and_optimizer()

    class Lazy:
        @functools.cached_property
        def factor(self) -> float:
            return 2.0

    lazy, count = Lazy(), [0]

    def step(x: Any, y: Any) -> Any:
        return train(model, optimizer, x * lazy.factor, y)

    def look() -> Any:
        count[0] += 1
        if count[0] == 8:
            del lazy.factor
        return all_of(model)

    return step, look, calls()


@case
def a_number_appended_to_an_argument() -> Made:
    model, optimizer = model_and_optimizer()
    given = [[*data(number)] for number in range(CALLS)]

    def step(batch: list[Any]) -> Any:
        loss = train(model, optimizer, *batch[:2])
        batch.append(loss.item())
        return loss

    def look() -> Any:
        left = [batch[2] for batch in given if len(batch) > 2]
        return [*all_of(model), *left, [type(one) for one in left]]

    return step, look, [(batch,) for batch in given]


# --- several models, optimizers and gradients


@case
def two_models_of_one_optimizer_in_turns() -> Made:
    first, second = model_and_optimizer()[0], model_and_optimizer()[0]
    optimizer = gradcore.optim.Adam([*first.parameters(), *second.parameters()], lr=0.05)

    def step(is_first: bool, x: Any, y: Any) -> Any:
        return train(first if is_first else second, optimizer, x, y)

    given = [(number // 4 % 2 == 0, *data(number)) for number in range(20)]
    return step, lambda: all_of(first, second), given


@case
def a_group_added_of_tensors_that_have_gradients() -> Made:
    model, optimizer = model_and_optimizer()
    head, count = nn.Linear(3, 3), [0]

    def step(x: Any, y: Any) -> Any:
        return train(lambda given: head(model(given)), optimizer, x, y)

    def look() -> Any:
        count[0] += 1
        if count[0] == 7:
            optimizer.add_param_group({"params": list(head.parameters()), "lr": 0.02})
        return all_of(model, head)

    return step, look, calls()


@case
def gradients_of_two_slices_added_up() -> Made:
    model, optimizer = model_and_optimizer()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        for part in (slice(0, 2), slice(2, 5)):
            (F.cross_entropy(model(x[part]), y[part]) / 2).backward()
        optimizer.step()
        return model[0].weight.grad.norm()

    return step, lambda: all_of(model), calls()


@case
def a_gradient_that_is_a_view_is_not_set_to_zero() -> Made:
    model, optimizer = model_and_optimizer()
    count = [0]

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=False)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def look() -> Any:
        count[0] += 1
        if count[0] == 7:
            model[0].weight.grad = gradcore.ones(4, 6).t()
        if count[0] == 9:
            model[0].weight.grad = None
        return all_of(model)

    return step, look, calls()


# --- arguments


@case
def arguments_with_attributes_of_the_users() -> Made:
    model, optimizer = model_and_optimizer()
    given = calls()
    for number, (x, _) in enumerate(given):
        x.factor = 1.0 if number < 7 else 3.0

    def step(x: Any, y: Any) -> Any:
        return train(model, optimizer, x * x.factor, y)

    return step, lambda: all_of(model), given


@case
def arguments_of_a_class_of_the_users() -> Made:
    class Batch(tuple[Any, ...]):
        factor = 1.0

    class Louder(gradcore.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, kinds: Any, args: Any = (), named: Any = None
        ) -> Any:
            result = super().__torch_function__(func, kinds, args, named or {})
            return result * 1.5 if func.__name__ == "linear" else result

    model, optimizer = model_and_optimizer()
    given = []
    for number in range(CALLS):
        x, y = data(number)
        batch = Batch((x.as_subclass(Louder) if number > 8 else x, y))
        batch.factor = 1.0 if number < 6 else 3.0
        given.append((batch,))

    def step(batch: Any) -> Any:
        return train(model, optimizer, batch[0] * batch.factor, batch[1])

    return step, lambda: all_of(model), given


@case
def arguments_that_overlap_and_are_written() -> Made:
    base = gradcore.arange(12.0)

    def step(a: Any, b: Any) -> Any:
        a.mul_(2)
        total = (a * b).sum()
        b.add_(1)
        return total

    given = [(base[:6], base[3:9] if number > 5 else base[6:]) for number in range(CALLS)]
    return step, lambda: [base], given


@case
def batches_with_nothing_in_them() -> Made:
    model, optimizer = model_and_optimizer()
    given = [data(number, rows=5 if number % 3 else 0) for number in range(CALLS)]
    return functools.partial(train, model, optimizer), lambda: all_of(model), given


# --- steps that call themselves, or fail


@case
def a_step_that_calls_itself() -> Made:
    model, optimizer = model_and_optimizer()

    def step(x: Any, y: Any) -> Any:
        if len(x) > 3:
            step(x[:3], y[:3])
        return train(model, optimizer, x, y)

    return step, lambda: all_of(model), calls()


@case
def a_step_that_fails_at_some_calls() -> Made:
    model, optimizer = model_and_optimizer()

    class Failing(gradcore.autograd.Function):
        where = ""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            if Failing.where == "forward":
                raise ValueError("in forward")
            return x * 1

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            if Failing.where == "backward":
                raise ValueError("in backward")
            return gradient * 1

    count = [0]

    def step(x: Any, y: Any) -> Any:
        return train(lambda given: Failing.apply(model(given)), optimizer, x, y)

    def look() -> Any:
        count[0] += 1
        Failing.where = {1: "backward", 6: "forward", 9: "backward"}.get(count[0], "")
        return all_of(model)

    return step, look, calls(14)


class Arguments:
    """The arguments of the calls of the case that was made last."""

    def __init__(self) -> None:
        self.given: list[tuple[Any, ...]] = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.given)


@pytest.mark.parametrize("made", CASES, ids=lambda one: one.__name__)
def test_an_odd_step_ends_as_eagerly(made: Callable[[], Made], mode: str, agree: Any) -> None:
    # Made anew for each run, since a step may write into them.
    arguments = Arguments()

    def make() -> Any:
        step, look, arguments.given = made()
        return step, look

    agree(make, arguments, mode)


def test_results_that_are_one_tensor_or_look_at_one_do_so_in_each_mode(mode: str) -> None:
    model, optimizer = model_and_optimizer()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        out = model(x)
        loss = F.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        return {"loss": loss, "again": loss, "out": out, "values": out.detach()}

    compiled = gradcore.compile(step, mode=mode)
    for arguments in calls(6):
        result = compiled(*arguments)
    result["values"].zero_()
    assert compiled.mode == mode
    assert result["again"] is result["loss"]
    assert result["out"].abs().sum() == 0


def test_results_that_look_at_parts_of_one_tensor_do_so_in_each_mode(mode: str) -> None:
    model, optimizer = model_and_optimizer()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        out = model(x)
        F.cross_entropy(out, y).backward()
        optimizer.step()
        return out.detach(), out.detach()[1:3]

    compiled = gradcore.compile(step, mode=mode)
    for arguments in calls(6):
        whole, part = compiled(*arguments)
    part.zero_()
    assert whole[1:3].abs().sum() == 0
    assert "same memory" in compiled.report
