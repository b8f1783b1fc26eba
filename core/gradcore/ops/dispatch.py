"""From a call to its kernel: arguments, dtypes, results, and the node on the tape.

Each operation gets one function, made once from its entry; nothing is looked up by name, and no
signature is inspected, while it is called. Called with arrays alone (as gradient functions do) it
runs the kernel and nothing else.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from gradcore import dtypes, graph
from gradcore.dtypes import Array
from gradcore.errors import ArgumentError, DtypeError, InplaceError, ShapeError
from gradcore.graph import (
    INFERENCE,
    Node,
    SavedOutput,
    TensorBase,
    View,
    counter,
    new,
    state,
    tick,
    wrap,
    written,
)

ndarray = np.ndarray


class Plan:
    """What a node saves and how its gradients are called, for one choice of inputs that need one.

    ``pick`` takes the saved values out of ``(*inputs, *outputs, *attributes, *shapes)``;
    ``calls`` has (input, function, places of its arguments among the saved). ``outputs`` lists
    (place, port) of saved outputs. ``calls`` is None for a joint gradient.
    """

    __slots__ = ("pick", "calls", "outputs", "shapes", "joint", "many", "names", "inputs")

    pick: Callable[[Any], Any] | None
    calls: tuple[tuple[int, Any, tuple[int, ...]], ...] | None
    outputs: tuple[tuple[int, int], ...]
    shapes: tuple[int, ...]
    joint: tuple[Any, tuple[int, ...]] | None
    many: bool
    names: list[str]
    inputs: tuple[int, ...]


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
        self.view = False
        self.varargs = False
        self.adapt: Callable[..., Any] | None = None
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
        shapes: list[int] = []

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
                    calls.append((i, fn, tuple(place(item) for item in _positional(fn)[1:])))
            plan.joint, plan.calls = None, tuple(calls)
        where = []
        for name in plan.names:
            if name in fields:
                where.append(fields.index(name))
            else:
                where.append(len(fields) + len(shapes))
                shapes.append(self.inputs.index(name.removesuffix("_shape")))
        plan.shapes = tuple(shapes)
        # itemgetter of one place would return the bare item: ask for it twice.
        plan.pick = itemgetter(*(where if len(where) > 1 else where * 2)) if where else None
        first = len(self.inputs)
        plan.outputs = tuple(
            (i, w - first)
            for i, w in enumerate(where if len(where) > 1 else where * 2)
            if first <= w < first + len(self.outputs)
        )
        plan.inputs = tuple(w for w in where if w < first)
        return plan

    def vjp(self, node: Node, g: Any, values: Sequence[Any], as_tensors: bool) -> list[Any]:
        """Return one gradient (or None) for each input of ``node``."""
        plan = node.plan
        if plan.joint is not None:
            fn, wants = plan.joint
            needs = tuple(edge is not None for edge in node.edges)
            return list(fn(g, needs, *[values[j] for j in wants]))
        results: list[Any] = [None] * len(node.edges)
        for i, fn, wants in plan.calls:
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
            return label
        return label.replace("#", "Backward") if "#" in label else f"{label}Backward0"

    def saved_value(self, node: Node, name: str) -> tuple[Any] | None:
        """Return (value,) of what the node saved under ``name``, None if it did not."""
        plan = node.plan
        if name not in plan.names or node.saved is graph.FREED:
            return None
        value = node.saved[plan.names.index(name)]
        return (wrap(value.array) if isinstance(value, SavedOutput) else value,)

    def make_inplace(self, public: str) -> Callable[..., Any]:
        """Return the in-place form of this operation."""
        return _make_inplace(self, public)


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


# --- numbers among tensors


def number(value: Any, x: Array) -> tuple[Array, Any]:
    """Return ``x`` and a Python number such that NumPy gives the dtype torch would.

    NumPy makes float64 of an integer array and a float; torch the default dtype. A Python integer
    beyond the array's integer dtype wraps around, as torch.
    """
    if isinstance(value, np.generic):
        value = value.item()
    kind = x.dtype.kind
    if isinstance(value, float):
        if kind in "iub":
            x = x.astype(dtypes.default_float())
    elif isinstance(value, int):
        if kind in "iu" and type(value) is int:
            info = np.iinfo(x.dtype)
            if not info.min <= value <= info.max:
                value = int(np.array(value & (2**64 - 1), np.uint64).astype(x.dtype))
        elif kind == "b" and type(value) is int:
            x = x.astype(np.int64)
    elif isinstance(value, complex):
        if kind in "iub":
            x = x.astype(dtypes.default_complex())
    else:
        raise ArgumentError(
            f"expected a tensor or a number, got {type(value).__name__}: {value!r:.60}",
            "",
            "Turn it into a tensor with torch.tensor(...) first.",
        )
    return x, value


def promoted(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two arrays (one of them may be a number) in their common dtype."""
    if not isinstance(y, ndarray):
        return number(y, x)
    if not isinstance(x, ndarray):
        y, x = number(x, y)
        return x, y
    kind = dtypes.common(x, y)
    return x.astype(kind, copy=False), y.astype(kind, copy=False)


