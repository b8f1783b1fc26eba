"""L-BFGS: steps along a direction bent by the last few changes of the gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.graph import wrap, written
from gradcore.modes import enable_grad, no_grad
from gradcore.optim.line_search import strong_wolfe
from gradcore.optim.optimizer import Optimizer, check_range


class LBFGS(Optimizer):
    """Minimise by L-BFGS; `step` takes a closure that evaluates the loss and its gradient.

    Source: Nocedal & Wright, Numerical Optimization, chapter 7
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_range("learning rate", lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Array:
        parts = [
            np.zeros(p._a.size, p._a.dtype) if p._grad is None else p._grad._a.ravel()
            for p in self._params
        ]
        return np.concatenate(parts)

    def _values(self) -> Array:
        return np.concatenate([p._a.ravel() for p in self._params])

    def _set_values(self, values: Array) -> None:
        place = 0
        for p in self._params:
            p._a[...] = values[place : place + p._a.size].reshape(p._a.shape)
            written(p, "step", False)
            place += p._a.size

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise TypeError("LBFGS.step() missing 1 required positional argument: 'closure'")
        with no_grad():
            return self._minimise(closure)

    def _minimise(self, closure: Callable[[], Any]) -> Any:
        def evaluate() -> Any:
            with enable_grad():
                return closure()

        def at(values: Array) -> tuple[float, Array]:
            self._set_values(values)
            return float(evaluate()), self._gradient()

        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = evaluate()
        state["func_evals"] += 1
        run = _Run(group, state, float(first), self._gradient(), self._values())
        if np.abs(run.g).max() <= group["tolerance_grad"]:
            return first
        while run.goes_on():
            run.turn()
            slope = float(run.g @ run.direction)
            if slope > -group["tolerance_change"]:
                break
            run.move(at, slope)
        self._set_values(run.x)
        run.save()
        return first


class _Run:
    """One call of `step`: the point, its gradient, and the history of changes."""

    def __init__(
        self, group: dict[str, Any], state: dict[str, Any], loss: float, g: Array, x: Array
    ) -> None:
        self.group, self.state = group, state
        self.loss, self.g, self.x = loss, g, x
        self.iterations = 0
        self.evaluations = 1
        self.finished = False
        self.direction = _array(state.get("d"))
        self.before = _array(state.get("prev_flat_grad"))
        self.t: Any = state.get("t")
        self.changes: list[Array] = [_array(item) for item in state.get("old_dirs", [])]
        self.steps: list[Array] = [_array(item) for item in state.get("old_stps", [])]
        self.scale = state.get("H_diag", 1.0)

    def goes_on(self) -> bool:
        """Tell whether there is something left to do."""
        return (
            not self.finished
            and self.iterations < self.group["max_iter"]
            and self.evaluations < self.group["max_eval"]
        )

    def turn(self) -> None:
        """Find the next direction."""
        self.iterations += 1
        self.state["n_iter"] += 1
        if self.state["n_iter"] == 1:
            self.direction = -self.g
            self.changes, self.steps, self.scale = [], [], 1.0
        else:
            self._remember()
            self.direction = self._bent()
        self.before = self.g.copy()
        lr = float(self.group["lr"])
        first = self.state["n_iter"] == 1
        self.t = min(1.0, 1.0 / float(np.abs(self.g).sum())) * lr if first else lr

    def _remember(self) -> None:
        change = self.g - self.before
        step = self.direction * self.t
        curvature = float(change @ step)
        if curvature > 1e-10:
            if len(self.changes) == self.group["history_size"]:
                self.changes.pop(0)
                self.steps.pop(0)
            self.changes.append(change)
            self.steps.append(step)
            self.scale = curvature / float(change @ change)

    def _bent(self) -> Array:
        """Multiply the gradient by the approximate inverse of the second derivatives."""
        q = -self.g
        weights = []
        pairs = list(zip(self.changes, self.steps, strict=True))
        for change, step in reversed(pairs):
            weight = float(step @ q) / float(change @ step)
            weights.append(weight)
            q = q - weight * change
        r = q * self.scale
        for (change, step), weight in zip(pairs, reversed(weights), strict=True):
            r = r + step * (weight - float(change @ r) / float(change @ step))
        result: Array = r
        return result

    def move(self, at: Callable[[Array], tuple[float, Array]], slope: float) -> None:
        """Go along the direction and look whether that was the last step needed."""
        evaluations = 1
        before = self.loss
        if self.group["line_search_fn"] is None:
            self.x = self.x + self.t * self.direction
            if self.iterations != self.group["max_iter"]:
                self.loss, self.g = at(self.x)
        else:
            found = strong_wolfe(
                lambda t: at(self.x + t * self.direction),
                self.t,
                self.direction,
                (self.loss, self.g, slope),
                self.group["tolerance_change"],
            )
            self.loss, self.g, self.t, evaluations = found
            self.x = self.x + self.t * self.direction
        self.evaluations += evaluations
        self.state["func_evals"] += evaluations
        small = self.group["tolerance_change"]
        self.finished = bool(
            np.abs(self.g).max() <= self.group["tolerance_grad"]
            or np.abs(self.direction * self.t).max() <= small
            or abs(self.loss - before) < small
        )

    def save(self) -> None:
        """Keep what the next call of `step` needs."""
        self.state["d"] = wrap(self.direction)
        self.state["t"] = self.t
        self.state["old_dirs"] = [wrap(item) for item in self.changes]
        self.state["old_stps"] = [wrap(item) for item in self.steps]
        self.state["H_diag"] = self.scale
        self.state["prev_flat_grad"] = wrap(self.before)
        self.state["prev_loss"] = self.loss


def _array(tensor: Any) -> Any:
    return None if tensor is None else tensor._a
