"""A recorded step with its guards: whether it holds now, how it is run, taken back and compared.

Most steps are one program. One that computes on after its optimizer has stepped is several, which
run one after the other; ``pieces`` cuts them. ``compiled`` calls this.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from operator import attrgetter, is_
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.graph import TensorBase, wrap, written
from gradcore.nn.hooks import GLOBAL_HOOKS
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.random import default_generator
from gradcore.replay.captured import Captured
from gradcore.replay.handing import HandOut
from gradcore.replay.inline import Inliner, UntraceableError
from gradcore.replay.pieces import Kept, Part, Pieced
from gradcore.replay.program import Program, RefusalError, returned_values
from gradcore.replay.returned import gather, rebuilt
from gradcore.replay.trial import Undo

_ARRAY, _TRAINED = attrgetter("_a"), attrgetter("_rg")
_MORE, _GRAD = attrgetter("_more"), attrgetter("_grad")
Upgrader = Callable[[Program, Sequence[Any]], Any]


class Piece:
    """One program of a step: run, and then handed out."""

    def __init__(self, part: Part, sources: list[Any], stored: list[int]) -> None:
        self.program = part.program
        self.sources = sources
        self.stores = [
            (leaf, number, name)
            for (leaf, _, name), number in zip(part.stores, stored, strict=True)
        ]
        self.cleared = part.cleared
        self.upgrade: Any = None
        self.was_native = False
        self._strides: list[tuple[int, ...]] = []
        self._results: tuple[list[Any], list[Any]] = ([], [])
        self._writes = [t for t, _ in part.program.written]
        self._hand_out: Any = None

    def settle(self, inputs: Sequence[Any], upgrade: Upgrader) -> list[Any]:
        """Get ready to run on such arguments; returns what it hands out on these."""
        self._strides = [x._a.strides for x in inputs[len(inputs) - len(self.sources) :]]
        self.upgrade = upgrade(self.program.copy(), inputs)
        inliner = Inliner(self.program, inputs)
        inliner.run()
        self._hand_out = HandOut(self.program)
        return [inliner.arrays[value] for value in returned_values(self.program.returned)]

    def fill(self, inputs: Sequence[Any], handed: list[list[Any]]) -> list[Any]:
        """Return the arguments of the step with what this piece gets from earlier ones."""
        given = list(inputs)
        for source, strides in zip(self.sources, self._strides, strict=True):
            if isinstance(source, TensorBase):
                t = source._grad
            elif isinstance(source, Kept):
                t = source.result
            else:
                t = wrap(handed[source[0]][source[1]])
            if t is None or t._a.strides != strides:
                t = wrap(_laid_out(t, strides))
            given.append(t)
        return given

    def run(self, inputs: Sequence[Any]) -> bool:
        """Compute, in the fastest way that is there; False: nothing has changed."""
        upgrade = self.upgrade
        self.was_native = upgrade is not None and upgrade.run(inputs, self.try_out)
        return self.was_native or self.replay(inputs)

    def replay(self, inputs: Sequence[Any]) -> bool:
        """Compute results and gradients; False, with nothing changed, if that raised an error."""
        kept = [t._a.copy() for t in self._writes]
        stream = stream_place() if self.program.draws else None
        try:
            run = self._hand_out.ready()
            self._results = run([x._a if isinstance(x, TensorBase) else x for x in inputs])
        except Exception:
            # Which error it is, and where, the step itself is to say.
            self._restore(kept, stream)
            return False
        return True

    def try_out(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]] | None:
        """Compute and take it back; None: that raised an error.

        Returns gradients, what is handed out, and the running values that it wrote.
        """
        kept = [t._a.copy() for t in self._writes]
        stream = stream_place() if self.program.draws else None
        if not self.replay(inputs):
            return None
        gradients, handed = self._results
        self._results = ([], [])
        values = [t._a.copy() for t in self._writes]
        self._restore(kept, stream)
        return [g.copy() for g in gradients], [np.array(item) for item in handed], values

    def _restore(self, kept: list[Any], stream: Any) -> None:
        for t, values in zip(reversed(self._writes), reversed(kept), strict=True):
            np.copyto(t._a, values)
        if stream is not None:
            default_generator.return_to(stream)

    def finish(self, is_rehearsal: bool = False) -> list[Any]:
        """Store the gradients and let the optimizers step; returns what it hands out."""
        if self.was_native:
            handed: list[Any] = self.upgrade.finish()
        else:
            handed = self._finish(is_rehearsal)
        for leaf, number, name in self.stores:
            np.copyto(leaf._grad._a, handed[number])
            written(leaf._grad, name, False)
        for t in self.cleared:
            t._grad = None
        return handed

    def _finish(self, is_rehearsal: bool) -> list[Any]:
        program = self.program
        gradients, handed = self._results
        self._results = ([], [])
        for t, name in program.written:
            written(t, name, False)
        program.clear()
        self._hand_out.give(gradients)
        self._hand_out.know(True)
        try:
            for function, args in program.late:
                if not (is_rehearsal and isinstance(_owner(function), LRScheduler)):
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


def _owner(function: Any) -> Any:
    return getattr(function, "__self__", None)


def _laid_out(t: Any, strides: tuple[int, ...]) -> Any:
    """Return an array laid out as when the step was recorded."""
    if t is None:
        raise UntraceableError
    order = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    a = np.ascontiguousarray(t._a.transpose(order)).transpose(np.argsort(order))
    if a.strides != strides:
        raise UntraceableError
    return a


class Replay:
    """The programs of a step with their guards."""

    def __init__(
        self, pieced: Pieced, world: Captured, inputs: Sequence[Any], upgrade: Upgrader
    ) -> None:
        self.world = world
        self.is_checked = False
        self.pieces = [
            Piece(*each) for each in zip(pieced.parts, pieced.sources, pieced.stored, strict=True)
        ]
        self._returned, self._order = pieced.returned, pieced.order
        self.is_single = pieced.is_single
        self._handed: list[list[Any]] = []
        self._expected: Any = None
        self._float = dtypes.default_float()
        self._settle(pieced, inputs, upgrade)
        self._guard()
        self._undo = None if self.is_single else Undo(world, self._writes())

    def _settle(self, pieced: Pieced, inputs: Sequence[Any], upgrade: Upgrader) -> None:
        stream = stream_place()
        handed: list[list[Any]] = []
        for piece, part in zip(self.pieces, pieced.parts, strict=True):
            examples = part.examples
            extra = [
                wrap(handed[source[0]][source[1]]) if isinstance(source, tuple) else wrap(example)
                for source, example in zip(piece.sources, _examples(piece, examples), strict=True)
            ]
            try:
                handed.append(piece.settle([*inputs, *extra], upgrade))
            except (UntraceableError, LookupError, TypeError, ValueError, RuntimeError) as error:
                why = f"cannot be done again after itself: {type(error).__name__} {error}"
                raise RefusalError(why.strip()) from None
        default_generator.return_to(stream)
        if self.is_single:
            self._returned = self.pieces[0].program.returned

    def _writes(self) -> list[TensorBase]:
        return [t for piece in self.pieces for t, _ in piece.program.written]

    def _guard(self) -> None:
        """Note what has to be as it was."""
        tensors = self.world.tensors
        self._arrays = [t._a for t in tensors]
        self._trained = [t._rg for t in tensors]
        self._empty: list[TensorBase] = []
        self._added: list[TensorBase] = []
        met: set[int] = set()
        for piece in self.pieces:
            program = piece.program
            for one in program.gradients:
                if id(one.leaf) not in met:
                    if one.fresh and not one.was_there:
                        self._empty.append(one.leaf)
                    elif not one.fresh:
                        self._added.append(one.leaf)
            fetched = [source for source in piece.sources if isinstance(source, TensorBase)]
            self._added += [t for t in fetched if id(t) not in met]
            met |= {id(one.leaf) for one in program.gradients} | set(map(id, fetched))
            met |= set(map(id, program.cleared)) | set(map(id, piece.cleared))

    # --- guards

    @property
    def upgrade(self) -> Any:
        """What brings a step of one program to native mode; None where there is no such thing."""
        return self.pieces[0].upgrade if self.is_single else None

    @property
    def upgrades(self) -> list[Any]:
        """What brings each program to native mode, where that is wanted."""
        return [piece.upgrade for piece in self.pieces if piece.upgrade is not None]

    @property
    def was_native(self) -> bool:
        """Tell whether the last step ran natively as a whole."""
        return all(piece.was_native for piece in self.pieces)

    @property
    def native_reason(self) -> str:
        """Why a program was replayed instead of run natively, if one was."""
        return next((one.reason for one in self.upgrades if one.reason), "")

    def holds(self) -> bool:
        """Tell whether everything the recording relied on is as it was."""
        upgrade = self.upgrade
        if upgrade is None:
            return self._holds()
        if upgrade.is_unchanged():
            return True
        found = self._holds()
        if found:
            upgrade.note(self)
        return found

    def _holds(self) -> bool:
        # Loops that run in C: this is done before every step.
        tensors = self.world.tensors
        if not all(map(is_, map(_ARRAY, tensors), self._arrays)) or any(map(_MORE, tensors)):
            return False
        if list(map(_TRAINED, tensors)) != self._trained:
            return False
        if self._empty and not all(map(is_, map(_GRAD, self._empty), repeat(None))):
            return False
        if self._added and any(t._grad is None for t in self._added):
            return False
        if any(self.world.hooks) or _has_global_hooks():
            return False
        if dtypes.default_float() is not self._float:
            return False
        return self.world.is_as_it_was() or self._walk_again()

    def _walk_again(self) -> bool:
        try:
            world = Captured(self.world.function)
        except RefusalError:
            return False
        if not self.world.same(world):
            return False
        self.world = world
        return True

    # --- a step

    def run(self, inputs: Sequence[Any]) -> bool:
        """Do the step but for its very end; False, with nothing changed, if that cannot be."""
        if self.is_single:
            return self.pieces[0].run(inputs)
        return self._run(inputs, False)

    def finish(self) -> Any:
        """Do the end of the step, and return what it returns."""
        if self.is_single:
            return rebuilt(self._returned, iter(self.pieces[0].finish()))
        found = rebuilt(self._returned, iter(self._in_order()))
        self._handed = []
        return found

    def _in_order(self) -> list[Any]:
        return [self._handed[piece][number] for piece, number in self._order]

    def _run(self, inputs: Sequence[Any], is_rehearsal: bool) -> bool:
        """Run one program after the other; take all back where one of them cannot go on."""
        undo = self._undo
        if undo is None:
            return False
        undo.keep()
        self._handed = []
        for piece in self.pieces:
            try:
                given = piece.fill(inputs, self._handed)
            except UntraceableError:
                given = None
            goes = given is not None and (piece.replay(given) if is_rehearsal else piece.run(given))
            del given
            if not goes:
                undo.restore()
                self._handed = []
                return False
            if is_rehearsal:
                piece.was_native = False
            self._handed.append(piece.finish(is_rehearsal))
        if not is_rehearsal:
            undo.forget()
        return True

    # --- before it is trusted

    def rehearse(self, inputs: Sequence[Any]) -> str:
        """Run the recording and take back what it wrote; return what went wrong, if anything."""
        if not self.is_single:
            return self._rehearse(inputs)
        program, piece = self.pieces[0].program, self.pieces[0]
        writes = self._writes()
        kept = [t._a.copy() for t in writes]
        stream = stream_place() if program.draws else None
        if not piece.replay(inputs):
            return "its recording raises an error"
        gradients, handed = piece.results()
        end = stream_place() if program.draws else None
        values = [t._a.copy() for t in writes]
        zeroed = set(map(id, program.zeroed))
        sums = [
            g.copy() if one.fresh else g + 0 if id(one.leaf) in zeroed else one.leaf._grad._a + g
            for one, g in zip(program.gradients, gradients, strict=True)
        ]
        clipped = any(_owner(call) is None for call, _ in program.late)
        grads = [
            (one.leaf, g)
            for one, g in zip(program.gradients, sums, strict=True)
            if one.kept and not clipped
        ]
        handed = [np.array(item) for item in handed]
        self._expected = (grads, handed, list(zip(writes, values, strict=True)), end)
        piece._restore(kept, stream)
        return ""

    def _rehearse(self, inputs: Sequence[Any]) -> str:
        undo = self._undo
        if undo is None or not self._run(inputs, True):
            return "its recording raises an error"
        handed = [np.array(item) for item in self._in_order()]
        self._handed = []
        grads = [(t, None if t._grad is None else t._grad._a.copy()) for t in self.world.tensors]
        values = [(t, t._a.copy()) for t in undo.tensors]
        self._expected = (grads, handed, values, stream_place())
        undo.restore()
        return ""

    def compare(self, result: Any) -> str:
        """Return how the recording differs from the step that was just done, if it does."""
        grads, handed, values, end = self._expected
        self._expected = None
        tensors: list[Any] = []
        gather(result, self._returned, tensors)
        if any(not _same(t, a) for t, a in zip(tensors, handed, strict=True)):
            return "its recording returns other values than the step itself"
        for leaf, g in grads:
            held = leaf._grad
            if (held is None) != (g is None) or (g is not None and not _same(held._a, g)):
                return "its recording gives other gradients than the step itself"
        if any(not _same(t._a, a) for t, a in values):
            return "its recording gives other running values than the step itself"
        if end is not None and end != stream_place():
            return "its recording draws other random numbers than the step itself"
        return ""


def _examples(piece: Piece, examples: list[Any]) -> list[Any]:
    """Return an array for each source; None where an earlier program hands it out."""
    left = iter(examples)
    return [None if isinstance(source, tuple) else next(left) for source in piece.sources]


def _has_global_hooks() -> bool:
    return bool(
        GLOBAL_HOOKS.forward
        or GLOBAL_HOOKS.forward_pre
        or GLOBAL_HOOKS.backward
        or GLOBAL_HOOKS.backward_pre
    )


def stream_place() -> Any:
    """Return where the stream of random numbers stands."""
    return default_generator.place()


def _same(a: Any, b: Any) -> bool:
    """Tell whether two arrays, or a number and an array, hold the same bits."""
    if type(a) is not np.ndarray:
        a = np.array(a, b.dtype).reshape(b.shape)
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
