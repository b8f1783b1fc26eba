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
from gradcore.ops.registry import OPERATIONS
from gradcore.ops.shape import copy as copying
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.random import Generator, default_generator
from gradcore.replay.finite import finite
from gradcore.replay.in_place import InPlace
from gradcore.replay.pieces import Pieced, split
from gradcore.replay.program import (
    Call,
    RefusalError,
    Value,
    members,
)
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


class Recording(InPlace):
    """A recorder and journal that turns what it is told into a program."""

    def __init__(
        self, inputs: list[Any], captured: list[TensorBase], function: Callable[..., Any]
    ) -> None:
        super().__init__(inputs, captured, function)
        self._counts = {id(t): t._vc.count if t._vc is not None else 0 for t in captured}
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
        elif name.endswith("_") and outputs and self._is_known(inputs[0], outputs[0]):
            self._written(name, inputs, attributes, outputs[0], recorded)
        else:
            op = OPERATIONS.get(_PARTS.get(name, name))
            if op is None:
                raise RefusalError(f"uses `{name}`, which is not recorded")
            self._computed(op, inputs, attributes, outputs, recorded)

    def _is_known(self, given: Any, out: TensorBase) -> bool:
        """Tell whether a result is what was written to; its old values may have been copied."""
        return out is given or id(out._a) in self._values

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
            node = next(out._node for out in outputs if out._node is not None)
            self._remember(op, inputs, attributes, attrs, node, (*visible, *hidden))

    def _key(self, key: Any) -> Value:
        """Return what stands between brackets as a value that is made anew in each step."""
        numbers = [self._number(one.how) for one in moving_in(key)]
        made = self._new()
        self.program.calls.append(Call(Key(key), tuple(numbers), made))
        return made

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