def same_dtype(x: Any, y: Any) -> tuple[Any, Any]:
    """Refuse two tensors of different dtypes, as torch's matrix products do."""
    if not (isinstance(x, ndarray) and isinstance(y, ndarray)):
        other = y if isinstance(x, ndarray) else x
        raise ArgumentError(
            f"a matrix product takes tensors, got {type(other).__name__}",
            "",
            "Use `*` to multiply by a number.",
        )
    if x.dtype != y.dtype:
        raise DtypeError(
            f"expected m1 and m2 to have the same dtype, but got: {_c_name(x)} != {_c_name(y)}",
            f"The shapes are {x.shape} and {y.shape}.",
            f"Convert one of them, for instance with .to({dtypes.of(x)}).",
            dtypes=(dtypes.of(x), dtypes.of(y)),
        )
    return x, y


_C_NAMES = {
    "float32": "float",
    "float64": "double",
    "int64": "long long",
    "int32": "int",
    "float16": "c10::Half",
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short",
}


def _c_name(x: Array) -> str:
    return _C_NAMES.get(str(x.dtype), str(x.dtype))


def broadcast_failed(op: Operation, arrays: Sequence[Any], error: Exception) -> Exception:
    """Return the error to raise where NumPy refused the shapes of an element-wise operation."""
    shapes = [item.shape for item in arrays if isinstance(item, ndarray)]
    if len(shapes) >= 2:
        a, b = shapes[0], shapes[1]
        for dim in range(1, min(len(a), len(b)) + 1):
            if a[-dim] != b[-dim] and 1 not in (a[-dim], b[-dim]):
                place = max(len(a), len(b)) - dim
                return ShapeError(
                    f"The size of tensor a ({a[-dim]}) must match the size of tensor b "
                    f"({b[-dim]}) at non-singleton dimension {place}",
                    f"In `{op.name}` of shapes {a} and {b}.",
                    "Reshape one of them so that each dimension is equal or 1.",
                    shapes=(a, b),
                )
    return error


# --- the tape


def current_node(t: TensorBase) -> Node | None:
    """Return the node ``t`` came from; a view's is made anew after its base was written to."""
    view = t._view
    if view is not None:
        vc = view.base._vc
        if vc is not None and vc.rebased > view.stamp:
            _renew_view(t, view)
    return t._node


def _renew_view(t: TensorBase, view: View) -> None:
    before, state.grad = state.grad, True
    state.quiet += 1
    try:
        again: Any = view.base
        for op, attrs in view.chain:
            again = apply(op, (again,), attrs)
        t._node, t._port = again._node, again._port
        view.stamp = tick()
    finally:
        state.grad = before
        state.quiet -= 1


