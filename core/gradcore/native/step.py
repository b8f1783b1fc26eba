"""A native program with its tensors: run, handed out, and rehearsed before it is trusted."""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from gradcore.graph import written
from gradcore.native.beforehand import hoisted, targets
from gradcore.native.bound import BoundCall
from gradcore.native.builder import PythonCall, Table, UnsupportedError
from gradcore.native.clipping import Clip
from gradcore.native.comparing import close, is_near, largest
from gradcore.native.fill import fill
from gradcore.native.fusing import fused, storages, touched, without_dead
from gradcore.native.gradients import HandedGradients
from gradcore.native.guards import Unchanged
from gradcore.native.kernels.optimizers.measure import STATISTICS
from gradcore.native.layout import Storage, address_of, laid_as, of_array
from gradcore.native.lowering import Lowered
from gradcore.native.machine import address, driver, many_driver, moving_driver
from gradcore.native.optimizing import Measured, NativeGroup, movers_of
from gradcore.native.quick import quick as quick
from gradcore.native.schedules import Schedules
from gradcore.native.stream import Stream
from gradcore.native.table import Layout, array_of
from gradcore.native.watching import Words
from gradcore.replay.program import Program, Returned

_NO_LOSS = np.full((), np.nan)


def lower(program: Program, inputs: Sequence[Any]) -> "NativeStep":
    """Return the native form of a program, not yet compiled."""
    stream = Stream() if program.draws else None
    try:
        return NativeStep(program.copy(), inputs)
    finally:
        if stream is not None:
            stream.restore()


def unchanged(replay: Any, step: "NativeStep") -> Unchanged | None:
    """Return what tells at once whether the guards of a step still hold, where that can be."""
    return Unchanged(replay, step.groups, step.clips) if Unchanged.can_watch(step.groups) else None


