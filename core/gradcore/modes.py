"""``no_grad`` and its kin: context managers that are decorators too."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from gradcore.graph import state


def is_grad_enabled() -> bool:
    """Tell whether operations are recorded."""
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Tell whether this is inside ``inference_mode``."""
    return state.inference


class _Mode:
    """A context manager that can also decorate functions, generators and classes' methods."""

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *args: object) -> None:
        raise NotImplementedError

    def _again(self) -> "_Mode":
        return type(self)()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return call

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            # The mode holds only while the generator runs, not while its user does.
            running = function(*args, **kwargs)
            send: Any = None
            while True:
                try:
                    with self._again():
                        value = running.send(send)
                except StopIteration as stop:
                    return stop.value
                send = yield value

        return call


class no_grad(_Mode):
    """Record nothing inside."""

    def __new__(cls, function: Any = None) -> Any:
        made = object.__new__(cls)
        return made(function) if function is not None else made

    def __enter__(self) -> None:
        self._before = state.grad
        state.grad = False

    def __exit__(self, *args: object) -> None:
        state.grad = self._before


class enable_grad(no_grad):
    """Record inside, also within ``no_grad``."""

    def __enter__(self) -> None:
        self._before = state.grad
        # Nothing made in inference mode can be recorded, whatever is asked for.
        state.grad = not state.inference


class set_grad_enabled(_Mode):
    """Set at once whether operations are recorded; as a context manager, for the block only."""

    def __init__(self, mode: bool) -> None:
        self._before = state.grad
        self._mode = bool(mode)
        state.grad = self._mode

    def _again(self) -> "_Mode":
        return set_grad_enabled(self._mode)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        state.grad = self._before
        return super().__call__(function)

    def __enter__(self) -> None:
        state.grad = self._mode

    def __exit__(self, *args: object) -> None:
        state.grad = self._before


class inference_mode(_Mode):
    """Record nothing, and let nothing made inside be recorded later."""

    def __new__(cls, mode: Any = True) -> Any:
        made = object.__new__(cls)
        if callable(mode):
            made._mode = True
            return made(mode)
        made._mode = bool(mode)
        return made

    def _again(self) -> "_Mode":
        again: _Mode = inference_mode(self._mode)
        return again

    _mode: bool

    def __enter__(self) -> None:
        self._before = (state.grad, state.inference)
        state.inference = self._mode
        if self._mode:
            state.grad = False

    def __exit__(self, *args: object) -> None:
        state.grad, state.inference = self._before
