"""Carrying a run over an edit: weights of equal name and shape, optimizer state, learning rate."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from paramscope.census.census import optimizer_groups
from paramscope.census.walk import Walk
from paramscope.engine.adapters.base import Adapter


class Kept:
    """The tensors and optimizers of a model that is about to be built anew.

    A tensor is known by its path, whatever it is there, so that a plain tensor keeps its value
    when it is made a Parameter. Tensors that are made by a calculation (non-leaves) stay out.
    """

    def __init__(
        self, adapter: Adapter, walk: Walk, optimizers: Sequence[Any], first_rates: list[float]
    ) -> None:
        self._adapter = adapter
        self._tensors = {f.path: f.tensor for f in walk.tensors if f.tensor.is_leaf}
        self._optimizers = list(optimizers)
        self._first_rates = first_rates
        self._random_state = adapter.random_state()

    def restore(self, walk: Walk, optimizers: Sequence[Any], first_rates: list[float]) -> int:
        """Write everything that still fits into the new model; return how many tensors did."""
        adapter = self._adapter
        count = 0
        done = set()
        paired: dict[int, Any] = {}
        for found in walk.tensors:
            old = self._tensors.get(found.path)
            if old is None or id(found.tensor) in done or not self._fits(old, found.tensor):
                continue
            done.add(id(found.tensor))
            paired[id(found.tensor)] = old
            adapter.copy_into(found.tensor, old)
            count += 1
        for old_optimizer, new_optimizer in zip(self._optimizers, optimizers, strict=False):
            self._restore_state(old_optimizer, new_optimizer, paired)
        if first_rates == self._first_rates:
            self._restore_rates(optimizers)
        adapter.restore_random_state(self._random_state)
        return count

    def _fits(self, old: Any, new: Any) -> bool:
        adapter = self._adapter
        if not new.is_leaf or adapter.is_uninitialized(old) or adapter.is_uninitialized(new):
            return False
        return adapter.shape(old) == adapter.shape(new) and adapter.dtype(old) == adapter.dtype(new)

    def _restore_state(self, old: Any, new: Any, paired: Mapping[int, Any]) -> None:
        """Give momentum and step counts to the same tensor in an optimizer of the same class."""
        if type(old).__qualname__ != type(new).__qualname__ or not hasattr(new, "state"):
            return
        for group in optimizer_groups(new):
            for tensor in group.get("params", ()):
                source = paired.get(id(tensor))
                if source is not None and old.state.get(source):
                    new.state[tensor] = copy(old.state[source])

    def _restore_rates(self, optimizers: Sequence[Any]) -> None:
        for old, new in zip(self._optimizers, optimizers, strict=False):
            pairs = zip(optimizer_groups(old), optimizer_groups(new), strict=False)
            for old_group, new_group in pairs:
                if "lr" in old_group and "lr" in new_group:
                    new_group["lr"] = old_group["lr"]


def learning_rates(optimizers: Sequence[Any]) -> list[float]:
    """Return ``lr`` of every group of every optimizer, NaN-free and in order."""
    groups = (group for optimizer in optimizers for group in optimizer_groups(optimizer))
    return [float(group["lr"]) for group in groups if group.get("lr") is not None]