class NativeStep:
    """A program in native form, for one set of tensors."""

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self.program = program
        lowered = Lowered(program, inputs)
        self._returned = [
            lowered.settled(lowered.operand(value)) for value in _values(program.returned)
        ]
        known = {
            id(one.leaf): x
            for one, x in zip(program.gradients, lowered.gradients, strict=True)
            if one.fresh
        }
        is_plain = len(known) == len(program.gradients)
        self.groups: list[NativeGroup] = []
        self.clips: list[Clip] = []
        movers: list[NativeGroup | Clip] = []
        self._late = list(program.late)
        if is_plain:
            movers, self._late = movers_of(program.late, known)
            self.groups = [one for one in movers if isinstance(one, NativeGroup)]
            self.clips = [one for one in movers if isinstance(one, Clip)]
        self._schedules = Schedules(self._late, self.groups)
        self._copied = _apart(lowered)
        self._writes = _once(t for t, _ in program.written)
        self._backups = self._keep(lowered)
        changing = {id(a) for a in self._all_written()}
        first, instructions = hoisted(lowered.table.instructions, changing)
        self._first = self._apart_from(first, instructions, lowered)
        instructions = without_dead(instructions, lowered.outputs)
        instructions = fused(lowered.table, instructions, lowered.outputs)
        for one in movers:
            if isinstance(one, Clip):
                instructions += one.launches()
            else:
                instructions += one.launches(lambda: lowered.slot(-1))
        self._instructions = instructions
        self._gradients = lowered.gradients
        self.inputs = [(slot, number) for slot, number in enumerate(lowered.slots) if number >= 0]
        self.python_calls = sum(isinstance(one, PythonCall) for one in instructions)

    def _apart_from(
        self, first: list[PythonCall], rest: list[Any], lowered: Lowered
    ) -> list[PythonCall]:
        """Let what calls beforehand write lie where it does not move, and nobody else writes."""
        self._drawn: list[Storage] = []
        may_move = not self._copied and not any(isinstance(one, PythonCall) for one in rest)
        for call in first:
            for x in targets(call):
                storage: Storage = x.place[0]
                if storage.array is not None or storage.slot >= 0:
                    continue
                storage.array = np.empty(max(storage.size, 1), np.uint8)
                storage.address = address_of(storage.array)
                lowered.outputs.add(storage)
                if may_move:
                    storage.slot = lowered.slot(-1)
                    self._drawn.append(storage)
        return first

    def _keep(self, lowered: Lowered) -> list[Any] | None:
        """Let the program begin by copying what it writes, so that a step can be taken back.

        None: that is left to Python.
        """
        table = Table()
        backups = []
        try:
            for t in self._writes:
                backup = np.empty_like(t._a, order="C")
                target = of_array(backup, Storage(backup.nbytes, backup))
                table.copy(target, of_array(t._a, Storage(t._a.nbytes, t._a)))
                lowered.outputs.add(target.place[0])
                backups.append(backup)
        except UnsupportedError:
            return None
        lowered.table.instructions[:0] = table.instructions
        return backups

    @property
    def kernels(self) -> int:
        """How many instructions run as machine code."""
        return len(self._instructions) - self.python_calls

    def compile(self, apart: bool) -> None:
        """Compile every kernel that it needs; may be done in any thread.

        ``apart``: what is not on disk yet is compiled by a process that gives way to all others.
        """
        if apart:
            fill([(one.kernel, one.dtype) for one in self._instructions if hasattr(one, "kernel")])
        driver()
        many_driver()
        moving_driver()
        for one in self._instructions:
            if hasattr(one, "kernel"):
                address(one.kernel, one.dtype)

    def place(self) -> None:
        """Give it its memory; the kernels are compiled now, if they are not yet."""
        self._layout = layout = Layout(self._instructions)
        self.drive: Callable[[int, int], int] = driver()
        self._drive_many: Callable[[int, int, int], int] = many_driver()
        self._parts = [
            (address_of(layout.rows) + part.start * layout.rows.strides[0], part.count)
            for part in layout.segments
        ]
        self._calls = [
            BoundCall(part.call, layout.arena) for part in layout.segments if part.call is not None
        ]
        self._beforehand = [BoundCall(call, layout.arena) for call in self._first]
        self._place_back()
        self.handed = [array_of(x, layout.arena) for x in self._returned]
        self._seen: list[Any] = [None] * len(self.inputs)
        self._make_gradients()

    def _make_gradients(self) -> None:
        """Make new memory and tensors for the gradients."""
        self._handout = HandedGradients(self.program, self._gradients)
        for x, a in zip(self._gradients, self._handout.arrays, strict=True):
            self._layout.move(x.place[0].slot, address_of(a))

    # --- a step

    def measure(self, is_wanted: bool) -> None:
        """Let optimizers measure what they move from now on, or no more."""
        for page in self._pages():
            self._layout.move(page.slot, address_of(page.rows) if is_wanted else 0)

    def _pages(self) -> list[Measured]:
        return [page for group in self.groups for page in group.measured]

    def statistics(self) -> tuple[list[Any], Any]:
        """Return the tensors that optimizers moved, and the statistics of each at the last step."""
        pages = self._pages()
        rows = np.concatenate([np.zeros((0, STATISTICS)), *[page.rows for page in pages]])
        return [t for page in pages for t in page.tensors], rows

    def holds(self) -> bool:
        """Tell whether the optimizers are as they were."""
        return all(group.holds() for group in self.groups) and all(
            clip.holds() for clip in self.clips
        )

    def run(self, inputs: Sequence[Any]) -> bool:
        """Do the step; False, with nothing changed, if it leads another way than recorded."""
        if not self._handout.are_free():
            self._make_gradients()
        self._point(inputs)
        if not self._calls and not self._beforehand and self._backups is not None:
            start, count = self._parts[0]
            if self.drive(start, count) == count:
                return True
            self._take_back(self._backups)
            return False
        stream = Stream() if self.program.draws else None
        kept = [t._a.copy() for t in self._writes]
        if all(call() for call in self._beforehand) and self._passed():
            return True
        self._take_back(kept)
        if stream is not None:
            stream.restore()
        return False

    # --- what the quick form needs

    def words_of_gradients(self) -> list[Words] | None:
        """Return what tells that gradients stand where they do; None: more is to be done."""
        is_one = not self._calls and not self._beforehand and not self._copied
        return self._handout.words() if is_one and self._backups is not None else None

    def only_part(self) -> tuple[int, int]:
        """Return where the rows of its kernels are, and how many."""
        return self._parts[0]

    def forget_places(self) -> None:
        """Note that somebody else has told the program where its arguments are."""
        self._seen = [None] * len(self.inputs)

    def take_back(self) -> None:
        """Undo a step that was left before its end."""
        self._take_back(self._backups or [])

    def needs_end(self) -> bool:
        """Tell whether anything is to be done after the kernels but to hand gradients out."""
        return bool(self.program.written or self.clips or self.groups or self._late)

    def end(self) -> None:
        """Do what comes after the kernels, but for handing gradients out."""
        for t, name in self.program.written:
            written(t, name, False)
        for clip in self.clips:
            clip.give()
        for group in self.groups:
            group.stepped()
        for function, args in self._late:
            function(*args)

    def _take_back(self, values: list[Any]) -> None:
        for t, before in zip(self._writes, values, strict=True):
            np.copyto(t._a, before)

    def _point(self, inputs: Sequence[Any]) -> None:
        """Tell the program where its arguments are."""
        for i, (slot, number) in enumerate(self.inputs):
            a = inputs[number]._a
            if a is not self._seen[i]:
                self._seen[i] = a
                self._layout.move(slot, address_of(a))
        for number, array in self._copied:
            np.copyto(array, inputs[number]._a)

    def run_many(self, batches: Sequence[Sequence[Any]]) -> Any:
        """Do steps on batches without Python between them; returns the losses of those done.

        It ends before a step that leads another way than recorded, and does none where Python has
        a part in each step. The loss of a step that returns no number is NaN.
        """
        place = self._place_of_loss()
        if self._calls or self._backups is None or self._copied:
            return np.zeros(0)
        if self._late and not self._schedules.can_run_ahead:
            return np.zeros(0)
        if not all(one.fresh for one in self.program.gradients):
            return np.zeros(0)
        if not self._handout.are_free():
            self._make_gradients()
        blocks, streams = self._draw(len(batches))
        settings = self._schedules.settings(len(streams)) if self._late else []
        count = min([len(streams), *map(len, settings)])
        if count < len(streams) and self.program.draws:
            streams[count].restore()
        if not count:
            return np.zeros(0)
        losses = np.zeros(count)
        done = self._drive_all(batches[:count], blocks + settings, place, losses)
        if done < count:
            self._take_back(self._backups)
            if self.program.draws:
                streams[done].restore()
            if self._late:
                self._schedules.go_back(done)
        if done:
            self._finish_many(done)
        return losses[:done]

    def _drive_all(
        self, batches: Sequence[Any], blocks: list[Any], place: tuple[int, int], losses: Any
    ) -> int:
        """Run the kernels for each batch, with its row of each block; return how often they ran."""
        count = len(batches)
        arrays = [[batch[number]._a for _, number in self.inputs] for batch in batches]
        rows = [
            [*map(address_of, row), *[address_of(block[i]) for block in blocks]]
            for i, row in enumerate(arrays)
        ]
        places = np.array(rows, np.int64).reshape(count, -1)
        plan = [count, *self.moving_words(), places.shape[1], address_of(places)]
        words = np.array([*plan, *place, address_of(losses)], np.int64)
        done = int(self._drive_many(*self._parts[0], address_of(words)))
        self._seen = [None] * len(self.inputs)
        self._place_back()
        return done

    def _draw(self, count: int) -> tuple[list[Any], list[Any]]:
        """Do what is done before the kernels for many steps; returns what it gave.

        Beside it for each step where the stream of random numbers stood before it.
        """
        if not self._beforehand and not self.program.draws:
            return [], [None] * count
        blocks = [np.empty((count, -(-one.size // 64) * 64), np.uint8) for one in self._drawn]
        streams: list[Any] = []
        for i in range(count):
            stream = Stream() if self.program.draws else None
            if not all(call() for call in self._beforehand):
                if stream is not None:
                    stream.restore()
                break
            streams.append(stream)
            for storage, block in zip(self._drawn, blocks, strict=True):
                block[i, : storage.size] = storage.array[: storage.size]
        return blocks, streams

    def _place_of_loss(self) -> tuple[int, int]:
        """Return address and bytes of the last single number that the step returns."""
        for a in reversed(self.handed):
            if a.ndim == 0 and a.dtype.kind == "f" and a.itemsize in (4, 8):
                return address_of(a), a.itemsize
        return address_of(_NO_LOSS), _NO_LOSS.itemsize

    def moving_words(self, is_only_inputs: bool = False) -> list[int]:
        """Return how many words arguments move, and for each: where, which argument, how far."""
        words = []
        first = address_of(self._layout.words)
        slots = [slot for slot, _ in self.inputs]
        if not is_only_inputs:
            slots += [one.slot for one in self._drawn]
            slots += [group.slot for group in self.groups] if self._late else []
        for i, slot in enumerate(slots):
            for word, offset in self._layout.moving.get(slot, ()):
                words += [first + 8 * word, i, offset]
        return [len(words) // 3, *words]

    def _place_back(self) -> None:
        """Let what each of many steps has elsewhere be where single ones have it."""
        for storage in self._drawn:
            self._layout.move(storage.slot, storage.address)
        for group in self.groups:
            self._layout.move(group.slot, address_of(group.settings))

    def _finish_many(self, count: int) -> None:
        self._hand_out()
        self._drop()
        for t, name in self.program.written * (count - 1):
            written(t, name, False)
        for group in self.groups:
            group.stepped(count - 1)

    def _passed(self) -> bool:
        """Run all parts; False where a check fails or Python raises an error."""
        for (start, count), call in zip(self._parts, [*self._calls, None], strict=True):
            if self.drive(start, count) != count:
                return False
            if call is not None and not call():
                return False
        return True

    def finish(self) -> list[Any]:
        """Hand out gradients and steps; returns the arrays of what the step returns."""
        self._hand_out()
        for function, args in self._late:
            function(*args)
        self._drop()
        return self.handed

    def _hand_out(self) -> None:
        for t, name in self.program.written:
            written(t, name, False)
        self._handout.give()
        for clip in self.clips:
            clip.give()
        for group in self.groups:
            group.stepped()

    def _drop(self) -> None:
        """Take away the gradients that the step itself takes away at its end."""
        for one in self.program.gradients:
            if not one.kept:
                one.leaf._grad = None

    # --- before it is trusted

    def _all_written(self) -> list[Any]:
        arrays = [t._a for t in self._writes]
        return arrays + [a for group in self.groups for a in group.arrays()]

    def rehearse(self, inputs: Sequence[Any]) -> str:
        """Do the step and take it back; returns what went wrong, if anything."""
        arrays = self._all_written()
        before = [a.copy() for a in arrays]
        stream = Stream() if self.program.draws else None
        begun = perf_counter()
        if not self.run(inputs):
            return "the native form leads another way"
        self.seconds = perf_counter() - begun
        self._expected = (
            [a.copy() for a in self._handout.arrays],
            [np.array(a) for a in self.handed],
            [t._a.copy() for t in self._writes],
        )
        for a, values in zip(arrays, before, strict=True):
            np.copyto(a, values)
        if stream is not None:
            stream.restore()
        return ""

    def compare(self, gradients: list[Any], handed: list[Any], values: list[Any]) -> str:
        """Return how the rehearsed step differs from what replaying it gave, if it does."""
        ours, returned, running = self._expected
        leaves = {id(one.leaf): g for one, g in zip(self.program.gradients, gradients, strict=True)}
        for clip in self.clips:
            clip.apply(leaves)
        # The gradient of a bias in front of a batch norm is nothing but what rounding leaves of a
        # sum over all pixels, so it cannot be held against its own size.
        floor = 0.1 * max((largest(g) for g in gradients), default=0.0)
        pairs = zip(ours, gradients, strict=True)
        if not all(close(a, b, floor) or is_near(a, b) for a, b in pairs):
            return "the native form gives other gradients"
        if not all(close(a, b) for a, b in zip(returned, handed, strict=True)):
            return "the native form returns other values"
        by_tensor = {id(t): a for (t, _), a in zip(self.program.written, values, strict=True)}
        expected = [by_tensor[id(t)] for t in self._writes]
        # What an optimizer moves later is compared by its gradient: replaying has not moved it yet.
        moved = {id(a) for group in self.groups for a in group.arrays()}
        rows = zip(self._writes, running, expected, strict=True)
        if not all(close(a, b) for t, a, b in rows if id(t._a) not in moved):
            return "the native form gives other running values"
        return ""


def _once(tensors: Iterable[Any]) -> list[Any]:
    return list({id(t): t for t in tensors}.values())


def _values(item: Any) -> list[Any]:
    """Return the values that a step hands out, in order."""
    if isinstance(item, Returned):
        return [item.value]
    if isinstance(item, (tuple, list)):
        return [value for part in item for value in _values(part)]
    if isinstance(item, dict):
        return [value for part in item.values() for value in _values(part)]
    if hasattr(item, "value"):
        return [item.value]
    return []


def _apart(lowered: Lowered) -> list[tuple[int, Any]]:
    """Let arguments that calls of Python look at be copied to a place that never moves."""
    used: set[Storage] = set()
    for one in lowered.table.instructions:
        if isinstance(one, PythonCall):
            used |= storages(touched(one))
    copied = []
    for operand in lowered.inputs:
        storage = operand.place[0]
        if storage in used:
            array = laid_as(operand)
            lowered.slots[storage.slot], number = -1, lowered.slots[storage.slot]
            storage.slot, storage.array, storage.address = -1, array, address_of(array)
            copied.append((number, array))
    return copied
