"""Adam and its relatives: steps scaled by running means of the gradient and its square."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.optimizer import Group, Optimizer, check_range
from gradcore.tensor import Tensor


def check_betas(betas: tuple[float, float]) -> None:
    """Refuse decay rates outside of 0 .. 1, in PyTorch's words."""
    for place, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {place}: {beta}")


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
        lr, (beta1, beta2), eps = float(group["lr"]), group["betas"], group["eps"]
        decay, amsgrad = group["weight_decay"], group["amsgrad"]
        for p, g in zip(params, grads, strict=True):
            values = p._a
            state = self._state_of(p, amsgrad)
            state["step"]._a += 1
            count = float(state["step"]._a)
            if group["maximize"]:
                g = -g
            if decay:
                if group["decoupled_weight_decay"]:
                    values *= 1 - lr * decay
                else:
                    g = g + decay * values
            mean, square = state["exp_avg"]._a, state["exp_avg_sq"]._a
            scratch = g - mean
            scratch *= 1 - beta1
            mean += scratch
            square *= beta2
            np.multiply(g, g, out=scratch)
            scratch *= 1 - beta2
            square += scratch
            if amsgrad:
                largest = state["max_exp_avg_sq"]._a
                np.maximum(largest, square, out=largest)
                square = largest
            np.sqrt(square, out=scratch)
            scratch *= 1 / math.sqrt(1 - beta2**count)
            scratch += eps
            np.divide(mean, scratch, out=scratch)
            scratch *= lr / (1 - beta1**count)
            values -= scratch


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