def leads_to(x: Any) -> Any:
    """Return the edge to a tensor: its node, itself if it is a leaf to be trained, or None."""
    node = x._node if x._view is None else current_node(x)
    if node is not None:
        return node
    return x if x._rg else None


def record(
    op: Operation,
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    attrs: tuple[Any, ...],
) -> bool:
    """Put one operation on the tape if an input asks for it; return whether it was."""
    mask = 0
    bit = 1
    edges = []
    ports = None
    members = inputs[0] if op.is_list else inputs
    for i, x in enumerate(members):
        edge = None
        if isinstance(x, TensorBase):
            edge = leads_to(x)
            if edge is not None:
                mask |= bit
                if x._port:
                    ports = ports or [0] * len(members)
                    ports[i] = x._port
        edges.append(edge)
        bit <<= 1
    if not mask:
        return False
    plan = op.plan(0 if op.is_list or op.joint is not None else mask)
    if plan.calls == ():
        return False
    if any(isinstance(x, TensorBase) and x._vc is INFERENCE for x in members):
        graph.refuse_inference()
    kinds = [out._a.dtype.kind in "fc" for out in outputs]
    if not any(kinds):
        return False
    node = new(Node)
    node.op = op
    node.plan = plan
    node.edges = tuple(edges)
    node.ports = ports and tuple(ports)
    node.hooks = None
    node.poison = ""
    if op.many:
        node.shape = tuple([out._a.shape for out in outputs])
        node.dtype = tuple([out._a.dtype for out in outputs])
    else:
        node.shape = outputs[0]._a.shape
        node.dtype = outputs[0]._a.dtype
    node.seq = tick()
    if plan.pick is None:
        node.saved = ()
    else:
        if op.is_list:
            inputs = (tuple(members),)
        shapes: tuple[Any, ...] = ()
        if plan.shapes:
            shapes = tuple([_shape_of(inputs[i]) for i in plan.shapes])
        saved = plan.pick(inputs + outputs + attrs + shapes)
        if plan.outputs:
            saved = list(saved)
            for i, port in plan.outputs:
                saved[i] = SavedOutput(saved[i]._a, counter(saved[i]), port)
            saved = tuple(saved)
        node.saved = saved
    for port, out in enumerate(outputs):
        if kinds[port]:
            out._node = node
            out._port = port
    return True


