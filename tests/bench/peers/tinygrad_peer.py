"""tinygrad: its tensors and its Adam, the whole step under ``TinyJit``."""

import importlib
import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy

from peers.peer import MissingError, Peer, UnfitError
from workloads import Problem, Workload


class TinyGrad(Peer):
    """On its CPU device, one thread."""

    name = "tinygrad"

    def __init__(self) -> None:
        os.environ.setdefault("DEV", "CPU")
        os.environ.setdefault("NUM_CPU_THREADS", "1")
        if os.environ["DEV"] == "CPU" and not shutil.which(os.environ.get("CC", "clang")):
            raise MissingError("tinygrad compiles for the CPU with clang, which is not there")
        try:
            self.tiny = importlib.import_module("tinygrad")
            self.nn = importlib.import_module("tinygrad.nn")
            self.helpers = importlib.import_module("tinygrad.helpers")
        except ImportError:
            raise MissingError("tinygrad is not installed") from None

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        if key in ("lstm", "gru"):
            raise UnfitError("it has no recurrent layer; 64 steps unrolled compile for minutes")
        if key.startswith("adam"):
            raise UnfitError("its optimizer runs only as part of a step")
        tensor, jit = self.tiny.Tensor, self.tiny.TinyJit
        weights = {name: tensor(value) for name, value in problem.weights.items()}
        loss_of, own = LOSSES[key], list(weights.values())
        x, y = (None if one is None else tensor(_narrow(one)) for one in (problem.x, problem.y))
        optimizer = self.nn.optim.Adam(own, lr=problem.lr)

        @jit
        def update() -> Any:
            optimizer.zero_grad()
            loss = loss_of(weights, x, y).backward()
            if key == "chain":
                return loss.realize(*(one.grad for one in own))
            return loss.realize(*optimizer.schedule_step())

        def trained() -> Any:
            with self.helpers.Context(TRAINING=1):
                return update()

        return trained


def _cross_entropy(scores: Any, y: Any) -> Any:
    return scores.sparse_categorical_crossentropy(y)


def _linear(w: Any, name: str, x: Any) -> Any:
    return x.linear(w[f"{name}.weight"].transpose(), w[f"{name}.bias"])


def _chain(w: Any, x: Any, _: Any) -> Any:
    for _ in range(10):
        x = (x @ w["weight"]) * w["scale"] + w["shift"]
    return x.sum()


def _mlp(activation: str) -> Any:
    def loss(w: Any, x: Any, y: Any) -> Any:
        for name in ("0", "2"):
            x = getattr(_linear(w, name, x), activation)()
        return _cross_entropy(_linear(w, "4", x), y)

    return loss


def _cnn(w: Any, x: Any, y: Any) -> Any:
    for name in ("0", "3"):
        x = x.conv2d(w[f"{name}.weight"], w[f"{name}.bias"], padding=1).relu().max_pool2d()
    return _cross_entropy(_linear(w, "7", x.flatten(1)), y)


def _norm_cnn(w: Any, x: Any, y: Any) -> Any:
    for place, norm in (("0", "1"), ("4", "5")):
        x = x.conv2d(w[f"{place}.weight"], padding=1)
        mean, spread = x.mean((0, 2, 3)), (x.var((0, 2, 3), correction=0) + 1e-5).rsqrt()
        x = x.batchnorm(w[f"{norm}.weight"], w[f"{norm}.bias"], mean, spread)
        x = x.relu().max_pool2d()
    return _cross_entropy(_linear(w, "9", x.flatten(1)), y)


def _words(w: Any, x: Any, y: Any) -> Any:
    return _cross_entropy(_linear(w, "1", w["0.weight"][x].mean(1)), y)


def _block(w: Any, prefix: str, x: Any, causal: bool = False) -> Any:
    size, time, width = x.shape
    own = f"{prefix}self_attn."
    joined = x.linear(w[own + "in_proj_weight"].transpose(), w[own + "in_proj_bias"])
    q, k, v = joined.reshape(size, time, 3, 4, -1).permute(2, 0, 3, 1, 4).split(1)
    mixed = q[0].scaled_dot_product_attention(k[0], v[0], is_causal=causal)
    out = _linear(w, own + "out_proj", mixed.transpose(1, 2).reshape(size, time, width))
    x = _norm(w, f"{prefix}norm1", x + out)
    inner = _linear(w, f"{prefix}linear1", x).relu()
    return _norm(w, f"{prefix}norm2", x + _linear(w, f"{prefix}linear2", inner))


def _norm(w: Any, name: str, x: Any) -> Any:
    return x.layernorm() * w[f"{name}.weight"] + w[f"{name}.bias"]


def _transformer(w: Any, x: Any, y: Any) -> Any:
    return (_block(w, "", x) - y).square().mean()


def _char_transformer(w: Any, x: Any, y: Any) -> Any:
    h = w["words.weight"][x] + w["places"]
    h = _block(w, "second.", _block(w, "first.", h, True), True)
    return _cross_entropy(_linear(w, "out", h).reshape(-1, 65), y.reshape(-1))


def _narrow(array: Any) -> Any:
    return array.astype(numpy.int32) if array.dtype.kind == "i" else array


LOSSES = {
    "chain": _chain, "demo_mlp": _mlp("tanh"), "mlp_64": _mlp("relu"), "mlp_512": _mlp("relu"),
    "cnn": _cnn, "norm_cnn": _norm_cnn, "words": _words, "transformer": _transformer,
    "char_transformer": _char_transformer,
}  # fmt: skip
