"""Real PyTorch as an engine: recording by a ``TorchFunctionMode``.

PyTorch is imported when the adapter is made, never with this module: it is optional, and takes
a second.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.engine.adapters.base import (
    BuildListener,
    OperationListener,
    SharedAdapter,
    StepParts,
    UnwatchedSteps,
    plain_name,
    tensors_in,
)
from paramscope.engine.operation_names import LOOKS

# Properties whose reading makes a tensor or leads out of autograd; all others are looks.
_PROPERTIES = frozenset({"data", "T", "mT", "H", "mH", "real", "imag"})


class TorchAdapter(SharedAdapter):
    """The engine interface on the installed PyTorch."""

    name = "torch"

    def __init__(self) -> None:
        import torch  # optional, and slow to load

        super().__init__(torch)
        self.version = str(torch.__version__)
        self._bfloat16 = torch.bfloat16

    def activate(self) -> None:
        """Nothing to redirect: ``import torch`` is PyTorch."""
        self.spy_on_backward()

    def deactivate(self) -> None:
        """Put PyTorch's own ``backward`` back."""
        self.stop_spying()

    def array(self, tensor: Any) -> NDArray[Any] | None:
        """Return the values as NumPy sees them; None for quantised and meta tensors.

        Of a sparse tensor, as the gradient of an Embedding may be, they are those it holds.
        """
        if self.is_uninitialized(tensor):
            return None
        try:
            detached = tensor.detach()
            if detached.is_sparse:
                detached = detached.coalesce().values()
            if detached.dtype is self._bfloat16:
                detached = detached.float()
            return np.asarray(detached.cpu().resolve_conj().resolve_neg().numpy())
        except (RuntimeError, TypeError, NotImplementedError):
            return None

    def fast_steps(self, parts: StepParts, mode: str) -> UnwatchedSteps | None:
        """Return nothing: PyTorch runs each step as it is."""
        return None

    @contextmanager
    def watch_build(self, listener: BuildListener) -> Iterator[None]:
        """Tell ``listener`` what no call of a function shows; old constructors are types."""
        with super().watch_build(listener), _memory_mode_class()(listener):
            yield

    def prepare(self) -> None:
        """Nothing: PyTorch is whole once it is loaded."""

    @contextmanager
    def record(self, listener: OperationListener) -> Iterator[None]:
        """Tell ``listener`` of every call of PyTorch inside the ``with`` block."""
        with _mode_class()(listener, self):
            yield


@cache
def _memory_mode_class() -> Any:
    """Return the class of the mode that hears of memory below PyTorch's own functions."""
    import torch  # optional
    from torch.utils._python_dispatch import TorchDispatchMode  # optional

    empty = torch.ops.aten.empty.memory_format

    class MemoryMode(TorchDispatchMode):  # type: ignore[misc]  # untyped where torch is missing
        """Passes each call on, and tells the listener of memory that is left unfilled."""

        def __init__(self, listener: BuildListener) -> None:
            super().__init__()
            self._listener = listener
            self._empty = empty

        def __torch_dispatch__(
            self,
            func: Callable[..., Any],
            types: object,
            args: tuple[Any, ...] = (),
            kwargs: dict[str, Any] | None = None,
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            if func is self._empty:
                self._listener.memory_asked_for(result)
            return result

    return MemoryMode


@cache
def _mode_class() -> Any:
    """Return the class of the mode, which can only be made once PyTorch is there."""
    from torch.overrides import TorchFunctionMode  # optional

    class Mode(TorchFunctionMode):  # type: ignore[misc]  # untyped where torch is missing
        """Passes each call on and tells the listener of it; inside a call the mode is off."""

        def __init__(self, listener: OperationListener, adapter: SharedAdapter) -> None:
            super().__init__()
            self._listener = listener
            self._adapter = adapter

        def __torch_function__(
            self,
            func: Callable[..., Any],
            types: object,
            args: tuple[Any, ...] = (),
            kwargs: dict[str, Any] | None = None,
        ) -> Any:
            kwargs = kwargs or {}
            result = func(*args, **kwargs)
            name = "" if self._adapter.is_muted else _name_of(func)
            if name and name not in LOOKS:
                tensor_type = self._adapter.torch.Tensor
                given = tuple(tensors_in((*args, *kwargs.values()), tensor_type))
                made = tuple(tensors_in((result,), tensor_type))
                self._listener.operation(plain_name(name), given, made)
            return result

    return Mode


def _name_of(func: Callable[..., Any]) -> str:
    """Return the function's name; for a property its own, and nothing if it is only a look."""
    name = str(getattr(func, "__name__", ""))
    if name in ("__get__", "__set__"):
        owner = getattr(getattr(func, "__self__", None), "__name__", "")
        if owner not in _PROPERTIES:
            return ""
        return owner if name == "__get__" else f"{owner}_"
    return name
