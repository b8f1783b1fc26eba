"""What a tensor was computed from: gradients, leaves, hooks, detaching."""

import warnings
import weakref
from typing import Any, Self

from gradcore import differentiate, dtypes, graph
from gradcore.errors import (
    ArgumentError,
    AutogradError,
)
from gradcore.graph import (
    INFERENCE,
    More,
    Node,
    RemovableHandle,
    TensorBase,
    counter,
    node_hooks,
    state,
    tell,
    wrap,
)
from gradcore.ops.tape import current_node
from gradcore.tensor.properties import Properties


class History(Properties):
    """The part of ``Tensor`` that has to do with gradients."""

    __slots__ = ()

    # --- history

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self._rg or (self._node if self._view is None else current_node(self)) is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        node = current_node(self)
        if node is not None:
            if not wanted:
                raise AutogradError(
                    "you can only change requires_grad flags of leaf variables. If you want to use "
                    "a computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach().",
                    f"The tensor comes from {node.name()}.",
                )
            return
        if wanted and self._a.dtype.kind not in "fc":
            raise AutogradError(
                "only Tensors of floating point and complex dtype can require gradients",
                f"The tensor has dtype {self.dtype} and shape {self._a.shape}.",
                "Convert it first, for instance with .float().",
            )
        if wanted and self._vc is INFERENCE and not state.inference:
            raise AutogradError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed."
            )
        self._rg = bool(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether operations on it are recorded; returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it has no history: made by the user, or not recorded."""
        return current_node(self) is None

    @property
    def grad_fn(self) -> Node | None:
        """The node it came from, None for a leaf."""
        node: Node | None = graph.named(current_node(self))
        return node

    @property
    def output_nr(self) -> int:
        """Which output of its node it is."""
        return self._port

    @property
    def grad(self) -> Any:
        """What backward has added up for it; None until something has."""
        if self._node is not None and self._grad is None:
            _warn_of_no_grad(self)
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, TensorBase):
            raise ArgumentError(
                f"assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}",
                "",
                "Assign a tensor of the same shape and dtype, or None.",
            )
        if value is self:
            raise AutogradError("can't assign Variable as its own grad")
        if value._a.dtype != self._a.dtype:
            raise AutogradError(
                f"attempting to assign a gradient with dtype '{dtypes.of(value._a)}' to a tensor "
                f"with dtype '{self.dtype}'.",
                "",
                "Convert the gradient first.",
            )
        if value._a.shape != self._a.shape:
            raise AutogradError(
                f"attempting to assign a gradient of size '{list(value._a.shape)}' to a tensor of "
                f"size '{list(self._a.shape)}'.",
                "",
                "A gradient has the shape of its tensor.",
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        """Set it back to None."""
        self._grad = None

    @property
    def data(self) -> Any:
        """The same memory without history; writes to it are not counted."""
        t = wrap(self._a)
        if graph.recorder is not None:
            tell("data", (self,), {}, (t,))
        return t

    @data.setter
    def data(self, value: Any) -> None:
        if not isinstance(value, TensorBase):
            raise ArgumentError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        self._a = value._a
        if graph.recorder is not None:
            tell("set_data", (value,), {}, (self,))

    @property
    def _version(self) -> int:
        """How often its memory was written in place."""
        if self._vc is INFERENCE:
            raise AutogradError("Inference tensors do not track version counter.")
        return 0 if self._vc is None else self._vc.count

    @property
    def _base(self) -> Any:
        """The tensor it is a view of, or None."""
        return None if self._view is None else self._view.base

    def _is_view(self) -> bool:
        return self._view is not None

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add to ``grad`` of each leaf the gradient of this tensor."""
        differentiate.backward(
            (self,), None if gradient is None else (gradient,), retain_graph, create_graph, inputs
        )

    def detach(self) -> Any:
        """Return the same memory without history; in-place writes are still counted."""
        t = wrap(self._a)
        if self._vc is not INFERENCE:
            t._vc = counter(self)
        if graph.recorder is not None:
            tell("detach", (self,), {}, (t,))
        return t

    def detach_(self) -> Self:
        """Cut this tensor itself off from its history."""
        if self._view is not None:
            raise AutogradError(
                "Can't detach views in-place. Use detach() instead.",
                f"The view has shape {self._a.shape}.",
            )
        self._node, self._port, self._rg = None, 0, False
        if graph.recorder is not None:
            tell("detach_", (self,), {}, (self,))
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor too, though it is not a leaf."""
        node = current_node(self)
        if node is None:
            if not self._rg:
                raise AutogradError("can't retain_grad on Tensor that has requires_grad=False")
            return
        _retain(self, node)

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad()`` was called."""
        return self._more is not None and self._more.retained

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(grad)`` when its gradient is known; what it returns replaces the gradient."""
        if not self.requires_grad:
            raise AutogradError(
                "cannot register a hook on a tensor that doesn't require gradient",
                f"It has shape {self._a.shape}.",
                "Call requires_grad_() first.",
            )
        node = current_node(self)
        if node is not None:
            return RemovableHandle(node_hooks(node).outputs.setdefault(self._port, {}), hook)
        more = self._extras()
        if more.hooks is None:
            more.hooks = {}
        return RemovableHandle(more.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(tensor)`` after backward has added to its ``grad``."""
        if current_node(self) is not None:
            raise AutogradError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        more = self._extras()
        if more.after is None:
            more.after = {}
        return RemovableHandle(more.after, hook)

    def _extras(self) -> More:
        if self._more is None:
            self._more = More()
        return self._more

    @property
    def name(self) -> str | None:
        """A name given to it, or None."""
        return None if self._more is None else self._more.name


def _warn_of_no_grad(t: History) -> None:
    """Say, as torch, that a tensor which was computed keeps no gradient."""
    if t._more is None or not t._more.retained:
        warnings.warn(
            "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. It stays "
            "None: backward() keeps gradients of leaves only. Call .retain_grad() on it before, or "
            "look at the leaf it was computed from.",
            stacklevel=3,
        )


def _retain(t: History, node: Node) -> None:
    more = t._extras()
    if more.retained:
        return
    more.retained = True
    reference = weakref.ref(t)

    def keep(g: Any) -> None:
        held = reference()
        if held is not None:
            held._grad = g if held._grad is None else held._grad + g

    node_hooks(node).retained[t._port] = keep
