"""Records one real eager step as a ``Program``: forward operations as they are told, backward node
by node, and what comes after it.

Recording never disturbs the step: what it cannot follow is noted as ``refused``, and the step goes
on as if nobody had listened.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import FREED, Node, TensorBase
from gradcore.ops.entry import Operation
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import OPERATIONS, WRITES
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.random import Generator, default_generator
from gradcore.replay.finite import finite
from gradcore.replay.looks import Looks
from gradcore.replay.program import (
    Call,
    Number,
    Program,
    RefusalError,
    Returned,
    Value,
    members,
)
from gradcore.replay.questions import Asked, Drawn
from gradcore.replay.way_back import Step, WayBack

_LOOKS = {"item", "tolist", "numpy", "__bool__"}
_ALIASES = {"detach", "data"}
_CONSTANT = {
    "zeros", "ones", "full", "eye", "arange", "linspace", "logspace", "tensor", "scalar_tensor",
    "empty", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
    "new_full", "new_empty",
}  # fmt: skip
_PARTS = {"split": "split_parts", "unbind": "unbind_parts"}


class Recording(WayBack):
    """A recorder and journal that turns what it is told into a program."""

    def __init__(
        self, inputs: list[Any], captured: list[TensorBase], function: Callable[..., Any]
    ) -> None:
        super().__init__(inputs, captured)
        self.refused: str | None = None
        self.looks = Looks(function)
        self.schedules: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._looked: TensorBase | None = None
        # How many writes to each value there were, and how many when it was looked at.
        self._written_to: dict[Value, int] = {}
        self._seen: dict[Value, int] = {}
        self._writes: dict[int, int] = {}
        self._counts = {id(t): t._vc.count if t._vc is not None else 0 for t in captured}
        self._drawn: TensorBase | None = None
        for number, item in enumerate(inputs):
            if isinstance(item, TensorBase):
                self.program.inputs[self._name(item._a)] = number
        given = set(self._values)
        for t in captured:
            if id(t._a) in given:
                self.refused = "is given a tensor that it also reaches by itself"
            elif id(t._a) not in self._values:
                self.program.captured[self._name(t._a)] = t

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
        if isinstance(getattr(function, "__self__", None), LRScheduler):
            if args or not self.stepped:
                self.refused = self.refused or "steps a schedule by a value, or too early"
            self.schedules.append((function, args))
            return
        if self._pending or self.stepped or not self.program.gradients:
            self.refused = (
                self.refused or f"calls {function.__name__} elsewhere than after backward"
            )
        self.program.late.append((function, args))

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

    def looked(self, t: TensorBase, number: Any) -> None:
        """Note that a number was taken out of a tensor."""
        self._listen(self._takes, t, number)

    def _listen(self, part: Callable[..., None], *args: Any) -> None:
        if self.refused is not None:
            return
        try:
            part(*args)
        except RefusalError as refusal:
            self.refused = str(refusal)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self.refused = f"was not understood: {type(error).__name__}: {error}"

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
        if name in _LOOKS:
            raise RefusalError(f"looks at the values of a tensor ({name}), on which it may depend")
        if name.endswith("_step") and len(inputs) == 2 and outputs and outputs[0] is inputs[0]:
            self.stepped.append((name.removesuffix("_step"), outputs[0]))
            return
        if self.stepped:
            self._check_still((inputs, tuple(attributes.values())), name)
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

    def _check_still(self, items: Any, name: str) -> None:
        """Refuse to compute with what an optimizer has moved: replay moves it at the end."""
        if isinstance(items, TensorBase):
            if any(np.may_share_memory(items._a, t._a) for _, t in self.stepped):
                raise RefusalError(f"computes ({name}) with a parameter after the optimizer's step")
        elif isinstance(items, (tuple, list)):
            for item in items:
                self._check_still(item, name)

    def _made(self, name: str, outputs: tuple[TensorBase, ...]) -> None:
        if len(outputs) == 1 and id(outputs[0]._a) in self._values:
            # Drawn, as was told before.
            return
        if name not in _CONSTANT or len(outputs) != 1:
            raise RefusalError(f"makes a tensor by `{name}`, which is not recorded")
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
            if now is before or not isinstance(value, Value):
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
        attrs = tuple(self._attribute(item) for item in attributes.values())
        if op.is_list:
            arguments: tuple[Any, ...] = ([self._attribute(x) for x in inputs], *attrs)
        else:
            arguments = (*self._arrays(op, inputs), *attrs)
        visible = [self._name(out._a) for out in outputs]
        hidden = [self._new() for _ in range(len(op.outputs) - len(visible))] if op.many else []
        results: Any = (*visible, *hidden) if op.many else visible[0]
        self.program.calls.append(Call(op.kernel, arguments, results))
        if recorded:
            self._remember(op, inputs, attributes, attrs, outputs, (*visible, *hidden))

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
        if recorded:
            # The node of such a write is reached through what it wrote to.
            if target._node is None or target._view is not None:
                raise RefusalError(f"writes in place (`{name}`) into a view that autograd follows")
        if name == "zero_":
            calls.append(Call(np.copyto, (where, 0), None, where, {"casting": "unsafe"}))
        elif name == "copy_" and not recorded:
            source = self._attribute(inputs[1])
            calls.append(Call(np.copyto, (where, source), None, where, {"casting": "unsafe"}))
        else:
            op = WRITES.get(name)
            if op is None or op.many or op.view or op.is_list:
                raise RefusalError(f"writes in place by `{name}`, which is not recorded")
            attrs = tuple(self._attribute(item) for item in attributes.values())
            made = self._new()
            calls.append(Call(op.kernel, (*self._arrays(op, inputs), *attrs), made))
            calls.append(Call(np.copyto, (where, made), None, where, {"casting": "unsafe"}))
            if recorded:
                self._remember(op, inputs, attributes, attrs, (target,), (where,))

    def _is_gradient(self, t: TensorBase) -> bool:
        return id(t._a) not in self._values and any(t is g for g in self._before.values())

    def _zeroed(self, gradient: TensorBase) -> None:
        """Note that a gradient was set to zero, to be added to."""
        leaf = next(self._leaves[key] for key, g in self._before.items() if g is gradient)
        if self.program.gradients or any(leaf is t for t in self.program.zeroed):
            raise RefusalError("sets gradients to zero after backward")
        self.program.zeroed.append(leaf)

    def _draws(
        self, function: Callable[..., Any], args: tuple[Any, ...], generator: Any, values: Any
    ) -> None:
        if generator is not None and generator is not default_generator:
            raise RefusalError("draws from a generator of its own")
        given = tuple(self._attribute(item) for item in args)
        self.program.draws = True
        self.program.calls.append(Call(Drawn(function), given, self._name(values)))

    def _asked(
        self, function: Callable[..., Any], tensors: tuple[TensorBase, ...], answer: Any
    ) -> None:
        self._check_still(tensors, "a question")
        given = tuple(self._of(t) for t in tensors)
        self.program.calls.append(Call(Asked(function, answer), given, self._new()))

    def _works_out(self, function: Callable[..., Any], inputs: tuple[Any, ...], array: Any) -> None:
        self._check_still(inputs, function.__name__.strip("_"))
        given = tuple(self._attribute(item) for item in inputs)
        if id(array) in self._values:
            return
        if members(given):
            self.program.calls.append(Call(function, given, self._name(array)))
        else:
            self._constant(array)

    def _takes(self, t: TensorBase, number: Any) -> None:
        value = self._of(t)
        if self.stepped:
            self._check_still(t, "item")
        self.looks.add(number, value)
        if self.looks.refused:
            raise RefusalError(self.looks.refused)
        self._looked = t
        self._seen[value] = self._written_to.get(value, 0)

    def _write_to(self, target: TensorBase, name: str) -> Value:
        where = self._of(target)
        if where in self.program.constants:
            raise RefusalError(f"writes into what is always the same (`{name}`)")
        self._written_to[where] = self._written_to.get(where, 0) + 1
        if where in self.program.inputs:
            raise RefusalError(f"writes into its argument (`{name}`)")
        if where in self.program.captured:
            if self.program.captured[where] is not target:
                raise RefusalError(f"writes into the memory of another tensor (`{name}`)")
            self._writes[id(target)] = self._writes.get(id(target), 0) + 1
            self.program.written.append((target, name))
        elif target._a.base is not None:
            raise RefusalError(f"writes into a view (`{name}`)")
        return where

    def _work(
        self, function: Callable[..., Any], tensors: tuple[TensorBase, ...], values: Any
    ) -> None:
        self._check_still(tensors, function.__name__.strip("_"))
        target = tensors[0]
        where = self._write_to(target, function.__name__.strip("_"))
        if len(tensors) == 1:
            if any(isinstance(value, Generator) for value in values):
                raise RefusalError("draws from a generator of its own")
            # A draw, whose write is told once more, as an operation.
            self._drawn = target
            self.program.draws = True
        arguments = (where, *[self._of(t) for t in tensors[1:]], *map(self._attribute, values))
        self.program.calls.append(Call(function, arguments, None, where))

    # --- the end

    def finish(self, result: Any, inputs: list[Any]) -> Program:
        """Return the program; raises ``RefusalError`` with the reason where there is none."""
        if self.refused is not None:
            raise RefusalError(self.refused)
        if self._pending or self._arrived:
            raise RefusalError("runs a backward pass that does not fill gradients")
        if not self.program.gradients and not self.stepped:
            raise RefusalError("runs no backward pass and steps no optimizer")
        if self.looks.refused:
            raise RefusalError(self.looks.refused)
        if any(self._written_to.get(value, 0) != count for value, count in self._seen.items()):
            raise RefusalError("writes to a tensor that it has taken a number from")
        program = self.program
        filled = {id(one.leaf) for one in program.gradients}
        for one in program.gradients:
            one.kept = one.leaf._grad is not None
            if not one.fresh and not one.kept:
                raise RefusalError("takes away a gradient that it added to")
        for key, before in self._before.items():
            if before is not None and key not in filled:
                now = self._leaves[key]._grad
                if any(self._leaves[key] is t for t in program.zeroed):
                    if now is not before:
                        raise RefusalError("replaces a gradient")
                elif now is None:
                    program.cleared.append(self._leaves[key])
                elif now is not before:
                    raise RefusalError("replaces a gradient")
        self._check_writes()
        program.returned = self._output(result, inputs)
        return program

    def _check_writes(self) -> None:
        moved = {id(t): 1 for _, t in self.stepped}
        for key, t in self._leaves.items():
            count = t._vc.count if t._vc is not None else 0
            told = self._writes.get(key, 0) + moved.get(key, 0)
            if count - self._counts[key] != told:
                raise RefusalError(f"writes a tensor of shape {t._a.shape} in a way not recorded")
        if not self.program.late:
            for one in self.program.gradients:
                grad = one.leaf._grad
                count = 0 if grad is None or grad._vc is None else grad._vc.count
                if one.fresh and count != self._added.get(id(one.leaf), 0):
                    raise RefusalError("changes gradients after backward")

    def _output(self, result: Any, inputs: list[Any]) -> Any:
        if type(result) in (tuple, list):
            return type(result)([self._output(item, inputs) for item in result])
        if type(result) is dict:
            return {key: self._output(item, inputs) for key, item in result.items()}
        if not isinstance(result, TensorBase):
            value = self.looks.value_of(result)
            if value is not None:
                return Number(value)
            if self.looks.numbers and result is not None:
                raise RefusalError("returns a number that it works out from one it has taken")
            if result is None or type(result) in (bool, int, str):
                return result
            raise RefusalError(f"returns a {type(result).__name__}")
        if any(result is item for item in inputs) or id(result) in self._leaves:
            raise RefusalError("returns one of its arguments or captured tensors")
        node = result._node
        if node is not None and (node.seq not in self._passed or node.saved not in ((), FREED)):
            raise RefusalError("returns a tensor whose graph is still needed for a backward pass")
        return Returned(self._of(result), node, result._port)


def _shape_of(x: Any) -> Any:
    return x._a.shape if isinstance(x, TensorBase) else getattr(x, "shape", ())
