"""Settings of optimizers that a step changes by itself: by hand, or by a schedule.

While a step is recorded, numbers stand there that note what is done with them; optimizers and
schedules find plain ones.
"""

from collections.abc import Sequence
from typing import Any

from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.optim.optimizer import Optimizer
from gradcore.replay.slots import Place, purge


class Rates:
    """Settings of optimizers that a step changes by itself, while it is recorded.

    ``stands`` says of each what a replayed step would find there.
    """

    def __init__(self) -> None:
        self.stands: dict[tuple[int, Any], tuple[Place, Any]] = {}
        self._depth = 0
        self._held: list[tuple[Place, Any, Any]] = []

    def enter(self, place: Place, number: Any) -> None:
        """Note a place with the number that stands there."""
        self.stands[place.name] = place, number

    def of(self, optimizer: Optimizer) -> list[tuple[Place, Any]]:
        """Return those of an optimizer, with what stands there."""
        names = [(id(group), key) for group in optimizer.param_groups for key in group]
        return [self.stands[name] for name in names if name in self.stands]

    def begin(self, optimizer: Optimizer) -> list[tuple[Place, Any]]:
        """Let plain numbers stand there for a while; return what the step has set before."""
        self._depth += 1
        if self._depth > 1:
            return []
        new = []
        for place, stood in self.of(optimizer):
            value = place.get()
            if value is not stood:
                new.append((place, value))
                self.stands[place.name] = place, value
            clean = purge(value)
            place.put(clean)
            self._held.append((place, value, clean))
        return new

    def end(self, is_schedule: bool = False) -> list[tuple[Place, Any]]:
        """Let stand there what did before; return what was, or may have been, set meanwhile."""
        self._depth -= 1
        if self._depth:
            return []
        held, self._held = self._held, []
        new = []
        for place, value, clean in held:
            if place.get() is clean and not is_schedule:
                place.put(value)
            else:
                new.append((place, place.get()))
        return new


def schedules_in(calls: Sequence[Any]) -> list[LRScheduler]:
    """Return the schedules whose steps are among calls."""
    owners = [getattr(function, "__self__", None) for function, _ in calls]
    return [one for one in owners if isinstance(one, LRScheduler)]
