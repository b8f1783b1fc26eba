"""What is trained to compare libraries: data, initial weights, goals, and the PyTorch source.

Each workload is a class made with a library of PyTorch's names (``torch`` or gradcore); `update`
does one training step and returns the loss. Peers with other names (in `peers`) get the same
numbers by `problem`.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Goals(NamedTuple):
    """Times of a step relative to PyTorch's eager step, by mode of gradcore."""

    eager: float | None = None
    replay: float | None = None
    native: float | None = None
    stretch: float | None = None


class Product(NamedTuple):
    """Matrix products of a forward step: ``stack`` times (rows, inner) by (inner, columns).

    ``is_first``: the left factor is data and needs no gradient. ``in_time``: one has to wait for
    the other.
    """

    stack: int
    rows: int
    inner: int
    columns: int
    is_first: bool = False
    in_time: bool = False


def dense(rows: int) -> tuple[Product, ...]:
    """Return the products of the classifier of digits."""
    return (
        Product(1, rows, 784, 256, is_first=True),
        Product(1, rows, 256, 128),
        Product(1, rows, 128, 10),
    )


def encoder_layer(
    batch: int, time: int, d: int, heads: int, wide: int, is_first: bool
) -> tuple[Product, ...]:
    """Return the products of a layer of a transformer."""
    rows, pairs, part = batch * time, batch * heads, d // heads
    return (
        Product(1, rows, d, 3 * d, is_first),
        Product(pairs, time, part, time),
        Product(pairs, time, time, part),
        Product(1, rows, d, d),
        Product(1, rows, d, wide),
        Product(1, rows, wide, d),
    )


@dataclass
class Problem:
    """The numbers of a workload, without a library: weights by PyTorch's names, one batch."""

    weights: dict[str, Array]
    x: Array | None = None
    y: Array | None = None
    gradients: list[Array] = field(default_factory=list)
    lr: float = 1e-3


class Workload:
    """What all workloads have: a title, goals, and an `update` to be timed."""

    title = ""
    goals = Goals()
    products: tuple[Product, ...] = ()

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def update(self) -> Any:
        """Run one step and return the loss."""
        raise NotImplementedError

    def problem(self) -> Problem:
        """Return the numbers it starts from."""
        raise NotImplementedError

    def number(self, loss: Any) -> float:
        """Return what is compared between libraries after a step that returned ``loss``."""
        return float(loss.item())


class Chain(Workload):
    """Thirty tiny operations and their backward: what the overhead of one operation costs."""

    title = "chain of 30 tiny operations"
    goals = Goals(0.6, 0.3, 0.05, 0.03)

    def __init__(self, torch: Any) -> None:
        super().__init__(torch)
        own = self.problem()
        self.x = torch.from_numpy(own.x)
        tensors = [torch.from_numpy(array).requires_grad_() for array in own.weights.values()]
        self.weight, self.scale, self.shift = tensors

    def problem(self) -> Problem:
        numbers = np.random.default_rng(0)
        x = numbers.standard_normal((16, 16), np.float32)
        weight = numbers.standard_normal((16, 16), np.float32) * np.float32(0.2)
        scale, shift = np.full(16, 0.9, np.float32), np.full(16, 0.1, np.float32)
        return Problem({"weight": weight, "scale": scale, "shift": shift}, x)

    def update(self) -> Any:
        h = self.x
        for _ in range(10):
            h = (h @ self.weight) * self.scale + self.shift
        loss = h.sum()
        self.weight.grad = self.scale.grad = self.shift.grad = None
        loss.backward()
        return loss


