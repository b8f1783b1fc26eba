"""Lowers a recorded program: each of its calls becomes kernels, or stays a call of Python.

A call of a gradcore function that has a native kernel is replaced whole. Of all others it is noted
which calls of NumPy they make, and each of those is lowered by itself.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.native import kernels, steps
from gradcore.native.arranging import FUNCTIONS
from gradcore.native.builder import (
    DOUBLE,
    SINGLE,
    PythonCall,
    Table,
    UnsupportedError,
    operands_of,
)
from gradcore.native.entry import LOWERINGS, Operand
from gradcore.native.layout import Storage, address_of, byte_size, of_array, whole
from gradcore.native.numpy_calls import (
    CALLS,
    REDUCTIONS,
    is_view,
    question,
    view,
)
from gradcore.native.stream import Stream
from gradcore.native.ufuncs import elementwise, is_elementwise
from gradcore.replay.inline import Inliner, StandIn, _Trace
from gradcore.replay.program import Call, Program, RefusalError, Value, members
from gradcore.replay.questions import Asked

# Each file of kernels enters its lowerings.
for _file in pkgutil.iter_modules(kernels.__path__):
    importlib.import_module(f"{kernels.__name__}.{_file.name}")


class Lowered:
    """The instructions of a program, and where its inputs and results are."""

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self.program = program
        self.table = Table()
        self.inputs: list[Operand] = []
        self.slots: list[int] = []
        self._inliner = Inliner(program, inputs)
        self._operands: dict[Value, Operand] = {}
        self._bind(inputs)
        for call in program.calls:
            renamed = self._inliner._renamed(call)
            for one in self._inliner._as_arrays(renamed):
                self._numpy(one)
            self._call(renamed)
        self.outputs: set[Storage] = set()
        self.gradients = [self._gradient(one) for one in program.gradients]

    # --- what is there before

    def _bind(self, inputs: Sequence[Any]) -> None:
        program = self.program
        for value, number in program.inputs.items():
            a = inputs[number]._a
            x = of_array(a, Storage(a.nbytes, None, self.slot(number)))
            self._operands[value] = x
            self.inputs.append(x)
        held = {value: t._a for value, t in program.captured.items()} | program.constants
        for group in _overlapping(held):
            first = min(address_of(held[value]) for value in group)
            storage = Storage(0, None)
            storage.array = tuple(held[value] for value in group)
            storage.address = first
            for value in group:
                a = held[value]
                place = (storage, address_of(a) - first)
                self._operands[value] = Operand(a.shape, a.dtype, a.strides, place)

    def slot(self, what: int) -> int:
        """Return a new slot, which holds the argument of this number, or -1: anything else."""
        self.slots.append(what)
        return len(self.slots) - 1

    # --- calls

    def _call(self, call: Call) -> None:
        lowering = LOWERINGS.get(call.function) or FUNCTIONS.get(call.function)
        if lowering is not None and call.writes is None and self._native(call, lowering):
            return
        if isinstance(call.function, Asked) and self._is_settled(call):
            # It was asked when the step was recorded, and nothing in it changes.
            return
        self._is_draw = False
        parts = self._traced_write(call) if call.writes is not None else None
        inlined = self._inliner._inlined(call)
        for one in inlined if parts is None else parts:
            self._numpy(one)

    def _is_settled(self, call: Call) -> bool:
        """Tell whether a call looks at nothing but constants that no call writes."""
        looked = members(call.arguments)
        written = {one.writes for one in self.program.calls}
        return all(one in self.program.constants and one not in written for one in looked)

    def _traced_write(self, call: Call) -> list[Call] | None:
        """Return the calls that a function which writes makes; None: it is one call of NumPy."""
        if call.function in CALLS or call.options:
            return None
        trace = _Trace(self.program)
        arrays = {value: self._inliner.arrays[value] for value in members(call.arguments)}
        stands = {
            value: StandIn(trace, array.copy() if value == call.writes else array, value)
            for value, array in arrays.items()
            if isinstance(array, (np.ndarray, np.generic))
        }
        count, stream = self.program.count, Stream()
        try:
            call.function(*self._inliner._replace(call.arguments, stands))
            followed = Stream() == stream
        except Exception:
            # Stand-ins cannot follow it; the call itself has gone well.
            followed = False
        if not followed:
            # What it drew would stay the same in every step.
            self._is_draw = Stream() != stream
            stream.restore()
            self.program.count = count
            return None
        self._inliner.arrays.update(trace.made)
        return trace.calls

    def _native(self, call: Call, lowering: Any) -> bool:
        """Lower a call of a gradcore function; tell whether that could be done."""
        single = isinstance(call.results, Value)
        wanted = [call.results] if single else list(call.results)
        self.table.wanted = tuple(one is not None for one in wanted)
        mark = len(self.table.instructions)
        try:
            made = lowering(self.table, *self._given(call.arguments), **call.options)
        except UnsupportedError:
            made = None
        if made is None:
            del self.table.instructions[mark:]
            return False
        arguments = self._inliner._replace(call.arguments, self._inliner.arrays)
        direct = call.function(*arguments, **call.options)
        made, plain = ([made], [direct]) if single else (list(made), list(direct))
        for i, (value, array) in enumerate(zip(wanted, plain, strict=True)):
            if value is not None and not _fits(made[i], array):
                made[i] = self._converted(made[i], array)
                if made[i] is None:
                    del self.table.instructions[mark:]
                    return False
        for value, operand in zip(wanted, made, strict=True):
            if value is not None:
                self._operands[value] = operand
        self._inliner._keep(call.results, direct)
        return True

    def _converted(self, operand: Any, array: Any) -> Operand | None:
        """Return what was made with the precision that NumPy gave it, where that alone differs."""
        kinds = (SINGLE, DOUBLE)
        found = np.asarray(array)
        if not isinstance(operand, Operand) or operand.shape != found.shape:
            return None
        if operand.dtype not in kinds or found.dtype not in kinds:
            return None
        target = self.table.empty(found.shape, found.dtype)
        return self.table.element(steps.COPY, target, operand, dtype=DOUBLE)

    def _given(self, item: Any) -> Any:
        if isinstance(item, Value):
            if item not in self._operands:
                raise RefusalError("uses a value that native mode does not know")
            return self._operands[item]
        if type(item) in (tuple, list):
            return type(item)([self._given(part) for part in item])
        if type(item) is dict:
            return {key: self._given(part) for key, part in item.items()}
        if type(item) is slice:
            return slice(*map(self._given, (item.start, item.stop, item.step)))
        return item

    def _numpy(self, call: Call) -> None:
        arguments, options = self._given(call.arguments), self._given(call.options)
        mark = len(self.table.instructions)
        value = call.results if call.writes is None else call.writes
        like = self._inliner.arrays.get(value) if isinstance(value, Value) else None
        try:
            if isinstance(value, tuple | list):
                like = tuple(self._inliner.arrays.get(one) for one in value)
            made = _lowered(self.table, call.function, arguments, options, like)
        except UnsupportedError:
            del self.table.instructions[mark:]
            self._python(call, arguments, options)
            return
        if call.writes is not None or call.results is None:
            return
        single = isinstance(call.results, Value)
        wanted = [call.results] if single else list(call.results)
        for one, operand in zip(wanted, [made] if single else made, strict=True):
            if one is not None:
                self._operands[one] = operand

    def _python(self, call: Call, arguments: Any, options: Any) -> None:
        """Leave a call to Python, with arrays in the memory of the program."""
        single = isinstance(call.results, Value)
        wanted = [call.results] if single else list(call.results or ())
        results: list[Operand | None] = []
        for value in wanted:
            if value is None:
                results.append(None)
                continue
            given = self._inliner.arrays[value]
            if not isinstance(given, (np.ndarray, np.generic)):
                # A question that is only asked: it gives nothing.
                results.append(None)
                continue
            array = np.asarray(given)
            if self._shares(array, call):
                raise RefusalError("has a view that native mode does not know")
            results.append(self.table.empty(array.shape, array.dtype))
            self._operands[value] = results[-1]  # type: ignore[assignment]  # just made
        self.table.instructions.append(
            PythonCall(call.function, arguments, options, results, single, self._is_draw)
        )

    def _shares(self, array: Any, call: Call) -> bool:
        """Tell whether a result lies in memory of an argument that is written somewhere."""
        written = {one.writes for one in self.program.calls if one.writes is not None}
        return any(
            np.may_share_memory(array, self._inliner.arrays[value])
            for value in written
            if isinstance(self._inliner.arrays.get(value), np.ndarray)
        )

    # --- results

    def operand(self, value: Value) -> Operand:
        """Return where a value of the program is."""
        return self._operands[self._inliner._aliases.get(value, value)]

    def _gradient(self, one: Any) -> Operand:
        """Let a gradient end in memory of its own, which may be elsewhere at each step."""
        x = self.operand(one.value)
        leaf = one.leaf._a
        if x.shape != leaf.shape or x.dtype != leaf.dtype:
            raise RefusalError("has a gradient of another shape than its leaf")
        return self.settled(x, self.slot(-1))

    def _in_python(self) -> set[Storage]:
        """Return the memory that calls of Python look at, which must not move."""
        found: set[Storage] = set()
        for one in self.table.instructions:
            if isinstance(one, PythonCall):
                found |= {
                    x.place[0] for x in operands_of([one.arguments, one.options, one.results])
                }
        return found

    def settled(self, x: Operand, slot: int = -1) -> Operand:
        """Return ``x`` in memory that nothing else uses, which lasts beyond the step."""
        storage, offset = x.place
        size = byte_size(x.shape, x.dtype)
        is_own = storage.is_temporary and offset == 0 and storage.size == size
        is_own = is_own and storage not in self._in_python()
        if not (is_own and x.is_contiguous and size):
            x = Operand(x.shape, x.dtype, x.strides, x.place)
            storage = Storage(size)
            made = whole(x.shape, x.dtype, storage)
            self.table.copy(made, x)
            x = made
        self.outputs.add(storage)
        if slot >= 0:
            storage.slot = slot
        else:
            storage.array = np.zeros(max(size, 1), np.uint8)
            storage.address = address_of(storage.array)
        return x


def _lowered(table: Table, function: Any, arguments: Any, options: Any, like: Any) -> Any:
    if is_view(function):
        return view(function, arguments, options)
    is_question = isinstance(function, Asked)
    lowering = question(function._function) if is_question else CALLS.get(function)
    if lowering is not None:
        return lowering(table, arguments, dict(options), like)
    if isinstance(function, np.ufunc):
        if like is None or not is_elementwise(function):
            raise UnsupportedError
        return elementwise(table, function, arguments, options, like)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc) and function.__name__ == "reduce":
        for known, reduction in REDUCTIONS:
            if owner is known:
                return reduction(table, arguments, dict(options), like)
    raise UnsupportedError


def _fits(operand: Any, array: Any) -> bool:
    if not isinstance(operand, Operand):
        return False
    found = np.asarray(array)
    return operand.shape == found.shape and operand.dtype == found.dtype


def _overlapping(arrays: dict[Value, Any]) -> list[list[Value]]:
    """Return values in groups that share memory."""
    spans = sorted(
        (*np.lib.array_utils.byte_bounds(array), value.index) for value, array in arrays.items()
    )
    groups: list[list[Value]] = []
    end = -1
    for low, high, index in spans:
        if low >= end:
            groups.append([])
        groups[-1].append(Value(index))
        end = max(end, high)
    return groups
