"""Operations of a recorded step as calls: what their kernels get, and what writes in place do.

``recording`` builds upon this.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.graph import TensorBase
from gradcore.ops.entry import Operation
from gradcore.ops.numbers import promoted
from gradcore.ops.registry import OPERATIONS, WRITES
from gradcore.ops.shape import copy as copying
from gradcore.replay.numbers import TakenFloat, TakenInt
from gradcore.replay.parts import PartOf, WithPart, WritePart
from gradcore.replay.program import Call, RefusalError, Value
from gradcore.replay.python_side import PythonSide
from gradcore.replay.way_back import Step

COPY = copying.operation


class InPlace(PythonSide):
    """The calls of operations, and of writes in place."""

    def __init__(
        self, inputs: list[Any], captured: list[TensorBase], function: Callable[..., Any]
    ) -> None:
        super().__init__(inputs, captured, function)
        self._writes: dict[int, int] = {}
        self._drawn: TensorBase | None = None

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

    def _remember(
        self,
        op: Operation,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        attrs: tuple[Any, ...],
        node: Any,
        results: tuple[Value, ...],
    ) -> None:
        """Keep what the gradients of a recorded operation will ask for, as values."""
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
        if self._is_part(target):
            whole = target._view.base if target._view is not None else target
            self._writes_part(name, inputs, attributes, target, whole, recorded)
            return
        where = self._write_to(target, name)
        if recorded and (target._node is None or target._view is not None):
            # The node of such a write is reached through what it wrote to.
            raise RefusalError(f"writes in place (`{name}`) into a view that autograd follows")
        made, op, attrs = self._new_values(name, inputs, attributes, target, recorded)
        where = self._store(target, where, made, name)
        if recorded and target._node is not None:
            self._remember(op or target._node.op, inputs, attributes, attrs, target._node, (where,))

    def _new_values(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        target: TensorBase,
        recorded: bool,
    ) -> tuple[Any, Operation | None, tuple[Any, ...]]:
        """Return what is written, and the operation that makes it, with its attributes."""
        if name == "zero_":
            return 0, None, ()
        if name == "fill_" and len(inputs) == 1:
            return self._constant(target._a.copy()), None, ()
        if name == "copy_" and not recorded:
            return self._attribute(inputs[1]), None, ()
        op = COPY if name == "copy_" else WRITES.get(name) or OPERATIONS.get(name[:-1])
        if op is None or op.many or op.view or op.is_list:
            raise RefusalError(f"writes in place by `{name}`, which is not recorded")
        attrs = tuple(self._attribute(item) for item in attributes.values())
        made = self._new()
        self.program.calls.append(Call(op.kernel, (*self._arrays(op, inputs), *attrs), made))
        return made, op, attrs

    def _is_part(self, target: TensorBase) -> bool:
        """Tell whether a tensor is a part of another one, which the recording knows."""
        view = target._view
        if view is None or view.base._a is target._a or id(target._a) in self._grads:
            return False
        return id(view.base._a) in self._values and id(view.base._a) not in self._grads

    def _writes_part(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        target: TensorBase,
        whole: TensorBase,
        recorded: bool,
    ) -> None:
        """Add a write into a part of what the step has made, or has captured."""
        view: Any = target._view
        chain = tuple((op.kernel, tuple(map(self._attribute, given))) for op, given in view.chain)
        slices = whole._node if recorded else None
        node: Any = slices.edges[1] if slices is not None else None
        if name == "copy_":
            made, op, attrs = self._attribute(inputs[1]), None if node is None else node.op, ()
        else:
            made, op, attrs = self._new_values(name, inputs, attributes, target, recorded)
        value = self._of(whole)
        if value in self.program.captured:
            value = self._write_to(whole, name)
            self.program.calls.append(Call(WritePart(chain), (value, made), None, value))
        elif value in self.program.inputs or value in self.program.constants:
            raise RefusalError(f"writes into its argument, or a constant (`{name}`)")
        else:
            value, before = self._new(), value
            self._written_to[before] = self._written_to.get(before, 0) + 1
            self.program.calls.append(Call(WithPart(chain), (before, made), value))
            self._renew(whole._a, value)
        self._forget_views(target._a, whole._a)
        part = self._new()
        self.program.calls.append(Call(PartOf(chain), (value,), part))
        self._renew(target._a, part)
        if slices is not None:
            self._nodes[slices.seq] = Step(slices, slices.saved)
            self._alive.append(slices)
        if node is not None:
            self._remember(op or node.op, inputs, attributes, attrs, node, (part,))

    def _store(self, target: TensorBase, where: Value, made: Any, name: str) -> Value:
        """Let a tensor have the values ``made``; returns what it is from then on."""
        calls = self.program.calls
        if self._is_overwritten(target):
            fitted = self._new()
            calls.append(Call(_fitted, (made, where), fitted))
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


def _fitted(a: Any, where: Any) -> Any:
    """Return values as they are when written over an array."""
    made = np.empty_like(where, subok=False)
    np.copyto(made, a, casting="unsafe")
    return made


def _shape_of(x: Any) -> Any:
    return x._a.shape if isinstance(x, TensorBase) else getattr(x, "shape", ())
