"""What the census and the rules ask of an engine, so that they never know which one runs.

Both engines have PyTorch's attributes (``requires_grad``, ``is_leaf``, ``grad``, ``_version``),
which are read directly; only what has no common spelling stands here.
"""

from typing import Any, Protocol

from numpy.typing import NDArray


class EngineView(Protocol):
    """Questions about objects of the engine. None of them may run the user's code."""

    @property
    def module_internals(self) -> frozenset[str]:
        """Names that every Module holds for the library's own use."""
        ...

    def is_tensor(self, value: object) -> bool: ...

    def is_parameter(self, value: object) -> bool: ...

    def is_module(self, value: object) -> bool: ...

    def is_optimizer(self, value: object) -> bool: ...

    def is_uninitialized(self, tensor: Any) -> bool:
        """Tell whether a lazy tensor has no shape yet."""
        ...

    def shape(self, tensor: Any) -> tuple[int, ...]: ...

    def dtype(self, tensor: Any) -> str:
        """Return the dtype as the user writes it after ``torch.``, e.g. ``float32``."""
        ...

    def is_floating(self, tensor: Any) -> bool: ...

    def storage(self, tensor: Any) -> int:
        """Return a number that tensors sharing memory have in common; 0 where there is none."""
        ...

    def array(self, tensor: Any) -> NDArray[Any] | None:
        """Return the values as NumPy sees them, shared where possible; None where impossible."""
        ...
