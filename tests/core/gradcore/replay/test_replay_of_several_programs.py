"""Steps that compute on after an optimizer, or with gradients, are replayed to the last bit."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 14


def batch(number: int) -> tuple[Any, Any]:
    numbers = np.random.default_rng(number)
    x = torch.from_numpy(numbers.standard_normal((8, 6), np.float32))
    return x, torch.from_numpy(numbers.integers(0, 3, 8))


def model(outputs: int = 3) -> Any:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, outputs))


class Adversaries:
    """A generator and a discriminator that train against each other."""

    def __init__(self) -> None:
        self.g = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(True), nn.Linear(8, 6), nn.Tanh()
        )
        self.d = nn.Sequential(
            nn.Linear(6, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1), nn.Sigmoid()
        )
        self.for_g = torch.optim.Adam(self.g.parameters(), lr=2e-3)
        self.for_d = torch.optim.Adam(self.d.parameters(), lr=2e-3)

    def step(self, x: Any, _: Any) -> Any:
        """Train both, the one on what the other has just made."""
        self.d.zero_grad()
        label = torch.full((8, 1), 1.0)
        real = F.binary_cross_entropy(self.d(x), label)
        real.backward()
        made = self.g(torch.randn(8, 4))
        label.fill_(0.0)
        fake = F.binary_cross_entropy(self.d(made.detach()), label)
        fake.backward()
        self.for_d.step()
        self.g.zero_grad()
        label.fill_(1.0)
        loss = F.binary_cross_entropy(self.d(made), label)
        loss.backward()
        self.for_g.step()
        return loss, real + fake


def adversaries() -> tuple[Any, Any]:
    both = Adversaries()
    return both.step, [both.g, both.d]


def averaged() -> tuple[Any, Any]:
    net = model()
    mean, optimizer = copy.deepcopy(net), torch.optim.Adam(net.parameters(), lr=0.01)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for average, weight in zip(mean.parameters(), net.parameters(), strict=True):
                average.mul_(0.9).add_(weight, alpha=0.1)
        return loss

    return step, [net, mean]


def by_hand() -> tuple[Any, Any]:
    net = model()

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        with torch.no_grad():
            for weight in net.parameters():
                weight -= 0.1 * weight.grad
                weight.grad.zero_()
        return loss

    return step, [net]


def clamped() -> tuple[Any, Any]:
    net = model()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        for weight in net.parameters():
            weight.grad.data.clamp_(-0.01, 0.01)
        optimizer.step()
        for weight in net.parameters():
            weight.data.clamp_(-0.3, 0.3)
        return loss

    return step, [net]


def norms() -> tuple[Any, Any]:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        before = torch.stack([weight.grad.norm() for weight in net.parameters()])
        total = nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
        return loss, before, total * 2

    return step, [net]


def penalized() -> tuple[Any, Any]:
    net = model(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step(x: Any, _: Any) -> Any:
        optimizer.zero_grad()
        between = (torch.rand(8, 1) * x).requires_grad_(True)
        out = net(between)
        (slope,) = torch.autograd.grad(out, between, torch.ones_like(out), create_graph=True)
        loss = net(x).mean() + ((slope.norm(2, dim=1) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, [net]


def learning_to_learn() -> tuple[Any, Any]:
    net = model(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def answer(x: Any, weights: list[Any]) -> Any:
        return F.linear(F.linear(x, *weights[:2]).tanh(), *weights[2:])

    def step(x: Any, _: Any) -> Any:
        optimizer.zero_grad()
        fast = list(net.parameters())
        loss = (answer(x, fast) ** 2).mean()
        slopes = torch.autograd.grad(loss, fast, create_graph=True)
        fast = [weight - 0.1 * slope for weight, slope in zip(fast, slopes, strict=True)]
        later = ((answer(x, fast) - 1) ** 2).mean()
        later.backward()
        optimizer.step()
        return later

    return step, [net]


def started_with_a_gradient() -> tuple[Any, Any]:
    net = model()

    def step(x: Any, y: Any) -> Any:
        for weight in net.parameters():
            weight.grad = None
        out = net(x)
        out.backward(x[:, :3])
        return out

    return step, [net]


STEP_KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "two adversaries": adversaries,
    "weights averaged after the step": averaged,
    "weights moved by hand": by_hand,
    "gradients and weights clamped": clamped,
    "norms of gradients": norms,
    "a penalty on a gradient": penalized,
    "a gradient through gradients": learning_to_learn,
    "backward from a gradient of its own": started_with_a_gradient,
}


def train(make: Callable[[], tuple[Any, Any]], mode: str) -> tuple[Any, list[Any]]:
    torch.manual_seed(4)
    step, models = make()
    call = torch.compile(step, mode=mode)
    seen: list[Any] = []
    for number in range(STEPS):
        seen += arrays(call(*batch(number)))
        seen += [
            p.grad.numpy().copy() for m in models for p in m.parameters() if p.grad is not None
        ]
    left = [t.detach().numpy() for m in models for t in m.state_dict().values()]
    return call, [*seen, *left, torch.get_rng_state().numpy()]


def arrays(result: Any) -> Iterable[Any]:
    parts = result if isinstance(result, tuple) else (result,)
    return [part.detach().numpy().copy() for part in parts]


@pytest.mark.parametrize("name", STEP_KINDS)
def test_every_value_is_that_of_the_step_itself(name: str) -> None:
    _, expected = train(STEP_KINDS[name], "eager")
    call, found = train(STEP_KINDS[name], "replay")
    assert len(found) == len(expected)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))
    assert call.replayed >= STEPS - 5, call.report


def test_a_later_program_that_cannot_go_on_leaves_nothing_of_the_earlier_ones() -> None:
    ends = []
    for mode in ("eager", "replay"):
        torch.manual_seed(4)
        both = Adversaries()
        call = torch.compile(both.step, mode=mode)
        for number in range(9):
            x, y = batch(number)
            # The discriminator's second look is at values of which there is no logarithm.
            with torch.no_grad():
                both.g[3].bias.fill_(float("nan") if number == 6 else 0.1)
            try:
                call(x, y)
            except RuntimeError as error:
                assert "between 0 and 1" in str(error)
        models = [both.g, both.d]
        ends.append([t.detach().numpy() for m in models for t in m.state_dict().values()])
    assert call.replayed >= 3, call.report
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*ends, strict=True))
