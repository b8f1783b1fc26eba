"""The other optimizers that scale each value's step by the history of its gradient."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import add, divide, multiply, subtract

from gradcore.optim.adam import check_betas
from gradcore.optim.elementwise import Elementwise, Step, count
from gradcore.optim.optimizer import Group, check_range


def _average(mean: Any, g: Any, share: Any, room: Any) -> None:
    """Move a running mean towards ``g`` by a share of the way."""
    subtract(g, mean, room)
    multiply(room, share, room)
    add(mean, room, mean)


def _average_square(square: Any, g: Any, keep: Any, share: Any, room: Any) -> None:
    """Move a running mean of squares towards that of ``g``."""
    multiply(square, keep, square)
    multiply(g, g, room)
    multiply(room, share, room)
    add(square, room, square)


class _RMSpropStep(Step):
    __slots__ = ("_centered", "_momentum")

    def __init__(self, group: Group, kind: Any) -> None:
        self._centered, self._momentum = group["centered"], group["momentum"] > 0
        alpha, lr = group["alpha"], float(group["lr"])
        super().__init__(group, kind, alpha, 1 - alpha, group["eps"], lr, group["momentum"])

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        out = rooms[0]
        alpha, rest, eps, lr, momentum = self.numbers
        g = self.direction(values, g, rooms[1])
        square = spread = state[0]
        _average_square(square, g, alpha, rest, out)
        if self._centered:
            mean = state[-1]
            _average(mean, g, rest, out)
            multiply(mean, mean, out)
            spread = subtract(square, out, out)
        np.sqrt(spread, out)
        add(out, eps, out)
        divide(g, out, out)
        if self._momentum:
            moved = state[1]
            multiply(moved, momentum, moved)
            add(moved, out, moved)
            multiply(moved, lr, out)
        else:
            multiply(out, lr, out)
        subtract(values, out, values)


class RMSprop(Elementwise):
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

    def _kinds(self, group: Group) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if group["momentum"] > 0 else ()
        return ("square_avg", *momentum, *(("grad_avg",) if group["centered"] else ()))

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        count(numbers)
        return _RMSpropStep(group, kind)


class _AdagradStep(Step):
    __slots__ = ()

    def __init__(self, group: Group, steps: float, kind: Any) -> None:
        rate = float(group["lr"]) / (1 + (steps - 1) * group["lr_decay"])
        super().__init__(group, kind, group["eps"], rate)

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        out, total = rooms[0], state[0]
        eps, rate = self.numbers
        g = self.direction(values, g, rooms[1])
        multiply(g, g, out)
        add(total, out, total)
        np.sqrt(total, out)
        add(out, eps, out)
        divide(g, out, out)
        multiply(out, rate, out)
        subtract(values, out, values)


class Adagrad(Elementwise):
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
                self._state_of(group, p, self._kinds(group))

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def _initial(self, group: Group, name: str) -> float:
        return float(group["initial_accumulator_value"]) if name == "sum" else 0.0

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _AdagradStep(group, count(numbers), kind)


class _AdadeltaStep(Step):
    __slots__ = ()

    def __init__(self, group: Group, kind: Any) -> None:
        rho = group["rho"]
        super().__init__(group, kind, rho, 1 - rho, group["eps"], float(group["lr"]))

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        square, moved = state
        step, out = rooms[0], rooms[1]
        rho, rest, eps, lr = self.numbers
        g = self.direction(values, g, rooms[2])
        _average_square(square, g, rho, rest, out)
        # The root of a ratio is one root less than the ratio of two.
        add(moved, eps, step)
        add(square, eps, out)
        divide(step, out, step)
        np.sqrt(step, step)
        multiply(step, g, step)
        _average_square(moved, step, rho, rest, out)
        multiply(step, lr, step)
        subtract(values, step, values)


class Adadelta(Elementwise):
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

    rooms = 3

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        count(numbers)
        return _AdadeltaStep(group, kind)


class _AdamaxStep(Step):
    __slots__ = ()

    def __init__(self, group: Group, steps: float, kind: Any) -> None:
        beta1, beta2 = group["betas"]
        rate = float(group["lr"]) / (1 - beta1**steps)
        super().__init__(group, kind, 1 - beta1, beta2, group["eps"], rate)

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        out = rooms[0]
        mean, largest = state
        rest1, beta2, eps, rate = self.numbers
        g = self.direction(values, g, rooms[1])
        _average(mean, g, rest1, out)
        multiply(largest, beta2, largest)
        np.absolute(g, out)
        add(out, eps, out)
        np.maximum(largest, out, out=largest)
        divide(mean, largest, out)
        multiply(out, rate, out)
        subtract(values, out, values)


class Adamax(Elementwise):
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

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _AdamaxStep(group, count(numbers), kind)


class _NAdamStep(Step):
    __slots__ = ("_shrink",)

    def __init__(self, group: Group, numbers: list[Any], kind: Any) -> None:
        steps, lr, (beta1, beta2) = count(numbers), float(group["lr"]), group["betas"]
        decay, decoupled = group["momentum_decay"], group["decoupled_weight_decay"]
        self._shrink = 1 - lr * group["weight_decay"] if decoupled else 1.0
        now = beta1 * (1.0 - 0.5 * 0.96 ** (steps * decay))
        then = beta1 * (1.0 - 0.5 * 0.96 ** ((steps + 1) * decay))
        products = numbers[1]
        products *= now
        product = float(products[0])
        of_gradient = lr * (1.0 - now) / (1.0 - product)
        of_mean = lr * then / (1.0 - product * then)
        root = math.sqrt(1 - beta2**steps)
        super().__init__(
            group, kind, 1 - beta1, beta2, 1 - beta2, group["eps"] * root, of_gradient * root,
            of_mean * root, decay=not decoupled,
        )  # fmt: skip

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        spread, out = rooms[0], rooms[1]
        mean, square = state
        rest1, beta2, rest2, eps, of_gradient, of_mean = self.numbers
        g = self.direction(values, g, rooms[2])
        if self._shrink != 1:
            values *= self._shrink
        _average(mean, g, rest1, out)
        _average_square(square, g, beta2, rest2, out)
        np.sqrt(square, spread)
        add(spread, eps, spread)
        for part, factor in ((g, of_gradient), (mean, of_mean)):
            multiply(part, factor, out)
            divide(out, spread, out)
            subtract(values, out, values)


class NAdam(Elementwise):
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

    rooms = 3
    numbers = ("step", "mu_product")

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _initial(self, group: Group, name: str) -> float:
        return 1.0 if name == "mu_product" else 0.0

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _NAdamStep(group, numbers, kind)


class _RAdamStep(Step):
    __slots__ = ("_is_adaptive", "_shrink")

    def __init__(self, group: Group, steps: float, kind: Any) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        decoupled = group["decoupled_weight_decay"]
        self._shrink = 1 - lr * group["weight_decay"] if decoupled else 1.0
        correction = 1 - beta2**steps
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * steps * beta2**steps / correction
        rate = lr / (1 - beta1**steps)
        self._is_adaptive = length > 5
        if self._is_adaptive:
            rectified = (length - 4) * (length - 2) * longest
            rate *= math.sqrt(rectified / ((longest - 4) * (longest - 2) * length) * correction)
        numbers = (1 - beta1, beta2, 1 - beta2, group["eps"], rate)
        super().__init__(group, kind, *numbers, decay=not decoupled)

    def move(self, values: Any, g: Any, state: Sequence[Any], rooms: Sequence[Any]) -> None:
        out = rooms[0]
        mean, square = state
        rest1, beta2, rest2, eps, rate = self.numbers
        g = self.direction(values, g, rooms[1])
        if self._shrink != 1:
            values *= self._shrink
        _average(mean, g, rest1, out)
        _average_square(square, g, beta2, rest2, out)
        if self._is_adaptive:
            np.sqrt(square, out)
            add(out, eps, out)
            divide(mean, out, out)
            multiply(out, rate, out)
        else:
            multiply(mean, rate, out)
        subtract(values, out, values)


class RAdam(Elementwise):
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

    def _kinds(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _step(self, group: Group, numbers: list[Any], kind: Any) -> Step:
        return _RAdamStep(group, count(numbers), kind)
