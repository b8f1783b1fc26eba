"""Where a recorded step is cut: one that computes on after an optimizer is several programs.

A program computes first, then stores gradients, then lets optimizers step. A step that reads what
an optimizer has moved, or a gradient, goes on in a new program, which gets from those before it
what it needs of theirs. ``recording`` builds upon this.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcore.graph import TensorBase
from gradcore.replay.numbers import TakenFloat, TakenInt, how, worked_out
from gradcore.replay.program import (
    Number,
    Program,
    Reading,
    RefusalError,
    Returned,
    Value,
    Worked,
    members,
    parts_of,
    returned_values,
)
from gradcore.replay.slots import Place
from gradcore.replay.way_back import WayBack

LateCall = tuple[Callable[..., Any], tuple[Any, ...]]


class Kept:
    """A call at the end of a program whose result a later one reads."""

    __slots__ = ("function", "result")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.result: Any = None

    def __call__(self, *args: Any) -> None:
        """Call it and keep what it returns."""
        self.result = self.function(*args)


class Given:
    """A call at the end of a program with numbers that stand beside it."""

    __slots__ = ("function", "trees")

    def __init__(self, function: Callable[..., Any], trees: list[Any]) -> None:
        self.function, self.trees = function, trees

    def __call__(self) -> Any:
        """Call it with what the numbers are now."""
        return self.function(*[worked_out(tree, {}) for tree in self.trees])


@dataclass(slots=True)
class Part:
    """One program, with what it fetches as it begins and what it stores as it ends.

    ``gradients``: values that are a leaf's gradient as the program begins; ``late``: results of
    calls at the end of earlier ones; ``stores``: what gradients are overwritten by; ``settings``:
    what optimizers are to be set to before they step, as a tree of numbers; ``cleared``:
    whose gradients are taken away after the optimizers' steps; ``arrays``: what was fetched when
    the step was recorded; ``examples``: the same, in the order of the arguments.
    """

    program: Program
    gradients: dict[Value, TensorBase] = field(default_factory=dict)
    late: dict[Value, Kept] = field(default_factory=dict)
    stores: list[tuple[TensorBase, Value, str]] = field(default_factory=list)
    stepped: list[tuple[str, TensorBase]] = field(default_factory=list)
    schedules: list[LateCall] = field(default_factory=list)
    settings: list[tuple[Place, Any]] = field(default_factory=list)
    cleared: list[TensorBase] = field(default_factory=list)
    arrays: dict[Value, Any] = field(default_factory=dict)
    examples: list[Any] = field(default_factory=list)


class Pieces(WayBack):
    """The programs of one step: that being made, and those that were closed before it."""

    def __init__(self, inputs: list[Any], captured: list[TensorBase]) -> None:
        super().__init__(inputs, captured)
        self.parts: list[Part] = [Part(self.program)]
        # The arrays of gradients that have names in the program being made, and whose they are.
        self._grads: dict[int, TensorBase] = {}
        self._gone: set[int] = set()
        self._results: dict[int, tuple[Program, int]] = {}
        self._last: tuple[Program, int] | None = None
        self.moved: list[TensorBase] = []
        self._open()

    @property
    def part(self) -> Part:
        """The part being made."""
        return self.parts[-1]

    @property
    def stepped(self) -> list[tuple[str, TensorBase]]:
        """What optimizers have moved since the program being made was begun."""
        return self.part.stepped

    def _open(self) -> None:
        self._before = {key: t._grad for key, t in self._leaves.items()}
        self._grad_counts = {key: _count(g) for key, g in self._before.items()}
        self._told: dict[int, int] = {}
        self._filled: dict[int, tuple[Any, Any]] = {}
        # Which gradients had been taken away when the first optimizer stepped.
        self._at_step: set[int] | None = None

    def _cut(self) -> None:
        """Close the program being made and begin another one."""
        if self._pending or self._arrived:
            raise RefusalError("computes with gradients while backward runs")
        if len(self.parts) >= 12:
            raise RefusalError("computes on too often after its optimizers' steps")
        self._close()
        old = self.program
        self.program = Program(
            constants=old.constants, inputs=old.inputs, captured=old.captured, count=old.count
        )
        self.parts.append(Part(self.program))
        for key in self._grads:
            self._values.pop(key, None)
            self._gone.add(key)
        self._grads = {}
        self._open()

    def _close(self) -> None:
        """Settle which gradients the program being made stores, keeps, or takes away."""
        program = self.program
        for one in program.gradients:
            one.kept = one.leaf._grad is not None
        filled = {id(one.leaf) for one in program.gradients}
        for key, before in self._before.items():
            now = self._leaves[key]._grad
            if before is not None and key not in filled and now is not before:
                if now is not None or any(self._leaves[key] is t for t in program.zeroed):
                    raise RefusalError("replaces a gradient")
                late = self._at_step is not None and key not in self._at_step
                (self.part.cleared if late else program.cleared).append(self._leaves[key])
            elif before is None and key not in filled and now is not None:
                raise RefusalError("sets a gradient")
        if not program.late:
            for key, leaf in self._leaves.items():
                self._check_gradient(key, leaf._grad)

    def _check_gradient(self, key: int, grad: Any) -> None:
        """Refuse what was done with a gradient without being told of."""
        if grad is None:
            return
        begun = self._grad_counts[key] if grad is self._before[key] else 0
        if _count(grad) != begun + self._told.get(key, 0):
            raise RefusalError("changes gradients after backward")

    # --- what makes it cut

    def _check_still(self, items: Any) -> None:
        """Cut before what an optimizer has moved is computed with."""
        if not self.stepped:
            return
        if isinstance(items, TensorBase):
            if any(np.may_share_memory(items._a, t._a) for _, t in self.stepped):
                self._cut()
        elif isinstance(items, (tuple, list)):
            for item in items:
                self._check_still(item)

    def _begun(self, t: TensorBase, edge: Any, start: TensorBase, given: bool, kept: bool) -> None:
        """Note that a backward pass begins, at ``t`` and with ``start``."""
        held = self._filled.values()
        if self.program.late or self.stepped or any(one.leaf._grad is not g for one, g in held):
            if not self._pending:
                self._cut()
        array = start._a
        value = self._of(start) if given else self._constant(array)
        if not kept:
            self._put(edge, t._port, value, array)

    def _ended(self) -> None:
        """Forget what a backward pass has left on its way: nobody has asked for it."""
        self._pending.clear()
        self._arrived.clear()

    def _taken(self, targets: list[TensorBase], nodes: list[Any], results: list[Any]) -> None:
        """Name the gradients that a pass hands out instead of storing them."""
        for t, node, g in zip(targets, nodes, results, strict=True):
            if g is None or id(g._a) in self._values:
                continue
            if node is None:
                value = self._arrived.get(id(t))
            else:
                value = self._gradient_at.get((node.seq, t._port))
            if value is None:
                value = self._constant(g._a.copy())
            self._values[id(g._a)] = value
            self._alive.append(g._a)

    def _steps_on(self, name: str, t: TensorBase) -> None:
        if any(t is one for _, one in self.stepped) or (self.part.stores and not self.stepped):
            self._cut()
        if self._at_step is None:
            self._at_step = {key for key, one in self._leaves.items() if one._grad is None}
        self.stepped.append((name, t))
        self.moved.append(t)

    def _calls_late(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Add a call at the end of the program: a clipping."""
        if self._pending:
            raise RefusalError(f"calls {function.__name__} while backward runs")
        if self.stepped or self.part.stores or self._names_gradients():
            self._cut()
        if any(isinstance(item, (TakenFloat, TakenInt)) for item in args):
            trees = [how(item) for item in args]
            if any(isinstance(one, (Number, Reading)) for one in parts_of(Worked((how, *trees)))):
                raise RefusalError(f"calls {function.__name__} with a number that it works out")
            function, args = Given(function, trees), ()
        self.program.late.append((function, args))
        self._last = (self.program, len(self.program.late) - 1)

    def _names_gradients(self) -> bool:
        return bool(self._grads) and bool(self.program.gradients)

    def _gives(self, t: TensorBase) -> None:
        """Note what the last such call returned; only if somebody reads it, it is kept."""
        if self._last is not None:
            self._results[id(t._a)] = self._last
            self._alive.append(t._a)

    # --- gradients as values

    def _of(self, t: TensorBase) -> Value:
        key = id(t._a)
        leaf = self._grads.get(key)
        if leaf is not None:
            if not self._is_touched(leaf):
                return self._values[key]
            self._cut()
        found = self._values.get(key)
        if found is not None:
            return found
        leaf = next((one for one in self._leaves.values() if _is_gradient_of(t, one)), None)
        if leaf is not None:
            return self._fetch(t, leaf)
        if key in self._results:
            return self._result(t)
        if key in self._gone:
            raise RefusalError("keeps a gradient that was taken away, and computes with it")
        return super()._of(t)

    def _is_touched(self, leaf: TensorBase) -> bool:
        """Tell whether the program's end will change a leaf's gradient."""
        if id(leaf) in self._filled or self.program.late:
            return True
        return any(leaf is one for one in self.program.zeroed)

    def _fetch(self, t: TensorBase, leaf: TensorBase) -> Value:
        """Name a leaf's gradient, as it is when the program begins."""
        if self._is_touched(leaf):
            self._cut()
        if leaf._grad is not self._before[id(leaf)]:
            raise RefusalError("computes with a gradient that it has set")
        value = self._name(t._a)
        self._grads[id(t._a)] = leaf
        self.part.gradients[value] = leaf
        self.part.arrays[value] = t._a.copy()
        return value

    def _result(self, t: TensorBase) -> Value:
        """Name the result of a call at the end of an earlier program."""
        program, number = self._results.pop(id(t._a))
        if program is self.program:
            self._cut()
        function, args = program.late[number]
        if not isinstance(function, Kept):
            function = Kept(function)
            program.late[number] = (function, args)
        value = self._name(t._a)
        self.part.late[value] = function
        self.part.arrays[value] = t._a.copy()
        return value

    def _is_overwritten(self, target: TensorBase) -> bool:
        """Tell whether a write gives a new value: to a gradient, or what a program before made."""
        key, value = id(target._a), self._values[id(target._a)]
        if key in self._grads or self._is_older(value):
            return True
        # NumPy's results without axes are numbers, in which nothing can be written; what lies in
        # memory of a kernel's own may be laid out in another way.
        is_number = not target._a.ndim or (target._view is None and target._a.base is not None)
        return is_number and value not in self.program.captured

    def _renew(self, array: Any, value: Value) -> None:
        """Let an array be another value from now on."""
        self._values[id(array)] = value
        self._unknown.pop(id(array), None)
        self._named.add(value)
        self._alive.append(array)

    def _forget_views(self, target: Any, whole: Any) -> None:
        """Let nobody compute with arrays that look at what was written to."""
        for a in self._alive:
            if isinstance(a, np.ndarray) and a is not target and a is not whole:
                if id(a) in self._values and np.may_share_memory(a, target):
                    del self._values[id(a)]
                    self._unknown[id(a)] = "computes with a view that was made before a write to it"

    def _overwrite(self, target: TensorBase, made: Value, name: str) -> None:
        """Give a gradient, or what an earlier program made, new values."""
        key = id(target._a)
        leaf = self._grads.get(key)
        self._forget_views(target._a, target._a)
        self._values[key] = made
        if leaf is not None:
            grad = leaf._grad
            if target is grad or target._vc is grad._vc is not None:
                self._told[id(leaf)] = self._told.get(id(leaf), 0) + 1
            stores = self.part.stores
            stores[:] = [one for one in stores if one[0] is not leaf]
            self.part.stores.append((leaf, made, name))

    def _is_older(self, value: Value) -> bool:
        """Tell whether an earlier program has made a value."""
        if len(self.parts) == 1 or value in self.program.captured:
            return False
        return value.index < self._first_index()

    def _first_index(self) -> int:
        return self.parts[-2].program.count


