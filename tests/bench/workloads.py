"""What is trained to compare two libraries: the same source for both, the same data and weights.

Each workload is a class made with the library (``torch`` or gradcore under that name); `update`
does one training step and returns the loss, `step` the loss as a float.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Chain:
    """Thirty tiny operations and their backward: what the overhead of one operation costs."""

    goal = 0.6
    replay_goal = 0.3

    def __init__(self, torch: Any) -> None:
        numbers = np.random.default_rng(0)
        self.x = torch.from_numpy(numbers.standard_normal((16, 16), np.float32))
        weight = torch.from_numpy(numbers.standard_normal((16, 16), np.float32) * np.float32(0.2))
        self.weight = weight.requires_grad_()
        self.scale = torch.from_numpy(np.full(16, 0.9, np.float32)).requires_grad_()
        self.shift = torch.from_numpy(np.full(16, 0.1, np.float32)).requires_grad_()

    def update(self) -> Any:
        """Run forward and backward."""
        h = self.x
        for _ in range(10):
            h = (h @ self.weight) * self.scale + self.shift
        loss = h.sum()
        self.weight.grad = self.scale.grad = self.shift.grad = None
        loss.backward()
        return loss

    def step(self) -> float:
        """Run forward and backward, and look at the loss."""
        return float(self.update().item())


class Trained:
    """A model with an optimizer and one batch; subclasses say which."""

    goal = 1.0
    replay_goal = 1.0
    lr = 1e-3

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        torch.manual_seed(0)
        self.model = self.build(torch)
        self.take_weights(np.random.default_rng(1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.lr)
        self.x, self.y = map(torch.from_numpy, self.batch(np.random.default_rng(2)))

    def take_weights(self, numbers: np.random.Generator) -> None:
        """Set every parameter from the same numbers, whatever the library drew."""
        with self.torch.no_grad():
            for parameter in self.model.parameters():
                values = numbers.standard_normal(tuple(parameter.shape), np.float32)
                parameter.copy_(self.torch.from_numpy(values * np.float32(0.05)))

    def build(self, torch: Any) -> Any:
        """Return the model."""
        raise NotImplementedError

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        """Return input and target."""
        raise NotImplementedError

    def loss(self) -> Any:
        """Return the loss of the batch."""
        return self.torch.nn.functional.cross_entropy(self.model(self.x), self.y)

    def update(self) -> Any:
        """Run one training step."""
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss

    def step(self) -> float:
        """Run one training step and look at the loss."""
        return float(self.update().item())


class DemoMLP(Trained):
    """The network of a demonstration: 2-32-32-2."""

    goal = 0.25
    replay_goal = 0.15

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
        )

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        return numbers.standard_normal((64, 2), np.float32), numbers.integers(0, 2, 64)


class MLP(Trained):
    """784-256-128-10."""

    goal = 0.6
    replay_goal = 0.5
    size = 64

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
        )

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        x = numbers.standard_normal((self.size, 784), np.float32)
        return x, numbers.integers(0, 10, self.size)


class MLP512(MLP):
    """784-256-128-10 on a batch of 512."""

    goal = 0.5
    replay_goal = 0.45
    size = 512


class CNN(Trained):
    """Two convolutions with pooling and a linear layer on 1 x 28 x 28."""

    goal = 0.9
    replay_goal = 0.75

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        )  # fmt: skip

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        return numbers.standard_normal((64, 1, 28, 28), np.float32), numbers.integers(0, 10, 64)


class LSTM(Trained):
    """Hidden size 128 over 64 steps of time, batch 32."""

    goal = 1.5
    replay_goal = 1.0

    def build(self, torch: Any) -> Any:
        return torch.nn.LSTM(64, 128, batch_first=True)

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        x = numbers.standard_normal((32, 64, 64), np.float32)
        return x, numbers.standard_normal((32, 64, 128), np.float32)

    def loss(self) -> Any:
        return self.torch.nn.functional.mse_loss(self.model(self.x)[0], self.y)


class TransformerBlock(Trained):
    """One encoder layer: width 128, 4 heads, 128 positions, batch 16."""

    goal = 0.75
    replay_goal = 0.58

    def build(self, torch: Any) -> Any:
        return torch.nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        x = numbers.standard_normal((16, 128, 128), np.float32)
        return x, numbers.standard_normal((16, 128, 128), np.float32)

    def loss(self) -> Any:
        return self.torch.nn.functional.mse_loss(self.model(self.x), self.y)


WORKLOADS: dict[str, type[Chain] | type[Trained]] = {
    "chain of 30 tiny operations": Chain,
    "demo MLP 2-32-32-2": DemoMLP,
    "MLP 784-256-128-10, batch 64": MLP,
    "MLP 784-256-128-10, batch 512": MLP512,
    "CNN 1x28x28, batch 64": CNN,
    "LSTM 128, T 64, batch 32": LSTM,
    "transformer block d 128, T 128": TransformerBlock,
}
