"""Optimizers that few programs use: Rprop, ASGD and Adafactor."""

import math
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.optim.adaptive import _Adaptive, _count, _kept
from gradcore.optim.optimizer import Group, check_range
from gradcore.tensor import Tensor


class _OwnDecay(_Adaptive):
    """An optimizer without weight decay, or that sees to it by itself."""

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        for p, g in zip(params, grads, strict=True):
            self._move(p._a, -g if group["maximize"] else g, self.state[p], group)


class Rprop(_OwnDecay):
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

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        _count(state)
        before = _kept(state, "prev", values)
        if "step_size" not in state:
            state["step_size"] = wrap(np.full_like(values, float(group["lr"])))
        size = state["step_size"]._a
        down, up = group["etas"]
        agrees = g * before
        factor = np.where(agrees > 0, up, np.where(agrees < 0, down, 1.0)).astype(size.dtype)
        np.clip(size * factor, *group["step_sizes"], out=size)
        g = np.where(agrees < 0, 0, g).astype(values.dtype)
        values -= np.sign(g) * size
        before[...] = g


class ASGD(_Adaptive):
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

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        lr = float(group["lr"])
        _count(state)
        step = float(state["step"]._a)
        if "eta" not in state:
            state["eta"] = wrap(np.array(lr, np.float32))
            state["mu"] = wrap(np.array(1.0, np.float32))
        mean = _kept(state, "ax", values)
        eta, mu = float(state["eta"]._a), float(state["mu"]._a)
        values *= 1 - group["lambd"] * eta
        values -= eta * g
        if mu == 1:
            mean[...] = values
        else:
            mean += (values - mean) * mu
        state["eta"]._a[...] = lr / (1 + group["lambd"] * lr * step) ** group["alpha"]
        state["mu"]._a[...] = 1 / max(1.0, step - group["t0"])


class Adafactor(_OwnDecay):
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

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        _count(state)
        step, lr = float(state["step"]._a), float(group["lr"])
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
