"""Turns a ``Program`` into one Python function, without a loop or a look-up.

Small results go into buffers made beforehand, and views of what never moves are made once, here.
What a step hands out, its gradients and what it returns, is new each time: a tensor that the user
keeps is never written again.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.replay.program import Call, Program, Returned, Value, members

Run = Callable[[list[Any]], tuple[list[Any], list[Any]]]

SMALL = 1 << 15
"""Results up to so many bytes get a buffer; for larger ones making them new costs next to
nothing, and memory is used again sooner."""
_VIEWS = {
    np.ndarray.transpose, np.ndarray.swapaxes, np.ndarray.reshape, operator.getitem,
    np.broadcast_to, np.swapaxes, np.transpose, np.reshape, np.moveaxis, np.expand_dims,
}  # fmt: skip
_BY_NAME = {np.maximum, np.minimum}


class _Writer:
    """The text of a function, and the objects that it names."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.lines: list[str] = []
        self.space: dict[str, Any] = {}
        self._known: dict[int, str] = {}
        self.still: dict[Value, Any] = dict(program.constants)
        for value, t in program.captured.items():
            self.still[value] = t._a
        self.kept = _handed_out(program)

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
        parts = ", ".join(self.text(part) for part in item)
        return f"[{parts}]" if isinstance(item, list) else f"({parts},)"

    def call(self, call: Call) -> None:
        """Add the line of one call, or do it now, if it will always give the same view."""
        if self._is_still(call):
            return
        arguments = [self.text(item) for item in self._numbers(call)]
        arguments += [f"{name}={self.text(item)}" for name, item in call.options.items()]
        results = call.results
        buffer = self._buffer(call)
        if buffer is not None:
            arguments.append(("out=" if call.function in _BY_NAME else "") + f"v{results.index}")
            results = None
        line = f"{self.constant(call.function)}({', '.join(arguments)})"
        if isinstance(results, Value):
            line = f"v{results.index} = {line}"
        elif results:
            names = [f"v{one.index}" if one is not None else "_" for one in results]
            line = f"{', '.join(names)}, = {line}"
        self.lines.append(line)

    def _is_still(self, call: Call) -> bool:
        """Do a call now that makes a view of arrays which stay where they are."""
        if call.function not in _VIEWS or not isinstance(call.results, Value):
            return False
        if call.options or any(value not in self.still for value in members(call.arguments)):
            return False
        if not isinstance(call.arguments[0], Value) or len(members(call.arguments)) > 1:
            return False
        source = self.still[call.arguments[0]]
        view = call.function(source, *call.arguments[1:])
        if not isinstance(view, np.ndarray) or not np.may_share_memory(view, source):
            return False
        self.still[call.results] = view
        return True

    def _buffer(self, call: Call) -> Any:
        """Return a new buffer for the result of a call, where it may have one."""
        result = call.results
        if not isinstance(call.function, np.ufunc) or "out" in call.options:
            return None
        layout = self.program.layouts.get(result) if isinstance(result, Value) else None
        if layout is None or result in self.kept:
            return None
        shape, dtype, is_plain = layout
        if not shape or not is_plain or not 0 < np.prod(shape) * dtype.itemsize <= SMALL:
            return None
        buffer = self.still[result] = np.empty(shape, dtype)
        if dtype.kind == "f":
            # What is read before it is written shows when the recording is checked.
            buffer.fill(np.nan)
        return buffer

    def _numbers(self, call: Call) -> list[Any]:
        """Return the arguments of a call with numbers as arrays, which NumPy reads faster."""
        result = call.results
        layout = self.program.layouts.get(result) if isinstance(result, Value) else None
        if layout is None or not isinstance(call.function, np.ufunc) or layout[1].kind != "f":
            return list(call.arguments)
        kinds = [self.program.layouts.get(one) for one in members(call.arguments)]
        if not kinds or any(kind is None or kind[1] != layout[1] for kind in kinds):
            return list(call.arguments)
        return [
            np.array(item, layout[1]) if type(item) in (int, float) else item
            for item in call.arguments
        ]


def returned_values(item: Any) -> list[Value]:
    """Return the values that a step hands out, in order."""
    if isinstance(item, Returned):
        return [item.value]
    if isinstance(item, (tuple, list)):
        return [value for part in item for value in returned_values(part)]
    if isinstance(item, dict):
        return [value for part in item.values() for value in returned_values(part)]
    return []


def _handed_out(program: Program) -> set[Value]:
    """Return the values whose memory may be that of a gradient."""
    kept = {one.value for one in program.gradients}
    for call in reversed(program.calls):
        if not isinstance(call.function, np.ufunc) and kept & set(members(call.results or ())):
            kept.update(members(call.arguments))
    return kept


def generate(program: Program) -> Run:
    """Return the function ``run(inputs) -> (gradients, returned)`` on arrays."""
    writer = _Writer(program)
    for value, number in program.inputs.items():
        writer.lines.append(f"v{value.index} = inputs[{number}]")
    outputs = [one.value for one in program.gradients]
    handed = returned_values(program.returned)
    last = _last_uses(program, {*outputs, *handed})
    for number, call in enumerate(program.calls):
        writer.call(call)
        if gone := [value for value in last.get(number, ()) if value not in writer.still]:
            writer.lines.append("del " + ", ".join(f"v{value.index}" for value in gone))
    for value, array in writer.still.items():
        writer.space[f"v{value.index}"] = array
    results = [", ".join(f"v{value.index}" for value in group) for group in (outputs, handed)]
    writer.lines.append(f"return [{results[0]}], [{results[1]}]")
    source = "def run(inputs):\n" + "\n".join("    " + line for line in writer.lines)
    exec(compile(source, "<replay>", "exec"), writer.space)
    run: Run = writer.space["run"]
    return run


def _last_uses(program: Program, kept: set[Value]) -> dict[int, list[Value]]:
    """Return for each call the values, made by calls, that nobody needs after it."""
    last: dict[Value, int] = {}
    for number, call in enumerate(program.calls):
        for value in members(call.results if call.results is not None else ()):
            last[value] = number
        for value in members((call.arguments, *call.options.values())):
            if value in last:
                last[value] = number
    gone: dict[int, list[Value]] = {}
    for value, number in last.items():
        if value not in kept:
            gone.setdefault(number, []).append(value)
    return gone
