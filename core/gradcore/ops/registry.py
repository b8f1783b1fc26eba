"""How an operation is written down, and the tables that all operations stand in.

An operation is one entry: a forward kernel on arrays, its gradients, its samples, the names it goes
by. The functions of the module ``gradcore``, the methods of ``Tensor`` and the in-place forms are
made from the entry; so are the tests. To add one, write in ``ops/<family>.py``::

    @operation(
        "cube", inputs=1, methods=True, inplace=True,
        gradient={"input": lambda g, input: g * (3 * input * input)},
        samples=[(T(2, 3),), (T(),)],
    )
    def cube(input: Array) -> Array:
        \"\"\"Return the third power of each value.\"\"\"
        return input * input * input

The first ``inputs`` parameters of the kernel are tensors (or numbers, or None), the others are
attributes. A gradient function names what it needs: ``g``, inputs, ``y`` (the output, or the names
given as ``outputs``), attributes, ``<input>_shape``; only that is saved. With several outputs
``g`` is a list: one gradient, or None where nothing came back, for each. It is written with
operators and other operations, so that it runs on arrays (the ordinary backward pass) and on
tensors (``create_graph=True``). What broadcasting or promotion did to an input is undone by the
engine: a gradient may be larger than its input, or of another dtype.
"""

import functools
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from gradcore import graph
from gradcore.ops.calls import make_binary, make_general, make_sequence, make_unary
from gradcore.ops.entry import Operation
from gradcore.ops.inplace import make_inplace

WRITES: dict[str, Operation] = {}
"""The operation of each in-place form, by the name the recorder is told."""
OPERATIONS: dict[str, Operation] = {}
"""Every operation by its name."""

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""The functions of the module ``gradcore``."""

METHODS: dict[str, Callable[..., Any]] = {}
"""The methods of ``Tensor``."""

CALLS: Any = types.SimpleNamespace()
"""Every operation's function as an attribute: how gradients call what is entered after them."""

COMPOSITES: dict[str, "Composite"] = {}
"""Functions made of several operations, with their samples."""


class T:
    """A sample tensor: its shape and the range its random values lie in."""

    __slots__ = ("shape", "low", "high", "kind", "values")

    def __init__(
        self,
        *shape: int,
        low: float = -2.0,
        high: float = 2.0,
        kind: str = "float",
        values: Any = None,
    ) -> None:
        self.shape = shape
        self.low = low
        self.high = high
        self.kind = kind
        self.values = values

    def __repr__(self) -> str:
        extra = f", kind={self.kind!r}" if self.kind != "float" else ""
        return f"T({', '.join(map(str, self.shape))}{extra})"


class S:
    """A sample call: arguments and keyword arguments. A plain tuple means arguments alone."""

    __slots__ = ("args", "kwargs")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        parts = [repr(arg) for arg in self.args]
        parts += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"({', '.join(parts)})"


class Composite:
    """A public function that calls several operations."""

    __slots__ = ("name", "function", "samples", "parity", "gradcheck", "family")

    def __init__(
        self,
        name: str,
        function: Any,
        samples: Any,
        parity: str | None,
        gradcheck: bool,
        family: str,
    ) -> None:
        self.name = name
        self.function = function
        self.samples = samples
        self.parity = parity
        self.gradcheck = gradcheck
        self.family = family


def as_sample(sample: Any) -> S:
    """Return a sample as ``S``."""
    if isinstance(sample, S):
        return sample
    return S(*sample) if isinstance(sample, tuple) else S(sample)


