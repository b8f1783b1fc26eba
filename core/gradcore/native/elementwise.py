"""Operations of gradcore that are a few element-wise steps, and so may join longer chains."""

from collections.abc import Callable
from typing import Any

from gradcore.native import steps
from gradcore.native.builder import DOUBLE, SINGLE, Table, UnsupportedError
from gradcore.native.entry import Operand
from gradcore.ops.registry import OPERATIONS

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""The lowering of each such function of gradcore."""


def step(table: Table, what: int, *sources: Any) -> Operand:
    """Return a new value of the shape and dtype of the first source."""
    first = sources[0]
    if not isinstance(first, Operand) or first.dtype not in (SINGLE, DOUBLE):
        raise UnsupportedError
    return table.element(what, table.empty(first.shape, first.dtype), *sources)


def _unary(name: str, what: int) -> None:
    def lower(table: Table, input: Any) -> Operand:
        return step(table, what, input)

    FUNCTIONS[OPERATIONS[name].kernel] = lower


for _name, _what in (("sigmoid", steps.SIGMOID), ("tanh", steps.TANH)):
    _unary(_name, _what)


def _mask(table: Table, relation: int, x: Any, limit: float) -> Operand:
    return step(table, relation, x, limit)


def relu_slope(table: Table, g: Any, y: Any) -> Operand:
    """Return ``g`` where ``y`` is positive, else 0."""
    if not isinstance(g, Operand) or g.shape != y.shape or g.dtype != y.dtype:
        raise UnsupportedError
    return step(table, steps.WHERE, _mask(table, steps.GREATER, y, 0.0), g, 0.0)


FUNCTIONS[OPERATIONS["relu"].gradients["input"]] = relu_slope
