"""The values of a recorded step, and its way back: gradients node by node, as they are passed.

``recording`` builds the way forward upon this.
"""

from typing import Any

import numpy as np

from gradcore.engine import fit_array
from gradcore.graph import Node, SavedOutput, TensorBase, wrap
from gradcore.replay.numbers import Evaluate, TakenFloat, TakenInt
from gradcore.replay.program import (
    Call,
    Gradient,
    Number,
    Program,
    Reading,
    RefusalError,
    Side,
    Value,
    parts_of,
    with_values,
)
from gradcore.replay.questions import moving_in, settled

AFTER = "has a hook that runs when a gradient has been added (post accumulate)"

READS = "computes with, or decides by, a setting that its schedule has just made"


class Step:
    """One recorded node: its entry and what its gradients ask for, as values of the program."""

    def __init__(self, node: Node, saved: tuple[Any, ...]) -> None:
        self.node = node
        self.saved = saved


class WayBack:
    """The program that is being made, what its values are, and what is on its way to leaves."""

    def __init__(self, inputs: list[Any], captured: list[TensorBase]) -> None:
        self.program = Program()
        self._values: dict[int, Value] = {}
        # The arrays whose ids are keys must outlive the recording.
        self._alive: list[Any] = [inputs, captured]
        self._nodes: dict[int, Step] = {}
        self._passed: set[int] = set()
        # Nodes whose gradients go through hooks before they are handed on.
        self._through_hooks: set[int] = set()
        self._pending: dict[int, Any] = {}
        self._arrived: dict[int, Value] = {}
        self._leaves = {id(t): t for t in captured}
        self._before = {id(t): t._grad for t in captured}
        self._told: dict[int, int] = {}
        self._filled: dict[int, tuple[Gradient, Any]] = {}
        # What arrived at each output of a node, by node and number of the output.
        self._gradient_at: dict[tuple[int, int], Value] = {}
        # What stands in places of Python when the step begins, and is computed with.
        self.slots: dict[Value, tuple[Any, tuple[int, ...]]] = {}
        self._side_values: dict[Side, Value] = {}
        # The arrays that the step has made itself.
        self._own: set[int] = set()
        self._named: set[Value] = set()
        self._own_grads: dict[int, Any] = {}
        # Arrays that must not be computed with, and why.
        self._unknown: dict[int, str] = {}

    # --- values

    def _name(self, array: Any) -> Value:
        value = self._new()
        self._values[id(array)] = value
        self._named.add(value)
        self._own.add(id(array))
        self._alive.append(array)
        return value

    def _new(self) -> Value:
        self.program.count += 1
        return Value(self.program.count - 1)

    def _constant(self, array: Any) -> Value:
        value = self._name(array)
        self.program.constants[value] = array
        return value

    def _of(self, t: TensorBase) -> Value:
        found = self._values.get(id(t._a))
        if id(t._a) in self._unknown:
            raise RefusalError(self._unknown[id(t._a)])
        if found is None:
            raise RefusalError(
                f"uses a tensor of shape {t._a.shape} that comes neither from its arguments nor "
                "from its model, and that no operation of this step has made"
            )
        return found

    def _attribute(self, item: Any) -> Any:
        """Return an attribute with the arrays in it as values."""
        if isinstance(item, TensorBase):
            return self._of(item)
        if isinstance(item, np.ndarray):
            if id(item) in self._values:
                return self._values[id(item)]
            raise RefusalError("indexes by values that are worked out outside of operations")
        if isinstance(item, (TakenFloat, TakenInt)):
            return self._number(item.how)
        if moving := moving_in(item):
            for one in moving:
                self._ask_of(one.how, int(one))
            return settled(item)
        if type(item) in (tuple, list):
            return type(item)([self._attribute(part) for part in item])
        if isinstance(item, slice) and any(
            isinstance(part, (TensorBase, np.ndarray, TakenInt)) for part in (item.start, item.stop)
        ):
            raise RefusalError("slices by values of a tensor")
        return item

    def _ask_of(self, how: Any, answer: Any) -> None:
        """Let a number be what it was, or the step another one."""
        raise NotImplementedError

    def _number(self, how: Any) -> Value:
        """Return the value that a Python number is."""
        if any(isinstance(part, Reading) for part in parts_of(how)):
            raise RefusalError(READS)
        how = with_values(how, self._side_number)
        if isinstance(how, Number) and how.value not in self._named:
            return how.value
        evaluate = Evaluate(how)
        number = self._new()
        self.program.calls.append(Call(evaluate, tuple(evaluate.values), number))
        return number

    def _side_number(self, side: Side) -> Number:
        """Let a number that stands beside the program become an argument of it."""
        value = self._side_values.get(side)
        if value is None:
            value = self._side_values[side] = self._new()
            if type(side.place) is int:
                self.program.inputs[value] = side.place
            else:
                self.slots[value] = (side.place, side.path)
        return Number(value)

    # --- backward

    def _gradients(self, node: Node, gradients: tuple[Any, ...]) -> None:
        self._passed.add(node.seq)
        if any(isinstance(part, TensorBase) for part in gradients):
            # The graph of gradients is recorded: each of them is an operation, told as all are.
            return
        step = self._step_of(node)
        if node.seq in self._through_hooks:
            self._through_hooks.discard(node.seq)
            parts = [None if item is None else self._of_array(item) for item in gradients]
        else:
            parts = self._parts(step, gradients)
        for i, part in enumerate(parts):
            edge = node.edges[i]
            if part is not None and edge is not None:
                self._put(edge, node.ports[i] if node.ports else 0, part, gradients[i])

    def _step_of(self, node: Node) -> Step:
        step = self._nodes.get(node.seq)
        if step is not None:
            return step
        plain = not any(
            isinstance(item, (TensorBase, np.ndarray, SavedOutput)) for item in node.saved
        )
        if getattr(node.op, "view", False) and plain:
            # Of a view that was made anew, as what it looks at was written to.
            return Step(node, node.saved)
        raise RefusalError(f"passes {node.name()}, which this step did not record, backward")

    def _parts(self, step: Step, gradients: tuple[Any, ...]) -> list[Any]:
        """Return the gradients of a node as values."""
        node = step.node
        g = self._pending.pop(node.seq)
        for port, one in enumerate(g if isinstance(g, list) else [g]):
            if one is not None:
                self._gradient_at[node.seq, port] = one
        if node.plan.calls is node.plan.joint:
            # A user's backward: all it did was told.
            return [None if item is None else self._of_array(item) for item in gradients]
        return self._called(step, g, gradients)

    # --- what hooks and users' functions see

    def _of_array(self, array: Any) -> Value:
        return self._of(wrap(array))

    def _call(self, array: Any, value: Any) -> None:
        """Let an array that is on its way be a value that can be computed with."""
        if array is not None and value is not None:
            self._values[id(array)] = value
            self._alive.append(array)

    def _reached(self, node: Node, g: Any) -> None:
        held = self._pending[node.seq]
        if isinstance(held, list):
            for array, value in zip(g, held, strict=True):
                self._call(array, value)
        else:
            self._call(g, held)

    def _led_on(self, node: Node, g: Any) -> None:
        many = isinstance(self._pending[node.seq], list)
        parts = [None if one is None else self._of_array(one) for one in (g if many else [g])]
        self._pending[node.seq] = parts if many else parts[0]

    def _passes(self, node: Node, gradients: Any) -> None:
        step = self._step_of(node)
        for array, value in zip(gradients, self._parts(step, tuple(gradients)), strict=True):
            self._call(array, value)
        self._through_hooks.add(node.seq)

    def _arrives(self, leaf: TensorBase, g: Any) -> None:
        self._call(g, self._arrived.get(id(leaf)))

    def _arrives_as(self, leaf: TensorBase, g: Any) -> None:
        if id(leaf) in self._arrived:
            self._arrived[id(leaf)] = self._of_array(g)

    def _called(self, step: Step, g: Any, gradients: tuple[Any, ...]) -> list[Any]:
        """Add the calls of a node's gradient functions; return their results as values."""
        plan, calls = step.node.plan, self.program.calls
        results: list[Any] = [None] * len(step.node.edges)
        made: list[Any] = [None if item is None else self._new() for item in gradients]
        if plan.joint is not None:
            function, wants = plan.joint
            needs = tuple(edge is not None for edge in step.node.edges)
            arguments = (g, needs, *[step.saved[j] for j in wants])
            calls.append(Call(function, arguments, tuple(made)))
            return made
        for i, function, _count, _first, _second, wants in plan.calls:
            if made[i] is not None:
                arguments = (g, *[step.saved[j] for j in wants])
                calls.append(Call(function, arguments, made[i]))
                results[i] = made[i]
        return results

    def _put(self, edge: Any, port: int, g: Value, array: Any) -> None:
        """Add ``g`` to what is on its way to ``edge``, as the engine does."""
        many = isinstance(edge, Node) and edge.plan.many
        if isinstance(edge, Node):
            key, held = edge.seq, self._pending
            shape, dtype = (
                (edge.shape[port], edge.dtype[port]) if many else (edge.shape, edge.dtype)
            )
        else:
            key, held = id(edge), self._arrived
            shape, dtype = edge._a.shape, edge._a.dtype
        if array.shape != shape or array.dtype != dtype:
            fitted = self._new()
            self.program.calls.append(Call(fit_array, (g, shape, dtype), fitted))
            g = fitted
        if many:
            parts = held.setdefault(key, [None] * len(edge.shape))
            parts[port] = g if parts[port] is None else self._sum(parts[port], g)
        else:
            before = held.get(key)
            held[key] = g if before is None else self._sum(before, g)

    def _sum(self, first: Value, second: Value) -> Value:
        total = self._new()
        self.program.calls.append(Call(np.add, (first, second), total))
        return total

    def _accumulated(self, leaf: TensorBase) -> None:
        value = self._arrived.pop(id(leaf), None)
        if value is not None and id(leaf) not in self._leaves and id(leaf._a) in self._own:
            self._fill_own(leaf, value)
            return
        if value is None or id(leaf) not in self._leaves:
            raise RefusalError("fills the gradient of a tensor that it does not get from outside")
        if leaf._more is not None and leaf._more.after:
            raise RefusalError(AFTER)
        if (held := self._filled.get(id(leaf))) is not None:
            one, grad = held
            if leaf._grad is not grad:
                raise RefusalError("takes away gradients between two backward passes")
            one.value = self._sum(one.value, value)
            self._told[id(leaf)] = self._told.get(id(leaf), 0) + 1
            return
        before = self._before[id(leaf)]
        fresh = leaf._grad is not before
        if not fresh:
            self._told[id(leaf)] = self._told.get(id(leaf), 0) + 1
        gradient = Gradient(leaf, value, fresh, before is not None, True)
        self._filled[id(leaf)] = gradient, leaf._grad
        self.program.gradients.append(gradient)

    def _fill_own(self, leaf: TensorBase, value: Value) -> None:
        """Note the gradient of a tensor that the step has made, and that ends with it."""
        if leaf._more is not None and leaf._more.after:
            raise RefusalError(AFTER)
        before = self._values.get(id(leaf._grad._a))
        if before is not None and leaf._grad._a is self._own_grads.get(id(leaf)):
            value = self._sum(before, value)
        self._values[id(leaf._grad._a)] = value
        self._own_grads[id(leaf)] = leaf._grad._a
        self._alive += [leaf, leaf._grad._a]
