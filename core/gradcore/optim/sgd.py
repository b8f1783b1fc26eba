"""Stochastic gradient descent, with momentum."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.optim.elementwise import Elementwise, Step
from gradcore.optim.optimizer import Group, check_range
from gradcore.tensor import Tensor


class _SGDStep(Step):
    """One step of SGD; with momentum, the one kind of state is what was kept of gradients."""

    __slots__ = ("_momentum", "_nesterov", "_share")

    def __init__(self, group: Group, kind: Any) -> None:
        self._momentum, self._nesterov = group["momentum"], group["nesterov"]
        self._share = 1 - group["dampening"]
        super().__init__(group, kind, float(group["lr"]), self._momentum)

    def begin(self, values: Any, g: Any) -> Tensor:
        """Move values for the first time with momentum; return what is kept of the gradient."""
        lr, keep = self.numbers
        g = self.direction(values, g, np.empty_like(values))
        kept: Tensor = wrap(np.array(g))
        values -= lr * (g + keep * kept._a if self._nesterov else kept._a)
        return kept

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        lr, keep = self.numbers
        out = rooms[0]
        g = self.direction(values, g, rooms[1])
        if self._momentum:
            kept = state[0]
            np.multiply(kept, keep, kept)
            np.add(kept, g if self._share == 1 else self._share * g, kept)
            if self._nesterov:
                np.multiply(kept, keep, out)
                g = np.add(g, out, out)
            else:
                g = kept
        np.multiply(g, lr, out)
        np.subtract(values, out, values)


class SGD(Elementwise):
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

    numbers = ()

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _SGDStep(group, kind)

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        if not group["momentum"] or all(self._has_begun(p) for p in params):
            super()._update(group, params, grads)
            return
        for p, g in zip(params, grads, strict=True):
            step = _SGDStep(group, p._a.dtype)
            if not self._has_begun(p):
                self.state[p]["momentum_buffer"] = step.begin(p._a, g)
                continue
            kept = self.state[p]["momentum_buffer"]._a
            step.move(p._a, g, [kept], [np.empty_like(p._a) for _ in range(self.rooms)])

    def _has_begun(self, p: Tensor) -> bool:
        return self.state[p].get("momentum_buffer") is not None