class Trained(Workload):
    """A model with Adam and one batch; subclasses say which."""

    lr = 1e-3

    def __init__(self, torch: Any, **adam: Any) -> None:
        super().__init__(torch)
        torch.manual_seed(0)
        self.model = self.build(torch)
        self.take_weights(np.random.default_rng(1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.lr, **adam)
        self.x, self.y = map(torch.from_numpy, self.batch(np.random.default_rng(2)))

    def take_weights(self, numbers: np.random.Generator) -> None:
        """Set every parameter from the same numbers, whatever the library drew."""
        with self.torch.no_grad():
            for parameter in self.model.parameters():
                values = numbers.standard_normal(tuple(parameter.shape), np.float32)
                parameter.copy_(self.torch.from_numpy(values * np.float32(0.05)))

    def problem(self) -> Problem:
        weights = {name: p.detach().numpy().copy() for name, p in self.model.named_parameters()}
        return Problem(weights, *self.batch(np.random.default_rng(2)), lr=self.lr)

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
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss


class DemoMLP(Trained):
    """The network of a demonstration."""

    title = "demo MLP 2-32-32-2, batch 64"
    goals = Goals(0.25, 0.15, 0.04, 0.025)

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
        )

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        return numbers.standard_normal((64, 2), np.float32), numbers.integers(0, 2, 64)


class MLP(Trained):
    """A dense classifier of handwritten digits."""

    title = "MLP 784-256-128-10, batch 64"
    goals = Goals(0.6, 0.5, 0.36, 0.32)
    size = 64
    products = dense(64)

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
        )

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        x = numbers.standard_normal((self.size, 784), np.float32)
        return x, numbers.integers(0, 10, self.size)


class MLP512(MLP):
    """The same on a large batch."""

    title = "MLP 784-256-128-10, batch 512"
    goals = Goals(0.5, 0.45, 0.37, 0.35)
    size = 512
    products = dense(512)


class CNN(Trained):
    """Two convolutions with pooling and a linear layer on 1 x 28 x 28."""

    title = "CNN 1x28x28, batch 64"
    goals = Goals(0.9, 0.75, 0.50, 0.40)
    products = (
        Product(1, 16, 9, 64 * 784, is_first=True),
        Product(1, 32, 144, 64 * 196),
        Product(1, 64, 1568, 10),
    )

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        )  # fmt: skip

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        return numbers.standard_normal((64, 1, 28, 28), np.float32), numbers.integers(0, 10, 64)


class NormalizedCNN(CNN):
    """The same with batch normalization after each convolution."""

    title = "CNN with BatchNorm, batch 64"
    goals = Goals()

    def build(self, torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        )  # fmt: skip


class LSTM(Trained):
    """A recurrent layer over 64 steps of time."""

    title = "LSTM 128, T 64, batch 32"
    goals = Goals(1.5, 1.0, 0.85, 0.75)
    products = (
        Product(1, 64 * 32, 64, 512, is_first=True),
        Product(64, 32, 128, 512, in_time=True),
    )

    def build(self, torch: Any) -> Any:
        return torch.nn.LSTM(64, 128, batch_first=True)

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        x = numbers.standard_normal((32, 64, 64), np.float32)
        return x, numbers.standard_normal((32, 64, 128), np.float32)

    def loss(self) -> Any:
        return self.torch.nn.functional.mse_loss(self.model(self.x)[0], self.y)


class GRU(LSTM):
    """Its lighter relative."""

    title = "GRU 128, T 64, batch 32"
    goals = Goals()
    products = (
        Product(1, 64 * 32, 64, 384, is_first=True),
        Product(64, 32, 128, 384, in_time=True),
    )

    def build(self, torch: Any) -> Any:
        return torch.nn.GRU(64, 128, batch_first=True)


class TransformerBlock(Trained):
    """One encoder layer."""

    title = "transformer block d 128, 4 heads, T 128, batch 16"
    goals = Goals(0.75, 0.58, 0.48, 0.42)
    products = encoder_layer(16, 128, 128, 4, 512, is_first=True)

    def build(self, torch: Any) -> Any:
        return torch.nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        x = numbers.standard_normal((16, 128, 128), np.float32)
        return x, numbers.standard_normal((16, 128, 128), np.float32)

    def loss(self) -> Any:
        return self.torch.nn.functional.mse_loss(self.model(self.x), self.y)


