"""The tape: what a tensor carries, the nodes operations leave behind, grad modes, the recorder.

Operations (``gradcore.ops``) make nodes here; ``gradcore.engine`` walks them backwards. Nothing
here knows a single operation or the methods of ``Tensor``.
"""

import itertools
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import InferenceTensorError, ModifiedError
from gradcore.hooks import Hooks
from gradcore.hooks import RemovableHandle as RemovableHandle
from gradcore.journal import Journal

new = object.__new__
tick = itertools.count(1).__next__
"""One clock for nodes and in-place writes: what was written after a node was made is seen by
comparing two numbers."""


class State(threading.local):
    """The grad modes of one thread."""

    grad = True
    inference = False
    anomaly = False
    quiet = 0

    def __init__(self) -> None:
        # As torch, 0/0 is nan and 1/0 is inf, silently. NumPy keeps this setting per thread, and
        # setting it around each operation would cost as much as a small operation itself.
        np.seterr(all="ignore")


state = State()


class Recorder(Protocol):
    """What a listener set by ``set_recorder`` is told, from inside the user's own call.

    It is called after the operation, before its result is returned, so that ``sys._getframe``
    leads to the user's line. It must not change what it is given. What it does itself with
    tensors is not recorded.
    """

    def operation(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        outputs: tuple["TensorBase", ...],
        recorded: bool,
    ) -> None:
        """One operation, factory (no inputs), in-place write (``add_``: the output is the input)
        or look at the values (``item``, ``numpy``: no outputs). ``recorded``: it is on the tape.
        """

    def gradients(self, node: "Node", gradients: tuple[Any, ...]) -> None:
        """Backward passed ``node``; one gradient (array, tensor or None) for each of its inputs."""

    def accumulated(self, leaf: "TensorBase", gradient: Any) -> None:
        """Backward added ``gradient`` to ``leaf.grad``."""


recorder: Recorder | None = None


@contextmanager
def set_recorder(listener: Recorder | None) -> Iterator[None]:
    """Tell ``listener`` of every operation inside the ``with`` block; None silences it."""
    global recorder
    previous = recorder
    recorder = listener
    try:
        yield
    finally:
        recorder = previous


def tell(
    name: str,
    inputs: tuple[Any, ...],
    attributes: dict[str, Any],
    outputs: tuple["TensorBase", ...],
    recorded: bool = False,
) -> None:
    """Tell the recorder of one operation, with the recorder off meanwhile."""
    global recorder
    listener = recorder
    if listener is None or state.quiet:
        return
    recorder = None
    try:
        listener.operation(name, inputs, attributes, outputs, recorded)
    finally:
        recorder = listener


journal: Journal | None = None


def ask(function: Callable[..., Any], *tensors: "TensorBase") -> Any:
    """Return ``function`` of the tensors' arrays, on which it depends what is done next.

    It may as well raise an error. Whoever decides by values that no operation hands out asks this
    way, so that a recorded step asks again.
    """
    answer = function(*[t._a for t in tensors])
    if journal is not None:
        journal.asked(function, tensors, answer)
    return answer


def work_out(function: Callable[..., Any], *inputs: Any) -> Any:
    """Return a tensor on ``function`` of the inputs, of which tensors are given as arrays.

    For what no operation stands for and no gradient flows through, such as masks and positions. A
    recorded step works it out anew, or keeps it where no tensor is asked for.
    """
    array = function(*[x._a if isinstance(x, TensorBase) else x for x in inputs])
    t = wrap(array)
    if journal is not None:
        journal.worked_out(function, inputs, t._a)
    return t


class Counter:
    """How often a memory block was written in place; shared by all tensors that look at it.

    ``stamp`` is the clock at the last write and ``rebased`` at the last write that autograd
    followed; ``what`` and ``where`` say which write that was.
    """

    __slots__ = ("count", "stamp", "rebased", "what", "where")

    def __init__(self) -> None:
        self.count = 0
        self.stamp = 0
        self.rebased = 0
        self.what = ""
        self.where = ""


class _Inference(Counter):
    """The counter of every tensor made in inference mode: nothing is counted."""


INFERENCE = _Inference()


