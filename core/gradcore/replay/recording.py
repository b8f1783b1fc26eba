"""Records one real eager step as a ``Program``: forward operations as they are told, backward node
by node, and what comes after it.

Recording never disturbs the step: what it cannot follow is noted as ``refused``, and the step goes
on as if nobody had listened.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import Node, TensorBase
from gradcore.ops.entry import Operation
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import OPERATIONS, WRITES
from gradcore.ops.shape import copy as copying
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.random import Generator, default_generator
from gradcore.replay.finite import finite
from gradcore.replay.numbers import TakenFloat, TakenInt
from gradcore.replay.pieces import Pieced, split
from gradcore.replay.program import (
    Call,
    RefusalError,
    Value,
    members,
)
from gradcore.replay.python_side import PythonSide
from gradcore.replay.questions import Drawn, Key, Picked, moving_in
from gradcore.replay.way_back import AFTER, Step

_LOOKS = {"item", "tolist", "numpy"}
_ALIASES = {"detach", "data"}
_CONSTANT = {
    "zeros", "ones", "full", "eye", "arange", "linspace", "logspace", "tensor", "scalar_tensor",
    "empty", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
    "new_full", "new_empty",
}  # fmt: skip
COPY = copying.operation
PICK = OPERATIONS["pick"]
_PARTS = {"split": "split_parts", "unbind": "unbind_parts"}


class Recording(PythonSide):
    """A recorder and journal that turns what it is told into a program."""

    def __init__(
        self, inputs: list[Any], captured: list[TensorBase], function: Callable[..., Any]
    ) -> None:
        super().__init__(inputs, captured, function)
        self._writes: dict[int, int] = {}
        self._counts = {id(t): t._vc.count if t._vc is not None else 0 for t in captured}
        self._drawn: TensorBase | None = None
        self._applied: tuple[TensorBase, ...] | None = None
        for number, item in enumerate(inputs):
            if isinstance(item, TensorBase):
                self.program.inputs[self._name(item._a)] = number
        given = set(self._values)
        for t in captured:
            if id(t._a) in given:
                self.refused = "is given a tensor that it also reaches by itself"
            elif t._more is not None and t._more.after:
                self.refused = self.refused or AFTER
            elif id(t._a) not in self._values:
                self.program.captured[self._name(t._a)] = t
        self._own.clear()

    # --- what the recorder and the journal are told

    def operation(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        outputs: tuple[TensorBase, ...],
        recorded: bool,
    ) -> None:
        """Add one operation."""
        self._listen(self._operation, name, inputs, attributes, outputs, recorded)
        self.book.unseen.clear()

    def gradients(self, node: Node, gradients: tuple[Any, ...]) -> None:
        """Add the gradients of one node."""
        self._listen(self._gradients, node, gradients)

    def accumulated(self, leaf: TensorBase, gradient: Any) -> None:
        """Note what arrived at a leaf."""
        self._listen(self._accumulated, leaf)

    def work(
        self, function: Callable[..., Any], tensors: tuple[TensorBase, ...], values: Any
    ) -> None:
        """Add work on arrays that is no operation."""
        self._listen(self._work, function, tensors, values)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Note a call that changes gradients, or the settings of an optimizer."""
        schedule = getattr(function, "__self__", None)
        if not isinstance(schedule, LRScheduler):
            self._listen(self._calls_late, function, args)
            return
        self._listen(self._schedules, function, args)
        self.settled(is_schedule=True)
        self._rates_read(schedule)

    def gave(self, t: TensorBase) -> None:
        """Note what the call told of last has returned."""
        self._listen(self._gives, t)

    def begun(
        self, t: TensorBase, edge: Any, start: TensorBase, is_given: bool, as_tensors: bool
    ) -> None:
        """Note where and with what a backward pass begins."""
        self._listen(self._begun, t, edge, start, is_given, as_tensors)

    def ended(self) -> None:
        """Note that a backward pass is over."""
        self._listen(self._ended)

    def taken(self, targets: list[TensorBase], nodes: list[Any], results: list[Any]) -> None:
        """Name gradients that are handed out."""
        self._listen(self._taken, targets, nodes, results)

    def drawn(
        self, function: Callable[..., Any], args: tuple[Any, ...], generator: Any, values: Any
    ) -> None:
        """Add a draw of random values."""
        self._listen(self._draws, function, args, generator, values)

    def asked(
        self, function: Callable[..., Any], tensors: tuple[TensorBase, ...], answer: Any
    ) -> None:
        """Add a question on whose answer it depends what the step does."""
        self._listen(self._asked, function, tensors, answer)

    def worked_out(self, function: Callable[..., Any], inputs: tuple[Any, ...], array: Any) -> None:
        """Add an array that no operation has made."""
        self._listen(self._works_out, function, inputs, array)

    def applied(self, outputs: tuple[TensorBase, ...]) -> None:
        """Note that the next thing told is a user's function, all of which was told before."""
        self._applied = outputs
        for t in outputs:
            if t._node is not None:
                self._nodes[t._node.seq] = Step(t._node, ())
                self._alive.append(t._node)

    def reached(self, node: Node, g: Any) -> None:
        """Name what arrived at a node whose gradients users' functions see."""
        self._listen(self._reached, node, g)

    def led_on(self, node: Node, g: Any) -> None:
        """Go on with what hooks have made of it."""
        self._listen(self._led_on, node, g)

    def passed(self, node: Node, gradients: Any) -> None:
        """Name a node's gradients for the hooks behind it."""
        self._listen(self._passes, node, gradients)

    def arrived(self, leaf: TensorBase, g: Any) -> None:
        """Name what arrived at a leaf for its hooks."""
        self._listen(self._arrives, leaf, g)

    def arrived_as(self, leaf: TensorBase, g: Any) -> None:
        """Go on with what they have made of it."""
        self._listen(self._arrives_as, leaf, g)

    def _schedules(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if args or not self.moved:
            raise RefusalError("steps a schedule by a value, or before its optimizer")
        self.part.schedules.append((function, args))

    # --- forward

    def _operation(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        outputs: tuple[TensorBase, ...],
        recorded: bool,
    ) -> None:
        if name == "item" and self._looked is inputs[0]:
            self._looked = None
            return
        if self._applied is not None and outputs is self._applied:
            self._applied = None
            return
        if name == "__bool__":
            self._asked(bool, inputs, bool(inputs[0]._a.item()))
            return
        if name == "set_data":
            raise RefusalError("assigns `.data`: copy into it instead (`.data.copy_(...)`)")
        if name in _LOOKS:
            raise RefusalError(f"looks at the values of a tensor ({name}), on which it may depend")
        if name.endswith("_step") and len(inputs) == 2 and outputs and outputs[0] is inputs[0]:
            self._steps_on(name.removesuffix("_step"), outputs[0])
            return
        if self.stepped:
            self._check_still((inputs, tuple(attributes.values())))
        if name == "expect_finite":
            self.program.calls.append(Call(finite, (self._of(inputs[0]),), self._new()))
            return
        if name in _ALIASES:
            self._of(inputs[0])
        elif name == "detach_" and self._is_gradient(inputs[0]):
            return
        elif not inputs:
            self._made(name, outputs)
        elif name.endswith("_") and outputs and outputs[0] is inputs[0]:
            self._written(name, inputs, attributes, outputs[0], recorded)
        else:
            op = OPERATIONS.get(_PARTS.get(name, name))
            if op is None:
                raise RefusalError(f"uses `{name}`, which is not recorded")
            self._computed(op, inputs, attributes, outputs, recorded)

    def _made(self, name: str, outputs: tuple[TensorBase, ...]) -> None:
        if len(outputs) == 1 and id(outputs[0]._a) in self._values:
            # Drawn, as was told before.
            return
        if name not in _CONSTANT or len(outputs) != 1:
            raise RefusalError(f"makes a tensor by `{name}`, which is not recorded")
        for how, number in self.book.unseen:
            self._add_question(how, number)
        array = outputs[0]._a
        constant = self._constant(array.copy())
        self.program.calls.append(Call(np.copy, (constant,), self._name(array)))

    def _arrays(self, op: Operation, inputs: tuple[Any, ...]) -> list[Any]:
        """Return the inputs as the kernel gets them: values and constants, cast where it asks."""
        held = [x._a if isinstance(x, TensorBase) else x for x in inputs]
        given = [self._of(x) if isinstance(x, TensorBase) else self._attribute(x) for x in inputs]
        adapt = op.adapt
        if op.kind == "binary":
            same = all(isinstance(x, np.ndarray) for x in held) and held[0].dtype is held[1].dtype
            if same or (type(held[1]) is float and held[0].dtype.kind == "f"):
                return given
            adapt = adapt or promoted
        elif op.kind == "unary" and held[0].dtype.kind not in "iub":
            return given
        if adapt is None:
            return given
        return self._adapted(adapt(*held), held, given)

    def _adapted(self, adapted: Any, held: list[Any], given: list[Any]) -> list[Any]:
        result = []
        for now, before, value in zip(adapted, held, given, strict=True):
            if isinstance(before, (TakenFloat, TakenInt)):
                result.append(value)
            elif now is before or not isinstance(value, Value):
                result.append(value if now is before else now)
            elif isinstance(now, np.ndarray) and now.shape == before.shape:
                cast = self._name(now)
                self.program.calls.append(Call(np.ndarray.astype, (value, now.dtype), cast))
                result.append(cast)
            else:
                raise RefusalError("changes an input in a way that is not recorded")
        return result

    def _computed(
        self,
        op: Operation,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        outputs: tuple[TensorBase, ...],
        recorded: bool,
    ) -> None:
        if op is PICK and moving_in(attributes["index"]):
            attrs: tuple[Any, ...] = (self._key(attributes["index"]),)
            kernel: Any = Picked(outputs[0]._a.shape)
        else:
            kernel = op.kernel
            attrs = tuple(self._attribute(item) for item in attributes.values())
        if op.is_list:
            arguments: tuple[Any, ...] = ([self._attribute(x) for x in inputs], *attrs)
        else:
            arguments = (*self._arrays(op, inputs), *attrs)
        visible = [self._name(out._a) for out in outputs]
        hidden = [self._new() for _ in range(len(op.outputs) - len(visible))] if op.many else []
        results: Any = (*visible, *hidden) if op.many else visible[0]
        self.program.calls.append(Call(kernel, arguments, results))
        if recorded:
            self._remember(op, inputs, attributes, attrs, outputs, (*visible, *hidden))

    def _key(self, key: Any) -> Value:
        """Return what stands between brackets as a value that is made anew in each step."""
        numbers = [self._number(one.how) for one in moving_in(key)]
        made = self._new()
        self.program.calls.append(Call(Key(key), tuple(numbers), made))
        return made

    def _remember(
        self,
        op: Operation,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        attrs: tuple[Any, ...],
        outputs: tuple[TensorBase, ...],
        results: tuple[Value, ...],
    ) -> None:
        """Keep what the gradients of a recorded operation will ask for, as values."""
        node = next(out._node for out in outputs if out._node is not None)
        plan = node.plan
        if len(attrs) != len(op.attributes) and plan.pick is not None:
            raise RefusalError(f"calls `{op.name}` with arguments that are not recorded")
        saved: tuple[Any, ...] = ()
        if plan.pick is not None:
            given = tuple(self._attribute(x) for x in inputs)
            shapes = tuple(_shape_of(x) for x in inputs)
            if op.is_list:
                given, shapes = (given,), (shapes,)
            count = len(op.outputs)
            named = results if len(results) == count else (results * count)[:count]
            saved = plan.pick(given + named + attrs + (shapes if plan.shapes else ()))
        self._nodes[node.seq] = Step(node, saved)
        self._alive.append(node)

    def _written(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        target: TensorBase,
        recorded: bool,
    ) -> None:
        """Add an operation in place."""
        drawn, self._drawn = self._drawn, None
        if drawn is target:
            return
        if name == "zero_" and self._is_gradient(target):
            self._zeroed(target)
            return
        where = self._write_to(target, name)
        calls = self.program.calls
        if recorded and (target._node is None or target._view is not None):
            # The node of such a write is reached through what it wrote to.
            raise RefusalError(f"writes in place (`{name}`) into a view that autograd follows")
        op = attrs = None
        if name == "zero_":
            made: Any = 0
        elif name == "fill_" and len(inputs) == 1:
            made = self._constant(target._a.copy())
        elif name == "copy_" and not recorded:
            made = self._attribute(inputs[1])
        else:
            op = COPY if name == "copy_" else WRITES.get(name) or OPERATIONS.get(name[:-1])
            if op is None or op.many or op.view or op.is_list:
                raise RefusalError(f"writes in place by `{name}`, which is not recorded")
            attrs = tuple(self._attribute(item) for item in attributes.values())
            made = self._new()
            calls.append(Call(op.kernel, (*self._arrays(op, inputs), *attrs), made))
        where = self._store(target, where, made, name)
        if op is not None and attrs is not None and recorded:
            self._remember(op, inputs, attributes, attrs, (target,), (where,))

    def _store(self, target: TensorBase, where: Value, made: Any, name: str) -> Value:
        """Let a tensor have the values ``made``; returns what it is from then on."""
        calls, a = self.program.calls, target._a
        if self._is_overwritten(target):
            fitted = self._new()
            calls.append(Call(_fitted, (made, a.shape, a.dtype), fitted))
            self._overwrite(target, fitted, name)
            return fitted
        calls.append(Call(np.copyto, (where, made), None, where, {"casting": "unsafe"}))
        return where

    def _is_gradient(self, t: TensorBase) -> bool:
        return id(t._a) not in self._values and any(t is g for g in self._before.values())

    def _zeroed(self, gradient: TensorBase) -> None:
        """Note that a gradient was set to zero, to be added to."""
        leaf = next(self._leaves[key] for key, g in self._before.items() if g is gradient)
        if self.program.gradients or self.part.stores or self.program.late or self.stepped:
            self._cut()
        if all(leaf is not t for t in self.program.zeroed):
            self.program.zeroed.append(leaf)
        self._told[id(leaf)] = self._told.get(id(leaf), 0) + 1

    def _draws(
        self, function: Callable[..., Any], args: tuple[Any, ...], generator: Any, values: Any
    ) -> None:
        if generator is not None and generator is not default_generator:
            raise RefusalError("draws from a generator of its own")
        given = tuple(self._attribute(item) for item in args)
        self.program.draws = True
        self.program.calls.append(Call(Drawn(function), given, self._name(values)))

    def _works_out(self, function: Callable[..., Any], inputs: tuple[Any, ...], array: Any) -> None:
        self._check_still(inputs)
        given = tuple(self._attribute(item) for item in inputs)
        if id(array) in self._values:
            return
        if members(given):
            self.program.calls.append(Call(function, given, self._name(array)))
        else:
            self._constant(array)

    def _write_to(self, target: TensorBase, name: str) -> Value:
        where = self._of(target)
        if where in self.program.constants:
            raise RefusalError(f"writes into what is always the same (`{name}`)")
        self._written_to[where] = self._written_to.get(where, 0) + 1
        if where in self.program.inputs:
            raise RefusalError(f"writes into its argument (`{name}`)")
        if where in self.program.captured:
            own = self.program.captured[where]
            if target is not own and target._vc is not None and target._vc is own._vc:
                # Another tensor with the same history of writes, as ``detach`` makes.
                target = own
            if target is own:
                self._writes[id(own)] = self._writes.get(id(own), 0) + 1
            self.program.written.append((target, name))
        elif target._a.base is not None and not self._is_overwritten(target):
            raise RefusalError(f"writes into a view (`{name}`)")
        return where

    def _work(
        self, function: Callable[..., Any], tensors: tuple[TensorBase, ...], values: Any
    ) -> None:
        self._check_still(tensors)
        target = tensors[0]
        where = self._write_to(target, function.__name__.strip("_"))
        if len(tensors) == 1:
            if any(isinstance(value, Generator) for value in values):
                raise RefusalError("draws from a generator of its own")
            # A draw, whose write is told once more, as an operation.
            self._drawn = target
            self.program.draws = True
        if self._is_overwritten(target):
            copy = self._new()
            self.program.calls.append(Call(np.copy, (where,), copy))
            self._overwrite(target, copy, function.__name__.strip("_"))
            where = copy
        arguments = (where, *[self._of(t) for t in tensors[1:]], *map(self._attribute, values))
        self.program.calls.append(Call(function, arguments, None, where))

    # --- the end

    def finish(self, result: Any, inputs: list[Any], effects: list[Any]) -> Pieced:
        """Return the programs; raises ``RefusalError`` with the reason where there are none.

        ``effects``: what the step has left in places of Python. The programs return a pair of
        these and the result, if there are any.
        """
        if self.refused is not None:
            raise RefusalError(self.refused)
        if not self.moved and not any(one.program.gradients for one in self.parts):
            if not any(one.program.written or one.stores for one in self.parts):
                raise RefusalError("runs no backward pass and steps no optimizer")
        if self.looks.refused:
            raise RefusalError(self.looks.refused)
        if any(self._written_to.get(value, 0) != count for value, count in self._seen.items()):
            raise RefusalError("writes to a tensor that it has taken a number from")
        for item in inputs:
            if isinstance(item, TensorBase) and (item._rg or item._grad is not None):
                raise RefusalError("asks for the gradient of its argument: give it a copy of that")
        self._close()
        self._check_writes()
        tree = self._output(result, inputs)
        if effects:
            tree = ([self._output(item, inputs) for item in effects], tree)
        return split(self.parts, tree, len(inputs), self.slots)

    def _check_writes(self) -> None:
        """Refuse writes that nobody has told of."""
        moves = Counter(map(id, self.moved))
        for key, t in self._leaves.items():
            count = t._vc.count if t._vc is not None else 0
            told = self._writes.get(key, 0) + moves[key]
            if count - self._counts[key] != told:
                raise RefusalError(f"writes a tensor of shape {t._a.shape} in a way not recorded")


def _fitted(a: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return values as they are when written over an array of this shape and dtype."""
    made = np.empty(shape, dtype)
    np.copyto(made, a, casting="unsafe")
    return made


def _shape_of(x: Any) -> Any:
    return x._a.shape if isinstance(x, TensorBase) else getattr(x, "shape", ())