class BagOfWords(Trained):
    """The mean of 50 embedded words, and a linear layer."""

    title = "bag of words, 5,000 x 64, batch 64"

    def build(self, torch: Any) -> Any:
        return torch.nn.Sequential(torch.nn.EmbeddingBag(5000, 64), torch.nn.Linear(64, 4))

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        return numbers.integers(0, 5000, (64, 50)), numbers.integers(0, 4, 64)


class CharTransformer(Trained):
    """A small language model: two causal layers over 64 characters."""

    title = "char transformer, 2 layers, d 64, T 64, batch 16"
    products = (
        *encoder_layer(16, 64, 64, 4, 256, is_first=False),
        *encoder_layer(16, 64, 64, 4, 256, is_first=False),
        Product(1, 16 * 64, 64, 65),
    )

    def build(self, torch: Any) -> Any:
        nn = torch.nn

        class Model(nn.Module):  # type: ignore[misc,name-defined] # the library is an argument
            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(65, 64)
                self.places = nn.Parameter(torch.zeros(64, 64))
                for name in ("first", "second"):
                    layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True)
                    setattr(self, name, layer)
                self.out = nn.Linear(64, 65)
                future = torch.triu(torch.full((64, 64), float("-inf")), diagonal=1)
                self.register_buffer("future", future)

            def forward(self, x: Any) -> Any:
                h = self.words(x) + self.places
                for layer in (self.first, self.second):
                    h = layer(h, src_mask=self.future)
                return self.out(h)

        return Model()

    def batch(self, numbers: np.random.Generator) -> tuple[Any, Any]:
        return numbers.integers(0, 65, (16, 64)), numbers.integers(0, 65, (16, 64))

    def loss(self) -> Any:
        scores = self.model(self.x)
        cross_entropy = self.torch.nn.functional.cross_entropy
        return cross_entropy(scores.reshape(-1, 65), self.y.reshape(-1))


class AdamAlone(Workload):
    """Steps of Adam on 100 tensors whose gradients stay; there is no model."""

    width = 32

    def __init__(self, torch: Any, **adam: Any) -> None:
        super().__init__(torch)
        own = self.problem()
        self.parameters = [torch.nn.Parameter(torch.from_numpy(a)) for a in own.weights.values()]
        for p, gradient in zip(self.parameters, own.gradients, strict=True):
            p.grad = torch.from_numpy(gradient)
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-3, **adam)

    def problem(self) -> Problem:
        numbers = np.random.default_rng(3)
        shapes = [(self.width, self.width), (self.width,)] * 50
        weights = {str(i): numbers.standard_normal(s, np.float32) for i, s in enumerate(shapes)}
        return Problem(weights, gradients=[numbers.standard_normal(s, np.float32) for s in shapes])

    def update(self) -> Any:
        self.optimizer.step()

    def number(self, loss: Any) -> float:
        # The first tensor has moved by as much as any; its sum of squares tells.
        return float((self.parameters[0].detach() ** 2).sum().item())


class AdamSmall(AdamAlone):
    """55 thousand values."""

    title = "Adam alone, 100 tensors, 55 k values"
    goals = Goals(None, 0.03, 0.005)


class AdamMedium(AdamAlone):
    """0.8 million values."""

    title = "Adam alone, 100 tensors, 0.8 M values"
    goals = Goals(None, 0.25, 0.04)
    width = 127


class AdamLarge(AdamAlone):
    """11 million values."""

    title = "Adam alone, 100 tensors, 11 M values"
    goals = Goals(None, 0.75, 0.25)
    width = 470


WORKLOADS: dict[str, type[Workload]] = {
    "chain": Chain,
    "demo_mlp": DemoMLP,
    "mlp_64": MLP,
    "mlp_512": MLP512,
    "cnn": CNN,
    "lstm": LSTM,
    "transformer": TransformerBlock,
    "adam_small": AdamSmall,
    "adam_medium": AdamMedium,
    "adam_large": AdamLarge,
    "gru": GRU,
    "norm_cnn": NormalizedCNN,
    "words": BagOfWords,
    "char_transformer": CharTransformer,
}
