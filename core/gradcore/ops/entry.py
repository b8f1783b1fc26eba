"""What one operation of the tables is: its kernel, its gradients, and the plans made from them."""

import sys
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from gradcore import graph
from gradcore.graph import Node, SavedOutput, wrap
from gradcore.ops.straight import INPUT, OTHER, OUTPUT, TENSOR, Gradients, straight, straight_joint

_ALL = range(sys.maxsize)
"""The inputs of a joint gradient: it gives something for each, however many there are."""


class Plan:
    """What a node saves and how its gradients are called, for one choice of inputs that need one.

    ``pick`` takes the saved values out of ``(*inputs, *outputs, *attributes)``, followed by the
    shapes of all inputs where ``shapes`` says so. ``calls`` has (input, function, how many
    arguments, the first two, all) with places among the saved. ``tensors`` are the places of saved
    inputs, ``outputs`` (place, port) of saved outputs, ``inputs`` the numbers of the saved inputs.
    ``calls`` is None for a joint gradient. ``gradients`` gives them all for a node, ``needing`` are
    the inputs they belong to; both are None for a function of the user's.
    """

    __slots__ = (
        "calls",
        "gradients",
        "inputs",
        "joint",
        "many",
        "names",
        "needing",
        "outputs",
        "pick",
        "shapes",
        "tensors",
    )

    pick: Callable[[Any], Any] | None
    calls: tuple[tuple[int, Any, int, int, int, tuple[int, ...]], ...] | None
    tensors: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]
    shapes: bool
    joint: tuple[Any, tuple[int, ...]] | None
    many: bool
    names: list[str]
    inputs: tuple[int, ...]
    gradients: Gradients | None
    needing: Sequence[int] | None


