"""Turns a ``Program`` into one Python function, without a loop or a look-up.

Every result that can be given a place beforehand has one, in an arena that is used again as soon
as nobody needs a part; views of what never moves are made once, here. What a step returns is new
each time. Gradients stand in arrays of their own, which the step hands out as they are: whoever
runs it sees to it that nobody else still holds the last ones (``Generated.gradients``).
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.optim.optimizer import Optimizer
from gradcore.replay.inline import UntraceableError
from gradcore.replay.memory import Plan, place
from gradcore.replay.peephole import VIEWS, Layout, Peephole, plain_strides
from gradcore.replay.program import Call, Program, Value, members, returned_values
from gradcore.replay.questions import is_doubtful
from gradcore.tensor.storage import new_block

Run = Callable[[list[Any]], tuple[list[Any], list[Any]]]

_BY_NAME = {np.maximum, np.minimum}
_COPIES = {np.ndarray.copy, np.copy, np.ndarray.astype, np.ndarray.reshape, np.ndarray.ravel}
_JOINS = {np.concatenate, np.stack}
_EMPTY = {np.empty_like}
_FILLED = {np.zeros_like: 0, np.ones_like: 1}


class Generated:
    """A function that runs a program, and the arrays in which it leaves the gradients.

    ``gradients`` has None for a gradient that the function returns as a new array each time.
    Those of an optimizer's group stand one after the other where they can.
    """

    def __init__(self, run: Run, gradients: list[Any]) -> None:
        self.run = run
        self.gradients = gradients


class _Writer:
    """The text of a function, and the objects that it names."""

    def __init__(self, program: Program, share: bool) -> None:
        self.program = program
        peephole = Peephole(program)
        self.calls, self.layouts = peephole.calls, peephole.layouts
        names = peephole.names
        arrived = [one.value for one in program.gradients]
        self._arrived = [names.get(value, value) for value in arrived]
        self._handed = [names.get(value, value) for value in returned_values(program.returned)]
        self.lines: list[str] = []
        self.space: dict[str, Any] = {}
        self._known: dict[int, str] = {}
        self.still: dict[Value, Any] = dict(program.constants)
        for value, t in program.captured.items():
            self.still[value] = t._a
        self.gradients: list[Any] = [None] * len(program.gradients)
        self._places: dict[Value, Any] = {}
        self._late: list[tuple[int, Value]] = []
        designated = self._place_gradients() if share else set()
        self._plan(designated)

    # --- memory

    def _outside(self) -> set[int]:
        """Return the roots whose memory is not the program's own."""
        own = [*self.program.constants, *self.program.captured, *self.program.inputs]
        return {self.layouts[value].root for value in own if value in self.layouts}

    def _place_gradients(self) -> set[int]:
        """Give the gradients that the step hands out memory of their own, in one block a dtype."""
        outside, roots = self._outside(), set()
        for call in self.calls:
            if call.writes in self.layouts:
                outside.add(self.layouts[call.writes].root)
        shared = _shareable(self.program)
        sizes: dict[Any, int] = {}
        starts: dict[int, int] = {}
        for number in shared:
            leaf = self.program.gradients[number].leaf._a
            starts[number] = sizes.get(leaf.dtype, 0)
            sizes[leaf.dtype] = starts[number] + leaf.nbytes
        blocks = {dtype: new_block(size) for dtype, size in sizes.items()}
        made = self._makers()
        for number in shared:
            one = self.program.gradients[number]
            leaf = one.leaf._a
            value = self._arrived[number]
            memory, layout = blocks[leaf.dtype], self.layouts.get(value)
            plain = Layout(leaf.shape, leaf.dtype, plain_strides(leaf.shape, leaf.itemsize), -1)
            self.gradients[number] = place(memory, starts[number], plain)
            root = layout.root if layout is not None else -1
            first = made.get(root)
            if (
                layout is not None
                and first is not None
                and root not in outside
                and root not in roots
                and layout.is_plain
                and self.layouts[first.results].is_dense
                and self.layouts[first.results].nbytes == leaf.nbytes
                and _takes_buffer(first, self.layouts)
            ):
                roots.add(root)
                where = place(memory, starts[number], self.layouts[first.results])
                self._places[first.results] = where
            else:
                self._late.append((number, value))
        return roots

    def _makers(self) -> dict[int, Call]:
        """Return for each root the call that makes it, if no later call may give the step up.

        A step that is given up runs as it is, and must find the last gradients as they were.
        """
        doubts = [n for n, call in enumerate(self.calls) if is_doubtful(call.function)]
        sure = max(doubts, default=-1)
        made: dict[int, Call] = {}
        early: set[int] = set()
        for number, call in enumerate(self.calls):
            for value in members(call.results or ()):
                if value not in self.layouts:
                    continue
                root = self.layouts[value].root
                if number < sure or not isinstance(call.results, Value):
                    early.add(root)
                elif root not in early:
                    made.setdefault(root, call)
        return made

    def _plan(self, designated: set[int]) -> None:
        """Give every other result a place where it may have one."""
        kept = designated | self._outside()
        ends = self._arrived + self._handed
        kept |= {self.layouts[value].root for value in ends if value in self.layouts}
        plan = Plan(self.calls, self.layouts, lambda c: _takes_buffer(c, self.layouts), kept)
        memory = new_block(plan.size)
        if plan.size:
            # What is read before it is written shows when the recording is checked.
            np.frombuffer(memory, np.uint8).fill(0xFF)
        for value, offset in plan.places.items():
            self._places[value] = place(memory, offset, self.layouts[value])

    # --- text

    def constant(self, item: Any) -> str:
        """Return the name or the text of a constant."""
        if item is None or type(item) in (bool, int) or (type(item) is str and len(item) < 20):
            return repr(item)
        found = self._known.get(id(item))
        if found is None:
            found = self._known[id(item)] = f"k{len(self.space)}"
            self.space[found] = item
        return found

    def text(self, item: Any) -> str:
        """Return an argument as it stands in a call."""
        if isinstance(item, Value):
            return f"v{item.index}"
        if not members(item):
            return self.constant(item)
        if isinstance(item, slice):
            return f"slice({self.text(item.start)}, {self.text(item.stop)}, {self.text(item.step)})"
        parts = ", ".join(self.text(part) for part in item)
        return f"[{parts}]" if isinstance(item, list) else f"({parts},)"

    def call(self, call: Call) -> None:
        """Add the line of one call, or do it now, if it will always give the same view."""
        if self._is_still(call):
            return
        place = self._places.get(call.results) if isinstance(call.results, Value) else None
        if place is not None:
            self.still[call.results] = place
            self._into(call, place)
            return
        results = call.results
        line = self._line(call.function, self._numbers(call), call.options)
        if isinstance(results, Value):
            line = f"v{results.index} = {line}"
        elif results:
            names = [f"v{one.index}" if one is not None else "_" for one in results]
            line = f"{', '.join(names)}, = {line}"
        self.lines.append(line)
        if not _has_fixed_shape(call):
            for value in members(results or ()):
                if value in self.layouts:
                    wrong = f"v{value.index}.shape != {self.layouts[value].shape!r}"
                    self.lines.append(f"if {wrong}: raise {self.constant(UntraceableError)}")

    def _line(self, function: Any, arguments: list[Any], options: dict[str, Any]) -> str:
        given = [self.text(item) for item in arguments]
        given += [f"{name}={self.text(item)}" for name, item in options.items()]
        return f"{self.constant(function)}({', '.join(given)})"

    def _into(self, call: Call, place: Any) -> None:
        """Add the line of a call that leaves its result at a place."""
        function, result = call.function, call.results
        if isinstance(function, np.ufunc):
            arguments = self._numbers(call)
            if function is np.matmul and self._is_plain_product(call, place):
                # It does the same and takes half as long where matrices are small.
                line = self._line(np.ndarray.dot, [*arguments, result], {})
            elif function in _BY_NAME:
                line = self._line(function, arguments, {**call.options, "out": result})
            else:
                line = self._line(function, [*arguments, result], call.options)
        elif _is_reduction(function):
            options = dict(call.options)
            axis, keepdims = options.pop("axis", 0), options.pop("keepdims", False)
            if options.keys() <= {"dtype"}:
                arguments = [call.arguments[0], axis, options.get("dtype"), result, keepdims]
                line = self._line(function, arguments, {})
            else:
                line = self._line(function, list(call.arguments), {**call.options, "out": result})
        elif function in _JOINS:
            line = self._line(function, list(call.arguments), {**call.options, "out": result})
        elif function in _EMPTY:
            return
        elif function in _FILLED:
            self.lines.append(f"{self.constant(place)}.fill({_FILLED[function]})")
            return
        else:
            source = self.layouts[call.arguments[0]]
            target = place if place.shape == source.shape else place.reshape(source.shape)
            options = {"casting": "unsafe"} if place.dtype != source.dtype else {}
            line = self._line(np.copyto, [target, call.arguments[0]], options)
        self.lines.append(line)

    def _is_plain_product(self, call: Call, place: Any) -> bool:
        """Tell whether a product is one of two matrices, or of a row and one, without gaps."""
        if call.options or not place.flags.c_contiguous or place.dtype.char not in "fd":
            return False
        for item in call.arguments:
            layout = self.layouts.get(item) if isinstance(item, Value) else None
            is_row = isinstance(item, np.ndarray) and item.ndim == 1 and item.flags.c_contiguous
            if layout is None and not (is_row and item is call.arguments[0]):
                return False
            if layout is not None and not (
                len(layout.shape) == 2 and min(layout.shape) > 1 and layout.is_dense
            ):
                return False
            if (item if layout is None else layout).dtype != place.dtype:
                return False
        return True

    def _is_still(self, call: Call) -> bool:
        """Do a call now that makes a view of arrays which stay where they are."""
        if call.function not in VIEWS or not isinstance(call.results, Value):
            return False
        if call.options or not isinstance(call.arguments[0], Value):
            return False
        if len(members(call.arguments)) > 1 or call.arguments[0] not in self.still:
            return False
        source = self.still[call.arguments[0]]
        layout = self.layouts.get(call.results)
        if layout is None or layout.root != self.layouts[call.arguments[0]].root:
            return False
        view = call.function(source, *call.arguments[1:])
        if not isinstance(view, np.ndarray) or not np.may_share_memory(view, source):
            return False
        self.still[call.results] = view
        return True

    def _numbers(self, call: Call) -> list[Any]:
        """Return the arguments of a call with numbers as arrays, which NumPy reads faster."""
        result = call.results
        layout = self.layouts.get(result) if isinstance(result, Value) else None
        if layout is None or not isinstance(call.function, np.ufunc) or layout.dtype.kind != "f":
            return list(call.arguments)
        kinds = [self.layouts.get(one) for one in members(call.arguments)]
        if not kinds or any(kind is None or kind.dtype != layout.dtype for kind in kinds):
            return list(call.arguments)
        return [
            np.array(item, layout.dtype) if type(item) in (int, float) else item
            for item in call.arguments
        ]

    def finish(self) -> Generated:
        """Write the whole function and return it."""
        program = self.program
        for value, number in program.inputs.items():
            self.lines.append(f"v{value.index} = inputs[{number}]")
        outputs, handed = self._arrived, self._handed
        gone = self._gone({*outputs, *handed})
        for number, call in enumerate(self.calls):
            self.call(call)
            if left := [value for value in gone.get(number, ()) if value not in self.still]:
                self.lines.append("del " + ", ".join(f"v{value.index}" for value in left))
        for number, value in self._late:
            target = self.gradients[number]
            self.lines.append(self._line(np.copyto, [target, value], {}))
        for value, array in self.still.items():
            self.space[f"v{value.index}"] = array
        parts = [
            self.text(value) if array is None else self.constant(array)
            for value, array in zip(outputs, self.gradients, strict=True)
        ]
        returned = ", ".join(self.text(value) for value in handed)
        self.lines.append(f"return [{', '.join(parts)}], [{returned}]")
        source = "def run(inputs):\n" + "\n".join("    " + line for line in self.lines)
        exec(compile(source, "<replay>", "exec"), self.space)
        return Generated(self.space["run"], self.gradients)

    def _gone(self, kept: set[Value]) -> dict[int, list[Value]]:
        """Return for each call the values, made by calls, that nobody needs after it."""
        last: dict[Value, int] = {}
        for number, call in enumerate(self.calls):
            for value in members(call.results if call.results is not None else ()):
                last[value] = number
            for value in members((call.arguments, *call.options.values())):
                if value in last:
                    last[value] = number
        gone: dict[int, list[Value]] = {}
        for value, number in last.items():
            if value not in kept and value not in {late for _, late in self._late}:
                gone.setdefault(number, []).append(value)
        return gone


