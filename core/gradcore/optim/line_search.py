"""A line search for the strong Wolfe conditions, used by L-BFGS."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.dtypes import Array

Evaluate = Callable[[float], tuple[float, Array]]


class _Point:
    """A step along the line: its length, loss, gradient and slope."""

    def __init__(self, t: float, loss: float, g: Array, slope: float) -> None:
        self.t, self.loss, self.g, self.slope = t, loss, g, slope


def strong_wolfe(
    evaluate: Evaluate,
    t: float,
    direction: Array,
    start: tuple[float, Array, float],
    tolerance: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    most: int = 25,
) -> tuple[float, Array, float, int]:
    """Find a step that lowers the loss enough and flattens the slope enough.

    Returns: loss and gradient there, the step, and how often the loss was evaluated.
    Source:  Nocedal & Wright, Numerical Optimization, algorithms 3.5 and 3.6
    """
    origin = _Point(0.0, *start)

    def at(step: float) -> _Point:
        loss, g = evaluate(step)
        return _Point(step, loss, g.copy(), float(g @ direction))

    def is_too_high(point: _Point) -> bool:
        return point.loss > origin.loss + c1 * point.t * origin.slope

    def is_flat(point: _Point) -> bool:
        return abs(point.slope) <= -c2 * origin.slope

    point, before = at(t), origin
    evaluations, rounds = 1, 0
    bracket: list[_Point] | None = None
    while rounds < most:
        if is_too_high(point) or (rounds > 1 and point.loss >= before.loss):
            bracket = [before, point]
            break
        if is_flat(point):
            return point.loss, point.g, point.t, evaluations
        if point.slope >= 0:
            bracket = [before, point]
            break
        low = point.t + 0.01 * (point.t - before.t)
        next_t = _cubic(before, point, low, point.t * 10)
        before, point = point, at(next_t)
        evaluations += 1
        rounds += 1
    if bracket is None:
        bracket = [origin, point]
    found, more = _zoom(
        at, bracket, (is_too_high, is_flat), tolerance / np.abs(direction).max(), most - rounds
    )
    return found.loss, found.g, found.t, evaluations + more


def _zoom(
    at: Callable[[float], _Point], bracket: list[_Point], tests: Any, tolerance: float, most: int
) -> tuple[_Point, int]:
    """Narrow a bracket down to a step that fulfils both conditions."""
    is_too_high, is_flat = tests
    stuck = False
    evaluations = 0
    low, high = sorted(bracket, key=lambda point: point.loss)
    for _ in range(most):
        left, right = sorted((low.t, high.t))
        if right - left < tolerance:
            break
        t = _cubic(low if low.t < high.t else high, high if low.t < high.t else low, left, right)
        # Keep away from the ends: too near them the bracket would hardly shrink.
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = at(t)
        evaluations += 1
        if is_too_high(point) or point.loss >= low.loss:
            high = point
            if high.loss < low.loss:
                low, high = high, low
            continue
        if is_flat(point):
            return point, evaluations
        if point.slope * (high.t - low.t) >= 0:
            high = low
        low = point
    return low, evaluations


def _cubic(a: _Point, b: _Point, low: float, high: float) -> float:
    """Return where the cubic through two points and slopes is lowest, within limits."""
    if b.t == a.t:
        return (low + high) / 2.0
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = first * first - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    second = math.sqrt(square)
    if a.t <= b.t:
        t = b.t - (b.t - a.t) * ((b.slope + second - first) / (b.slope - a.slope + 2 * second))
    else:
        t = a.t - (a.t - b.t) * ((a.slope + second - first) / (a.slope - b.slope + 2 * second))
    return min(max(t, low), high)
