"""`torch.overrides`: classes of the user's own that stand for tensors, and what they are asked.

A class derived from `Tensor` gets methods here that ask its `__torch_function__` first; with the
first such class, so do the public functions. Programs that derive none pay nothing.
"""

import functools
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from gradcore.errors import ArgumentError, UnsupportedError
from gradcore.nn.parameter import Buffer, Parameter
from gradcore.ops.shape import view
from gradcore.tensor import Tensor


class _State(threading.local):
    """Whether classes are asked: not while one of them runs a function as it is."""

    is_off = False


_state = _State()


@contextmanager
def _as_it_is() -> Iterator[None]:
    before, _state.is_off = _state.is_off, True
    try:
        yield
    finally:
        _state.is_off = before


def _asks(kind: type) -> bool:
    """Tell whether objects of a class want to be asked."""
    if kind is Tensor or issubclass(kind, (Parameter, Buffer)):
        return False
    return hasattr(kind, "__torch_function__")


def _asked(given: Iterable[Any]) -> list[type]:
    """Return the classes among arguments that want to be asked, derived ones first."""
    found: list[type] = []
    for item in given:
        members = item if isinstance(item, (list, tuple)) else (item,)
        for member in members:
            kind = type(member)
            if kind not in found and _asks(kind):
                place = next((i for i, k in enumerate(found) if issubclass(kind, k)), len(found))
                found.insert(place, kind)
    return found


def _ask(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], kinds: list[type]) -> Any:
    given: Any
    for kind in kinds:
        given = kind
        result = given.__torch_function__(function, tuple(kinds), args, kwargs)
        if result is not NotImplemented:
            return result
    name = getattr(function, "__name__", "function")
    raise ArgumentError(
        f"Multiple dispatch failed for 'torch.{name}'; all __torch_function__ handlers returned "
        f"NotImplemented: {kinds}",
    )


def answer(
    cls: Any, func: Any, types: Iterable[type], args: tuple[Any, ...], kwargs: Any = None
) -> Any:
    """Run a function as it is, and return what it makes as objects of ``cls``.

    This is what a class does that has no `__torch_function__` of its own.
    """
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with _as_it_is():
        result = func(*args, **(kwargs or {}))
    return _converted(result, cls, args)


def _converted(result: Any, cls: Any, args: tuple[Any, ...]) -> Any:
    if isinstance(result, Tensor) and not isinstance(result, cls):
        if type(result) is Tensor and not any(result is item for item in args):
            try:
                result.__class__ = cls
            except TypeError:
                # Its objects have slots of their own.
                return as_subclass(result, cls)
            return result
        return as_subclass(result, cls)
    if isinstance(result, (tuple, list)):
        parts = [_converted(item, cls, args) for item in result]
        make = getattr(type(result), "_make", type(result))
        return make(parts)
    return result


def as_subclass(t: Any, cls: Any) -> Any:
    """Return an object of ``cls`` on the memory of ``t``; gradients flow through."""
    with _as_it_is():
        alias = view(t, tuple(t.shape))
    try:
        alias.__class__ = cls
    except TypeError:
        made = cls._make_subclass(alias)
        made._node, made._port, made._view = alias._node, alias._port, alias._view
        return made
    return alias


# --- entering a class

_LEFT_ALONE = {"as_subclass", "register_hook", "requires_grad_", "retain_grad", "type", "to_dense"}
_DUNDERS = """
    add radd iadd sub rsub isub mul rmul imul truediv rtruediv itruediv floordiv rfloordiv mod rmod
    pow rpow matmul rmatmul and or xor lshift rshift neg pos abs invert lt le gt ge eq ne getitem
    setitem len contains iter
"""
_PROPERTIES = ("T", "mT", "H", "mH", "real", "imag", "data")
_MODULES = ("gradcore", "gradcore.nn.functional", "gradcore.linalg", "gradcore.fft")
_entered: list[type] = []


def enter(cls: type) -> None:
    """Let a class that was derived from `Tensor` be asked."""
    if not _asks(cls) or any(base in _entered for base in cls.__mro__[1:]):
        return
    if not _entered:
        for name in _MODULES:
            if name in sys.modules:
                _enter_module(sys.modules[name])
    _entered.append(cls)
    names = [f"__{name}__" for name in _DUNDERS.split()]
    names += [name for name in dir(Tensor) if not name.startswith("_")]
    own = {name for kind in cls.__mro__ if kind not in Tensor.__mro__ for name in vars(kind)}
    for name in names:
        plain = getattr(Tensor, name)
        if name in own or name in _LEFT_ALONE or not isinstance(plain, types.FunctionType):
            continue
        setattr(cls, name, _asking_method(plain))
    for name in _PROPERTIES:
        if name not in own:
            setattr(cls, name, _asking_property(getattr(Tensor, name)))


def _asking_method(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _state.is_off:
            return plain(self, *args, **kwargs)
        every = (self, *args)
        return _ask(plain, every, kwargs, _asked((*every, *kwargs.values())))

    return call


def _asking_property(plain: Any) -> property:
    def get(self: Any) -> Any:
        if _state.is_off:
            return plain.fget(self)
        return _ask(plain.__get__, (self,), {}, _asked((self,)))

    return property(get, plain.fset)


def _asking_function(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not _state.is_off:
            kinds = _asked((*args, *kwargs.values()))
            if kinds:
                return _ask(call, args, kwargs, kinds)
        return plain(*args, **kwargs)

    return call


_NOT_ASKED = {"is_tensor", "as_tensor", "asarray", "tensor", "save", "load", "typename", "compile"}


def _enter_module(module: types.ModuleType) -> None:
    """Let the public functions of a module ask, and those it will load later."""
    for name, value in list(vars(module).items()):
        if _is_public(name, value):
            setattr(module, name, _asking_function(value))
    later = getattr(module, "__getattr__", None)
    if later is None:
        return

    def find(name: str) -> Any:
        found = later(name)
        if _is_public(name, found):
            found = _asking_function(found)
            setattr(module, name, found)
        return found

    module.__getattr__ = find  # type: ignore[method-assign] # as PEP 562 has it


def _is_public(name: str, value: Any) -> bool:
    is_function = isinstance(value, types.FunctionType)
    return is_function and not name.startswith("_") and name not in _NOT_ASKED


# --- what scripts ask of `torch.overrides`


def is_tensor_like(inp: Any) -> bool:
    """Tell whether something is a tensor or stands for one."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Tell whether one of the arguments wants to be asked."""
    return not _state.is_off and bool(_asked(relevant_args))


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Ask the arguments' classes for the result of a function."""
    return _ask(public_api, args, kwargs, _asked(relevant_args))


class TorchFunctionMode:
    """Refuses: plain tensors are not asked."""

    def __enter__(self) -> NoReturn:
        raise UnsupportedError(
            "gradcore has no TorchFunctionMode",
            "Only objects of classes derived from Tensor are asked.",
            "Derive a class from torch.Tensor and give it a __torch_function__.",
        )

    def __exit__(self, *args: object) -> None:
        """Never reached."""
