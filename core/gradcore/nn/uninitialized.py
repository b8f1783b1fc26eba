"""Parameters and buffers without shape or values, until a lazy Module has seen its first input."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcore.creation import empty
from gradcore.nn.parameter import Parameter
from gradcore.tensor import Tensor


class _Uninitialized:
    """What lazy Parameters and buffers share: they have neither shape nor values yet.

    Whatever asks for them is refused, as by PyTorch.
    """

    __slots__ = ()
    _becomes: Any = Tensor
    _a: Any

    @property
    def shape(self) -> Any:
        """Refuse: there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer.\n"
            "  It belongs to a lazy Module that has seen no input yet.\n"
            "  Call `forward` once before accessing its attributes."
        )

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary tensor of this shape, with values still to be set."""
        kind = self._a.dtype if dtype is None else dtype.numpy
        self._a = np.empty(tuple(shape), kind)
        self.__class__ = self._becomes

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):  # type: ignore[misc]  # its __repr__
    """A Parameter whose shape a lazy Module learns from its first input."""

    __slots__ = ()
    _becomes = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return cls._make_subclass(empty(0, dtype=dtype), requires_grad)

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        """Take what `__new__` has used already."""


class UninitializedBuffer(_Uninitialized, Tensor):  # type: ignore[misc]  # its __repr__
    """A buffer whose shape a lazy Module learns from its first input."""

    __slots__ = ()

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> Any:
        return cls._make_subclass(empty(0, dtype=dtype), requires_grad)

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        """Take what `__new__` has used already."""


# What needs neither shape nor values, or sets them.
_ALLOWED = """
    materialize size copy_ is_complex is_floating_point half float double to cpu cuda long int
    requires_grad_ detach detach_ register_hook retain_grad untyped_storage numpy data_ptr
"""
_OPERATORS = """
    __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __matmul__
    __rmatmul__ __pow__ __rpow__ __neg__ __abs__ __getitem__ __setitem__ __len__ __iadd__
    __isub__ __imul__ __itruediv__ __float__ __int__ __bool__ __iter__
"""


def _refusing(name: str) -> Any:
    def refuse(self: Tensor, *_: Any, **__: Any) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized parameter in `{name}`.\n"
            "  It belongs to a lazy Module that has seen no input yet.\n"
            "  Call `forward` with a dummy batch to initialize the parameters."
        )

    refuse.__name__ = name
    return refuse


def _refuse_all() -> None:
    """Have every method that needs values say that there are none."""
    allowed, operators = set(_ALLOWED.split()), set(_OPERATORS.split())
    for name in dir(Tensor):
        is_method = callable(getattr(Tensor, name)) and not name.startswith("_")
        if (is_method and name not in allowed) or name in operators:
            setattr(UninitializedParameter, name, _refusing(name))
            setattr(UninitializedBuffer, name, _refusing(name))


_refuse_all()
