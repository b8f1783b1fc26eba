"""MyGrad: tensors with NumPy's names and ``backward``; the optimizer is NumPy."""

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy

from peers.adam import Adam
from peers.formulas import Models
from peers.peer import MissingError, Peer, UnfitError
from workloads import Problem, Workload


class MyGrad(Peer):
    """Its layers where it has them, its operations else."""

    name = "MyGrad"

    def __init__(self) -> None:
        try:
            self.np = importlib.import_module("mygrad")
            self.nnet = importlib.import_module("mygrad.nnet")
        except ImportError:
            raise MissingError("mygrad is not installed") from None

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        if key.startswith("adam"):
            raise UnfitError("it has no optimizers")
        models = Models(self.np, self._own())
        models.own.lstm = lambda w, x: models.lstm(w, x, self._over_time)
        models.own.gru = lambda w, x: models.gru(w, x, self._over_time)
        loss_of = models.losses[key]
        weights = {name: self.np.tensor(value.copy()) for name, value in problem.weights.items()}
        tensors = list(weights.values())
        adam = Adam([one.data for one in tensors], problem.lr)

        def update() -> Any:
            loss = loss_of(weights, problem.x, problem.y)
            loss.backward()
            if key != "chain":
                adam.step([one.grad for one in tensors])
            return loss

        return update

    def _over_time(self, states: list[Any]) -> Any:
        return self.np.stack(states, axis=1)

    def _own(self) -> Any:
        np, nnet = self.np, self.nnet
        return SimpleNamespace(
            relu=nnet.relu, softmax=nnet.softmax, cross_entropy=nnet.softmax_crossentropy,
            sigmoid=nnet.sigmoid,
            convolve=lambda x, kernel: nnet.conv_nd(x, kernel, stride=1, padding=1),
            max_pool=lambda x: nnet.max_pool(x, (2, 2), 2),
            zeros=lambda shape: np.zeros(shape, dtype=numpy.float32),
            future=lambda time: numpy.triu(numpy.full((time, time), -numpy.inf, "float32"), 1),
        )  # fmt: skip