class View:
    """Where a view comes from: its base and the operations that lead from there to it."""

    __slots__ = ("base", "chain", "stamp")

    def __init__(self, base: "TensorBase", chain: tuple[Any, ...], stamp: int) -> None:
        self.base = base
        self.chain = chain
        self.stamp = stamp


class More:
    """What few tensors have: hooks and a name."""

    __slots__ = ("hooks", "after", "retained", "name")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[[Any], Any]] | None = None
        self.after: dict[int, Callable[[Any], Any]] | None = None
        self.retained = False
        self.name: str | None = None


class TensorBase:
    """The slots of a tensor. ``gradcore.Tensor`` adds the methods.

    ``_a`` the array; ``_node`` and ``_port`` the node it came from and which of its outputs it is;
    ``_rg`` a leaf that requires grad; ``_vc`` its counter of in-place writes, made when first
    needed; ``_view`` where it comes from, for a view.
    """

    __slots__ = ("_a", "_node", "_port", "_rg", "_grad", "_vc", "_view", "_more")
    _a: Array
    _node: "Node | None"
    _port: int
    _rg: bool
    _grad: Any
    _vc: Counter | None
    _view: View | None
    _more: More | None


TENSOR: Any = TensorBase


def use_tensor_class(kind: type[TensorBase]) -> None:
    """Make ``kind`` the class of every result."""
    global TENSOR
    TENSOR = kind


def wrap(array: Any) -> Any:
    """Return a new tensor on ``array`` (or NumPy scalar), without history."""
    t = new(TENSOR)
    t._a = array if type(array) is np.ndarray else np.asarray(array)
    t._node = None
    t._port = 0
    t._rg = False
    t._grad = None
    t._vc = INFERENCE if state.inference else None
    t._view = None
    t._more = None
    return t


def counter(t: TensorBase) -> Counter:
    """Return the tensor's counter of in-place writes, made now if it has none."""
    found = t._vc
    if found is None:
        found = t._vc = Counter()
        node = t._node
        if node is not None:
            # Its own node may have kept it: see `SavedOutput`.
            for item in node.saved:
                if type(item) is SavedOutput and item.port == t._port:
                    item.vc = item.vc or found
    return found


def written(t: TensorBase, what: str, followed: bool) -> None:
    """Note an in-place write to ``t``."""
    vc = counter(t)
    if vc is INFERENCE:
        return
    vc.count += 1
    vc.stamp = tick()
    vc.what = what
    vc.where = user_line() if state.grad else ""
    if followed:
        vc.rebased = vc.stamp


def written_together(tensors: Iterable[TensorBase], what: str) -> None:
    """Note that these tensors were written in place, all at one time."""
    now, where = tick(), user_line() if state.grad else ""
    for t in tensors:
        vc = t._vc
        if vc is None:
            vc = counter(t)
        elif vc is INFERENCE:
            continue
        vc.count += 1
        vc.stamp, vc.what, vc.where = now, what, where


_OWN = __name__.rpartition(".")[0]


