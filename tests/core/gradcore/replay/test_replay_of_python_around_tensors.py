"""What a step does in Python beside its tensors happens in a replayed one as well, or it is not
replayed: lists that grow, running sums, counters, states, branches, results of any form."""

import copy
import functools
import math
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 30
Scores = namedtuple("Scores", "loss right")


@dataclass
class Output:
    """What a step returns."""

    loss: float
    scores: Any


def batch(number: int) -> tuple[Any, Any]:
    numbers = np.random.default_rng(number)
    x = torch.from_numpy(numbers.standard_normal((8, 6), np.float32))
    return x, torch.from_numpy(numbers.integers(0, 3, 8))


class Training:
    """A model, its optimizer, and what a step leaves in Python."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.history: dict[str, list[float]] = {"loss": [], "right": []}
        self.total, self.best, self.steps = 0.0, 9.0, 0
        self.hidden = torch.zeros(8, 3)
        self.last: Any = None

    def train(self, x: Any, y: Any, weight: Any = 1.0) -> tuple[Any, Any]:
        self.optimizer.zero_grad()
        scores = self.model(x)
        loss = F.cross_entropy(scores, y) * weight
        loss.backward()
        self.optimizer.step()
        return loss, scores

    def noted(self, x: Any, y: Any) -> None:
        loss, scores = self.train(x, y)
        self.history["loss"].append(loss.item())
        self.history["right"].append((scores.argmax(1) == y).sum().item())
        self.total += loss.item() * len(x)
        self.steps += 1

    def watched(self, x: Any, y: Any) -> Any:
        loss, scores = self.train(x, y)
        self.last = scores.detach()
        if loss.item() < self.best:
            self.best = loss.item()
        return Output(loss.item(), scores.detach())

    def carried(self, x: Any, y: Any) -> Any:
        loss, scores = self.train(x + self.hidden.detach().mean(), y)
        self.hidden = 0.5 * self.hidden + scores.detach()
        return Scores(float(loss), (scores.argmax(1) == y).sum().item())

    def stopped(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        if not math.isfinite(loss.item()):
            return "stopped"
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def added_up(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss: Any = 0
        for row in range(3):
            loss += F.cross_entropy(self.model(x[row : row + 1]), y[row : row + 1])
        loss.backward()
        self.optimizer.step()
        return loss.item() / 3

    def state(self) -> list[Any]:
        return [self.history, self.total, self.best, self.steps, self.hidden, self.last]


def annealed(training: Training) -> Callable[..., Any]:
    return lambda x, y, weight: training.train(x, y, weight)[0]


def numbered(training: Training) -> Callable[..., Any]:
    def step(x: Any, y: Any, number: int) -> Any:
        loss, _ = training.train(x, y)
        return loss.item() if number % 4 else None

    return step


def unread(training: Training) -> Callable[..., Any]:
    return lambda x, y, number: training.train(x, y)[0].item()


def nested(training: Training) -> Callable[..., Any]:
    return lambda given: {"loss": training.train(given["x"], given["more"][0])[0].item()}


def given_its_model(training: Training) -> Callable[..., Any]:
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return functools.partial(step, training.model, training.optimizer)


def plainly(x: Any, y: Any, number: int) -> tuple[Any, ...]:
    return x, y


def with_number(x: Any, y: Any, number: int) -> tuple[Any, ...]:
    return x, y, number


def with_float(x: Any, y: Any, number: int) -> tuple[Any, ...]:
    return x, y, 1.0 - number / 50


def with_nan(x: Any, y: Any, number: int) -> tuple[Any, ...]:
    return x * (float("nan") if number in (15, 22) else 1.0), y


def in_a_dictionary(x: Any, y: Any, number: int) -> tuple[Any, ...]:
    return ({"x": x, "more": [y]},)


STEP_KINDS: dict[str, tuple[Callable[[Training], Any], Any, int]] = {
    "lists, sums and counters": (lambda one: one.noted, plainly, 20),
    "the last scores and the best loss": (lambda one: one.watched, plainly, 12),
    "a state that is carried on": (lambda one: one.carried, plainly, 20),
    "a look for NaN": (lambda one: one.stopped, with_nan, 20),
    "a loss that is added up": (lambda one: one.added_up, plainly, 20),
    "a weight that is another one each time": (annealed, with_float, 20),
    "a number that decides what is returned": (numbered, with_number, 12),
    "a number that is not read": (unread, with_number, 20),
    "arguments in containers": (nested, in_a_dictionary, 20),
    "a model among the arguments": (given_its_model, plainly, 20),
}


def run(name: str, mode: str) -> tuple[Any, list[Any]]:
    torch.manual_seed(4)
    make, arrange, _ = STEP_KINDS[name]
    training = Training()
    call = torch.compile(make(training), mode=mode)
    seen: list[Any] = []
    for number in range(STEPS):
        seen += plain([call(*arrange(*batch(number), number)), training.state()])
    seen += plain(list(training.model.parameters()))
    return call, seen


def plain(item: Any) -> list[Any]:
    """Return all that can be compared in something, with its types."""
    if isinstance(item, torch.Tensor):
        a = item.detach().numpy()
        return [a.dtype, a.shape, a.tobytes()]
    if isinstance(item, dict):
        return [part for key in item for part in (key, *plain(item[key]))]
    if isinstance(item, (tuple, list)):
        return [type(item), *(found for part in item for found in plain(part))]
    if isinstance(item, Output):
        return [Output, *plain([item.loss, item.scores])]
    return [type(item), repr(item)]


@pytest.mark.parametrize("name", STEP_KINDS)
def test_python_is_left_as_the_step_itself_leaves_it(name: str) -> None:
    _, expected = run(name, "eager")
    call, found = run(name, "replay")
    assert found == expected
    assert call.replayed >= STEP_KINDS[name][2], call.report


def test_numbers_that_a_step_returns_and_keeps_are_pythons_own() -> None:
    training = Training()
    call = torch.compile(training.watched, mode="replay")
    for number in range(3):
        result = call(*batch(number))
        assert type(result.loss) is type(training.best) is float


def test_an_attribute_that_others_set_meanwhile_is_read_anew() -> None:
    ends = []
    for mode in ("eager", "replay"):
        torch.manual_seed(4)
        training = Training()
        call = torch.compile(training.carried, mode=mode)
        for number in range(24):
            if number == 12:
                training.hidden = torch.ones(8, 3)
            if number == 18:
                training.hidden = torch.ones(1, 3)
            call(*batch(number))
        ends.append(plain(training.state()) + plain([*training.model.parameters()]))
    assert ends[0] == ends[1]
    assert call.replayed >= 10, call.report


CHANGES: dict[str, Callable[[Training], Any]] = {
    "another list": lambda one: one.history.update(loss=[]),
    "a list by two names": lambda one: one.history.update(more=one.history["loss"]),
    "an emptied list": lambda one: one.history["loss"].clear(),
    "another count": lambda one: setattr(one, "steps", 100),
    "a count that is a float": lambda one: setattr(one, "steps", 0.5),
    "a state that requires grad": lambda one: setattr(
        one, "hidden", torch.ones(8, 3, requires_grad=True)
    ),
    "a state that is a number": lambda one: setattr(one, "hidden", torch.tensor(0.5)),
    "a state of another dtype": lambda one: setattr(one, "hidden", torch.ones(8, 3).double()),
    "a hook on a layer": lambda one: one.model[0].register_forward_hook(lambda m, i, o: o * 1.5),
    "a hook on a parameter": lambda one: one.model[0].weight.register_hook(lambda g: g * 0),
    "gradients of the user's": lambda one: [p.grad.fill_(3.0) for p in one.model.parameters()],
    "another optimizer": lambda one: setattr(
        one, "optimizer", torch.optim.Adam(one.model.parameters())
    ),
    "a copied model": lambda one: setattr(one, "model", copy.deepcopy(one.model)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_others_change_meanwhile_is_followed(name: str) -> None:
    ends = []
    for mode in ("eager", "replay"):
        torch.manual_seed(4)
        training = Training()
        training.model.append(nn.Dropout(0.1))

        def step(x: Any, y: Any, one: Training = training) -> Any:
            one.noted(x, y)
            return one.carried(x, y)

        call = torch.compile(step, mode=mode)
        seen: list[Any] = []
        for number in range(24):
            if number == 14:
                CHANGES[name](training)
            try:
                seen += plain(call(*batch(number)))
            except RuntimeError as error:
                seen.append(str(error))
        ends.append([*seen, *plain([training.state(), *training.model.parameters()])])
    assert ends[0] == ends[1]
    assert call.replayed >= 6, call.report


def test_a_step_that_reads_the_learning_rate_is_recorded_anew_for_another_one() -> None:
    ends = []
    for mode in ("eager", "replay"):
        torch.manual_seed(4)
        training = Training()

        def step(x: Any, y: Any, training: Training = training) -> Any:
            training.train(x, y)
            with torch.no_grad():
                for weight in training.model.parameters():
                    weight.mul_(1 - training.optimizer.param_groups[0]["lr"] * 0.1)

        call = torch.compile(step, mode=mode)
        for number in range(20):
            if number == 10:
                training.optimizer.param_groups[0]["lr"] = 0.02
            call(*batch(number))
        ends.append(plain([*training.model.parameters()]))
    assert ends[0] == ends[1]
    assert call.replayed >= 10, call.report