@dataclass(slots=True)
class Pieced:
    """The parts of a step as programs of their own.

    ``sources`` says for each part what is to stand behind its arguments: a leaf (its gradient), a
    `Kept` (its result), or part and number of what an earlier one handed out. ``stored`` are the
    numbers, among what a part hands out, of its ``stores`` and then of its ``settings``.
    ``returned`` is what the step returns, and ``order`` part and number of each value in it.
    ``is_single``: one program is all, as of most steps, and returns just that.
    """

    parts: list[Part]
    sources: list[list[Any]]
    stored: list[list[int]]
    returned: Any
    order: list[tuple[int, int]]
    is_single: bool = False


def split(parts: list[Part], returned: Any, count: int, slots: dict[Value, Any]) -> Pieced:
    """Let each part get from those before it what it uses of theirs.

    ``count``: how many arguments the step has; ``slots``: what stands in places of Python.
    """
    pieced = Pieced(parts, [[] for _ in parts], [[] for _ in parts], returned, [])
    wanted = returned_values(returned)
    first = parts[0]
    apart = first.gradients or first.late or first.stores or slots
    if len(parts) == 1 and not apart and not any(_set_by(part) for part in parts):
        parts[0].program.returned = returned
        pieced.is_single = True
        pieced.order = [(0, number) for number in range(len(wanted))]
        return pieced
    made = [_made(part) for part in parts]
    handed: list[list[Value]] = [[] for _ in parts]
    for part, sources, own in zip(parts, pieced.sources, made, strict=True):
        program = part.program
        used = _used(part)
        if part is parts[-1]:
            outside = [v for v in wanted if not any(v in one for one in made)]
            used |= dict.fromkeys(outside)
        given = program.inputs
        program.constants = {v: program.constants[v] for v in used if v in program.constants}
        program.captured = {v: program.captured[v] for v in used if v in program.captured}
        program.inputs = {v: given[v] for v in used if v in given}
        for value in used:
            if value in own and value not in part.gradients and value not in part.late:
                continue
            if value in given or value in program.constants or value in program.captured:
                continue
            program.inputs[value] = count + len(sources)
            sources.append(slots.get(value) or _source(value, part, made, handed))
            if value in part.arrays:
                part.examples.append(part.arrays[value])
    for part, values, numbers in zip(parts, handed, pieced.stored, strict=True):
        numbers += [_number(values, value) for _, value, _ in part.stores]
        numbers += [_number(values, value) for value in _set_by(part)]
    last = len(parts) - 1
    for value in wanted:
        owner = next((k for k, own in enumerate(made) if value in own), last)
        pieced.order.append((owner, _number(handed[owner], value)))
    for part, values in zip(parts, handed, strict=True):
        part.program.returned = [Returned(value, None, 0) for value in values]
    return pieced