def _shareable(program: Program) -> list[int]:
    """Return the numbers of the gradients that a step hands out as arrays of its own.

    They come in the order in which the optimizers step them.
    """
    members = [
        p for optimizer in stepped(program) for group in optimizer.param_groups
        for p in group["params"]
    ]  # fmt: skip
    order = {id(p): number for number, p in enumerate(members)}
    shared = [
        number
        for number, one in enumerate(program.gradients)
        if one.fresh and one.kept and one.leaf._a.size and one.leaf._a.ndim
    ]
    leaves = [one.leaf for one in program.gradients]
    return sorted(shared, key=lambda number: order.get(id(leaves[number]), len(order)))


def stepped(program: Program) -> list[Optimizer]:
    """Return the optimizers that step at the end of a program."""
    owners = [getattr(function, "__self__", None) for function, _ in program.late]
    return [owner for owner in owners if isinstance(owner, Optimizer)]


def _has_fixed_shape(call: Call) -> bool:
    """Tell whether the shape of a result follows from those of the arguments, not their values."""
    function = call.function
    if isinstance(function, np.ufunc) or _is_reduction(function):
        return True
    if function is operator.getitem:
        return not members(call.arguments[1])
    return function in VIEWS or function in _COPIES or function in _JOINS


def _is_reduction(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    return isinstance(owner, np.ufunc) and function.__name__ == "reduce"


def _takes_buffer(call: Call, layouts: dict[Value, Layout]) -> bool:
    """Tell whether the result of a call can be left at a place made beforehand."""
    function, options = call.function, call.options.keys()
    layout = layouts.get(call.results) if isinstance(call.results, Value) else None
    if layout is None or call.writes is not None or not layout.shape or not layout.is_dense:
        return False
    if isinstance(function, np.ufunc):
        return function.nout == 1 and options <= {"dtype"}
    if not call.arguments:
        return False
    if _is_reduction(function):
        known = options <= {"axis", "keepdims", "dtype", "initial", "where"}
        return layout.is_plain and known and len(call.arguments) == 1
    if function in _JOINS:
        return layout.is_plain and options <= {"axis"} and isinstance(call.arguments[0], list)
    if function in _EMPTY or function in _FILLED:
        return not options and len(call.arguments) == 1
    source = layouts.get(call.arguments[0]) if isinstance(call.arguments[0], Value) else None
    if function not in _COPIES or source is None or source.root == layout.root or options:
        return False
    if function is np.ndarray.astype:
        return len(call.arguments) == 2 and source.shape == layout.shape
    return source.dtype == layout.dtype and (layout.is_plain or source.shape == layout.shape)


def generate(program: Program, share: bool) -> Generated:
    """Return the function ``run(inputs) -> (gradients, returned)`` on arrays.

    ``share``: gradients are left in the same arrays each time, else in new ones.
    """
    return _Writer(program, share).finish()
