"""`torch.jit`: there is nothing to compile, so functions and models are returned as they are."""

from collections.abc import Callable
from typing import Any

from gradcore.serialization import load, save

__all__ = ["export", "freeze", "ignore", "is_scripting", "is_tracing", "load", "save", "script"]
__all__ += ["script_if_tracing", "trace", "unused"]


def script(obj: Any = None, *_: Any, **__: Any) -> Any:
    """Return a function, class or model as it is."""
    return obj


def trace(func: Any, example_inputs: Any = None, *_: Any, **__: Any) -> Any:
    """Return a function or model as it is."""
    return func


def freeze(mod: Any, *_: Any, **__: Any) -> Any:
    """Return a model as it is."""
    return mod


def _as_it_is(fn: Callable[..., Any]) -> Callable[..., Any]:
    return fn


def ignore(drop: Any = False, **_: Any) -> Any:
    """Return a function as it is; also as a decorator with arguments."""
    return drop if callable(drop) else _as_it_is


unused = export = script_if_tracing = _as_it_is


def is_scripting() -> bool:
    """Return False: nothing is compiled."""
    return False


def is_tracing() -> bool:
    """Return False: nothing is compiled."""
    return False
