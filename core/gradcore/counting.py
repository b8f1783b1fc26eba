"""Dictionaries that tell of every change, so that nobody has to look them through for one."""

from collections.abc import Callable
from typing import Any

_CHANGING = (
    "__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"
)  # fmt: skip


def counting(base: type, count: Callable[[], None]) -> Callable[[type], type]:
    """Let a class call ``count`` in every method that changes a dictionary of the base class."""

    def method(name: str) -> Callable[..., Any]:
        change = getattr(base, name)

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            count()
            return change(self, *args, **kwargs)

        call.__name__ = name
        call.__doc__ = change.__doc__
        return call

    def decorate(kind: type) -> type:
        for name in _CHANGING:
            setattr(kind, name, method(name))
        return kind

    return decorate
