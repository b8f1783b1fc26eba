"""Optimizers that few programs use: Rprop, ASGD and Adafactor."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.elementwise import Elementwise, Step, count
from gradcore.optim.optimizer import Group, Optimizer, check_range
from gradcore.tensor import Tensor


class _RpropStep(Step):
    __slots__ = ("_bounds", "_down", "_up")

    def __init__(self, group: Group, kind: Any) -> None:
        self._down, self._up = group["etas"]
        self._bounds = group["step_sizes"]
        super().__init__(group, kind)

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        before, size = state
        g = self.direction(values, g, rooms[1])
        agrees = np.multiply(g, before, rooms[0])
        np.multiply(size, self._up, out=size, where=agrees > 0)
        turned = agrees < 0
        np.multiply(size, self._down, out=size, where=turned)
        np.clip(size, *self._bounds, out=size)
        np.copyto(before, g)
        before[turned] = 0
        np.sign(before, rooms[0])
        np.multiply(rooms[0], size, rooms[0])
        np.subtract(values, rooms[0], values)


class Rprop(Elementwise):
    """Step by the gradient's sign alone; each value's step grows while the sign stays.

    Source: Riedmiller and Braun 1993, https://doi.org/10.1109/ICNN.1993.298623
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("prev", "step_size")

    def _initial(self, group: Group, name: str) -> float:
        return float(group["lr"]) if name == "step_size" else 0.0

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        count(numbers)
        return _RpropStep(group, kind)


class _ASGDStep(Step):
    __slots__ = ("_share",)

    def __init__(self, group: Group, numbers: list[Any], kind: Any) -> None:
        steps, lr = count(numbers), float(group["lr"])
        etas, shares = numbers[1:]
        eta, self._share = float(etas[0]), float(shares[0])
        super().__init__(group, kind, 1 - group["lambd"] * eta, eta, self._share)
        etas[:] = lr / (1 + group["lambd"] * lr * steps) ** group["alpha"]
        shares[:] = 1 / max(1.0, steps - group["t0"])

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        out, mean = rooms[0], state[0]
        keep, eta, share = self.numbers
        g = self.direction(values, g, rooms[1])
        np.multiply(values, keep, values)
        np.multiply(g, eta, out)
        np.subtract(values, out, values)
        if self._share == 1:
            np.copyto(mean, values)
        else:
            np.subtract(values, mean, out)
            np.multiply(out, share, out)
            np.add(mean, out, mean)


class ASGD(Elementwise):
    """Stochastic gradient descent that also keeps the mean of the values it went through.

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        check_range("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    numbers = ("step", "eta", "mu")

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("ax",)

    def _initial(self, group: Group, name: str) -> float:
        return {"eta": float(group["lr"]), "mu": 1.0}.get(name, 0.0)

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _ASGDStep(group, numbers, kind)


class Adafactor(Optimizer):
    """Adam's scaling from the means of the squares by rows and by columns: little state.

    Source: Shazeer and Stern 2018, https://arxiv.org/abs/1804.04235
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        check_range("weight_decay value", weight_decay)
        if beta2_decay > 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with no_grad():
            return self._step_groups(closure)

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        for p, g in zip(params, grads, strict=True):
            self._move(p._a, -g if group["maximize"] else g, self.state[p], group)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        steps = _kept(state, "step", np.zeros((), np.float32))
        steps += 1
        step, lr = float(steps), float(group["lr"])
        least, scale = group["eps"]
        least = np.finfo(values.dtype).eps if least is None else least
        share = step ** group["beta2_decay"]
        root = math.sqrt(values.size)
        rate = max(scale, float(np.linalg.norm(values)) / root) * min(lr, 1 / math.sqrt(step))
        if group["weight_decay"]:
            values *= 1 - lr * group["weight_decay"]
        estimate = np.maximum(_mean_square(g, state, share, least), least * least)
        update = g / np.sqrt(estimate)
        longest = max(1.0, float(np.linalg.norm(update)) / (root * group["d"]))
        values -= values.dtype.type(rate / longest) * update


def _kept(state: dict[str, Any], name: str, like: Any) -> Any:
    """Return an array of the state, filled with zeros when it is new."""
    if name not in state:
        state[name] = wrap(np.zeros_like(like))
    return state[name]._a


def _mean_square(g: Any, state: dict[str, Any], share: float, least: float) -> Any:
    square = g * g
    if g.ndim < 2:
        variance = _kept(state, "variance", g)
        variance += share * (square - variance)
        return variance
    rows = _kept(state, "row_var", g[..., :1])
    columns = _kept(state, "col_var", g[..., :1, :])
    rows += share * (square.mean(-1, keepdims=True) - rows)
    columns += share * (square.mean(-2, keepdims=True) - columns)
    return rows @ columns / np.maximum(rows.mean(-2, keepdims=True), least)
