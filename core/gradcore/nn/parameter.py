"""`Parameter` and `Buffer`: tensors that a Module registers when they are assigned to it."""

from typing import Any

from gradcore.creation import empty
from gradcore.errors import ArgumentError
from gradcore.later import later
from gradcore.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is to be trained.

    It behaves as any tensor and adds nothing to one; its class is the sign by which a Module
    registers it when it is assigned to an attribute. A plain tensor assigned to a Module is
    deliberately not registered: it may be a value kept for a while, such as a hidden state.

    It requires a gradient from the start, also when it is made inside `no_grad()`.
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise ArgumentError(
                f"Parameter takes a tensor, got {type(data).__name__}",
                "",
                "Turn it into a tensor first: nn.Parameter(torch.tensor(...)).",
                function="Parameter",
            )
        return cls._make_subclass(data, requires_grad)

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        """Take what `__new__` has used already."""

    def __repr__(  # type: ignore[override]  # mypy loses the keyword of a special method
        self, *, tensor_contents: str | None = None
    ) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that belongs to a Module's state and is not trained."""

    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        made = cls._make_subclass(empty(0) if data is None else data, False)
        made.persistent = persistent
        return made

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        """Take what `__new__` has used already."""


def is_lazy(tensor: Any) -> bool:
    """Tell whether a tensor still waits for its shape."""
    return hasattr(type(tensor), "materialize")


__getattr__, __dir__ = later(
    __name__,
    "torch.nn.parameter",
    {"uninitialized": "UninitializedBuffer UninitializedParameter"},
)
