"""What a data set says of itself, and the error that reading one raises."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Inputs, one row each, and the number of the class of each row."""


@dataclass(frozen=True, slots=True)
class DataInfo:
    """Title, origin and meaning of a data set, as the data panel shows them.

    ``columns`` names the measures of a table; ``shape`` is that of one input. ``classes`` are
    the names behind the class numbers 0, 1, 2 ... ``url`` leads to the original.
    """

    title: str
    summary: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    columns: tuple[str, ...] = ()
    licence: str = ""
    authors: str = ""
    year: int | None = None
    url: str = ""


class DataError(ValueError):
    """Data cannot be read: what was found, in which file and line, and what to do."""
