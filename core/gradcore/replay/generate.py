"""Turns a ``Program`` into one Python function, without a loop or a look-up."""

from collections.abc import Callable
from typing import Any

from gradcore.replay.program import Call, Program, Returned, Value, members


class _Writer:
    """The text of a function, and the objects that it names."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.space: dict[str, Any] = {}
        self._known: dict[int, str] = {}

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
        """Add the line of one call."""
        arguments = [self.text(item) for item in call.arguments]
        arguments += [f"{name}={self.text(item)}" for name, item in call.options.items()]
        line = f"{self.constant(call.function)}({', '.join(arguments)})"
        if isinstance(call.results, Value):
            line = f"v{call.results.index} = {line}"
        elif call.results:
            names = [f"v{one.index}" if one is not None else "_" for one in call.results]
            line = f"{', '.join(names)}, = {line}"
        self.lines.append(line)


def returned_values(item: Any) -> list[Value]:
    """Return the values that a step hands out, in order."""
    if isinstance(item, Returned):
        return [item.value]
    if isinstance(item, (tuple, list)):
        return [value for part in item for value in returned_values(part)]
    if isinstance(item, dict):
        return [value for part in item.values() for value in returned_values(part)]
    return []


def generate(program: Program) -> Callable[[list[Any]], tuple[list[Any], list[Any]]]:
    """Return the function ``run(inputs) -> (gradients, returned)`` on arrays."""
    writer = _Writer()
    for value, number in program.inputs.items():
        writer.lines.append(f"v{value.index} = inputs[{number}]")
    for value, t in program.captured.items():
        writer.space[f"v{value.index}"] = t._a
    for value, array in program.constants.items():
        writer.space[f"v{value.index}"] = array
    outputs = [one.value for one in program.gradients]
    handed = returned_values(program.returned)
    last = _last_uses(program, {*outputs, *handed})
    for number, call in enumerate(program.calls):
        writer.call(call)
        if gone := last.get(number):
            writer.lines.append("del " + ", ".join(f"v{value.index}" for value in gone))
    results = [", ".join(f"v{value.index}" for value in group) for group in (outputs, handed)]
    writer.lines.append(f"return [{results[0]}], [{results[1]}]")
    source = "def run(inputs):\n" + "\n".join("    " + line for line in writer.lines)
    exec(compile(source, "<replay>", "exec"), writer.space)
    run: Callable[[list[Any]], tuple[list[Any], list[Any]]] = writer.space["run"]
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
