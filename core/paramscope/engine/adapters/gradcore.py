"""gradcore as an engine: recording by its own hook, and ``import torch`` meaning gradcore."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import gradcore
import gradcore.compat
import gradcore.graph
import gradcore.nn
import gradcore.optim
from gradcore.nn.functional import activation
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
_NAMES = {"logistic_loss": "binary_cross_entropy_with_logits"}
_DROPOUTS = frozenset({activation._dropped.__code__, activation.alpha_dropout.__code__})
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

    def fast_steps(self, parts: StepParts) -> UnwatchedSteps | None:
        """Return steps that are recorded and replayed."""
        return FastSteps(parts, self.backward_listeners)

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
        if name == "bernoulli_" and _is_dropout():
            name = "dropout"
        self._listener.operation(_NAMES.get(name) or plain_name(name), given, tuple(outputs))

    def gradients(self, node: Any, gradients: tuple[Any, ...]) -> None:
        """Nothing: the tracer hooks the tensors it wants, alike on both engines."""

    def accumulated(self, leaf: Any, gradient: Any) -> None:
        """Nothing: ``grad`` is read after the backward, alike on both engines."""


def _is_dropout() -> bool:
    """Tell whether the library draws the zeros of a dropout, which is one operation on PyTorch."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEEPEST):
        frame = frame.f_back if frame is not None else None
        if frame is not None and frame.f_code in _DROPOUTS:
            return True
    return False
