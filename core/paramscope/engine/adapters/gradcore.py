"""gradcore as an engine: recording by its own hook, and ``import torch`` meaning gradcore."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from numpy.typing import NDArray

import gradcore
import gradcore.compat
import gradcore.graph
import gradcore.native
import gradcore.nn
import gradcore.optim
from gradcore.nn import init
from gradcore.nn.functional import activation, loss
from gradcore.tensor import Tensor
from paramscope.engine.adapters.base import (
    OperationListener,
    SharedAdapter,
    StepParts,
    UnwatchedSteps,
    plain_name,
    tensors_in,
)
from paramscope.engine.adapters.fast_steps import FastSteps
from paramscope.engine.operation_names import LOOKS

# Where an operation of the library has another name than PyTorch's function that calls it.
_NAMES = {
    "logistic_loss": "binary_cross_entropy_with_logits",
    "pick": "getitem",
    "index": "getitem",
    "max_dim": "max",
    "max_all": "max",
    "min_dim": "min",
    "min_all": "min",
    "to_dtype": "to",
    "copy": "clone",
    "div_floor": "floor_divide",
    "embedding_rows": "embedding",
}
# Functions of several operations, which are one on PyTorch.
_DROPOUTS = frozenset({activation._dropped.__code__, activation.alpha_dropout.__code__})
_LOSSES = frozenset(
    function.__code__
    for function in (
        loss.binary_cross_entropy,
        loss.cross_entropy,
        loss.huber_loss,
        loss.l1_loss,
        loss.mse_loss,
        loss.smooth_l1_loss,
    )
)
_LOSS_PARTS = frozenset({"expand", "huber", "log", "log_softmax", "sub"})  # what they begin with
_FILLS = frozenset({init.trunc_normal_.__code__, init.orthogonal_.__code__, init.sparse_.__code__})
_DEEPEST = 8  # frames between the recorder and the function


class GradcoreAdapter(SharedAdapter):
    """The engine interface on gradcore."""

    name = "gradcore"

    def __init__(self) -> None:
        super().__init__(gradcore)
        self.version = str(getattr(gradcore, "__version__", ""))

    def activate(self) -> None:
        """Put gradcore under the name ``torch`` for every import from now on."""
        gradcore.compat.install()
        self.spy_on_backward()

    def deactivate(self) -> None:
        """Give the name ``torch`` back."""
        self.stop_spying()
        gradcore.compat.uninstall()

    def fast_steps(self, parts: StepParts, mode: str) -> UnwatchedSteps | None:
        """Return steps that are recorded and replayed."""
        return FastSteps(parts, self.backward_listeners, mode)

    def prepare(self) -> None:
        """Load numba, so that the first steps need not wait for native ones."""
        if os.environ.get("GRADCORE_NATIVE", "1") != "0":
            gradcore.native.start()

    def array(self, tensor: Any) -> NDArray[Any] | None:
        """Return the values as NumPy sees them, None where there are none yet."""
        if self.is_uninitialized(tensor):
            return None
        array: NDArray[Any] = tensor.numpy(force=True)
        return array

    @contextmanager
    def record(self, listener: OperationListener) -> Iterator[None]:
        """Tell ``listener`` of every operation inside the ``with`` block."""
        with gradcore.graph.set_recorder(_Recorder(listener, self)):
            yield


class _Recorder:
    """Turns what gradcore tells into what the listener of either engine hears."""

    def __init__(self, listener: OperationListener, adapter: SharedAdapter) -> None:
        self._listener = listener
        self._adapter = adapter

    def operation(
        self,
        name: str,
        inputs: tuple[Any, ...],
        attributes: dict[str, Any],
        outputs: tuple[Any, ...],
        recorded: bool,
    ) -> None:
        """Pass one operation on, under the name both engines share."""
        if self._adapter.is_muted or name in LOOKS:
            return
        given = tuple(tensors_in((*inputs, *attributes.values()), Tensor))
        if name == "bernoulli_" and _inside(_DROPOUTS) is not None:
            name = "dropout"
        elif name in _LOSS_PARTS and (frame := _inside(_LOSSES)) is not None:
            # Told with what the user gave it, unless that would look like a cut.
            if outputs and (outputs[0].requires_grad or not frame.f_locals["input"].requires_grad):
                name = frame.f_code.co_name
                given = (frame.f_locals["input"], frame.f_locals["target"])
        elif name in ("copy_", "setitem_") and (frame := _inside(_FILLS)) is not None:
            name = frame.f_code.co_name
        self._listener.operation(_NAMES.get(name) or plain_name(name), given, tuple(outputs))

    def gradients(self, node: Any, gradients: tuple[Any, ...]) -> None:
        """Nothing: the tracer hooks the tensors it wants, alike on both engines."""

    def accumulated(self, leaf: Any, gradient: Any) -> None:
        """Nothing: ``grad`` is read after the backward, alike on both engines."""


def _inside(functions: frozenset[CodeType]) -> FrameType | None:
    """Return the call of one of the library's functions that is being recorded, if one is."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEEPEST):
        frame = frame.f_back if frame is not None else None
        if frame is not None and frame.f_code in functions:
            return frame
    return None
