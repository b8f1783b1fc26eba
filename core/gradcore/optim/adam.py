"""Adam and its relatives: steps scaled by running means of the gradient and its square."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.blocks import Scalars
from gradcore.optim.optimizer import Group, Optimizer, check_range
from gradcore.tensor import Tensor


def check_betas(betas: tuple[float, float]) -> None:
    """Refuse decay rates outside of 0 .. 1, in PyTorch's words."""
    for place, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {place}: {beta}")


_NAMES = ("exp_avg", "exp_avg_sq")


class Step:
    """The numbers of one step, the same for all tensors of a group."""

    __slots__ = ("_decay", "_maximize", "_numbers", "_shrink")

    def __init__(self, group: Group, count: float, scalars: Scalars) -> None:
        lr, (beta1, beta2), decay = float(group["lr"]), group["betas"], group["weight_decay"]
        decoupled = group["decoupled_weight_decay"]
        self._maximize = group["maximize"]
        self._decay = 0.0 if decoupled else decay
        self._shrink = 1 - lr * decay if decoupled and decay else 1.0
        # m / (sqrt(v) / root + eps) is root * m / (sqrt(v) + eps * root): one pass less.
        root = math.sqrt(1 - beta2**count)
        factor = lr / (1 - beta1**count) * root
        scalars.set(1 - beta1, beta2, 1 - beta2, group["eps"] * root, factor)
        self._numbers = scalars.each

    def move(self, values: Any, g: Any, mean: Any, square: Any, *rest: Any) -> None:
        """Move values by their gradient; the last argument is room for as many.

        Before it stands the largest square so far, where that is asked for.
        """
        out = rest[-1]
        rest1, beta2, rest2, eps, factor = self._numbers
        if self._maximize:
            g = -g
        if self._decay:
            g = g + self._decay * values
        if self._shrink != 1:
            values *= self._shrink
        np.subtract(g, mean, out)
        np.multiply(out, rest1, out)
        np.add(mean, out, mean)
        np.multiply(square, beta2, square)
        np.multiply(g, g, out)
        np.multiply(out, rest2, out)
        np.add(square, out, square)
        if len(rest) > 1:
            square = np.maximum(rest[0], square, out=rest[0])
        np.sqrt(square, out)
        np.add(out, eps, out)
        np.divide(mean, out, out)
        np.multiply(out, factor, out)
        np.subtract(values, out, values)


class Adam(Optimizer):
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

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with no_grad():
            return self._step_groups(closure)

    def _state_of(self, p: Tensor, amsgrad: bool) -> dict[str, Any]:
        state = self.state[p]
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["exp_avg"] = wrap(np.zeros_like(p._a))
            state["exp_avg_sq"] = wrap(np.zeros_like(p._a))
            if amsgrad:
                state["max_exp_avg_sq"] = wrap(np.zeros_like(p._a))
        return state

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        amsgrad = group["amsgrad"]
        states = [self._state_of(p, amsgrad) for p in params]
        names = (*_NAMES, "max_exp_avg_sq") if amsgrad else _NAMES
        block = self._flat().find(group, params, states, names, counted=True)
        if block is not None:
            count = block.count()
            if count is not None:
                block.move(grads, self.known_gradients, Step(group, count, block.scalars).move)
                return
        for p, g, state in zip(params, grads, states, strict=True):
            if block is None:
                state["step"]._a += 1
            largest = (state["max_exp_avg_sq"]._a,) if amsgrad else ()
            mean, square = state["exp_avg"]._a, state["exp_avg_sq"]._a
            step = Step(group, float(state["step"]._a), Scalars(5, p._a.dtype))
            step.move(p._a, g, mean, square, *largest, np.empty_like(p._a))


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
