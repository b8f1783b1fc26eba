"""Stochastic gradient descent, with momentum."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.optimizer import Group, Optimizer, check_range
from gradcore.tensor import Tensor


class SGD(Optimizer):
    """Move against the gradient; with momentum, against a decaying sum of gradients."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_range("learning rate", lr)
        check_range("momentum value", momentum)
        check_range("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with no_grad():
            return self._step_groups(closure)

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        decay, maximize = group["weight_decay"], group["maximize"]
        for p, g in zip(params, grads, strict=True):
            values = p._a
            if maximize:
                g = -g
            if decay:
                g = g + decay * values
            if momentum:
                g = self._moved(p, g, group)
            values -= lr * g

    def _moved(self, p: Tensor, g: Any, group: Group) -> Any:
        """Add the gradient to the momentum and return the direction to go."""
        momentum = group["momentum"]
        state = self.state[p]
        kept = state.get("momentum_buffer")
        if kept is None:
            kept = state["momentum_buffer"] = wrap(np.array(g))
        else:
            kept._a *= momentum
            kept._a += (1 - group["dampening"]) * g
        return g + momentum * kept._a if group["nesterov"] else kept._a
