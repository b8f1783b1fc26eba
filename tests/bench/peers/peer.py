"""What the benchmark asks of a library it compares with."""

import time
from collections.abc import Callable
from typing import Any

from workloads import Problem, Workload

ENOUGH = 5  # losses tell enough of a library
PATIENCE = 2.0  # seconds of CPU time for the others


class MissingError(Exception):
    """The library, or what it needs, is not there; the text says what."""


class UnfitError(Exception):
    """The library cannot do this workload straightforwardly; the text says why."""


class Peer:
    """A library: made once, it gives a step for each workload.

    ``make(key, workload, problem)`` returns the step: one update, returning the loss as the library
    has it. Raises `MissingError` when it is made, `UnfitError` when asked for a step.
    """

    name = ""
    steps_a_call = 1

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        """Return the function that does one step."""
        raise NotImplementedError

    def number(self, loss: Any) -> float:
        """Return a loss as a number."""
        return float(loss.item())

    def losses(self, step: Callable[[], Any], count: int) -> list[float]:
        """Return the losses of the first ``count`` steps; of at least a few where they are slow."""
        found: list[float] = []
        end = time.process_time() + PATIENCE
        while len(found) < count and (len(found) < ENOUGH or time.process_time() < end):
            found.append(self.number(step()))
        return found

    def settle(self, loss: Any) -> None:
        """Wait until the step that returned ``loss`` is really done."""
