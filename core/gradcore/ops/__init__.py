"""The operations, one file a family. Importing this package fills the tables of ``registry``."""

from gradcore.ops import (
    arranging,
    elementwise,
    indexing,
    linear_algebra,
    matrix,
    ordering,
    products,
    rarer,
    reduction,
    selection,
    shape,
    special,
)

__all__ = [
    "arranging",
    "elementwise",
    "indexing",
    "linear_algebra",
    "matrix",
    "ordering",
    "products",
    "rarer",
    "reduction",
    "selection",
    "shape",
    "special",
]
