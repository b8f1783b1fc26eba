"""JAX: the whole step, gradient and Adam, under one ``jax.jit``."""

import importlib
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from peers.formulas import Models
from peers.peer import MissingError, Peer
from workloads import Problem, Workload

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class Jax(Peer):
    """Compiled by XLA for the CPU."""

    name = "jax.jit"

    def __init__(self) -> None:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        try:
            self.jax = importlib.import_module("jax")
        except ImportError:
            raise MissingError("jax is not installed") from None
        self.np = importlib.import_module("jax.numpy")

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        jax, np = self.jax, self.np
        weights = {name: np.array(value) for name, value in problem.weights.items()}
        if key == "chain":
            return self._gradient_alone(weights, np.array(problem.x))
        means = {name: np.zeros_like(value) for name, value in weights.items()}
        squares = {name: np.zeros_like(value) for name, value in weights.items()}
        state = [weights, means, squares, np.zeros((), np.int32)]
        if key.startswith("adam"):
            gradients = dict(zip(weights, map(np.array, problem.gradients), strict=True))

            def step(state: Any) -> Any:
                moved = self._adam(*state, gradients, problem.lr)
                return moved, moved[0]["0"]

        else:
            loss_of = Models(np, self._own()).losses[key]
            x, y = np.array(problem.x), np.array(problem.y)

            def step(state: Any) -> Any:
                loss, gradients = jax.value_and_grad(loss_of)(state[0], x, y)
                return self._adam(*state, gradients, problem.lr), loss

        compiled = jax.jit(step, donate_argnums=0)

        def update() -> Any:
            nonlocal state
            state, loss = compiled(state)
            return loss

        return update

    def number(self, loss: Any) -> float:
        # Adam alone gives its first tensor, whose sum of squares is compared.
        return float((loss**2).sum() if loss.ndim else loss)

    def settle(self, loss: Any) -> None:
        loss.block_until_ready()

    def _gradient_alone(self, weights: Any, x: Any) -> Callable[[], Any]:
        chain = Models(self.np, None).chain
        compiled = self.jax.jit(self.jax.value_and_grad(chain))
        return lambda: compiled(weights, x, None)[0]

    def _adam(self, w: Any, m: Any, v: Any, count: Any, g: Any, lr: float) -> Any:
        tree, np = self.jax.tree.map, self.np
        count = count + 1
        m = tree(lambda mean, one: 0.9 * mean + 0.1 * one, m, g)
        v = tree(lambda square, one: 0.999 * square + 0.001 * one * one, v, g)
        rate, root = lr / (1 - 0.9**count), np.sqrt(1 - 0.999**count)
        w = tree(lambda one, mean, sq: one - rate * mean / (np.sqrt(sq) / root + 1e-8), w, m, v)
        return [w, m, v, count]

    def _own(self) -> Any:
        jax, np = self.jax, self.np
        lax = jax.lax

        def cross_entropy(scores: Any, y: Any) -> Any:
            picked = np.take_along_axis(jax.nn.log_softmax(scores), y[:, None], axis=1)
            return -picked.mean()

        def convolve(x: Any, kernel: Any) -> Any:
            return lax.conv_general_dilated(x, kernel, (1, 1), "SAME")

        def max_pool(x: Any) -> Any:
            window = (1, 1, 2, 2)
            return lax.reduce_window(x, -np.inf, lax.max, window, window, "VALID")

        def future(time: int) -> Any:
            return np.triu(np.full((time, time), -np.inf, np.float32), 1)

        return SimpleNamespace(
            relu=jax.nn.relu, softmax=jax.nn.softmax, cross_entropy=cross_entropy, future=future,
            convolve=convolve, max_pool=max_pool, lstm=self._lstm, gru=self._gru,
        )  # fmt: skip

    def _lstm(self, w: Any, x: Any) -> Any:
        np, sigmoid = self.np, self.jax.nn.sigmoid

        def cell(carry: Any, one: Any) -> Any:
            h, c = carry
            gates = one + h @ w["weight_hh_l0"].T
            i, f, g, o = np.split(gates, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            return (h, c), h

        inputs = x @ w["weight_ih_l0"].T + w["bias_ih_l0"] + w["bias_hh_l0"]
        start = np.zeros((x.shape[0], w["weight_hh_l0"].shape[1]), np.float32)
        _, states = self.jax.lax.scan(cell, (start, start), inputs.swapaxes(0, 1))
        return states.swapaxes(0, 1)

    def _gru(self, w: Any, x: Any) -> Any:
        np, sigmoid = self.np, self.jax.nn.sigmoid

        def cell(h: Any, one: Any) -> Any:
            a, b = np.split(one, 3, 1), np.split(h @ w["weight_hh_l0"].T + w["bias_hh_l0"], 3, 1)
            r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
            new = np.tanh(a[2] + r * b[2])
            h = new + z * (h - new)
            return h, h

        inputs = x @ w["weight_ih_l0"].T + w["bias_ih_l0"]
        start = np.zeros((x.shape[0], w["weight_hh_l0"].shape[1]), np.float32)
        _, states = self.jax.lax.scan(cell, start, inputs.swapaxes(0, 1))
        return states.swapaxes(0, 1)