def operation(
    name: str,
    *,
    inputs: int | str = 1,
    gradient: dict[str, Callable[..., Any]] | None = None,
    joint: Callable[..., Any] | None = None,
    outputs: Sequence[str] = ("y",),
    visible: int | None = None,
    functions: bool | Sequence[str] = True,
    methods: bool | Sequence[str] = False,
    inplace: bool | Sequence[str] = False,
    kind: str = "general",
    view: bool = False,
    varargs: bool = False,
    adapt: Callable[..., Any] | None = None,
    failed: Callable[..., Exception] | None = None,
    grad_name: str | Callable[..., str] | None = None,
    pack: Callable[..., Any] | None = None,
    samples: Sequence[Any] = (),
    parity: str | None = "torch",
    gradcheck: bool = True,
    doc: str = "",
) -> Callable[[Callable[..., Any]], Any]:
    """Enter an operation into the tables; used as a decorator on its forward kernel.

    ``inputs``: how many of the kernel's first parameters are tensors; ``"list"`` where the first
    parameter is a list of tensors. ``gradient``: one function for each differentiable input, or
    ``joint(g, needs, ...)`` for all of them at once (``needs``: one bool for each input; returns
    one gradient or None for each). ``outputs``: names of what the kernel returns; the first
    ``visible`` of them reach the user. ``adapt(*arrays)`` returns the arrays in the dtype the
    kernel is to run in. ``failed(name, arrays, error)`` returns the error to raise where NumPy
    refused the shapes (for ``kind="binary"``). ``pack`` makes the user's return value from several
    outputs.
    ``functions``, ``methods``, ``inplace``: under which names it appears (True: its own).
    ``view``: the output shares the input's memory. ``varargs``: ``x.view(2, 3)`` means
    ``x.view((2, 3))``. ``parity``: where PyTorch has it (``"torch"``, ``"torch.nn.functional"``,
    None: nowhere). Returns the public function; its entry is ``.operation``.
    """

    family = _family()

    def enter(kernel: Callable[..., Any]) -> Any:
        op = Operation(name, kernel, inputs, outputs, visible)
        if kind != "general":
            op.name_inputs(("input", "other")[: 2 if kind == "binary" else 1])
        op.set_gradient(gradient, joint)
        op.kind = kind
        op.view = view
        op.varargs = varargs
        op.adapt = adapt
        op.failed = failed
        op.pack = pack
        op.grad_name = grad_name
        op.samples = samples
        op.parity = parity
        op.gradcheck = gradcheck
        op.doc = doc or kernel.__doc__ or ""
        op.family = family
        makers = {
            "unary": make_unary,
            "binary": make_binary,
            "general": make_sequence if inputs == "list" else make_general,
        }
        call = makers[kind](op)
        _publish(op, call, functions, methods, inplace)
        return call

    return enter


def _family() -> str:
    """Return the name of the file that is entering an operation."""
    name: str = sys._getframe(2).f_globals["__name__"]
    return name.rpartition(".")[2]


def _names(given: bool | Sequence[str], own: str) -> Sequence[str]:
    if given is True:
        return (own,)
    return given or ()


def _publish(
    op: Operation,
    call: Any,
    functions: bool | Sequence[str],
    methods: bool | Sequence[str],
    inplace: bool | Sequence[str],
) -> None:
    call.__name__ = call.__qualname__ = op.name
    call.__doc__ = op.doc
    call.operation = op
    op.call = call
    OPERATIONS[op.name] = op
    setattr(CALLS, op.name, call)
    for public in _names(functions, op.name):
        FUNCTIONS[public] = call
    for public in _names(methods, op.name):
        METHODS[public] = call
    for public in _names(inplace, op.name + "_"):
        written = make_inplace(op, public)
        WRITES[public] = op
        METHODS[public] = written
        FUNCTIONS.setdefault(public, written)


def _telling(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if graph.recorder is not None:
            inputs = tuple(item for item in args if isinstance(item, graph.TensorBase))
            members = result if isinstance(result, tuple) else (result,)
            outputs = tuple(item for item in members if isinstance(item, graph.TensorBase))
            graph.tell(name, inputs, dict(kwargs), outputs)
        return result

    return call


def composite(
    name: str,
    *,
    functions: bool | Sequence[str] = True,
    methods: bool | Sequence[str] = False,
    samples: Sequence[Any] = (),
    parity: str | None = "torch",
    gradcheck: bool = True,
    told: bool = False,
) -> Callable[[Callable[..., Any]], Any]:
    """Enter a function that is made of other operations into the tables.

    ``told``: it computes on arrays itself, without a gradient, and so has to be told to the
    recorder by itself.
    """

    family = _family()

    def enter(function: Callable[..., Any]) -> Any:
        if told:
            function = _telling(name, function)
        COMPOSITES[name] = Composite(name, function, samples, parity, gradcheck, family)
        for public in _names(functions, name):
            FUNCTIONS[public] = function
        for public in _names(methods, name):
            METHODS[public] = function
        return function

    return enter
