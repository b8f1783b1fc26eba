"""Dropout and random tensors draw the same numbers in each mode, and long runs end alike.

The stream of random numbers is compared after every run (`train` notes its state at the end).
"""

import math
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.nn import functional as F

# How far runs may drift apart in so many steps: rounding is multiplied by each.
DRIFT = {200: 2e3, 1000: 2e4}


class Recurrent(nn.Module):
    """A recurrent layer and a linear one on its last state."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.cells, self.out = kind(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.cells(x)[0][:, -1])


class Attentive(nn.Module):
    """A layer of a transformer, with dropout in all its places."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.block(x).mean(1))


class Words(nn.Module):
    """A bag of words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.EmbeddingBag(11, 6), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.embedding(x))


def dense() -> Any:
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )


def convolutional() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip


MODELS = {
    "dense, dropout, batch norm": (dense, (8, 6)),
    "convolutions": (convolutional, (4, 1, 8, 8)),
    "LSTM": (lambda: Recurrent(nn.LSTM), (4, 5, 4)),
    "GRU": (lambda: Recurrent(nn.GRU), (4, 5, 4)),
    "transformer, dropout": (Attentive, (4, 5, 8)),
    "bag of words": (Words, (8, 5)),
}
DRAWS = {
    "dropout": lambda x: F.dropout(x, 0.3),
    "dropout1d": lambda x: F.dropout1d(x.unsqueeze(0), 0.4).squeeze(0),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.3, training=True),
    "feature_dropout": lambda x: F.dropout2d(x.reshape(1, 4, 2, 3), 0.4).reshape(4, 6),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "gumbel_softmax": lambda x: F.gumbel_softmax(x, 0.7),
    "randn": lambda x: x + gradcore.randn(4, 6),
    "randn_like": lambda x: x * gradcore.randn_like(x),
    "rand": lambda x: x * gradcore.rand(6),
    "rand_like": lambda x: x * gradcore.rand_like(x),
    "normal": lambda x: x + gradcore.normal(0.0, 0.1, (4, 6)),
    "bernoulli": lambda x: x * gradcore.bernoulli(gradcore.full((4, 6), 0.5)),
    "randint": lambda x: x[gradcore.randint(0, 4, (3,))],
    "randperm": lambda x: x[gradcore.randperm(4)],
    "multinomial": lambda x: x[gradcore.multinomial(gradcore.ones(4), 2)],
    "uniform_": lambda x: x * gradcore.empty(4, 6).uniform_(0.5, 1.5),
    "normal_": lambda x: x + gradcore.empty(7).normal_()[:6],
    "few numbers": lambda x: x + gradcore.randn(3).sum() + F.dropout(x, 0.5),
}


def batches(shape: tuple[int, ...], words: bool, count: int) -> list[list[Any]]:
    """Return inputs and targets."""
    numbers = np.random.default_rng(3)
    given = []
    for _ in range(count):
        x: Any = numbers.standard_normal(shape, np.float32)
        if words:
            x = numbers.integers(0, 11, shape)
        y = numbers.integers(0, 3, shape[0])
        given.append([gradcore.from_numpy(x), gradcore.from_numpy(y)])
    return given


def maker(build: Any, every: int):
    """Return what makes a step of a model; its weights are looked at each ``every`` steps."""

    def make():
        model = build()
        # Some gradients are zero but for rounding (a bias before a normalization, that of the keys
        # in attention), which Adam with its usual eps makes steps of full size out of.
        optimizer = gradcore.optim.AdamW(model.parameters(), lr=1e-3, eps=1e-4)
        taken = [0]

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        def look():
            taken[0] += 1
            return [] if taken[0] % every else [*model.state_dict().values()]

        return step, look

    return make


def run_long(name: str, steps: int, mode: str, agree: Any) -> None:
    build, shape = MODELS[name]
    run = agree(maker(build, 50), batches(shape, "words" in name, steps), mode, DRIFT[steps])
    assert run.modes.count(mode) >= steps - 6, run.report
    assert all(math.isfinite(float(one[0])) for one in run.seen[:-1])


@pytest.mark.parametrize("name", MODELS)
def test_two_hundred_steps_end_alike(name, mode, agree) -> None:
    run_long(name, 200, mode, agree)


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_a_thousand_steps_end_alike(name, mode, agree) -> None:
    run_long(name, 1000, mode, agree)


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn_at_random_is_the_same_in_each_mode(name, mode, agree) -> None:
    draw = DRAWS[name]

    def make():
        weight = gradcore.ones(4, 6, requires_grad=True)
        optimizer = gradcore.optim.SGD([weight], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            out = draw(x * weight)
            # Squares, since the sum of a softmax is 1, whose gradient is nothing but rounding.
            out.square().sum().backward()
            optimizer.step()
            return out

        return step, lambda: [weight, weight.grad]

    numbers = np.random.default_rng(4)
    given = [[gradcore.from_numpy(numbers.standard_normal((4, 6), np.float32))] for _ in range(12)]
    agree(make, given, mode)


def test_two_runs_from_one_seed_are_equal_in_each_mode(mode, agree) -> None:
    # The second training starts the stream anew, as the first did, beside an eager one each.
    for _ in range(2):
        agree(maker(dense, 5), batches((8, 6), False, 15), mode, 50.0)
