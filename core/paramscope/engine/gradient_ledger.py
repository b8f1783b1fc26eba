"""Which gradients an optimizer has used, and which were cleared or added to since then."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import StepRecord
from paramscope.census.rows import Statistics
from paramscope.census.statistics import statistics_of
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.known_tensors import KnownTensors
from paramscope.engine.leaves import is_leaf


class GradientLedger:
    """Follows the gradients of one model from step to step, by the ids of their tensors.

    What it finds it notes in ``record``. ``before`` is the ledger of the step before this one;
    without it nothing is known of what was used.
    """

    def __init__(
        self,
        record: StepRecord,
        known: KnownTensors,
        adapter: Adapter,
        before: "GradientLedger | None",
    ) -> None:
        self._record = record
        self._known = known
        self._adapter = adapter
        # Whose gradient an optimizer has used.
        self._used: set[int] = set(before._used) if before is not None else set()
        # Of those, the ones that a backward has added to since.
        self._reused: set[int] = set(before._reused) if before is not None else set()
        # Those with a gradient that no optimizer has used yet.
        self._unspent: set[int] = set(before._unspent) if before is not None else set()
        self._dirty: dict[int, Statistics] = {}  # used gradients that a backward has met

    def begin_backward(self) -> None:
        """Note which gradients are there already."""
        wasted = self._cleared_of(self._unspent)
        self._record.wasted |= wasted
        self._unspent -= wasted
        with np.errstate(all="ignore"):
            self._note_used()

    def _note_used(self) -> None:
        self._record.backward_calls += 1
        self._dirty.clear()
        if not self._used:
            return  # nothing was stepped yet with a gradient that could still be there
        for key, found in self._known.by_id.items():
            old = measured_gradient(found.tensor, self._adapter)
            if old is None or not (old.norm or old.non_finite):
                self._used.discard(key)
                self._reused.discard(key)
                self._record.cleared.add(key)
            elif key in self._used:
                self._dirty[key] = old

    def end_backward(self) -> None:
        """Note which gradients were added to; they are measured already."""
        uses = self._record.uses
        arrived = {
            key for key, use in uses.items() if use.gradient is not None and use.gradient.norm
        }
        self._unspent |= arrived - self._cleared_of(uses)
        for key, old in self._dirty.items():
            # A backward that leaves a gradient alone (the other side's, in a GAN) adds nothing.
            if uses[key].gradient != old:
                self._reused.add(key)

    def spend(self, optimizer: Any) -> None:
        """Note that an optimizer has used the gradients of its tensors."""
        held = [t for group in optimizer_groups(optimizer) for t in group.get("params", ())]
        self._unspent -= {id(tensor) for tensor in held}
        keys = {id(tensor) for tensor in held if tensor.grad is not None}
        # Adding to a used gradient is harmless until it is stepped with.
        self._record.uncleared |= self._reused & keys
        self._reused -= keys
        self._used |= keys

    def spend_one(self, key: int) -> None:
        """Note that a tensor was stepped by hand."""
        if key in self._reused:
            self._record.uncleared.add(key)
            self._reused.discard(key)
        self._unspent.discard(key)
        self._used.add(key)

    def is_wiped(self, optimizer: Any) -> bool:
        """Tell whether an optimizer finds nothing to use, though there was something."""
        held = {id(t) for group in optimizer_groups(optimizer) for t in group.get("params", ())}
        unspent = held & self._unspent
        return bool(unspent) and self._cleared_of(held & set(self._known.by_id)) >= unspent

    def _cleared_of(self, keys: Iterable[int]) -> set[int]:
        """Return those of ``keys`` whose tensors have no gradient now, or one of zeros."""
        cleared = set()
        for key in keys:
            tensor = self._known.by_id[key].tensor if key in self._known.by_id else None
            if tensor is None:
                continue
            gradient = tensor.grad if is_leaf(tensor) else None
            array = self._adapter.array(gradient) if gradient is not None else None
            if gradient is None or (array is not None and not array.any()):
                cleared.add(key)
        return cleared


def measured_gradient(tensor: Any, adapter: Adapter) -> Statistics | None:
    """Return the statistics of a leaf's gradient, None where there is none."""
    if not tensor.is_leaf or tensor.grad is None:
        return None
    gradient = adapter.array(tensor.grad)
    return None if gradient is None else statistics_of(gradient)
