"""Schedules of the learning rate, run ahead: the settings of many steps, before the first of them.

What a schedule sets depends on nothing that a step computes, so that it may be asked beforehand.
Where fewer steps are done than it was asked for, it is taken back to the last one that was.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from gradcore.native.optimizing import NativeGroup
from gradcore.optim.lr_scheduler.base import LRScheduler

Late = Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]


class Schedules:
    """The schedules of a step, whose ``step`` is called after each one."""

    def __init__(self, late: Late, groups: Sequence[NativeGroup]) -> None:
        self._late = list(late)
        self._groups = list(groups)
        owners = [getattr(function, "__self__", None) for function, _ in late]
        self._owners = [one for one in owners if isinstance(one, LRScheduler)]
        self._optimizers = list({id(one.optimizer): one.optimizer for one in self._owners}.values())
        self.can_run_ahead = len(self._owners) == len(self._late) and not any(
            args for _, args in late
        )
        self._start: Any = None

    def settings(self, count: int) -> list[Any]:
        """Step ``count`` times; return for each group the settings of each of the steps.

        Fewer where the steps after them do something else.
        """
        self._start = self._state()
        rows: list[list[list[float]]] = [[] for _ in self._groups]
        for _ in range(count):
            numbers = [group.numbers() for group in self._groups]
            if not all(
                group.is_like(one) for group, one in zip(self._groups, numbers, strict=True)
            ):
                break
            for row, one in zip(rows, numbers, strict=True):
                row.append(one or [])
            self._step()
        return [np.array(row, np.float64) for row in rows]

    def go_back(self, done: int) -> None:
        """Let only so many steps have been done since ``settings`` was asked for."""
        states, settings = self._start
        for owner, state in zip(self._owners, states, strict=True):
            owner.load_state_dict(state)
        groups = [group for one in self._optimizers for group in one.param_groups]
        for group, values in zip(groups, settings, strict=True):
            group.update(values)
        for _ in range(done):
            self._step()

    def _step(self) -> None:
        for function, _ in self._late:
            function()

    def _state(self) -> tuple[list[Any], list[dict[str, Any]]]:
        states = [deepcopy(owner.state_dict()) for owner in self._owners]
        groups = [group for one in self._optimizers for group in one.param_groups]
        return states, [{k: v for k, v in group.items() if k != "params"} for group in groups]
