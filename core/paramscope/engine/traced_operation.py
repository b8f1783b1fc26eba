"""The operations of a traced step as a graph, with the gradients that came back to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paramscope.census.evidence import Cut, TensorUse
from paramscope.code.graph import Span


@dataclass(slots=True)
class TracedOperation:
    """One operation of the traced step, before its gradient is known.

    ``sources`` are those that made its inputs, ``leaves`` the ids of the model's tensors among
    its inputs.
    """

    name: str
    span: Span | None
    module: str | None
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    gradient_norm: float | None = None
    sources: "tuple[TracedOperation, ...]" = ()
    leaves: tuple[int, ...] = ()


def feeders_of(operation: TracedOperation) -> frozenset[int]:
    """Return the tensors of the model that were the last to form an operation's input."""
    layer: tuple[TracedOperation, ...] = operation.sources
    while layer:
        found = frozenset(key for source in layer for key in source.leaves)
        if found:
            return found
        layer = tuple({id(inner): inner for outer in layer for inner in outer.sources}.values())
    return frozenset()


def first_non_finite(
    operations: Sequence[TracedOperation], uses: Mapping[int, TensorUse]
) -> Cut | None:
    """Find the operation that got a finite gradient and passed on one that is not.

    Of what it has spoilt, the result nearest to the loss is used by nothing spoilt itself.
    """
    spoilt = [op for op in operations if _is_non_finite(op.gradient_norm)]
    for operation in reversed(operations):
        if operation.gradient_norm is None or _is_non_finite(operation.gradient_norm):
            continue
        read = (uses.get(key) for key in operation.leaves if not spoilt)
        if any(use and use.gradient and use.gradient.non_finite for use in read):
            return Cut(operation.name, operation.span)
        if spoilt and any(source is spoilt[-1] for source in operation.sources):
            return Cut(operation.name, operation.span)
    return None


def _is_non_finite(norm: float | None) -> bool:
    return norm is not None and not np.isfinite(norm)
