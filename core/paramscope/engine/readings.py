"""Statistics that come from a step itself, and the rows that they renew between two looks.

A look runs a step under the tracer, which costs so much that on larger models it is due only once
in a while. What a tensor's values and gradient are like, and how far it moved, the engine can tell
of a step that nobody watches, in the optimizer's own pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from paramscope.census.rows import Statistics, TensorRow
from paramscope.census.walk import Walk


@dataclass(frozen=True, slots=True)
class Reading:
    """What one step has left of one tensor; ``gradient`` is None where none is to be seen."""

    value: Statistics
    gradient: Statistics | None
    update_norm: float


def readable(walk: Walk) -> list[Any]:
    """Return the tensors of a model whose values steps change in place, each once."""
    return list({id(f.tensor): f.tensor for f in walk.tensors if f.tensor.is_leaf}.values())


def renewed(
    rows: Iterable[TensorRow], walk: Walk, readings: Mapping[int, Reading]
) -> tuple[TensorRow, ...]:
    """Return rows with what the readings, by the ids of their tensors, tell of later values."""
    ids = {found.path: id(found.tensor) for found in walk.tensors}
    return tuple(_renewed(row, readings.get(ids.get(row.path, 0))) for row in rows)


def _renewed(row: TensorRow, reading: Reading | None) -> TensorRow:
    if reading is None or row.value_statistics is None:
        return row
    return msgspec.structs.replace(
        row,
        value_statistics=reading.value,
        gradient_statistics=reading.gradient or row.gradient_statistics,
        update_norm=reading.update_norm,
    )
