"""HIPS autograd: NumPy with gradients; the optimizer is NumPy."""

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from peers.adam import Adam
from peers.formulas import Models
from peers.peer import MissingError, Peer, UnfitError
from workloads import Problem, Workload


class Autograd(Peer):
    """``value_and_grad`` of a loss."""

    name = "autograd"

    def __init__(self) -> None:
        try:
            self.autograd = importlib.import_module("autograd")
            self.np = importlib.import_module("autograd.numpy")
        except ImportError:
            raise MissingError("autograd is not installed") from None

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        if key.startswith("adam"):
            raise UnfitError("it has no optimizer that takes single steps")
        models = Models(self.np, self._own())
        models.own.lstm = lambda w, x: models.lstm(w, x, self._over_time)
        models.own.gru = lambda w, x: models.gru(w, x, self._over_time)
        loss_of = models.losses[key]
        both = self.autograd.value_and_grad(lambda w: loss_of(w, problem.x, problem.y))
        weights = {name: value.copy() for name, value in problem.weights.items()}
        if key == "chain":
            return lambda: both(weights)[0]
        adam = Adam(list(weights.values()), problem.lr)

        def update() -> Any:
            loss, gradients = both(weights)
            adam.step([gradients[name] for name in weights])
            return loss

        return update

    def _over_time(self, states: list[Any]) -> Any:
        return self.np.stack(states, axis=1)

    def _own(self) -> Any:
        np = self.np
        try:
            convolution = importlib.import_module("autograd.scipy.signal").convolve
            logsumexp = importlib.import_module("autograd.scipy.special").logsumexp
        except ImportError:
            raise UnfitError("its convolution and logsumexp need scipy") from None

        def cross_entropy(scores: Any, y: Any) -> Any:
            right = scores[np.arange(len(y)), y]
            return np.mean(logsumexp(scores, axis=1) - right)

        def convolve(x: Any, kernel: Any) -> Any:
            # As its own example does: over the channels by a dot, valid only, on a padded image.
            padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
            turned = kernel[:, :, ::-1, ::-1]
            return convolution(
                padded, turned, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid"
            )

        def max_pool(x: Any) -> Any:
            n, c, h, w = x.shape
            return np.max(np.max(np.reshape(x, (n, c, h // 2, 2, w // 2, 2)), axis=3), axis=4)

        def softmax(x: Any) -> Any:
            powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
            return powers / np.sum(powers, axis=-1, keepdims=True)

        return SimpleNamespace(
            relu=lambda x: np.maximum(x, np.float32(0)), softmax=softmax, convolve=convolve,
            cross_entropy=cross_entropy, max_pool=max_pool,
            sigmoid=lambda x: np.float32(0.5) * (np.tanh(x * np.float32(0.5)) + np.float32(1)),
            zeros=lambda shape: np.zeros(shape, np.float32),
            future=lambda time: np.triu(np.full((time, time), -np.inf, np.float32), 1),
        )  # fmt: skip
