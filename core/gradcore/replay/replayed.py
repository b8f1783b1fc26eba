"""A recorded step with its guards: whether it holds now, how it is run, taken back and compared.

Most steps are one program. One that computes on after its optimizer has stepped is several, which
run one after the other; ``pieces`` cuts them. ``compiled`` calls this.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter, is_
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.graph import TensorBase, wrap
from gradcore.nn.hooks import GLOBAL_HOOKS
from gradcore.random import default_generator
from gradcore.replay.captured import Captured
from gradcore.replay.followed import STREAMS, Draw
from gradcore.replay.inline import UntraceableError
from gradcore.replay.numbers import worked_out
from gradcore.replay.piece import Piece, Upgrader, owner, standing
from gradcore.replay.pieces import Pieced
from gradcore.replay.program import RefusalError, Side
from gradcore.replay.rates import schedules_in
from gradcore.replay.returned import is_same, rebuilt
from gradcore.replay.slots import END, Place
from gradcore.replay.trial import Undo

_ARRAY, _TRAINED = attrgetter("_a"), attrgetter("_rg")
_MORE, _GRAD = attrgetter("_more"), attrgetter("_grad")


class Replay:
    """The programs of a step with their guards."""

    def __init__(
        self,
        pieced: Pieced,
        world: Captured,
        inputs: Sequence[Any],
        upgrade: Upgrader,
        effects: list[Place],
        beside: tuple[list[Side], list[tuple[Any, Any]]],
    ) -> None:
        self.world = world
        self.effects = effects
        # Numbers beside the programs, and what is asked of them before these run.
        self._sides, self._questions = beside
        names = dict.fromkeys(one.stream for one in self._sides if isinstance(one, Draw))
        self._streams = [STREAMS[name] for name in names]
        self._drawn: list[Any] = []
        self.is_checked = False
        self.pieces = [
            Piece(*each) for each in zip(pieced.parts, pieced.sources, pieced.stored, strict=True)
        ]
        self._returned, self._order = pieced.returned, pieced.order
        self._is_whole = pieced.is_single
        is_set = any(part.settings for part in pieced.parts)
        self.is_single = pieced.is_single and not (effects or self._sides or is_set)
        self._schedules = [one for part in pieced.parts for one in schedules_in(part.program.late)]
        self._handed: list[list[Any]] = []
        self._expected: Any = None
        self._rehearsed: Undo | None = None
        self.raised = 0
        self._float = dtypes.default_float()
        self._settle(pieced, inputs, upgrade)
        self._guard()
        self._undo = None if len(self.pieces) == 1 else self._taking_back(True)

    def _settle(self, pieced: Pieced, inputs: Sequence[Any], upgrade: Upgrader) -> None:
        stream = stream_place()
        handed: list[list[Any]] = []
        try:
            for piece, part in zip(self.pieces, pieced.parts, strict=True):
                examples = _examples(piece, part.examples)
                extra = [
                    _example(source, handed, example)
                    for source, example in zip(piece.sources, examples, strict=True)
                ]
                handed.append(piece.settle([*inputs, *extra], upgrade))
        except (UntraceableError, LookupError, TypeError, ValueError, RuntimeError) as error:
            # Such as a selection of as many values as there are above a limit.
            raise RefusalError(
                f"has results whose shapes depend on values ({type(error).__name__}: {error})"
            ) from None
        finally:
            # What is run once more to look at it draws nothing.
            default_generator.return_to(stream)
        if self._is_whole:
            self._returned = self.pieces[0].program.returned

    def _writes(self) -> list[TensorBase]:
        return [t for piece in self.pieces for t, _ in piece.program.written]

    def _guard(self) -> None:
        """Note what has to be as it was."""
        tensors = self.world.tensors
        self._arrays = [t._a for t in tensors]
        self._trained = [t._rg for t in tensors]
        self._more = [t._more for t in tensors]
        # Arrays of one value, or none, are equal to others.
        self._small = [t for t in tensors if t._a.size <= 1]
        self._small_arrays = [t._a for t in self._small]
        self._zeroed = [t for piece in self.pieces for t in piece.program.zeroed]
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
        # What the step did not touch it would if it had a gradient: it would be set to None, too.
        self._empty += [t for t in tensors if t._rg and t._grad is None and id(t) not in met]

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
        try:
            # Lists compare by identity first; what is not the same array raises, or is small.
            if (
                list(map(_ARRAY, tensors)) != self._arrays
                or list(map(_MORE, tensors)) != self._more
            ):
                return False
        except ValueError:
            return False
        if not all(map(is_, map(_ARRAY, self._small), self._small_arrays)):
            return False
        if list(map(_TRAINED, tensors)) != self._trained:
            return False
        if self._empty and not all(map(is_, map(_GRAD, self._empty), repeat(None))):
            return False
        if self._added and any(t._grad is None for t in self._added):
            return False
        if self._zeroed and any(_is_view(t._grad) for t in self._zeroed):
            # Which eager refuses to set to zero in place.
            return False
        if any(self.world.hooks) or _has_global_hooks():
            return False
        if dtypes.default_float() is not self._float:
            return False
        return self.world.is_as_it_was() or self._walk_again()

    def _walk_again(self) -> bool:
        try:
            world = Captured(self.world.function, self.world.moving, self.world.given)
        except RefusalError:
            return False
        if not self.world.same(world) or not self.world.same_library(world):
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
        if self.effects:
            left, found = found
            for place, value in zip(self.effects, left, strict=True):
                place.put(value)
        return found

    def quick(self, inputs: Sequence[Any]) -> Any:
        """Return what does the step that was just done at once next time; None: nothing does."""
        upgrade = self.upgrade
        if upgrade is None or not self.was_native:
            return None
        return upgrade.quick(self._returned, inputs)

    def _in_order(self) -> list[Any]:
        return [self._handed[piece][number] for piece, number in self._order]

    def _run(self, inputs: Sequence[Any], is_rehearsal: bool) -> bool:
        """Run one program after the other; take all back where one of them cannot go on."""
        self._drawn = [place() for place, _ in self._streams]
        if not self._begins(inputs):
            self._draw_back()
            return False
        undo = self._undo or self._taking_back(is_rehearsal)
        if undo is not None:
            undo.keep()
        self._handed = []
        for piece in self.pieces:
            before = piece.set()
            try:
                given = piece.fill(inputs, self._handed)
            except UntraceableError:
                given = None
            goes = given is not None and (piece.replay(given) if is_rehearsal else piece.run(given))
            del given
            if not goes:
                for place, value in before:
                    place.put(value)
                if undo is not None:
                    undo.restore()
                self._draw_back()
                self._handed = []
                return False
            if is_rehearsal:
                piece.was_native = False
            self._handed.append(piece.finish())
        if undo is not None and not is_rehearsal:
            undo.forget()
        self._rehearsed = undo
        return True

    def _draw_back(self) -> None:
        for (_, go_to), place in zip(self._streams, self._drawn, strict=True):
            go_to(place)

    def _begins(self, inputs: Sequence[Any]) -> bool:
        """Look up the numbers beside the programs; tell whether they lead the recorded way."""
        try:
            if not all(side.fetch(inputs) for side in self._sides):
                return False
            return all(worked_out(tree, {}) == answer for tree, answer in self._questions)
        except Exception:
            # Which error it is, and where, the step itself is to say.
            return False

    def _taking_back(self, is_wanted: bool) -> Undo | None:
        return Undo(self.world, self._writes(), self._schedules) if is_wanted else None

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
            self.raised += 1
            return "its recording raises an error"
        gradients, handed = piece.results()
        end = stream_place() if program.draws else None
        values = [t._a.copy() for t in writes]
        zeroed = set(map(id, program.zeroed))
        sums = [
            g.copy() if one.fresh else g + 0 if id(one.leaf) in zeroed else one.leaf._grad._a + g
            for one, g in zip(program.gradients, gradients, strict=True)
        ]
        clipped = any(owner(call) is None for call, _ in program.late)
        grads = [
            (one.leaf, g)
            for one, g in zip(program.gradients, sums, strict=True)
            if one.kept and not clipped
        ]
        handed = [_copied(item) for item in handed]
        self._expected = (grads, handed, list(zip(writes, values, strict=True)), end)
        piece.restore(kept, stream)
        return ""

    def _rehearse(self, inputs: Sequence[Any]) -> str:
        undo = None
        if self._run(inputs, True):
            undo, self._rehearsed = self._rehearsed, None
        if undo is None:
            self.raised += 1
            return "its recording raises an error"
        handed = [_copied(item) for item in self._in_order()]
        self._handed = []
        grads = [(t, None if t._grad is None else t._grad._a.copy()) for t in self.world.tensors]
        values = [(t, t._a.copy()) for t in undo.tensors]
        self._expected = (grads, handed, values, stream_place())
        undo.restore()
        self._draw_back()
        return ""

    def compare(self, result: Any) -> str:
        """Return how the recording differs from the step that was just done, if it does."""
        grads, handed, values, end = self._expected
        self._expected = None
        expected = rebuilt(self._returned, iter(handed))
        if self.effects:
            left, expected = expected
            if not is_same(_ends(self.effects), left):
                return "its recording leaves other values in Python than the step itself"
        if not is_same(result, expected):
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


def _is_view(gradient: Any) -> bool:
    return gradient is not None and gradient._view is not None


def _ends(effects: list[Place]) -> list[Any]:
    """Return what stands in places; for each that is appended to a list, one of its last items."""
    appended = Counter(id(place.container) for place in effects if place.key is END)
    found = []
    for place in effects:
        if place.key is END:
            found.append(place.container[-appended[id(place.container)]])
            appended[id(place.container)] -= 1
        else:
            found.append(place.get())
    return found


def _example(source: Any, handed: list[list[Any]], example: Any) -> Any:
    """Return an argument to get ready on."""
    if example is not None:
        return wrap(example)
    if isinstance(source[0], Place):
        return standing(*source)
    return wrap(handed[source[0]][source[1]])


def _examples(piece: Piece, examples: list[Any]) -> list[Any]:
    """Return an array for each source; None where an earlier program or a place has it."""
    left = iter(examples)
    return [None if isinstance(source, tuple) else next(left) for source in piece.sources]


def _copied(item: Any) -> Any:
    return item if type(item) in (int, float) else np.array(item)


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
    """Tell whether two arrays hold the same bits."""
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
