"""Metrics of a document: ``evaluate(model)`` gives a number or a dict of them, ``accuracy`` one.

They are called between steps, in evaluation mode, without gradients, and leave no trace: the
modes of every Module and all random states are as before.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from paramscope.engine.adapters.base import Adapter
from paramscope.engine.program import METRICS, Program


class Metrics:
    """The metric functions of one program."""

    def __init__(self, adapter: Adapter, program: Program) -> None:
        self._adapter = adapter
        self._model = program.model
        self._functions: dict[str, Callable[..., Any]] = {}
        for name in METRICS:
            function = program.function(name)
            if function is not None:
                self._functions[name] = function

    def __bool__(self) -> bool:
        return bool(self._functions)

    def measure(self) -> dict[str, float]:
        """Call every metric function of the document and return its numbers by name."""
        adapter = self._adapter
        modes = [(module, module.training) for module in self._model.modules()]
        state = adapter.random_state()
        measured: dict[str, float] = {}
        try:
            self._model.eval()
            with adapter.no_grad():
                for name, function in self._functions.items():
                    measured |= self._numbers(name, function(self._model))
        finally:
            adapter.restore_random_state(state)
            for module, training in modes:
                module.training = training
        return measured

    def _numbers(self, name: str, value: Any) -> dict[str, float]:
        if isinstance(value, Mapping):
            return {str(key): _number(item) for key, item in value.items()}
        return {name: _number(value)}


def _number(value: Any) -> float:
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan
