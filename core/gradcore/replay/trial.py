"""Running a training step for a look at it, as if it had never been run.

A watcher runs a step line by line to see inside; the step that counts is then replayed, so that a
run that is watched and one that is not are the same to the last bit. Only steps that could be
recorded can be taken back: they change tensors, gradients, optimizers and the stream of random
numbers, and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import numpy as np

from gradcore.graph import INFERENCE, TensorBase, counter, wrap
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.random import default_generator
from gradcore.replay.captured import Captured
from gradcore.replay.slots import Snapshot

_LAST = attrgetter("count", "stamp", "rebased", "what", "where")


@contextmanager
def taken_back(function: Callable[..., Any]) -> Iterator[None]:
    """Take back what ``function`` changes when it is called inside the ``with`` block.

    Raises: `RefusalError`, before the block runs, if what the function reaches cannot be watched.
    """
    world = Captured(function)
    places = Snapshot(world.places)
    moved = {id(t) for one in world.optimizers for group in one.param_groups for t in _of(group)}
    values = [_Value(t) for t in world.tensors if id(t) in moved or was_written(t)]
    gradients = [(t, t._grad) for t in world.tensors]
    sums = [_Value(g) for _, g in gradients if g is not None]
    writes = _Writes([*world.tensors, *[g for _, g in gradients if g is not None]])
    optimizers = [_State(one) for one in world.optimizers]
    drawn = default_generator.place()
    try:
        yield
    finally:
        places.restore()
        for value in values:
            value.restore()
        for t, grad in gradients:
            t._grad = grad
        for value in sums:
            value.restore()
        writes.restore()
        for state in optimizers:
            state.restore()
        default_generator.return_to(drawn)


def _of(group: dict[str, Any]) -> list[TensorBase]:
    tensors: list[TensorBase] = group["params"]
    return tensors


def was_written(t: TensorBase) -> bool:
    """Tell whether a tensor was ever written in place; data never is, and may be large."""
    return t._vc is not None and t._vc.count > 0


class _Value:
    """The values of one tensor, and where they lie."""

    def __init__(self, t: TensorBase) -> None:
        self._t, self._array, self._copy = t, t._a, t._a.copy()

    def restore(self) -> None:
        self._t._a = self._array
        np.copyto(self._array, self._copy)


class _Writes:
    """How often memory was written in place, and which write was the last."""

    def __init__(self, tensors: Iterable[TensorBase]) -> None:
        counters = {id(t._vc): t._vc for t in tensors if t._vc not in (None, INFERENCE)}
        self._kept = [(one, *_LAST(one)) for one in counters.values()]

    def restore(self) -> None:
        for one, *was in self._kept:
            one.count, one.stamp, one.rebased, one.what, one.where = was


class _State:
    """An optimizer's state and settings. Dictionaries and lists stay the ones they are."""

    def __init__(self, optimizer: Any) -> None:
        self._groups = [(group, dict(group)) for group in optimizer.param_groups]
        self._states = optimizer.state
        self._entries = {key: (entry, dict(entry)) for key, entry in optimizer.state.items()}
        self._tensors = [_Value(t) for entry in optimizer.state.values() for t in _tensors(entry)]
        self._lists = [
            (part, list(part))
            for entry in optimizer.state.values()
            for part in entry.values()
            if isinstance(part, list)
        ]

    def restore(self) -> None:
        for group, items in self._groups:
            group.update(items)
        for key in [key for key in self._states if key not in self._entries]:
            del self._states[key]
        for key, (entry, items) in self._entries.items():
            entry.clear()
            entry.update(items)
            self._states[key] = entry
        for part, content in self._lists:
            part[:] = content
        for value in self._tensors:
            value.restore()


class _Plan:
    """What a schedule, and those in it, remember."""

    def __init__(self, schedule: LRScheduler) -> None:
        self._own = vars(schedule)
        self._items = dict(self._own)
        self._lists = [(one, list(one)) for one in self._items.values() if type(one) is list]
        inside = [part for one in self._items.values() for part in _members(one)]
        self._parts = [_Plan(part) for part in inside if isinstance(part, LRScheduler)]

    def restore(self) -> None:
        self._own.clear()
        self._own.update(self._items)
        for one, content in self._lists:
            one[:] = content
        for part in self._parts:
            part.restore()


def _members(item: Any) -> list[Any]:
    return list(item) if type(item) in (list, tuple) else [item]


class Undo:
    """What a step of several programs has changed before one of them cannot go on.

    No references to gradients are kept: whoever hands them out counts these.
    """

    def __init__(
        self, world: Captured, writes: list[TensorBase], schedules: list[LRScheduler]
    ) -> None:
        self._schedules = schedules
        moved = [t for one in world.optimizers for group in one.param_groups for t in _of(group)]
        self.tensors = list({id(t): t for t in [*moved, *writes]}.values())
        for t in self.tensors:
            # Made now, so that it can be brought back.
            counter(t)
        self._leaves, self._optimizers = world.tensors, world.optimizers
        self._kept: Any = None

    def keep(self) -> None:
        """Keep how everything is now."""
        grads = [_held(t._grad) for t in self._leaves]
        states = [_State(one) for one in self._optimizers]
        plans = [_Plan(one) for one in self._schedules]
        values = [t._a.copy() for t in self.tensors]
        writes = _Writes([*self.tensors, *[t._grad for t in self._leaves if t._grad is not None]])
        self._kept = values, grads, states, plans, writes, default_generator.place()

    def forget(self) -> None:
        """Let go of what was kept."""
        self._kept = None

    def restore(self) -> None:
        """Bring back what was kept."""
        values, grads, states, plans, writes, drawn = self._kept
        self._kept = None
        for t, kept in zip(self.tensors, values, strict=True):
            np.copyto(t._a, kept)
        for t, held in zip(self._leaves, grads, strict=True):
            if held is None:
                t._grad = None
            elif t._grad is not None and id(t._grad) == held[0]:
                np.copyto(t._grad._a, held[1])
            else:
                t._grad = wrap(held[1])
        for state in states:
            state.restore()
        for plan in plans:
            plan.restore()
        writes.restore()
        default_generator.return_to(drawn)


def _held(grad: Any) -> tuple[int, Any] | None:
    return None if grad is None else (id(grad), grad._a.copy())


def _tensors(item: Any) -> Iterator[TensorBase]:
    """Yield the tensors in an entry of an optimizer's state."""
    if isinstance(item, TensorBase):
        yield item
    elif isinstance(item, dict):
        for part in item.values():
            yield from _tensors(part)
    elif isinstance(item, (list, tuple)):
        for part in item:
            yield from _tensors(part)
