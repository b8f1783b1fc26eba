"""What all schedules share."""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from gradcore import graph
from gradcore.optim.optimizer import Optimizer


def _told(step: Callable[..., None]) -> Callable[..., None]:
    """Let a schedule's `step` tell the journal of itself; what it calls inside is part of it."""

    @functools.wraps(step)
    def call(self: "LRScheduler", *args: Any, **kwargs: Any) -> None:
        journal = graph.journal
        if journal is None:
            return step(self, *args, **kwargs)
        journal.settling(self.optimizer)
        graph.journal = None
        try:
            step(self, *args, **kwargs)
        finally:
            graph.journal = journal
        journal.call(self.step, (*args, *kwargs.values()))

    return call


class LRScheduler:
    """Base class: `get_lr` returns the rate of each group for the step `last_epoch`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _told(cls.__dict__["step"])  # type: ignore[method-assign]  # wrapped

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{place}] when resuming "
                    "scheduler with last_epoch >= 0."
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group as it was last set."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """Return the rate of each group for the step `last_epoch`."""
        raise NotImplementedError

    @_told
    def step(self, epoch: int | None = None) -> None:
        """Go to the next step (or to `epoch`) and set the rates."""
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", True):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch "
                "1.1.0 and later, you should call them in the opposite order: `optimizer.step()` "
                "before `lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping "
                "the first value of the learning rate schedule.",
                stacklevel=2,
            )
        self._step_count += 1
        self._set(self._next_rates(epoch))

    def _next_rates(self, epoch: int | None) -> list[float]:
        if epoch is None:
            self.last_epoch += 1
            return self.get_lr()
        self.last_epoch = epoch
        closed = getattr(self, "_get_closed_form_lr", self.get_lr)
        rates: list[float] = closed()
        return rates

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


def for_each_group(optimizer: Optimizer, given: Any, name: str) -> list[Any]:
    """Return one setting for each parameter group."""
    count = len(optimizer.param_groups)
    if not isinstance(given, (list, tuple)):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"Expected {count} {name}, but got {len(given)}")
    return list(given)


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Set the momentum of a group, which Adam and its kin call the first beta."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
