"""The census: plain rows for every tensor of a model, with its three states and its numbers."""

from collections.abc import Iterator, Sequence
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
from paramscope.census.walk import FoundTensor, Place


@dataclass(slots=True)
class _Entry:
    """Where one tensor stands among the optimizers: the first place, and how many there are."""

    optimizer: int
    group: int
    lr: float | None
    has_state: bool
    places: int = 1


def rows_of(evidence: Evidence) -> list[TensorRow]:
    """Make one row for each path of each tensor, hidden Modules and stray optimizer entries.

    A tensor under several names has a row for each, and each names the others.
    """
    with np.errstate(all="ignore"):
        return _rows(evidence)


def _rows(evidence: Evidence) -> list[TensorRow]:
    entries = _optimizer_entries(evidence.optimizers)
    context = _Context(evidence, entries)
    rows = [_hidden_module_row(hidden, evidence) for hidden in evidence.walk.hidden]
    rows += [context.row(found) for found in evidence.walk.tensors]
    return rows + _stray_rows(evidence, entries, set(context.names) | evidence.elsewhere)


class _Context:
    """What a row needs beside its tensor, measured once: names, numbers, the largest gradient."""

    def __init__(self, evidence: Evidence, entries: dict[int, _Entry]) -> None:
        self._evidence = evidence
        self._entries = entries
        self.names: dict[int, list[str]] = {}
        for found in evidence.walk.tensors:
            self.names.setdefault(id(found.tensor), []).append(found.path)
        self._gradients = {
            id(found.tensor): _gradient_statistics(found, evidence)
            for found in evidence.walk.tensors
        }
        self._values: dict[int, Statistics | None] = {}
        self._largest = self._largest_gradient()

    def _largest_gradient(self) -> float:
        """Return the largest mean size of the gradient of a weight matrix.

        Only of those that an optimizer clears: elsewhere gradients pile up step by step.
        """
        view, entries = self._evidence.view, self._entries
        return max(
            (
                mean_size(measured, shape)
                for found in self._evidence.walk.tensors
                if (measured := self._gradients[id(found.tensor)]) is not None
                and len(shape := view.shape(found.tensor)) >= 2
                and (not entries or id(found.tensor) in entries)
            ),
            default=0.0,
        )

    def _statistics(self, tensor: Any) -> Statistics | None:
        key = id(tensor)
        if key not in self._values:
            self._values[key] = _statistics(tensor, self._evidence.view)
        return self._values[key]

    def row(self, found: FoundTensor) -> TensorRow:
        """Make the row of one tensor at one of its paths."""
        evidence, view, key = self._evidence, self._evidence.view, id(found.tensor)
        entry, measured = self._entries.get(key), self._gradients[key]
        kind = kind_of(found, evidence, entry is not None)
        gradient = gradient_of(found, kind, evidence, measured, self._largest)
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
            tied_with=tuple(name for name in self.names[key] if name != found.path),
            shadowed=found.shadowed,
            line=line_of(found, evidence),
            value_statistics=self._statistics(found.tensor),
            gradient_statistics=measured,
            update_norm=updates.get(key),
            note=note_for(kind, gradient, evidence.summary(found.tensor), found),
        )


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
    for path, tensor in _stepped(evidence.optimizers):
        if id(tensor) in known:
            continue
        known.add(id(tensor))
        entry = entries[id(tensor)]
        rows.append(
            TensorRow(
                path=path,
                kind=Kind.TENSOR,
                shape=evidence.view.shape(tensor),
                dtype=evidence.view.dtype(tensor),
                requires_grad=bool(tensor.requires_grad),
                gradient=Gradient.NOT_APPLICABLE,
                stepping=Stepping.NOT_IN_MODEL,
                optimizer_index=entry.optimizer,
                group=entry.group,
                lr=entry.lr,
                has_optimizer_state=entry.has_state,
                value_statistics=_statistics(tensor, evidence.view),
                note="the optimizer holds it, the model does not",
            )
        )
    return rows


def _stepped(optimizers: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Give each tensor of each optimizer with the path it has there."""
    for number, optimizer in enumerate(optimizers):
        for index, group in enumerate(optimizer_groups(optimizer)):
            for place, tensor in enumerate(group.get("params", ())):
                yield f"optimizer.{number}.{index}.{place}", tensor
