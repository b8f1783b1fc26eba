"""The measurements by the name they are asked for on the command line."""

from collections.abc import Callable, Iterable

import imports
import operations
import scaling
import training
import window
from figure import Figure
from request import Request

MEASUREMENTS: dict[str, Callable[[Request], Iterable[Figure]]] = {
    "import": imports.measure,
    "training": training.measure,
    "operations": operations.measure,
    "scaling": scaling.measure,
    "window": window.measure,
}
