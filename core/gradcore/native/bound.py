"""Calls of Python between kernels, bound to the arrays that they look at and write."""

from typing import Any

import numpy as np

from gradcore.native.builder import PythonCall, operands_of
from gradcore.native.entry import Operand
from gradcore.native.table import array_of
from gradcore.replay.program import RefusalError


class BoundCall:
    """A call of Python between kernels, on arrays that never move."""

    def __init__(self, call: PythonCall, arena: Any) -> None:
        self.function = call.function
        self.arguments = _resolved(call.arguments, arena)
        self.options = _resolved(call.options, arena)
        self.results = [None if x is None else array_of(x, arena) for x in call.results]
        self.is_single = call.is_single
        for x in operands_of((call.arguments, call.options)):
            if x.place[0].slot >= 0 and x.place[0].array is None:
                raise RefusalError("looks in Python at memory that moves")

    def __call__(self) -> bool:
        """Do the call; False if it raises an error, which the step itself is to raise."""
        try:
            made = self.function(*self.arguments, **self.options)
        except Exception:
            return False
        if self.results:
            for array, value in zip(self.results, [made] if self.is_single else made, strict=True):
                if array is None:
                    continue
                if np.shape(value) != array.shape:
                    # As many values as it found this time: another step than the recorded one.
                    return False
                np.copyto(array, value)
        return True


def _resolved(item: Any, arena: Any) -> Any:
    if isinstance(item, Operand):
        return array_of(item, arena)
    if type(item) in (tuple, list):
        return type(item)([_resolved(part, arena) for part in item])
    if type(item) is dict:
        return {key: _resolved(part, arena) for key, part in item.items()}
    if type(item) is slice:
        return slice(*[_resolved(part, arena) for part in (item.start, item.stop, item.step)])
    return item
