"""Counters, rates, mathematics and random numbers of Python's are followed in a replayed step."""

import itertools
import math
import random
import time
from collections.abc import Callable
from random import gauss
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 50
SCALES = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]


class Training:
    """A model, its optimizer and schedule, a counter, and what is noted."""

    def __init__(self) -> None:
        torch.manual_seed(7)
        random.seed(8)
        np.random.seed(9)
        self.model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 7, 0.8)
        self.count = 0
        self.seen: list[float] = []

    def finish(self, loss: Any) -> Any:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def loss(self, x: Any, y: Any) -> Any:
        return F.cross_entropy(self.model(x), y)

    def warmed_up(self, x: Any, y: Any) -> Any:
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1 * min(1.0, self.count / 10)
        return self.finish(self.loss(x, y))

    def annealed(self, x: Any, y: Any, number: int) -> Any:
        rate = 0.1 if number < 10 else 0.05 * (1 + math.cos(math.pi * number / STEPS))
        self.optimizer.param_groups[0]["lr"] = rate
        return self.finish(self.loss(x, y))

    def decayed(self, x: Any, y: Any) -> Any:
        loss = self.finish(self.loss(x, y))
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.99
            group["weight_decay"] = loss * 0.01
        return loss

    def scheduled(self, x: Any, y: Any) -> Any:
        self.seen.append(self.optimizer.param_groups[0]["lr"])
        loss = self.finish(self.loss(x, y))
        self.schedule.step()
        self.seen.append(self.schedule.get_last_lr()[0])
        return loss, self.optimizer.param_groups[0]["lr"]

    def held_by_a_table(self, x: Any, y: Any, number: int) -> Any:
        # The rate stays the same for long, and then is another one.
        self.optimizer.param_groups[0]["lr"] = 0.1 * 0.5 ** (number // 20)
        return self.finish(self.loss(x, y))

    def clipped(self, x: Any, y: Any) -> Any:
        self.count += 1
        self.optimizer.zero_grad()
        self.loss(x, y).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.1 * (1 + self.count / 10))
        self.optimizer.step()

    def measured(self, x: Any, y: Any) -> Any:
        loss = self.finish(self.loss(x, y))
        return round(loss, 4), math.exp(min(loss, 20)), math.sqrt(loss) if loss > 1 else None

    def mixed(self, x: Any, y: Any) -> Any:
        share = np.random.beta(0.4, 0.4)
        order = torch.randperm(len(x))
        scores = self.model(share * x + (1 - share) * x[order])
        first, second = F.cross_entropy(scores, y), F.cross_entropy(scores, y[order])
        return self.finish(share * first + (1 - share) * second)

    def noised(self, x: Any, y: Any) -> Any:
        if random.random() < 0.5:
            x = x.flip(1)
        return self.finish(self.loss(x * random.uniform(0.9, 1.1) + gauss(0, 0.1), y))

    def printed(self, x: Any, y: Any) -> Any:
        self.count += 1
        loss = self.finish(self.loss(x, y))
        if self.count % 20 == 0:
            print(f"{self.count}: {loss:.4f} at {time.time():.0f}"[:9])
        return loss

    def state(self) -> list[Any]:
        groups = [
            {k: v for k, v in g.items() if k != "params"} for g in self.optimizer.param_groups
        ]
        places = [random.getstate(), np.random.get_state()[1].tolist()]
        return [groups, self.schedule.state_dict(), self.count, self.seen, places]


def by_count(work: Callable[[Any, Any, Any], Any]) -> Callable[[Training], Any]:
    """Return a maker of steps whose loss is worked on with a number that changes now and then."""

    def make(one: Training) -> Any:
        def step(x: Any, y: Any) -> Any:
            one.count += 1
            return one.finish(work(one.loss(x, y), x, one.count // 10))

        return step

    return make


def repeated(loss: Any, x: Any, n: Any) -> Any:
    for _ in range(1 + n):
        loss = loss * 1.1
    return loss


METHODS = (
    "warmed_up", "annealed", "decayed", "scheduled", "held_by_a_table", "clipped", "measured",
    "mixed", "noised", "printed",
)  # fmt: skip
BY_COUNT: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a loop": repeated,
    "a list": lambda loss, x, n: loss * SCALES[n],
    "a list that is repeated": lambda loss, x, n: loss * sum([1.0] * (1 + n)),
    "part of a text": lambda loss, x, n: loss * (1 + len("abcdefgh"[:n])),
    "a slice of an iterator": lambda loss, x, n: loss * sum(itertools.islice(SCALES, 1 + n)),
    "a shape": lambda loss, x, n: loss * torch.ones(1 + n).sum(),
    "a shape of random numbers": lambda loss, x, n: loss + torch.randn(1 + n).sum() * 0.01,
    "a value": lambda loss, x, n: loss + torch.full((3,), n).sum(),
    "values in a list": lambda loss, x, n: loss * torch.tensor([1.0, 1.0 + n]).sum(),
    "an end": lambda loss, x, n: loss * torch.linspace(0, 1 + n, 3).sum(),
    "an index": lambda loss, x, n: loss * x[n].abs().sum(),
    "a slice": lambda loss, x, n: loss * x[: 1 + n].abs().sum(),
    "a count": lambda loss, x, n: loss * x.repeat(1 + n, 1).abs().mean(),
    "a method of numbers": lambda loss, x, n: loss * (1 + n.bit_length()),
}


def plain(item: Any) -> Any:
    """Return what can be compared, to the bit."""
    if isinstance(item, torch.Tensor):
        return item.detach().numpy().tobytes()
    return repr(item)


def run(make: Callable[[Training], Any], mode: str) -> tuple[Any, list[Any]]:
    training = Training()
    call = torch.compile(make(training), mode=mode)
    is_told = "number" in make(training).__code__.co_varnames[:4]
    found = []
    for number in range(STEPS):
        numbers = np.random.default_rng(number)
        x = torch.from_numpy(numbers.standard_normal((8, 6), np.float32))
        y = torch.from_numpy(numbers.integers(0, 3, 8))
        result = call(x, y, number) if is_told else call(x, y)
        found += [plain(result), plain(training.state())]
    return call, found + [plain(p) for p in training.model.parameters()]


@pytest.mark.parametrize("name", METHODS)
def test_numbers_of_python_are_followed_to_the_bit(name: str, capsys: Any) -> None:
    def make(training: Training) -> Any:
        return getattr(training, name)

    _, expected = run(make, "eager")
    printed = capsys.readouterr().out
    call, found = run(make, "replay")
    assert found == expected
    assert capsys.readouterr().out == printed
    assert call.replayed >= 15, call.report


@pytest.mark.parametrize("name", BY_COUNT)
def test_a_number_that_python_takes_unseen_is_asked_for(name: str) -> None:
    _, expected = run(by_count(BY_COUNT[name]), "eager")
    call, found = run(by_count(BY_COUNT[name]), "replay")
    assert found == expected
    assert call.replayed >= 15, call.report


def test_a_step_that_only_counts_beside_its_tensors_has_a_native_form() -> None:
    pytest.importorskip("numba")
    training = Training()
    call = torch.compile(training.warmed_up, mode="native")
    for number in range(STEPS):
        numbers = np.random.default_rng(number)
        x = torch.from_numpy(numbers.standard_normal((8, 6), np.float32))
        call(x, torch.from_numpy(numbers.integers(0, 3, 8)))
    assert call.native >= 20, call.report
    _, expected = run(lambda one: one.warmed_up, "eager")
    assert training.count == STEPS
    assert repr(training.state()[0]) in expected[-5]
