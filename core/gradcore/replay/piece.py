"""One program of a recorded step: made ready, run, taken back, and handed out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore.graph import TensorBase, wrap, written
from gradcore.random import default_generator
from gradcore.replay.handing import HandOut
from gradcore.replay.inline import Inliner, UntraceableError
from gradcore.replay.pieces import Kept, Part
from gradcore.replay.program import Program, returned_values
from gradcore.replay.returned import rebuilt
from gradcore.replay.slots import Place

Upgrader = Callable[[Program, Sequence[Any]], Any]


class Piece:
    """One program of a step: run, and then handed out."""

    def __init__(self, part: Part, sources: list[Any], stored: list[int]) -> None:
        self.program = part.program
        self.sources = sources
        self.stores = [
            (leaf, number, name)
            for (leaf, _, name), number in zip(part.stores, stored, strict=False)
        ]
        after = iter(stored[len(part.stores) :])
        # What is known before the program has run, and what it works out itself.
        self.settings: list[tuple[Place, Any]] = []
        self._late_settings: list[tuple[Place, Any, list[int]]] = []
        for place, tree in part.settings:
            numbers = [next(after) for _ in returned_values(tree)]
            if numbers:
                self._late_settings.append((place, tree, numbers))
            else:
                self.settings.append((place, tree))
        self.cleared = part.cleared
        self.upgrade: Any = None
        self.was_native = False
        self._layouts: list[Any] = []
        self._results: tuple[list[Any], list[Any]] = ([], [])
        self._writes = [t for t, _ in part.program.written]
        self._hand_out: Any = None

    def settle(self, inputs: Sequence[Any], upgrade: Upgrader) -> list[Any]:
        """Get ready to run on such arguments; returns what it hands out on these."""
        extra = inputs[len(inputs) - len(self.sources) :]
        self._layouts = [
            (x._a.strides, x._a.shape, x._a.dtype, x._node is None)
            if isinstance(x, TensorBase)
            else type(x)
            for x in extra
        ]
        if not self._late_settings:
            self.upgrade = upgrade(self.program.copy(), inputs)
        inliner = Inliner(self.program, inputs)
        inliner.run()
        self._hand_out = HandOut(self.program)
        return [inliner.arrays[value] for value in returned_values(self.program.returned)]

    def fill(self, inputs: Sequence[Any], handed: list[list[Any]]) -> list[Any]:
        """Return the arguments of the step with what this piece gets from earlier ones."""
        given = list(inputs)
        for source, layout in zip(self.sources, self._layouts, strict=True):
            if isinstance(source, TensorBase):
                t = source._grad
            elif isinstance(source[0] if type(source) is tuple else None, Place):
                t = standing(*source)
                if not isinstance(t, TensorBase) and type(t) is layout:
                    given.append(t)
                    continue
                if not _is_like(t, layout):
                    raise UntraceableError
            elif isinstance(source, Kept):
                t = source.result
            else:
                t = wrap(handed[source[0]][source[1]])
            if t is None or (t._a.strides, t._a.shape, t._a.dtype) != layout[:3]:
                t = wrap(_laid_out(t, layout))
            given.append(t)
        return given

    def set(self) -> list[tuple[Place, Any]]:
        """Set the optimizers to what is known beforehand; return what they were set to."""
        before = [(place, place.get()) for place, _ in self.settings]
        for place, tree in self.settings:
            place.put(rebuilt(tree, iter(())))
        return before

    def run(self, inputs: Sequence[Any]) -> bool:
        """Compute, in the fastest way that is there; False: nothing has changed."""
        upgrade = self.upgrade
        self.was_native = upgrade is not None and upgrade.run(inputs, self.try_out)
        return self.was_native or self.replay(inputs)

    def replay(self, inputs: Sequence[Any]) -> bool:
        """Compute results and gradients; False, with nothing changed, if that raised an error."""
        kept = [t._a.copy() for t in self._writes]
        stream = default_generator.place() if self.program.draws else None
        try:
            run = self._hand_out.ready()
            self._results = run([x._a if isinstance(x, TensorBase) else x for x in inputs])
        except Exception:
            # Which error it is, and where, the step itself is to say.
            self.restore(kept, stream)
            return False
        return True

    def try_out(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]] | None:
        """Compute and take it back; None: that raised an error.

        Returns gradients, what is handed out, and the running values that it wrote.
        """
        kept = [t._a.copy() for t in self._writes]
        stream = default_generator.place() if self.program.draws else None
        if not self.replay(inputs):
            return None
        gradients, handed = self._results
        self._results = ([], [])
        values = [t._a.copy() for t in self._writes]
        self.restore(kept, stream)
        return [g.copy() for g in gradients], [np.array(item) for item in handed], values

    def restore(self, kept: list[Any], stream: Any) -> None:
        """Take back what was written, and the random numbers that were drawn."""
        for t, values in zip(reversed(self._writes), reversed(kept), strict=True):
            np.copyto(t._a, values)
        if stream is not None:
            default_generator.return_to(stream)

    def finish(self) -> list[Any]:
        """Store the gradients and let the optimizers step; returns what it hands out."""
        if self.was_native:
            handed: list[Any] = self.upgrade.finish()
        else:
            handed = self._finish()
        for leaf, number, name in self.stores:
            np.copyto(leaf._grad._a, handed[number])
            written(leaf._grad, name, False)
        for t in self.cleared:
            t._grad = None
        return handed

    def _finish(self) -> list[Any]:
        program = self.program
        gradients, handed = self._results
        self._results = ([], [])
        for t, name in program.written:
            written(t, name, False)
        program.clear()
        self._hand_out.give(gradients)
        for place, tree, numbers in self._late_settings:
            place.put(rebuilt(tree, iter([handed[number] for number in numbers])))
        self._hand_out.know(True)
        try:
            for function, args in program.late:
                function(*args)
        finally:
            self._hand_out.know(False)
        for one in program.gradients:
            if not one.kept:
                one.leaf._grad = None
        return handed

    def results(self) -> tuple[list[Any], list[Any]]:
        """Return the gradients and what is handed out of the last ``replay``, and forget them."""
        found = self._results
        self._results = ([], [])
        return found


def owner(function: Any) -> Any:
    """Return what a method is one of; None for a function."""
    return getattr(function, "__self__", None)


def standing(place: Place, path: tuple[int, ...]) -> Any:
    """Return what stands in a place, or in a part of it."""
    try:
        found = place.get()
        for number in path:
            found = found[number]
    except (LookupError, TypeError, ValueError, AttributeError):
        # Somebody has deleted it, or put something else there.
        raise UntraceableError from None
    return found


def _is_like(t: Any, layout: Any) -> bool:
    """Tell whether a tensor in a place is one of the kind that was recorded."""
    if not isinstance(t, TensorBase) or type(layout) is not tuple or t._rg:
        return False
    return (t._a.shape, t._a.dtype, t._node is None) == layout[1:]


def _laid_out(t: Any, layout: Any) -> Any:
    """Return an array laid out as when the step was recorded."""
    if t is None or (t._a.shape, t._a.dtype) != layout[1:3]:
        raise UntraceableError
    strides = layout[0]
    order = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    a = np.ascontiguousarray(t._a.transpose(order)).transpose(np.argsort(order))
    if a.strides != strides:
        raise UntraceableError
    return a