def _shape_of(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return x._a.shape
    if type(x) is tuple:
        return tuple([_shape_of(item) for item in x])
    return getattr(x, "shape", ())


def apply(op: Operation, inputs: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """Run an operation on tensors and return its result."""
    if op.is_list:
        arrays: list[Any] = [[_array(x) for x in inputs[0]]]
    else:
        arrays = [x._a if isinstance(x, TensorBase) else x for x in inputs]
    if op.adapt is not None:
        arrays = op.adapt(*arrays)
    result = op.kernel(*arrays, *attrs)
    if op.many:
        outputs = tuple([wrap(item) for item in result])
    else:
        outputs = (wrap(result),)
    if op.view:
        _share(op, inputs[0], outputs[0], attrs)
    recorded = state.grad and op.differentiable and record(op, inputs, outputs, attrs)
    if graph.recorder is not None:
        named = dict(zip(op.attributes, attrs, strict=False))
        members = tuple(inputs[0]) if op.is_list else inputs
        graph.tell(op.name, members, named, outputs[: op.visible], recorded)
    if op.pack is not None:
        return op.pack(*outputs[: op.visible])
    return outputs[0] if op.visible == 1 else outputs[: op.visible]


def _array(x: Any) -> Any:
    return x._a if isinstance(x, TensorBase) else x


def _share(op: Operation, source: TensorBase, out: TensorBase, attrs: tuple[Any, ...]) -> None:
    """Note that ``out`` is a view of ``source``."""
    if source._vc is not INFERENCE:
        out._vc = counter(source)
    view = source._view
    if view is None:
        out._view = View(source, ((op, attrs),), tick())
    else:
        out._view = View(view.base, (*view.chain, (op, attrs)), tick())


# --- the functions made from an entry


def bind(op: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return all arguments in the order of the kernel's parameters."""
    names = op.parameters
    count = len(op.inputs)
    if op.varargs and len(args) > count:
        first = args[count]
        if not isinstance(first, (tuple, list)):
            args = (*args[:count], args[count:])
    if len(args) > len(names):
        raise ArgumentError(
            f"{op.name}() takes at most {len(names)} arguments, got {len(args)}",
            f"Its parameters are: {', '.join(names)}.",
            "Leave out what is too much.",
            function=op.name,
        )
    if not kwargs:
        missing = len(names) - len(args)
        if missing <= len(op.defaults):
            return args + op.defaults[len(op.defaults) - missing :] if missing else args
    values = list(args)
    left = dict(kwargs)
    for i in range(len(args), len(names)):
        name = names[i]
        other = _ALIASES.get(name)
        if name in left:
            values.append(left.pop(name))
        elif other is not None and other in left:
            values.append(left.pop(other))
        elif i >= op.required:
            values.append(op.defaults[i - op.required])
        else:
            raise ArgumentError(
                f"{op.name}() is missing its argument `{name}`",
                f"Its parameters are: {', '.join(names)}.",
                f"Give {name}=...",
                function=op.name,
            )
    if left:
        name = next(iter(left))
        raise ArgumentError(
            f"{op.name}() got an unexpected keyword argument '{name}'",
            f"Its parameters are: {', '.join(names)}.",
            "Check the spelling, or leave it out.",
            function=op.name,
        )
    return tuple(values)


_ALIASES = {"dim": "axis", "keepdim": "keepdims", "input": "self"}


def put_out(out: Any, result: Any) -> Any:
    """Write ``result`` into ``out=`` and return that."""
    if state.grad and (out.requires_grad or result.requires_grad):
        raise InplaceError(
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad.",
            "",
            "Leave out= away, or do it inside torch.no_grad().",
        )
    if out._a.shape != result._a.shape:
        out._a = np.empty(result._a.shape, out._a.dtype)
    np.copyto(out._a, result._a, casting="unsafe")
    written(out, "out=", False)
    return out


def make_general(op: Operation) -> Callable[..., Any]:
    """Return the public function of an operation with any arguments."""
    kernel, total, count = op.kernel, len(op.parameters), len(op.inputs)
    visible, many = op.visible, op.many
    varargs = op.varargs

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if kwargs or varargs or len(args) != total:
            args = bind(op, args, kwargs)
        for x in args[:count]:
            if isinstance(x, TensorBase):
                result = apply(op, args[:count], args[count:])
                return result if out is None else put_out(out, result)
        _need_array(op, args[:count])
        result = kernel(*args)
        if many:
            return result[0] if visible == 1 else result[:visible]
        return result

    return call


def _need_array(op: Operation, inputs: tuple[Any, ...]) -> None:
    for x in inputs:
        if isinstance(x, (ndarray, np.generic)):
            return
    first = inputs[0] if inputs else None
    raise ArgumentError(
        f"{op.name}(): argument '{op.inputs[0]}' (position 1) must be Tensor, "
        f"not {type(first).__name__}",
        "",
        "Turn it into a tensor with torch.tensor(...) first.",
        function=op.name,
    )


def make_sequence(op: Operation) -> Callable[..., Any]:
    """Return the public function of an operation whose first argument is a list of tensors."""
    kernel, total = op.kernel, len(op.parameters)

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if kwargs or len(args) != total:
            args = bind(op, args, kwargs)
        members = args[0]
        if isinstance(members, TensorBase):
            members = tuple(members)  # type: ignore[arg-type] # Tensor is iterable; its base is not
        for x in members:
            if isinstance(x, TensorBase):
                result = apply(op, (tuple(members),), args[1:])
                return result if out is None else put_out(out, result)
        return kernel(list(members), *args[1:])

    return call


def make_unary(op: Operation) -> Callable[..., Any]:
    """Return the public function of an element-wise operation on one tensor."""
    kernel, adapt = op.kernel, op.adapt

    def call(input: Any, *, out: Any = None) -> Any:
        if not isinstance(input, TensorBase):
            _need_array(op, (input,))
            return kernel(input)
        a = input._a
        if adapt is not None and a.dtype.kind in "iub":
            (a,) = adapt(a)
        t = wrap(kernel(a))
        recorded = False
        if (
            state.grad
            and (input._node is not None or input._rg or input._view is not None)
            and op.differentiable
        ):
            recorded = record(op, (input,), (t,), ())
        if graph.recorder is not None:
            graph.tell(op.name, (input,), {}, (t,), recorded)
        return t if out is None else put_out(out, t)

    return call


def make_binary(op: Operation) -> Callable[..., Any]:
    """Return the public function of an element-wise or matrix operation on two tensors."""
    kernel = op.kernel
    meet = op.adapt or promoted
    name = op.name

    def call(input: Any, other: Any, *, out: Any = None) -> Any:
        # Written out, not divided up: this is the path that small networks spend their time in.
        if isinstance(input, TensorBase):
            x = input._a
            if isinstance(other, TensorBase):
                y = other._a
                if x.dtype is not y.dtype:
                    x, y = meet(x, y)
            elif type(other) is float and x.dtype.kind == "f":
                y = other
            else:
                y = other
                x, y = meet(x, y)
        elif isinstance(other, TensorBase):
            y = other._a
            x, y = meet(input, y)
        else:
            _need_array(op, (input, other))
            return kernel(input, other)
        try:
            a = kernel(x, y)
        except ValueError as error:
            raise broadcast_failed(op, (x, y), error) from None
        t = wrap(a)
        recorded = False
        if state.grad and op.differentiable:
            recorded = record(op, (input, other), (t,), ())
        if graph.recorder is not None:
            graph.tell(name, (input, other), {}, (t,), recorded)
        return t if out is None else put_out(out, t)

    return call


# --- in place


def _make_inplace(op: Operation, public: str) -> Callable[..., Any]:
    total, count = len(op.parameters), len(op.inputs)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        args = (self, *args)
        if kwargs or op.varargs or len(args) != total:
            args = bind(op, args, kwargs)
        return write(op, public, args[:count], args[count:])

    call.__name__ = call.__qualname__ = public
    call.__doc__ = f"In-place form of ``{op.name}``."
    return call


def check_writable(target: Any, public: str) -> None:
    """Refuse an in-place write that autograd could not follow, as torch."""
    if target._vc is INFERENCE and not state.inference:
        raise InplaceError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.",
            f"In `{public}`.",
            "You can make a clone to get a normal tensor before doing inplace update.",
        )
    if not target._a.flags.writeable:
        raise InplaceError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location.",
            f"In `{public}` on a tensor of shape {target._a.shape}.",
            "Please clone() the tensor before performing the operation.",
        )
    if not state.grad:
        return
    if target._rg and target._node is None:
        raise InplaceError(
            "a leaf Variable that requires grad is being used in an in-place operation.",
            f"In `{public}` on a tensor of shape {target._a.shape}.",
            "Do it inside torch.no_grad(), or on a clone().",
        )
    view = target._view
    if view is not None and view.base._rg and view.base._node is None:
        raise InplaceError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation.",
            f"In `{public}` on a view of shape {target._a.shape}.",
            "Do it inside torch.no_grad(), or on a clone().",
        )


