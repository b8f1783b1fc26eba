"""The other optimizers that scale each value's step by the history of its gradient."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import wrap
from gradcore.modes import no_grad
from gradcore.optim.adam import check_betas
from gradcore.optim.optimizer import Group, Optimizer, check_range
from gradcore.tensor import Tensor


def _count(state: dict[str, Any]) -> float:
    """Count one step more."""
    if "step" not in state:
        state["step"] = wrap(np.zeros((), np.float32))
    state["step"]._a += 1
    return float(state["step"]._a)


def _kept(state: dict[str, Any], name: str, like: Any, value: float = 0.0) -> Any:
    """Return an array of the state, filled with `value` when it is new."""
    if name not in state:
        state[name] = wrap(np.full_like(like, value))
    return state[name]._a


class _Adaptive(Optimizer):
    """An optimizer that treats each tensor by itself."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with no_grad():
            return self._step_groups(closure)

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        for p, g in zip(params, grads, strict=True):
            g = -g if group.get("maximize") else g
            decay = group["weight_decay"]
            if decay and group.get("decoupled_weight_decay"):
                p._a *= 1 - float(group["lr"]) * decay
            elif decay:
                g = g + decay * p._a
            self._move(p._a, g, self.state[p], group)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        """Move one array."""
        raise NotImplementedError


class RMSprop(_Adaptive):
    """Step by the gradient over the root of the running mean of its square."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        check_range("epsilon value", eps)
        check_range("momentum value", momentum)
        check_range("weight_decay value", weight_decay)
        check_range("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        _count(state)
        alpha, lr = group["alpha"], float(group["lr"])
        square = _kept(state, "square_avg", values)
        square *= alpha
        square += (1 - alpha) * g * g
        spread = square
        if group["centered"]:
            mean = _kept(state, "grad_avg", values)
            mean += (1 - alpha) * (g - mean)
            spread = square - mean * mean
        step = g / (np.sqrt(spread) + group["eps"])
        if group["momentum"] > 0:
            moved = _kept(state, "momentum_buffer", values)
            moved *= group["momentum"]
            moved += step
            step = moved
        values -= lr * step


class Adagrad(_Adaptive):
    """Step by the gradient over the root of the sum of its squares so far."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_range("learning rate", lr)
        check_range("lr_decay value", lr_decay)
        check_range("weight_decay value", weight_decay)
        check_range("initial_accumulator_value value", initial_accumulator_value)
        check_range("epsilon value", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["step"] = wrap(np.zeros((), np.float32))
                _kept(self.state[p], "sum", p._a, initial_accumulator_value)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        count = _count(state)
        rate = float(group["lr"]) / (1 + (count - 1) * group["lr_decay"])
        total = _kept(state, "sum", values, group["initial_accumulator_value"])
        total += g * g
        values -= rate * (g / (np.sqrt(total) + group["eps"]))


class Adadelta(_Adaptive):
    """Step by the gradient times the ratio of the running sizes of steps and gradients."""

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_range("epsilon value", eps)
        check_range("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        _count(state)
        rho, eps = group["rho"], group["eps"]
        square = _kept(state, "square_avg", values)
        moved = _kept(state, "acc_delta", values)
        square *= rho
        square += (1 - rho) * g * g
        step = np.sqrt(moved + eps) / np.sqrt(square + eps) * g
        moved *= rho
        moved += (1 - rho) * step * step
        values -= float(group["lr"]) * step


class Adamax(_Adaptive):
    """Adam with the largest gradient in place of the mean square."""

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
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
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        count = _count(state)
        beta1, beta2 = group["betas"]
        mean = _kept(state, "exp_avg", values)
        largest = _kept(state, "exp_inf", values)
        mean += (1 - beta1) * (g - mean)
        np.maximum(largest * beta2, np.abs(g) + group["eps"], out=largest)
        values -= float(group["lr"]) / (1 - beta1**count) * (mean / largest)


class NAdam(_Adaptive):
    """Adam with Nesterov momentum.

    Source: Dozat 2016
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_range("learning rate", lr)
        check_range("epsilon value", eps)
        check_betas(betas)
        check_range("weight_decay value", weight_decay)
        check_range("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        count, lr = _count(state), float(group["lr"])
        beta1, beta2 = group["betas"]
        decay = group["momentum_decay"]
        if "mu_product" not in state:
            state["mu_product"] = wrap(np.ones((), np.float32))
        now = beta1 * (1.0 - 0.5 * 0.96 ** (count * decay))
        then = beta1 * (1.0 - 0.5 * 0.96 ** ((count + 1) * decay))
        state["mu_product"]._a *= now
        product = float(state["mu_product"]._a)
        mean, square = _kept(state, "exp_avg", values), _kept(state, "exp_avg_sq", values)
        mean += (1 - beta1) * (g - mean)
        square *= beta2
        square += (1 - beta2) * g * g
        spread = np.sqrt(square / (1 - beta2**count)) + group["eps"]
        values -= lr * (1.0 - now) / (1.0 - product) * (g / spread)
        values -= lr * then / (1.0 - product * then) * (mean / spread)


class RAdam(_Adaptive):
    """Adam that starts as plain momentum until its variance is known well enough.

    Source: Liu et al. 2019, https://arxiv.org/abs/1908.03265
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _move(self, values: Any, g: Any, state: dict[str, Any], group: Group) -> None:
        count, lr = _count(state), float(group["lr"])
        beta1, beta2 = group["betas"]
        mean, square = _kept(state, "exp_avg", values), _kept(state, "exp_avg_sq", values)
        mean += (1 - beta1) * (g - mean)
        square *= beta2
        square += (1 - beta2) * g * g
        corrected = mean / (1 - beta1**count)
        correction = 1 - beta2**count
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * count * beta2**count / correction
        if length <= 5:
            values -= lr * corrected
            return
        rectified = math.sqrt(
            (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        )
        adaptive = math.sqrt(correction) / (np.sqrt(square) + group["eps"])
        values -= lr * rectified * (corrected * adaptive)
