"""Adam's state in one flat block per group, stepped a stretch at a time.

Small tensors are gathered until they fill a stretch, large ones are gone through stretch by
stretch, so that NumPy is called for some 16,000 values at once and finds them in the cache.
"""

import math
from typing import Any

import numpy as np

from gradcore.tensor import Tensor

Group = dict[str, Any]
_STRETCH = 1 << 14
"""How many values are moved at once: five arrays of this length fit a cache of 512 KiB."""


class Step:
    """The numbers of one step, the same for all tensors of a group."""

    __slots__ = ("beta2", "decay", "eps", "factor", "maximize", "rest1", "rest2", "shrink")

    def __init__(self, group: Group, count: float) -> None:
        lr, (beta1, beta2), decay = float(group["lr"]), group["betas"], group["weight_decay"]
        decoupled = group["decoupled_weight_decay"]
        self.maximize = group["maximize"]
        self.decay = 0.0 if decoupled else decay
        self.shrink = 1 - lr * decay if decoupled and decay else 1.0
        self.beta2, self.rest1, self.rest2 = beta2, 1 - beta1, 1 - beta2
        # m / (sqrt(v) / root + eps) is root * m / (sqrt(v) + eps * root): one pass less.
        root = math.sqrt(1 - beta2**count)
        self.eps = group["eps"] * root
        self.factor = lr / (1 - beta1**count) * root

    def advance(self, g: Any, mean: Any, square: Any, largest: Any, out: Any) -> None:
        """Update the running means, and write by how much the values go down into ``out``."""
        np.subtract(g, mean, out=out)
        out *= self.rest1
        mean += out
        square *= self.beta2
        np.multiply(g, g, out=out)
        out *= self.rest2
        square += out
        if largest is not None:
            np.maximum(largest, square, out=largest)
            square = largest
        np.sqrt(square, out=out)
        out += self.eps
        np.divide(mean, out, out=out)
        out *= self.factor

    def move(self, values: Any, g: Any, mean: Any, square: Any, largest: Any, out: Any) -> None:
        """Move values by their gradient; ``out`` is room for as many."""
        if self.maximize:
            g = -g
        if self.decay:
            g = g + self.decay * values
        if self.shrink != 1:
            values *= self.shrink
        self.advance(g, mean, square, largest, out)
        values -= out


class Block:
    """The running means of all tensors of a group, each kind in one array.

    The tensors of the state are views of it. Values and gradients stay where they are, so that
    nobody else has to know of it.
    """

    def __init__(self, params: list[Tensor], states: list[dict[str, Any]]) -> None:
        self.params = list(params)
        sizes = [p._a.size for p in params]
        self.mean = np.concatenate([state["exp_avg"]._a.ravel() for state in states])
        self.square = np.concatenate([state["exp_avg_sq"]._a.ravel() for state in states])
        self.steps = np.array([float(state["step"]._a) for state in states], np.float32)
        self.views = []
        end = 0
        for i, (p, state) in enumerate(zip(params, states, strict=True)):
            part, end = slice(end, end + sizes[i]), end + sizes[i]
            mean = state["exp_avg"]._a = self.mean[part].reshape(p._a.shape)
            square = state["exp_avg_sq"]._a = self.square[part].reshape(p._a.shape)
            step = state["step"]._a = self.steps[i : i + 1].reshape(())
            self.views.append((state, mean, square, step))
        self._divide(sizes)

    def _divide(self, sizes: list[int]) -> None:
        """Note which tensors are moved together, and where each has its part of the stretch."""
        room = min(_STRETCH, sum(sizes))
        kind = self.mean.dtype
        self.gradient, self.out = np.empty(room, kind), np.empty(room, kind)
        self.runs: list[tuple[int, int, slice, list[Any]]] = []
        first = start = end = 0
        places: list[Any] = []
        for i, size in enumerate(sizes):
            if i > first and end - start + size > _STRETCH:
                self.runs.append((first, i, slice(start, end), places))
                first, start, places = i, end, []
            if size <= _STRETCH:
                shape = self.params[i]._a.shape
                places.append(self.out[end - start : end - start + size].reshape(shape))
            end += size
        self.runs.append((first, len(sizes), slice(start, end), places))

    def fits(self, params: list[Tensor], states: list[dict[str, Any]]) -> bool:
        """Tell whether these are still the same tensors with the same state."""
        if len(params) != len(self.params):
            return False
        kind = self.mean.dtype
        for p, own, state, (kept, mean, square, step) in zip(
            params, self.params, states, self.views, strict=True
        ):
            if (
                p is not own
                or state is not kept
                or state["exp_avg"]._a is not mean
                or state["exp_avg_sq"]._a is not square
                or state["step"]._a is not step
                or p._a.shape != mean.shape
                or p._a.dtype is not kind
            ):
                return False
        return True

    def count(self) -> float | None:
        """Count one step more; return the number if it is the same for all tensors."""
        steps = self.steps
        steps += 1
        first = steps[0]
        return None if (steps != first).any() else float(first)

    def move(self, grads: list[Any], step: Step) -> None:
        """Move all tensors by their gradients."""
        for first, last, part, places in self.runs:
            if last - first == 1:
                self._move_one(self.params[first], grads[first], part, step)
            else:
                self._move_run(self.params[first:last], grads[first:last], part, places, step)

    def _move_one(self, p: Tensor, g: Any, part: slice, step: Step) -> None:
        mean, square, values = self.mean[part], self.square[part], p._a
        if not values.flags.c_contiguous:
            shape = values.shape
            out = np.empty(shape, values.dtype)
            step.move(values, g, mean.reshape(shape), square.reshape(shape), None, out)
            return
        values, g = values.reshape(-1), g.reshape(-1)
        for start in range(0, values.size, _STRETCH):
            at = slice(start, start + _STRETCH)
            near = values[at]
            step.move(near, g[at], mean[at], square[at], None, self.out[: near.size])

    def _move_run(
        self, params: list[Tensor], grads: list[Any], part: slice, places: list[Any], step: Step
    ) -> None:
        mean = self.mean[part]
        gradient, out = self.gradient[: mean.size], self.out[: mean.size]
        np.concatenate([g.ravel() for g in grads], out=gradient)
        if step.maximize:
            np.negative(gradient, out=gradient)
        if step.decay:
            np.concatenate([p._a.ravel() for p in params], out=out)
            out *= step.decay
            gradient += out
        step.advance(gradient, mean, self.square[part], None, out)
        shrink = step.shrink
        for p, down in zip(params, places, strict=True):
            values = p._a
            if shrink != 1:
                values *= shrink
            values -= down


def may_share(params: list[Tensor]) -> bool:
    """Tell whether the state of these tensors can stand in one block."""
    kind = params[0]._a.dtype
    return (
        kind.kind == "f"
        and all(p._a.dtype is kind for p in params)
        and len({id(p) for p in params}) == len(params)
    )