def _made(part: Part) -> set[Value]:
    """Return the values that a part makes or fetches."""
    made = {v for call in part.program.calls for v in members(call.results or ()) if v is not None}
    return made | part.gradients.keys() | part.late.keys()


def _used(part: Part) -> dict[Value, None]:
    """Return the values that a part uses, in order."""
    used: dict[Value, None] = {}
    for call in part.program.calls:
        used.update(dict.fromkeys(members((call.arguments, *call.options.values()))))
        if call.writes is not None:
            used[call.writes] = None
    used.update(dict.fromkeys(one.value for one in part.program.gradients))
    used.update(dict.fromkeys(value for _, value, _ in part.stores))
    used.update(dict.fromkeys([*part.gradients, *part.late, *_set_by(part)]))
    return used


def _set_by(part: Part) -> list[Value]:
    """Return the values that settings are worked out of."""
    return [value for _, tree in part.settings for value in returned_values(tree)]


def _source(value: Value, part: Part, made: list[set[Value]], handed: list[list[Value]]) -> Any:
    """Return where a part gets a value from that it does not make."""
    if value in part.gradients:
        return part.gradients[value]
    if value in part.late:
        return part.late[value]
    for owner, own in enumerate(made):
        if value in own:
            return owner, _number(handed[owner], value)
    raise RefusalError("uses what no part of it makes")


def _number(values: list[Value], value: Value) -> int:
    if value not in values:
        values.append(value)
    return values.index(value)


def _count(grad: Any) -> int:
    return 0 if grad is None or grad._vc is None else int(grad._vc.count)


def _is_gradient_of(t: TensorBase, leaf: TensorBase) -> bool:
    return leaf._grad is not None and leaf._grad._a is t._a
