"""Stochastic gradient descent, with momentum."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.optimizer import Group, Optimizer, check_range
from gradcore.tensor import Tensor


class Step:
    """The numbers of one step, the same for all tensors of a group, as arrays of their dtype."""

    __slots__ = ("_decay", "_keep", "_lr", "_maximize", "_momentum", "_nesterov", "_share")

    def __init__(self, group: Group, kind: Any) -> None:
        self._momentum, self._keep = group["momentum"], np.array(group["momentum"], kind)
        self._lr, self._decay = np.array(float(group["lr"]), kind), group["weight_decay"]
        self._maximize, self._nesterov = group["maximize"], group["nesterov"]
        self._share = 1 - group["dampening"]

    def _direction(self, values: Any, g: Any) -> Any:
        if self._maximize:
            g = -g
        return g + self._decay * values if self._decay else g

    def begin(self, values: Any, g: Any) -> Tensor:
        """Move values for the first time with momentum; return what is kept of the gradient."""
        g = self._direction(values, g)
        kept: Tensor = wrap(np.array(g))
        values -= self._lr * (g + self._keep * kept._a if self._nesterov else kept._a)
        return kept

    def move(self, values: Any, g: Any, *rest: Any) -> None:
        """Move values by their gradient and, before room for as many, what was kept of others."""
        out = rest[-1]
        g = self._direction(values, g)
        if self._momentum:
            kept = rest[0]
            np.multiply(kept, self._keep, kept)
            np.add(kept, g if self._share == 1 else self._share * g, kept)
            if self._nesterov:
                np.multiply(kept, self._keep, out)
                g = np.add(g, out, out)
            else:
                g = kept
        np.multiply(g, self._lr, out)
        np.subtract(values, out, values)


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
        momentum = group["momentum"]
        states = [self.state[p] for p in params] if momentum else []
        if all(state.get("momentum_buffer") is not None for state in states):
            names = ("momentum_buffer",) if momentum else ()
            block = self._flat().find(group, params, states, names)
            if block is not None:
                block.move(grads, self.known_gradients, Step(group, block.kind).move)
                return
        for p, g in zip(params, grads, strict=True):
            state = self.state[p] if momentum else {}
            kept = state.get("momentum_buffer")
            step = Step(group, p._a.dtype)
            if momentum and kept is None:
                state["momentum_buffer"] = step.begin(p._a, g)
            else:
                step.move(p._a, g, *([] if kept is None else [kept._a]), np.empty_like(p._a))
