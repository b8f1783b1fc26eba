"""The measurements by the name they are asked for on the command line."""

from collections.abc import Callable, Iterable

import imports
import steps
import training
import window
from bootstrap.environment import Checkout
from figure import Figure

MEASUREMENTS: dict[str, Callable[[Checkout], Iterable[Figure]]] = {
    "import": imports.measure,
    "steps": steps.measure,
    "training": training.measure,
    "window": window.measure,
}
