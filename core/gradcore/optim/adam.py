"""Adam and its relatives: steps scaled by running means of the gradient and its square."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import add, multiply, subtract

from gradcore.optim.elementwise import Elementwise, Step, count
from gradcore.optim.optimizer import Group, check_range


def check_betas(betas: tuple[float, float]) -> None:
    """Refuse decay rates outside of 0 .. 1, in PyTorch's words."""
    for place, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {place}: {beta}")


_KINDS = ("exp_avg", "exp_avg_sq")
_LEAST = 1e-37
"""Smaller factors are 0 in single precision, which `mix` may not be given."""


class _AdamStep(Step):
    """One step of Adam; a third kind of state is the largest square so far."""

    __slots__ = ("_can_mix", "_eps", "_shrink")

    def __init__(self, group: Group, count: float, kind: Any) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        decoupled = group["decoupled_weight_decay"]
        self._shrink = 1 - lr * group["weight_decay"] if decoupled else 1.0
        # m / (sqrt(v) / root + eps) is root * m / (sqrt(v) + eps * root): one pass less.
        root = math.sqrt(1 - beta2**count)
        factor = lr / (1 - beta1**count) * root
        numbers = (1 - beta1, beta2, 1 - beta2, group["eps"] * root, factor)
        self._can_mix = min(beta2, abs(self._shrink), abs(factor)) > _LEAST
        self._eps = np.array(numbers[3], kind)
        super().__init__(group, kind, *numbers, decay=not decoupled)

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        mix = self.mix
        if mix is None or not self._can_mix:
            self._move_by_passes(values, g, state, rooms)
            return
        out = rooms[0]
        mean, square = state[0], state[1]
        rest1, beta2, rest2, _, factor = self.plain
        g = self.direction(values, g, rooms[1])
        # Not as b1 * m + (1 - b1) * g: an infinite mean becomes NaN, as torch.
        subtract(g, mean, out)
        mix(rest1, out, 1.0, mean)
        multiply(g, g, out)
        mix(rest2, out, beta2, square)
        if len(state) > 2:
            square = np.maximum(state[2], square, out=state[2])
        np.sqrt(square, out)
        add(out, self._eps, out)
        np.divide(mean, out, out)
        mix(-factor, out, self._shrink, values)

    def _move_by_passes(
        self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]
    ) -> None:
        """Do the same by calls of NumPy alone."""
        out = rooms[0]
        mean, square = state[0], state[1]
        rest1, beta2, rest2, eps, factor = self.numbers
        g = self.direction(values, g, rooms[1])
        if self._shrink != 1:
            values *= self._shrink
        subtract(g, mean, out)
        multiply(out, rest1, out)
        add(mean, out, mean)
        multiply(square, beta2, square)
        multiply(g, g, out)
        multiply(out, rest2, out)
        add(square, out, square)
        if len(state) > 2:
            square = np.maximum(state[2], square, out=state[2])
        np.sqrt(square, out)
        add(out, eps, out)
        np.divide(mean, out, out)
        multiply(out, factor, out)
        subtract(values, out, values)


class Adam(Elementwise):
    """Step by the running mean of the gradient over the root of that of its square.

    Source: Kingma & Ba 2014, https://arxiv.org/abs/1412.6980
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        check_range("epsilon value", eps)
        check_betas(betas)
        check_range("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return (*_KINDS, "max_exp_avg_sq") if group["amsgrad"] else _KINDS

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _AdamStep(group, count(numbers), kind)


class AdamW(Adam):
    """Adam whose weight decay does not pass through the running means.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
