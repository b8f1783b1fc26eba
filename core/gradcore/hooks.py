"""Hooks of nodes and tensors, and what registering one returns."""

import itertools
from collections.abc import Callable
from typing import Any


class Hooks:
    """The hooks of one node: on its outputs' gradients (by port), before and after it."""

    __slots__ = ("outputs", "retained", "before", "after")

    def __init__(self) -> None:
        self.outputs: dict[int, dict[int, Callable[[Any], Any]]] = {}
        self.retained: dict[int, Callable[[Any], None]] = {}
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}


class RemovableHandle:
    """What registering a hook returns; ``remove()`` takes the hook away again."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self.id = next(self._numbers)
        self._hooks = hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; does nothing the second time."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *args: object) -> None:
        self.remove()
