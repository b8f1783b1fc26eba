"""The operations, one file a family. Importing this package fills the tables of ``registry``."""

from gradcore.ops import elementwise, indexing, matrix, reduction, shape

__all__ = ["elementwise", "indexing", "matrix", "reduction", "shape"]
