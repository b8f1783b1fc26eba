"""Adam and its relatives: steps scaled by running means of the gradient and its square."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.blocks import Block, Step, may_share
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
        block = None if amsgrad else self._block(group, params, states)
        if block is not None:
            count = block.count()
            if count is not None:
                block.move(grads, Step(group, count))
                return
        for p, g, state in zip(params, grads, states, strict=True):
            if block is None:
                state["step"]._a += 1
            largest = state["max_exp_avg_sq"]._a if amsgrad else None
            mean, square = state["exp_avg"]._a, state["exp_avg_sq"]._a
            step = Step(group, float(state["step"]._a))
            step.move(p._a, g, mean, square, largest, np.empty_like(p._a))

    def _block(
        self, group: Group, params: list[Tensor], states: list[dict[str, Any]]
    ) -> Block | None:
        """Return the block that holds the state of these tensors, made anew if it changed."""
        blocks: dict[int, Block] = self.__dict__.setdefault("_blocks", {})
        found = blocks.get(id(group))
        if found is not None and found.fits(params, states):
            return found
        if not may_share(params):
            return None
        made = blocks[id(group)] = Block(params, states)
        return made


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
