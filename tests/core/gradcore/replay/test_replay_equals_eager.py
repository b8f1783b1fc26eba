"""A compiled step trains as the step itself does, bit for bit, whatever the model is made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 30


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.scale = nn.Parameter(torch.ones(6))
        self.register_buffer("offset", torch.full((6,), 0.1))

    def forward(self, x: Any) -> Any:
        for layer in (self.first, self.second):
            x = x + F.gelu(layer(x)) * self.scale + self.offset
        return x.sum(1, keepdim=True).expand(-1, 3)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(11, 6), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.embedding(x).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.cells, self.out = kind(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.cells(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.block(x).mean(1))


def convolutional() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def mlp(*layers: Any) -> Callable[[], Any]:
    return lambda: nn.Sequential(
        nn.Linear(6, 8), *(make() for make in layers), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
    )


MODELS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "relu": (mlp(nn.ReLU), (8, 6)),
    "sigmoid, layer norm": (mlp(nn.Sigmoid, lambda: nn.LayerNorm(8)), (8, 6)),
    "dropout": (mlp(lambda: nn.Dropout(0.3)), (8, 6)),
    "batch norm": (mlp(lambda: nn.BatchNorm1d(8), nn.GELU), (8, 6)),
    "leaky relu, softplus": (mlp(nn.LeakyReLU, nn.Softplus, nn.SiLU), (8, 6)),
    "residual": (Residual, (8, 6)),
    "embedding": (Words, (8, 5)),
    "convolutions": (convolutional, (4, 1, 8, 8)),
    "rnn": (lambda: Recurrent(nn.RNN), (4, 5, 4)),
    "gru": (lambda: Recurrent(nn.GRU), (4, 5, 4)),
    "lstm": (lambda: Recurrent(nn.LSTM), (4, 5, 4)),
    "transformer": (Attention, (4, 5, 8)),
}
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "decay": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
}


def batches(shape: tuple[int, ...], words: bool, count: int) -> list[tuple[Any, Any]]:
    numbers = np.random.default_rng(3)
    made = []
    for _ in range(count):
        x: Any = numbers.standard_normal(shape, np.float32)
        if words:
            x = numbers.integers(0, 11, shape)
        made.append((torch.from_numpy(x), torch.from_numpy(numbers.integers(0, 3, shape[0]))))
    return made


def train(
    build: Callable[[], Any], optimizer: Callable[[Any], Any], data: Any, compiled: bool
) -> tuple[Any, list[float], list[Any]]:
    """Return the step, its losses, and all values it leaves behind."""
    torch.manual_seed(5)
    model = build()
    stepper = optimizer(model.parameters())

    def step(x: Any, y: Any) -> Any:
        stepper.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        stepper.step()
        return loss

    if compiled:
        step = torch.compile(step)
    losses = [step(x, y).item() for x, y in data]
    left = [t.detach().numpy().copy() for t in model.state_dict().values()]
    left += [p.grad.numpy().copy() for p in model.parameters()]
    for p in model.parameters():
        left += [t.numpy().copy() for t in stepper.state[p].values() if torch.is_tensor(t)]
    return step, losses, [*left, torch.get_rng_state().numpy()]


def assert_same(build: Any, optimizer: Any, data: Any) -> Any:
    _, expected, values = train(build, optimizer, data, False)
    step, losses, replayed = train(build, optimizer, data, True)
    assert losses == expected
    assert all(np.array_equal(a, b) for a, b in zip(values, replayed, strict=True))
    return step


@pytest.mark.parametrize("name", MODELS)
def test_a_replayed_model_leaves_the_same_losses_weights_and_state(name: str) -> None:
    build, shape = MODELS[name]
    step = assert_same(build, OPTIMIZERS["adam"], batches(shape, name == "embedding", STEPS))
    assert step.replayed >= STEPS - 4, step.report


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_replayed_optimizer_leaves_the_same_weights_and_state(name: str) -> None:
    step = assert_same(mlp(nn.ReLU), OPTIMIZERS[name], batches((8, 6), False, STEPS))
    assert step.replayed >= STEPS - 4, step.report


def test_a_thousand_steps_with_dropout_and_batch_norm_stay_equal() -> None:
    build = mlp(lambda: nn.BatchNorm1d(8), lambda: nn.Dropout(0.2))
    step = assert_same(build, OPTIMIZERS["adamw"], batches((8, 6), False, 1000))
    assert step.replayed >= 996, step.report


def test_batches_of_two_sizes_are_each_replayed() -> None:
    data = batches((8, 6), False, 10) + batches((5, 6), False, 10) + batches((8, 6), False, 10)
    step = assert_same(mlp(nn.ReLU), OPTIMIZERS["adam"], data)
    assert step.replayed >= 24, step.report
