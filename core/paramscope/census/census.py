"""The census: plain rows for every tensor of a model, with its three states and its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paramscope.census.engine_view import EngineView
from paramscope.census.evidence import Evidence
from paramscope.census.rows import Gradient, Kind, Statistics, Stepping, TensorRow
from paramscope.census.states import (
    gradient_of,
    is_trainable_leaf,
    kind_of,
    mean_size,
    note_for,
    stepping_of,
)
from paramscope.census.statistics import statistics_of
from paramscope.census.walk import FoundTensor, Place, walk_model


@dataclass(slots=True)
class _Entry:
    """Where one tensor stands among the optimizers: the first place, and how many there are."""

    optimizer: int
    group: int
    lr: float | None
    has_state: bool
    places: int = 1


def take_census(model: Any, optimizers: Sequence[Any], view: EngineView) -> list[TensorRow]:
    """List the tensors of a live model, without any evidence of how it was built or stepped."""
    return rows_of(Evidence(model, walk_model(model, view), optimizers, view))


def rows_of(evidence: Evidence) -> list[TensorRow]:
    """Make one row for each path of each tensor, hidden Modules and stray optimizer entries.

    A tensor under several names has a row for each, and each names the others.
    """
    with np.errstate(all="ignore"):
        return _rows(evidence)


def _rows(evidence: Evidence) -> list[TensorRow]:
    entries = _optimizer_entries(evidence.optimizers)
    names: dict[int, list[str]] = {}
    for found in evidence.walk.tensors:
        names.setdefault(id(found.tensor), []).append(found.path)
    gradients = {id(f.tensor): _gradient_statistics(f, evidence) for f in evidence.walk.tensors}
    # Among weight matrices that an optimizer clears: elsewhere gradients pile up step by step.
    largest = max(
        (
            mean_size(measured, shape)
            for f in evidence.walk.tensors
            if (measured := gradients[id(f.tensor)]) is not None
            and len(shape := evidence.view.shape(f.tensor)) >= 2
            and (not entries or id(f.tensor) in entries)
        ),
        default=0.0,
    )
    rows = [_hidden_module_row(hidden, evidence) for hidden in evidence.walk.hidden]
    values: dict[int, Statistics | None] = {}
    for found in evidence.walk.tensors:
        key = id(found.tensor)
        if key not in values:
            values[key] = _statistics(found.tensor, evidence.view)
        others = tuple(name for name in names[key] if name != found.path)
        rows.append(
            _row(
                found, evidence, entries.get(key), others, gradients[key], values.get(key), largest
            )
        )
    return rows + _stray_rows(evidence, entries, set(names) | evidence.elsewhere)


def optimizer_groups(optimizer: Any) -> list[dict[str, Any]]:
    """Return the parameter groups of an optimizer, or nothing where there are none to read."""
    groups = getattr(optimizer, "param_groups", None)
    return [group for group in groups if isinstance(group, dict)] if groups else []


def _optimizer_entries(optimizers: Sequence[Any]) -> dict[int, _Entry]:
    entries: dict[int, _Entry] = {}
    for number, optimizer in enumerate(optimizers):
        state = getattr(optimizer, "state", {})
        for index, group in enumerate(optimizer_groups(optimizer)):
            lr = group.get("lr")
            for tensor in group.get("params", ()):
                entry = entries.get(id(tensor))
                if entry is not None:
                    entry.places += 1
                    continue
                rate = float(lr) if lr is not None else None
                entries[id(tensor)] = _Entry(number, index, rate, bool(state.get(tensor)))
    return entries


def _gradient_statistics(found: FoundTensor, evidence: Evidence) -> Statistics | None:
    """Measure the gradient as it lies there, or as the last traced step saw it arrive."""
    step = evidence.last_step
    use = step.uses.get(id(found.tensor)) if step is not None else None
    seen = use.gradient if use is not None else None
    if seen is not None and step is not None and step.number == evidence.step:
        return seen
    if is_trainable_leaf(found.tensor) and found.tensor.grad is not None:
        return _statistics(found.tensor.grad, evidence.view)
    return seen


def _statistics(tensor: Any, view: EngineView) -> Statistics | None:
    array = view.array(tensor)
    return None if array is None else statistics_of(array)


def _row(
    found: FoundTensor,
    evidence: Evidence,
    entry: _Entry | None,
    others: tuple[str, ...],
    gradient_statistics: Statistics | None,
    value_statistics: Statistics | None,
    largest: float,
) -> TensorRow:
    view = evidence.view
    kind = kind_of(found, evidence, entry is not None)
    gradient = gradient_of(found, kind, evidence, gradient_statistics, largest)
    lr = entry.lr if entry else None
    places = entry.places if entry else 0
    updates = evidence.last_step.update_norms if evidence.last_step else {}
    return TensorRow(
        path=found.path,
        kind=kind,
        shape=view.shape(found.tensor),
        dtype=view.dtype(found.tensor),
        requires_grad=bool(found.tensor.requires_grad),
        owner=found.owner_path,
        owner_class=type(found.owner).__name__,
        gradient=gradient,
        stepping=stepping_of(found, kind, gradient, places, lr, evidence),
        optimizer_index=entry.optimizer if entry else None,
        group=entry.group if entry else None,
        lr=lr,
        has_optimizer_state=bool(entry and entry.has_state),
        tied_with=others,
        shadowed=found.shadowed,
        line=line_of(found, evidence),
        value_statistics=value_statistics,
        gradient_statistics=gradient_statistics,
        update_norm=updates.get(id(found.tensor)),
        note=note_for(kind, gradient, evidence.summary(found.tensor), found),
    )


def line_of(found: FoundTensor, evidence: Evidence) -> int | None:
    """Return the line of the document that made the tensor, as the build trace or the text says."""
    origin = evidence.origin(found.tensor)
    assigned = evidence.source.assignment(type(found.owner).__mro__, found.attribute)
    if assigned is not None and found.place is not Place.PARAMETER:
        return assigned.line
    if origin is not None and origin.line is not None:
        return origin.line
    return assigned.line if assigned is not None else None


def _hidden_module_row(hidden: Any, evidence: Evidence) -> TensorRow:
    inside = [f for f in evidence.walk.tensors if f.hidden_in == hidden.path]
    trained = [f for f in inside if f.registered_as is Place.PARAMETER and f.tensor.requires_grad]
    count = sum(f.tensor.numel() for f in trained if not evidence.view.is_uninitialized(f.tensor))
    assigned = evidence.source.assignment(type(hidden.owner).__mro__, hidden.attribute)
    where = f"in a {hidden.container}" if hidden.container else "in a plain attribute"
    return TensorRow(
        path=hidden.path,
        kind=Kind.FORGOTTEN_MODULE if trained else Kind.TENSOR,
        shape=(),
        dtype=type(hidden.module).__name__,
        requires_grad=bool(trained),
        owner=hidden.owner_path,
        owner_class=type(hidden.owner).__name__,
        line=assigned.line if assigned is not None else None,
        note=f"{type(hidden.module).__name__} {where}: {len(trained)} Parameters, {count} values",
    )


def _stray_rows(evidence: Evidence, entries: dict[int, _Entry], known: set[int]) -> list[TensorRow]:
    """List what an optimizer steps although the model does not hold it at all."""
    rows = []
    for number, optimizer in enumerate(evidence.optimizers):
        for index, group in enumerate(optimizer_groups(optimizer)):
            for place, tensor in enumerate(group.get("params", ())):
                if id(tensor) in known:
                    continue
                known.add(id(tensor))
                entry = entries[id(tensor)]
                rows.append(
                    TensorRow(
                        path=f"optimizer.{number}.{index}.{place}",
                        kind=Kind.TENSOR,
                        shape=evidence.view.shape(tensor),
                        dtype=evidence.view.dtype(tensor),
                        requires_grad=bool(tensor.requires_grad),
                        gradient=Gradient.NOT_APPLICABLE,
                        stepping=Stepping.NOT_IN_MODEL,
                        optimizer_index=number,
                        group=index,
                        lr=entry.lr,
                        has_optimizer_state=entry.has_state,
                        value_statistics=_statistics(tensor, evidence.view),
                        note="the optimizer holds it, the model does not",
                    )
                )
    return rows