def user_line() -> str:
    """Return ``file:line`` of the innermost frame outside this package, or nothing."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name != _OWN and not name.startswith(_OWN + "."):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


class Node:
    """One recorded operation: what leads back from its outputs to its inputs.

    ``edges`` holds, for each input, the node it came from, the leaf itself, or None where no
    gradient is needed; ``ports`` which output of that node it was. ``saved`` are the values the
    gradient asks for by name. ``shape`` and ``dtype`` are those of the output (tuples of them for
    several).
    """

    __slots__ = (
        "op",
        "plan",
        "seq",
        "edges",
        "ports",
        "saved",
        "shape",
        "dtype",
        "hooks",
        "poison",
        "_metadata",
        "__weakref__",
    )
    op: Any
    plan: Any
    seq: int
    edges: tuple[Any, ...]
    ports: tuple[int, ...] | None
    saved: Any
    shape: Any
    dtype: Any
    hooks: Hooks | None
    poison: str

    def name(self) -> str:
        """Return PyTorch's name of this node, such as ``AddBackward0``."""
        label: str = self.op.node_name(self)
        return label

    def kept(self, name: str, default: Any = None) -> Any:
        """Return what was saved under ``name``; ``default`` where nothing is, or not any more."""
        found = self.op.saved_value(self, name)
        return default if found is None else found[0]

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes the inputs came from, each with the number of the output it was."""
        ports = self.ports or (0,) * len(self.edges)
        return tuple(
            (AccumulateGrad(edge), 0) if isinstance(edge, TensorBase) else (named(edge), port)
            for edge, port in zip(self.edges, ports, strict=True)
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """A dictionary for whatever the user wants to keep with this node."""
        try:
            return self._metadata
        except AttributeError:
            self._metadata: dict[str, Any] = {}
            return self._metadata

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(grad_inputs, grad_outputs)`` whenever backward has passed this node."""
        return RemovableHandle(node_hooks(self).after, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` whenever backward is about to pass this node."""
        return RemovableHandle(node_hooks(self).before, hook)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_saved_"):
            saved = self.op.saved_value(self, name.removeprefix("_saved_"))
            if saved is not None:
                return saved[0]
        raise AttributeError(f"{self.name()!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<{self.name()} object at 0x{id(self):x}>"


_NAMED: dict[str, type[Node]] = {}


def named(node: Any) -> Any:
    """Return a node for the user to look at: its class has PyTorch's name of it.

    Code that draws graphs asks for ``type(node).__name__``; nodes nobody looks at stay cheap.
    """
    if type(node) is Node:
        name = node.name().rpartition("::")[2]
        kind = _NAMED.get(name)
        if kind is None:
            kind = _NAMED[name] = type(name, (Node,), {"__slots__": (), "__module__": "torch"})
        node.__class__ = kind
    return node


def rename(t: TensorBase, name: str) -> None:
    """Let the node ``t`` came from go by the name of the one operation PyTorch has instead."""
    node = t._node
    if node is not None:
        label = name + "Backward0"
        kind = _NAMED.get(label + "*")
        if kind is None:
            body = {"__slots__": (), "__module__": "torch", "name": lambda self: label}
            kind = _NAMED[label + "*"] = type(label, (Node,), body)
        node.__class__ = kind


class AccumulateGrad:
    """What stands in ``next_functions`` for a leaf that requires grad."""

    __slots__ = ("variable",)

    def __init__(self, variable: TensorBase) -> None:
        self.variable = variable

    def name(self) -> str:
        """Return PyTorch's name of this node."""
        return "torch::autograd::AccumulateGrad"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Nothing: a leaf has no history."""
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return hash((AccumulateGrad, id(self.variable)))

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at 0x{id(self.variable):x}>"


def node_hooks(node: Node) -> Hooks:
    """Return the node's hooks, made now if it has none."""
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks


class SavedOutput:
    """An output kept for its own node's gradient: the array alone, else node and tensor would
    hold each other.

    ``vc`` is None as long as the tensor has no counter: nobody has written to it then.
    """

    __slots__ = ("array", "vc", "port")

    def __init__(self, array: Array, vc: Counter | None, port: int) -> None:
        self.array = array
        self.vc = vc
        self.port = port


FREED: Any = ("freed",)
"""Stands in ``Node.saved`` after a backward pass without ``retain_graph``."""


def raise_modified(node: Node, vc: Counter | None, shape: tuple[int, ...], dtype: Any) -> None:
    """Raise torch's error about a saved tensor that was changed, with the write that did it."""
    what = (vc.what if vc is not None else "") or node.poison
    at = f", at {vc.where}" if vc is not None and vc.where else ""
    count = vc.count if vc is not None else 1
    raise ModifiedError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch tensor of dtype {dtype} and shape {list(shape)}], which the gradient "
        f"of {node.name()} needs as it was, is at version {count} now",
        f"It was changed by `{what}`{at}.",
        "Use the form without the trailing underscore there, or clone() before writing.",
        operation=node.name(),
        written_by=what,
        written_at=vc.where if vc is not None else "",
    )


def refuse_inference() -> None:
    """Raise torch's error about an inference tensor that autograd would have to keep."""
    raise InferenceTensorError(
        "Inference tensors cannot be saved for backward.",
        "One was made inside inference_mode() and is used where gradients are recorded.",
        "To work around you can make a clone to get a normal tensor and use it in autograd.",
    )
