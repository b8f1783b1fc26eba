"""Optimizers inside of a native program: their rows, and whether their state is still theirs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat, starmap
from operator import attrgetter, getitem, is_
from typing import Any

import numpy as np

from gradcore.graph import TensorBase
from gradcore.native.builder import DOUBLE, SINGLE, Launch, UnsupportedError
from gradcore.native.clipping import Clip
from gradcore.native.counting import Steps
from gradcore.native.entry import Operand
from gradcore.native.kernels.optimizers import OPTIMIZERS, Stepper
from gradcore.native.kernels.optimizers.measure import STATISTICS
from gradcore.native.layout import Storage, address_of, of_array, whole
from gradcore.optim.lr_scheduler.base import LRScheduler
from gradcore.optim.optimizer import Optimizer

_ARRAY = attrgetter("_a")
_GRAD = attrgetter("_grad")
_RATE = "lr"
"""The setting that may well be another one at each step."""


def stepper_of(optimizer: Any) -> Stepper | None:
    """Return the native form of an optimizer, if it has one."""
    kind = type(optimizer)
    if kind.__module__.partition(".")[0] != "gradcore":
        return None
    return OPTIMIZERS.get(kind.__name__)


@dataclass(frozen=True, slots=True)
class Measured:
    """Tensors that one kernel moves, and the statistics of each, as `gradcore.statistics` says."""

    tensors: list[TensorBase]
    rows: Any
    slot: int


class NativeGroup:
    """One group of an optimizer: the words of its kernel, and what must stay as it is."""

    def __init__(
        self, optimizer: Optimizer, group: dict[str, Any], gradients: dict[int, Operand]
    ) -> None:
        stepper = stepper_of(optimizer)
        if stepper is None:
            raise UnsupportedError
        self.optimizer = optimizer
        self.group = group
        self.stepper = stepper
        others = [p for p in group["params"] if id(p) not in gradients]
        # Gradients that the step finds, and leaves: they are read from where they are.
        self._given: list[TensorBase] = [p for p in others if p._grad is not None]
        self._found = [p._grad._a for p in self._given]
        self._absent = [p for p in others if p._grad is None]
        gradients = {
            **gradients,
            **{id(p): _in_place(a) for p, a in zip(self._given, self._found, strict=True)},
        }
        self.moved: list[TensorBase] = [p for p in group["params"] if id(p) in gradients]
        self._params = list(group["params"])
        self._values = list(group.values())
        self._rate = group.get(_RATE)
        numbers = self.numbers()
        if numbers is None:
            raise UnsupportedError
        self.settings = np.array(numbers, np.float64)
        self.measured: list[Measured] = []
        self.slot = -1
        self._states = optimizer.state
        self._owners: list[Any] = []
        self._names: list[str] = []
        self._missing: list[tuple[Any, str]] = []
        self._arrays: list[Any] = []
        self._own = list(map(self._states.get, self.moved))
        self._rows = [self._row(p, gradients[id(p)]) for p in self.moved]
        self._steps = Steps(self.moved)

    def numbers(self) -> list[float] | None:
        """Return what the group's settings are for the kernel, if it knows them."""
        if any(isinstance(value, TensorBase) for value in self.group.values()):
            return None
        return self.stepper.settings(self.group)

    def _row(self, p: TensorBase, gradient: Operand) -> list[Any]:
        state = self.optimizer.state.get(p, {})
        kind = p._a.dtype
        # Only gradient descent without momentum keeps nothing; else a first step is still to come.
        if not state and (self.stepper.counts or self.group.get("momentum")):
            raise UnsupportedError
        if kind not in (SINGLE, DOUBLE) or not p._a.flags.c_contiguous:
            raise UnsupportedError
        row: list[Any] = [address_of(p._a), gradient]
        names = ("step", *self.stepper.state) if self.stepper.counts else self.stepper.state
        row += [] if self.stepper.counts else [0]
        for name in names:
            row.append(self._held(state, name, p))
        return [*row, p._a.size]

    def _held(self, state: dict[str, Any], name: str, p: TensorBase) -> int:
        t = state.get(name)
        if t is None:
            self._missing.append((state, name))
            return 0
        if not isinstance(t, TensorBase) or not t._a.flags.c_contiguous:
            raise UnsupportedError
        if t._a.ndim and (t._a.shape != p._a.shape or t._a.dtype != p._a.dtype):
            raise UnsupportedError
        if not t._a.ndim and t._a.dtype != SINGLE:
            raise UnsupportedError
        self._owners.append(state)
        self._names.append(name)
        self._arrays.append(t._a)
        return address_of(t._a)

    def launches(self, slot: Callable[[], int]) -> Iterable[Launch]:
        """Yield the kernels that move the group, one for each dtype in it.

        ``slot`` gives a new slot: what it holds is where statistics go, 0 if nowhere. Settings are
        in one, too: they may be others at each of many steps.
        """
        self.slot = slot()
        settings = whole(self.settings.shape, DOUBLE, Storage(0, None, self.slot))
        for kind in (SINGLE, DOUBLE):
            tensors = [p for p in self.moved if p._a.dtype == kind]
            if not tensors:
                continue
            table = np.zeros((len(tensors), STATISTICS), np.float64)
            page = Measured(tensors, table, slot())
            self.measured.append(page)
            words: list[Any] = [len(tensors), settings]
            words.append(whole(table.shape, DOUBLE, Storage(table.nbytes, None, page.slot)))
            for p, row in zip(self.moved, self._rows, strict=True):
                words += row if p._a.dtype == kind else []
            yield Launch(self.stepper.kernel, tuple(words), (), kind)

    def holds(self) -> bool:
        """Tell whether tensors and state are as they were; take over settings that changed."""
        return self.is_free() and self._finds_state() and self._finds_rest() and self.has_settings()

    def is_free(self) -> bool:
        """Tell whether the optimizer has no hooks, and the state that it had."""
        optimizer = self.optimizer
        if optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
            return False
        return optimizer.state is self._states and not optimizer._inside

    def _finds_state(self) -> bool:
        if not all(map(is_, map(self._states.get, self.moved), self._own)):
            return False
        try:
            found = map(getitem, self._owners, self._names)
            if not all(map(is_, map(_ARRAY, found), self._arrays)):
                return False
        except (KeyError, AttributeError):
            return False
        return all(map(is_, starmap(dict.get, self._missing), repeat(None)))

    def _finds_rest(self) -> bool:
        """Tell whether there are the same tensors, and gradients where they were."""
        if self._absent and not all(map(is_, map(_GRAD, self._absent), repeat(None))):
            return False
        if self._given:
            given = list(map(_GRAD, self._given))
            if any(map(is_, given, repeat(None))):
                return False
            if not all(map(is_, map(_ARRAY, given), self._found)):
                return False
        if all(one is not self.group for one in self.optimizer.param_groups):
            return False
        params = self.group["params"]
        return len(params) == len(self._params) and all(map(is_, params, self._params))

    def watch(self, words: Any) -> None:
        """Let words of memory tell what ``holds`` looks up, but for settings and hooks."""
        # Held here, so that nothing else can come to lie in their place.
        self._kept = [p._grad for p in self._given]
        self._watched = self.group["params"]
        words.slots(map(getitem, self._owners, self._names), "_a")
        words.slots([*self._absent, *self._given], "_grad")
        words.slots(self._kept, "_a")
        words.items(self._watched)
        self._are_settings_watched = words.entries(self.group, without=_RATE)
        self._is_free_watched = words.entries(vars(self.optimizer)) and words.lengths(
            [self.optimizer._optimizer_step_pre_hooks, self.optimizer._optimizer_step_post_hooks]
        )

    def holds_rest(self) -> bool:
        """Tell whether that holds which the words of ``watch`` do not tell."""
        if self.group.get(_RATE) is not self._rate or not self._are_settings_watched:
            if not self.has_settings():
                return False
        return self._is_free_watched or self.is_free()

    def has_settings(self) -> bool:
        """Tell whether the group's settings are what they were, or could be taken over."""
        group = self.group
        if len(group) != len(self._values):
            return False
        return all(map(is_, group.values(), self._values)) or self._take_over()

    def _take_over(self) -> bool:
        """Take over settings that changed; False where that changes what there is to do."""
        values = list(self.group.values())
        for before, now in zip(self._values, values, strict=True):
            plain = isinstance(now, int | float | tuple) and not isinstance(now, bool)
            if now is not before and now != before and not plain:
                return False
        numbers = self.numbers()
        if not self.is_like(numbers):
            return False
        # Only now: until it was taken over, a change has to be found again.
        self._values, self._rate = values, self.group.get(_RATE)
        self.settings[:] = numbers
        return True

    def is_like(self, numbers: list[float] | None) -> bool:
        """Tell whether with these settings there is the same to do."""
        if numbers is None:
            return False
        # The learning rate, which comes first, may well be nothing for a step.
        return list(map(bool, numbers[1:])) == list(map(bool, self.settings[1:]))

    def stepped(self, times: int = 1) -> None:
        """Note that the kernel has moved the group."""
        self._steps.add(times)
        self.optimizer._opt_called = True

    def arrays(self) -> list[Any]:
        """Return everything that the kernel writes."""
        return [*[p._a for p in self.moved], *self._arrays]


def _in_place(a: Any) -> Operand:
    """Return a gradient that stays where it is."""
    if not a.flags.c_contiguous:
        raise UnsupportedError
    return of_array(a, Storage(a.nbytes, a))


def movers_of(
    late: list[Any], gradients: dict[int, Operand]
) -> tuple[list[NativeGroup | Clip], list[Any]]:
    """Return what kernels do at the step's end, in order, and what is left to Python after it.

    All or nothing: an optimizer that stays with Python takes the others with it.
    """
    movers: list[NativeGroup | Clip] = []
    rest = list(late)
    try:
        while rest and not isinstance(_owner(rest[0][0]), LRScheduler):
            function, args = rest.pop(0)
            optimizer = _owner(function)
            if not isinstance(optimizer, Optimizer):
                movers.append(Clip(function, args, gradients))
                continue
            movers += [
                NativeGroup(optimizer, group, gradients)
                for group in optimizer.param_groups
                if not args
                and any(id(p) in gradients or p._grad is not None for p in group["params"])
            ]
    except UnsupportedError:
        return [], list(late)
    if any(isinstance(_owner(function), Optimizer) for function, _ in rest):
        return [], list(late)
    return movers, rest


def _owner(function: Any) -> Any:
    return getattr(function, "__self__", None)
