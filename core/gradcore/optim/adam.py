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
        amsgrad = group["amsgrad"]
        states = [self._state_of(p, amsgrad) for p in params]
        count = _counted(states)
        if count is not None and not amsgrad:
            block = self._block(group, params, states)
            if block is not None:
                block.gather(params, grads, group)
                _move(block.values, block.gradient, block.mean, block.square, None, count, group)
                block.scatter(params)
                return
        for p, g, state in zip(params, grads, states, strict=True):
            largest = state["max_exp_avg_sq"]._a if amsgrad else None
            mean, square = state["exp_avg"]._a, state["exp_avg_sq"]._a
            step = float(state["step"]._a) if count is None else count
            _move(p._a, g, mean, square, largest, step, group)

    def _block(
        self, group: Group, params: list[Tensor], states: list[dict[str, Any]]
    ) -> "_Block | None":
        """Return one block that holds the state of many small tensors, where there is one."""
        blocks: dict[int, _Block | None] = self.__dict__.setdefault("_blocks", {})
        found = blocks.get(id(group))
        if found is not None and found.fits(params, states):
            return found
        if not _worth_a_block(params):
            return None
        made = blocks[id(group)] = _Block(params, states)
        return made


_BLOCK_LIMIT = 1 << 15
"""Up to so many values in all, calling NumPy once for all tensors saves more than copying costs."""


def _worth_a_block(params: list[Tensor]) -> bool:
    kind = params[0]._a.dtype
    return (
        len(params) > 1
        and sum(p._a.size for p in params) <= _BLOCK_LIMIT
        and all(p._a.dtype is kind for p in params)
    )


class _Block:
    """The values, gradients and running means of several small tensors, each in one array.

    The tensors of the state are views of it. Values and gradients are copied in and out, so
    that nobody else has to know of it.
    """

    def __init__(self, params: list[Tensor], states: list[dict[str, Any]]) -> None:
        sizes = [p._a.size for p in params]
        kind = params[0]._a.dtype
        self.values, self.gradient = np.empty(sum(sizes), kind), np.empty(sum(sizes), kind)
        self.mean = np.concatenate([state["exp_avg"]._a.ravel() for state in states])
        self.square = np.concatenate([state["exp_avg_sq"]._a.ravel() for state in states])
        ends = np.cumsum(sizes).tolist()
        self.parts = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        self.params = list(params)
        self.views = []
        for p, part, state in zip(params, self.parts, states, strict=True):
            state["exp_avg"]._a = self.mean[part].reshape(p._a.shape)
            state["exp_avg_sq"]._a = self.square[part].reshape(p._a.shape)
            self.views.append((state["exp_avg"]._a, state["exp_avg_sq"]._a))

    def fits(self, params: list[Tensor], states: list[dict[str, Any]]) -> bool:
        """Tell whether these are still the same tensors with the same state."""
        if len(params) != len(self.params):
            return False
        for p, own, state, (mean, square) in zip(
            params, self.params, states, self.views, strict=True
        ):
            same = state["exp_avg"]._a is mean and state["exp_avg_sq"]._a is square
            if p is not own or not same or p._a.shape != mean.shape:
                return False
        return True

    def gather(self, params: list[Tensor], grads: list[Any], group: Group) -> None:
        """Copy gradients in, and values too where weight decay looks at them."""
        np.concatenate([g.ravel() for g in grads], out=self.gradient)
        if group["weight_decay"]:
            np.concatenate([p._a.ravel() for p in params], out=self.values)
        else:
            self.values.fill(0)
        self.whole = bool(group["weight_decay"])

    def scatter(self, params: list[Tensor]) -> None:
        """Give the tensors their new values, or add what they move by."""
        for p, part in zip(params, self.parts, strict=True):
            values = self.values[part].reshape(p._a.shape)
            if self.whole:
                p._a[...] = values
            else:
                p._a += values


def _counted(states: list[dict[str, Any]]) -> float | None:
    """Count one step more for each tensor; return the number if it is the same for all."""
    first = None
    for state in states:
        step = state["step"]._a
        step += 1
        count = float(step)
        if first is None:
            first = count
        elif first != count:
            first = -1.0
    return None if first == -1.0 else first


def _move(
    values: Any, g: Any, mean: Any, square: Any, largest: Any, count: float, group: Group
) -> None:
    """Update the running means and move the values: Adam itself."""
    lr, (beta1, beta2), decay = float(group["lr"]), group["betas"], group["weight_decay"]
    if group["maximize"]:
        g = -g
    if decay:
        if group["decoupled_weight_decay"]:
            values *= 1 - lr * decay
        else:
            g = g + decay * values
    scratch = g - mean
    scratch *= 1 - beta1
    mean += scratch
    square *= beta2
    np.multiply(g, g, out=scratch)
    scratch *= 1 - beta2
    square += scratch
    if largest is not None:
        np.maximum(largest, square, out=largest)
        square = largest
    np.sqrt(square, out=scratch)
    scratch *= 1 / math.sqrt(1 - beta2**count)
    scratch += group["eps"]
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