def write(op: Operation, public: str, inputs: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """Run an operation and put its result where its first input is."""
    target = inputs[0]
    arrays: list[Any] = [x._a if isinstance(x, TensorBase) else x for x in inputs]
    check_writable(target, public)
    where = arrays[0]
    if len(arrays) == 2 and op.attributes == ():
        if not isinstance(arrays[1], ndarray) or arrays[1].dtype is not where.dtype:
            arrays = list((op.adapt or promoted)(*arrays))
    elif op.adapt is not None and (len(arrays) > 1 or where.dtype.kind in "iub"):
        arrays = list(op.adapt(*arrays))
    try:
        if op.takes_out and arrays[0] is where and isinstance(op.kernel, np.ufunc):
            result = op.kernel(*arrays, *attrs, out=where)
        else:
            result = op.kernel(*arrays, *attrs)
    except (ValueError, TypeError):
        result = op.kernel(*arrays, *attrs)
    finish_write(op, public, target, result, inputs, attrs)
    return target


def finish_write(
    op: Operation,
    public: str,
    target: Any,
    result: Any,
    inputs: tuple[Any, ...],
    attrs: tuple[Any, ...],
) -> None:
    """Store an in-place result, count the write, and put it on the tape."""
    where = target._a
    if result is not where:
        _store(public, where, np.asarray(result))
    followed = False
    if state.grad and op.differentiable:
        holder = wrap(where)
        # The write comes before the node, so that what the node saves of its own output is new
        # enough; that it also overwrote an input which the gradient needs is noted as poison.
        written(target, public, False)
        holder._vc = target._vc
        followed = record(op, inputs, (holder,), attrs)
        if followed:
            node: Any = holder._node
            if 0 in node.plan.inputs:
                node.poison = public
            _rebase(target, node)
    else:
        written(target, public, False)
    if graph.recorder is not None:
        named = dict(zip(op.attributes, attrs, strict=False))
        graph.tell(public, inputs, named, (target,), followed)


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def _store(public: str, where: Array, result: Array) -> None:
    if _KINDS[result.dtype.kind] > _KINDS[where.dtype.kind]:
        raise DtypeError(
            f"result type {_long_name(result)} can't be cast to the desired output type "
            f"{_long_name(where)}",
            f"In `{public}` on a tensor of shape {where.shape}.",
            "Convert the tensor first, or use the form without the trailing underscore.",
            dtypes=(dtypes.of(result), dtypes.of(where)),
        )
    if result.shape != where.shape:
        try:
            fits = np.broadcast_shapes(result.shape, where.shape) == where.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"output with shape {list(where.shape)} doesn't match the broadcast shape "
                f"{list(result.shape)}",
                f"In `{public}`.",
                "An in-place operation cannot change the shape: use the form without underscore.",
                shapes=(where.shape, result.shape),
            )
    np.copyto(where, result, casting="unsafe")


_LONG_NAMES = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "int64": "Long",
    "int32": "Int",
    "int16": "Short",
    "int8": "Char",
    "uint8": "Byte",
    "bool": "Bool",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


def _long_name(x: Array) -> str:
    return _LONG_NAMES.get(str(x.dtype), str(x.dtype))


_copy_slices: Any = None


def use_copy_slices(op: Any) -> None:
    """Set the operation that writes a view's new values back into its base's history."""
    global _copy_slices
    _copy_slices = op


def _rebase(target: Any, node: Node) -> None:
    """Give ``target`` (and the base it views) the history of an in-place write."""
    view = target._view
    if view is None:
        target._node, target._port = node, 0
        counter(target).rebased = tick()
        return
    value = wrap(target._a)
    value._node = node
    value._vc = target._vc
    holder = wrap(view.base._a)
    holder._vc = target._vc
    attrs = (view.chain, view.base._a.strides)
    if record(_copy_slices, (view.base, value), (holder,), attrs):
        view.base._node, view.base._port = holder._node, 0
    counter(target).rebased = tick()
