"""The errors gradcore raises: each a subclass of the class PyTorch raises in the same place.

A message has three parts: what happened (with the values), where, and what to do. The parts stay
readable as fields, so that a window can lay them out without taking the text apart.
"""

from typing import Any


class GradcoreError(Exception):
    """What all errors of gradcore share: the three parts and named values as fields."""

    def __init__(self, what: str, where: str = "", cure: str = "", **fields: Any) -> None:
        super().__init__("\n  ".join(part for part in (what, where, cure) if part))
        self.what = what
        self.where = where
        self.cure = cure
        self.fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.where, self.cure, self.fields)


def _rebuild(
    kind: type[GradcoreError], what: str, where: str, cure: str, fields: dict[str, Any]
) -> GradcoreError:
    return kind(what, where, cure, **fields)


class ShapeError(GradcoreError, RuntimeError):
    """Shapes that do not fit each other or the operation. Fields: ``shapes``."""


class DtypeError(GradcoreError, RuntimeError):
    """A dtype the operation cannot take, or two that may not be mixed. Fields: ``dtypes``."""


class DtypeTypeError(GradcoreError, TypeError):
    """A dtype gradcore does not have, where PyTorch's own class would be TypeError."""


class DimensionError(GradcoreError, IndexError):
    """A dimension outside the tensor's range. Fields: ``dim``, ``ndim``."""


class IndexOutOfRangeError(GradcoreError, IndexError):
    """An index outside its dimension, or too many of them."""


class ArgumentError(GradcoreError, TypeError):
    """An argument of the wrong kind or name. Fields: ``function``."""


class ValueRangeError(GradcoreError, ValueError):
    """An argument of the right kind whose value cannot be used."""


class AutogradError(GradcoreError, RuntimeError):
    """A wrong use of the tape (no graph, no gradient, wrong shape of a gradient)."""


class GraphFreedError(AutogradError):
    """A second backward pass through a graph whose saved values were freed by the first."""


class ModifiedError(AutogradError):
    """A saved tensor was changed in place before backward used it.

    Fields: ``operation`` (whose gradient needs it), ``written_by`` (the in-place operation),
    ``written_at`` (``file:line`` where known).
    """


class InplaceError(AutogradError):
    """An in-place write that autograd cannot follow (a leaf that requires grad, a shared cell)."""


class InferenceTensorError(AutogradError):
    """An inference tensor used where autograd needs an ordinary one."""


class UnsupportedError(GradcoreError, NotImplementedError):
    """Something PyTorch has and gradcore has not."""


class UnsupportedDtypeError(GradcoreError, NotImplementedError):
    """A dtype that the operation is not defined for. Fields: ``dtypes``."""


class LinAlgError(GradcoreError, RuntimeError):
    """A matrix that cannot be factored or inverted."""
