"""Writing in place: the write itself, what it may not do, and the history it leaves."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore import dtypes, graph
from gradcore.dtypes import Array
from gradcore.errors import DtypeError, InplaceError, ShapeError
from gradcore.graph import INFERENCE, Node, TensorBase, counter, state, tick, wrap, written
from gradcore.ops.calls import bind
from gradcore.ops.entry import Operation
from gradcore.ops.numbers import broadcast_failed, long_name, promoted
from gradcore.ops.tape import current_node, is_saved, record

ndarray = np.ndarray


def make_inplace(op: Operation, public: str) -> Callable[..., Any]:
    """Return the in-place form of an operation."""
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
    node = target._node
    if view is not None and node is not None and node.op.name in ("split_parts", "unbind_parts"):
        function = node.name().removesuffix("Backward0")
        raise InplaceError(
            f"Output {target._port} of {function} is a view and is being modified inplace. This "
            "view is the output of a function that returns multiple views. Such functions do not "
            "allow the output views to be modified inplace.",
            f"In `{public}` on a view of shape {target._a.shape}.",
            "Use the form without the trailing underscore, or write to the whole.",
        )
    if view is not None and view.base._rg and view.base._node is None:
        raise InplaceError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation.",
            f"In `{public}` on a view of shape {target._a.shape}.",
            "Do it inside torch.no_grad(), or on a clone().",
        )


def write(op: Operation, public: str, inputs: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """Run an operation and put its result where its first input is."""
    target = inputs[0]
    check_writable(target, public)
    if state.grad and op.differentiable and _asks_for_first(op, inputs):
        inputs = (_as_it_was(target), *inputs[1:])
    arrays: list[Any] = [x._a if isinstance(x, TensorBase) else x for x in inputs]
    arrays[0] = where = target._a
    if len(arrays) == 2 and op.attributes == ():
        if not isinstance(arrays[1], ndarray) or arrays[1].dtype is not where.dtype:
            arrays = list((op.adapt or promoted)(*arrays))
    elif op.adapt is not None and (len(arrays) > 1 or where.dtype.kind in "iub"):
        arrays = list(op.adapt(*arrays))
    try:
        # NumPy's negative reads past gaps when it writes over what it reads.
        is_direct = op.takes_out and arrays[0] is where and where.flags.forc
        if is_direct:
            result = op.kernel(*arrays, *attrs, out=where)
        else:
            result = op.kernel(*arrays, *attrs)
    except (ValueError, TypeError):
        try:
            result = op.kernel(*arrays, *attrs)
        except ValueError as error:
            if "could not be broadcast" not in str(error):
                raise
            raise broadcast_failed(public, arrays, error) from None
    finish_write(op, public, target, result, inputs, attrs)
    return target


def _asks_for_first(op: Operation, inputs: tuple[Any, ...]) -> bool:
    """Tell whether the gradient of a write needs what stood there before."""
    every = 0 if op.joint is not None else (1 << len(op.inputs)) - 1
    return bool(op.gradients) and 0 in op.plan(every).inputs and is_saved(op, 0, inputs)


def _as_it_was(target: Any) -> Any:
    """Return a copy of what is to be overwritten, with its history; torch keeps one, too."""
    before = graph.work_out(np.copy, target)
    before._node, before._port = current_node(target), target._port
    return before


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
            saved = [inputs[i] for i in node.plan.inputs]
            if any(isinstance(x, TensorBase) and x._vc is target._vc for x in saved):
                node.poison = public
            _rebase(target, node)
    else:
        written(target, public, False)
    if graph.recorder is not None:
        named = dict(zip(op.attributes, attrs, strict=False))
        # Who draws the graph knows the tensor, who replays the step the copy that was saved.
        told = inputs if graph.journal is not None else (target, *inputs[1:])
        graph.tell(public, told, named, (target,), followed)


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def _store(public: str, where: Array, result: Array) -> None:
    if _KINDS[result.dtype.kind] > _KINDS[where.dtype.kind]:
        raise DtypeError(
            f"result type {long_name(result)} can't be cast to the desired output type "
            f"{long_name(where)}",
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