class Operation:
    """One entry of the table. See ``gradcore.ops.registry.operation`` for its fields."""

    def __init__(
        self,
        name: str,
        kernel: Callable[..., Any],
        inputs: int | str,
        outputs: Sequence[str],
        visible: int | None,
    ) -> None:
        self.name = name
        self.kernel = kernel
        self.is_list = inputs == "list"
        self.outputs = tuple(outputs)
        self.visible = len(self.outputs) if visible is None else visible
        self.many = len(self.outputs) > 1
        names, defaults, self.takes_out = _signature(kernel)
        count = inputs if isinstance(inputs, int) else 1
        if not names:
            names = ("input", "other")[:count]
        self.inputs = names[:count]
        self.attributes = names[count:]
        self.parameters = names
        self.defaults: tuple[Any, ...] = defaults
        self.required = len(names) - len(defaults)
        self.gradients: dict[str, Any] = {}
        self.joint: Any = None
        self.undefined = False
        self.plans: dict[int, Plan] = {}
        self.differentiable = False
        self.kind = "general"
        self.view = False
        self.varargs = False
        self.adapt: Callable[..., Any] | None = None
        self.failed: Callable[..., Exception] | None = None
        self.pack: Callable[..., Any] | None = None
        self.grad_name: str | Callable[..., str] | None = None
        self.samples: Sequence[Any] = ()
        self.parity: str | None = None
        self.gradcheck = True
        self.doc = ""
        self.family = ""
        self.call: Any = None

    def name_inputs(self, names: tuple[str, ...]) -> None:
        """Set the inputs' names, where the kernel is a ufunc or calls them otherwise."""
        self.inputs = self.parameters = names
        self.attributes, self.defaults, self.required = (), (), len(names)

    def set_gradient(self, gradient: dict[str, Any] | None, joint: Any) -> None:
        """Set the gradient functions; checks that they name only what there is."""
        self.gradients = dict(gradient or {})
        self.undefined = any(hasattr(fn, "undefined") for fn in self.gradients.values())
        self.joint = joint
        self.differentiable = bool(gradient) or joint is not None
        for key in self.gradients:
            if key not in self.inputs:
                raise ValueError(f"operation {self.name!r} has no input {key!r}: {self.inputs}")

    def plan(self, mask: int) -> Plan:
        """Return the plan for the inputs whose bits are set in ``mask``."""
        found = self.plans.get(mask)
        if found is None:
            found = self.plans[mask] = self._make_plan(mask)
        return found

    def _make_plan(self, mask: int) -> Plan:
        plan = Plan()
        plan.many = self.many
        fields = list(self.inputs + self.outputs + self.attributes)
        plan.names = []
        shapes = False

        def place(name: str) -> int:
            if name not in plan.names:
                if name not in fields and not name.endswith("_shape"):
                    raise ValueError(f"gradient of {self.name!r} asks for {name!r}: not there")
                plan.names.append(name)
            return plan.names.index(name)

        if self.joint is not None:
            wants = tuple(place(name) for name in _positional(self.joint)[2:])
            plan.joint, plan.calls = (self.joint, wants), None
        else:
            calls = []
            for i, name in enumerate(self.inputs):
                if mask >> i & 1 and name in self.gradients:
                    fn = self.gradients[name]
                    wants = tuple(place(item) for item in _positional(fn)[1:])
                    first, second = (*wants, 0, 0)[:2]
                    calls.append((i, fn, len(wants), first, second, wants))
            plan.joint, plan.calls = None, tuple(calls)
        where = []
        for name in plan.names:
            if name in fields:
                where.append(fields.index(name))
            else:
                where.append(len(fields) + self.inputs.index(name.removesuffix("_shape")))
                shapes = True
        plan.shapes = shapes
        self._place_saved(plan, where)
        self._write_out(plan, mask)
        return plan

    def _write_out(self, plan: Plan, mask: int) -> None:
        """Let the plan have all its gradients in one function."""
        kinds = [OTHER] * len(plan.names)
        for i, number in zip(plan.tensors, plan.inputs, strict=True):
            kinds[i] = TENSOR if mask >> number & 1 else INPUT
        for i, _port in plan.outputs:
            kinds[i] = OUTPUT
        if plan.joint is not None:
            plan.needing = _ALL
            plan.gradients = straight_joint(*plan.joint, tuple(kinds))
            return
        calls = plan.calls or ()
        plan.needing = [call[0] for call in calls]
        wants = tuple([call[5] for call in calls])
        plan.gradients = straight(tuple([call[1] for call in calls]), wants, tuple(kinds))

    def _place_saved(self, plan: Plan, where: list[int]) -> None:
        """Tell the plan what the saved values are, which stand at ``where`` among all values."""
        # itemgetter of one place would return the bare item: ask for it twice.
        plan.pick = itemgetter(*(where if len(where) > 1 else where * 2)) if where else None
        first = len(self.inputs)
        plan.outputs = tuple(
            (i, w - first) for i, w in enumerate(where) if first <= w < first + len(self.outputs)
        )
        plan.inputs = tuple(w for w in where if w < first)
        plan.tensors = tuple(i for i, w in enumerate(where) if w < first)

    def vjp(self, node: Node, g: Any, values: Sequence[Any], as_tensors: bool) -> list[Any]:
        """Return one gradient (or None) for each input of ``node``."""
        plan = node.plan
        if plan.joint is not None:
            fn, wants = plan.joint
            needs = tuple(edge is not None for edge in node.edges)
            return list(fn(g, needs, *[values[j] for j in wants]))
        results: list[Any] = [None] * len(node.edges)
        for i, fn, _count, _first, _second, wants in plan.calls:
            results[i] = fn(g, *[values[j] for j in wants])
        return results

    def node_name(self, node: Node) -> str:
        """Return PyTorch's name of a node of this operation."""
        label = self.grad_name
        if callable(label):
            label = label(node)
        if label is None:
            label = "".join(part.capitalize() for part in self.name.split("_"))
        if label.endswith(("Backwards", "Slices")):
            return label if label.endswith("Backwards") else "torch::autograd::" + label
        return label.replace("#", "Backward") if "#" in label else f"{label}Backward0"

    def saved_value(self, node: Node, name: str) -> tuple[Any] | None:
        """Return (value,) of what the node saved under ``name``, None if it did not."""
        plan = node.plan
        name = {"self": self.inputs[0], "result": self.outputs[0]}.get(name, name)
        if name not in plan.names or node.saved is graph.FREED:
            return None
        value = node.saved[plan.names.index(name)]
        return (wrap(value.array) if isinstance(value, SavedOutput) else value,)


def _signature(kernel: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[Any, ...], bool]:
    """Return parameter names, defaults and whether there is ``out``."""
    code = getattr(kernel, "__code__", None)
    if code is None:
        return (), (), isinstance(kernel, np.ufunc)
    names = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return names, getattr(kernel, "__defaults__", None) or (), "out" in keywords


def _positional(fn: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    return names
