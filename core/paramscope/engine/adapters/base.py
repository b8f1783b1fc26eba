"""The interface of an engine, and the large part of it that both engines share.

Both are laid out like the ``torch`` package, so a namespace is all the shared part needs. What
differs (recording, the meaning of ``import torch``) is in the two modules beside this one.
"""

import functools
import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from paramscope.census.engine_view import EngineView
from paramscope.engine.readings import Reading


class OperationListener(Protocol):
    """Is told of every operation while it is recorded, from inside the user's call."""

    def operation(self, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """One operation: its plain name (``add``, ``add_`` in place), tensors in, tensors out."""
        ...


class BackwardListener(Protocol):
    """Is told before and after each ``backward()`` of the user's, and may raise before it."""

    def before_backward(self, loss: Any) -> None: ...

    def after_backward(self, loss: Any) -> None: ...


class BuildListener(Protocol):
    """Is told, while the source runs, what autograd's operations do not show."""

    def module_assigned(self, owner: Any, name: str, old: Any, new: Any) -> None:
        """A Module is assigned to an attribute, where ``old`` was before or None."""
        ...

    def memory_asked_for(self, tensor: Any) -> None:
        """A constructor that is no operation (``torch.FloatTensor(3)``) gives unfilled memory."""
        ...

    def state_loaded(self, module: Any, state: Mapping[str, Any], strict: bool) -> None: ...

    def group_added(self, optimizer: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class StepParts:
    """What a training step of a document is made of; ``own_step`` replaces all but the batch."""

    model: Any
    optimizers: list[Any]
    optimizer_argument: Any
    batch: Callable[[], Any]
    loss: Callable[..., Any]
    own_step: Callable[..., Any] | None
    filename: str


Batch = tuple[Any, Any]


@dataclass(slots=True)
class Slice:
    """Steps to be run in a row: after step ``done``, up to step ``last`` or until it is time.

    ``losses`` are those of the steps that were done, also if one of them failed.
    """

    done: int
    last: float
    until: float = math.inf
    clock: Callable[[], float] = time.perf_counter
    losses: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many steps it may be at most."""
        return sys.maxsize if self.last == math.inf else max(0, int(self.last) - self.done)


class UnwatchedSteps(Protocol):
    """Steps of a document as fast as an engine can do them.

    ``mode`` says how the last one ran, and ``reason`` why not faster.
    """

    @property
    def mode(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def is_settled(self) -> bool: ...

    @property
    def draws_batch(self) -> bool: ...

    def next_batch(self) -> Batch: ...

    def run(self, slice_: Slice, batch: Batch | None = None) -> None: ...

    def run_measured(self, slice_: Slice, tensors: Sequence[Any]) -> dict[int, Reading]: ...

    def step(self, number: int, batch: Batch | None = None) -> float: ...

    def taken_back(self) -> AbstractContextManager[None] | None: ...


class Adapter(EngineView, Protocol):
    """One engine, as the session uses it."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def torch(self) -> Any:
        """The namespace that ``import torch`` means."""
        ...

    @property
    def backward_listeners(self) -> list[BackwardListener]: ...

    def activate(self) -> None:
        """Make ``import torch`` mean this engine in this process."""
        ...

    def deactivate(self) -> None:
        """Leave the process as it was before `activate`."""
        ...

    def seed(self, number: int) -> None: ...

    def random_state(self) -> object: ...

    def restore_random_state(self, state: Any) -> None: ...

    def no_grad(self) -> AbstractContextManager[Any]: ...

    def record(self, listener: OperationListener) -> AbstractContextManager[None]: ...

    @property
    def is_muted(self) -> bool:
        """Whether operations go untold at present."""
        ...

    def watch_build(self, listener: BuildListener) -> AbstractContextManager[None]: ...

    def fast_steps(self, parts: StepParts, mode: str) -> UnwatchedSteps | None:
        """Return a faster way to do unwatched steps, None where the engine has none.

        ``mode`` is the fastest that is wanted: ``replay``, or ``auto`` for whatever there is.
        """
        ...

    def prepare(self) -> None:
        """Load in the background what will make steps faster; called while nothing trains."""
        ...

    def mute(self) -> None:
        """Have operations go untold until `unmute`: they are not the model's."""
        ...

    def unmute(self) -> None: ...

    def copy_into(self, target: Any, source: Any) -> None:
        """Write the values of one tensor into another of equal shape, whatever autograd says."""
        ...


class SharedAdapter:
    """What is the same on both engines, given the namespace that means ``torch``."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.module_internals = frozenset(vars(torch.nn.Module()))
        self.backward_listeners: list[BackwardListener] = []
        self.is_muted = False
        self._original_backward: Callable[..., Any] | None = None
        self._tensor: type = torch.Tensor
        self._parameter: type = torch.nn.Parameter
        self._module: type = torch.nn.Module
        self._optimizer: type = torch.optim.Optimizer
        self._dtypes: dict[Any, str] = {}

    def is_tensor(self, value: object) -> bool:
        """Tell whether ``value`` is a tensor of this engine."""
        return isinstance(value, self._tensor)

    def is_parameter(self, value: object) -> bool:
        """Tell whether ``value`` is an ``nn.Parameter``."""
        return isinstance(value, self._parameter)

    def is_module(self, value: object) -> bool:
        """Tell whether ``value`` is an ``nn.Module``."""
        return isinstance(value, self._module)

    def is_optimizer(self, value: object) -> bool:
        """Tell whether ``value`` is an optimizer of the library."""
        return isinstance(value, self._optimizer)

    def is_uninitialized(self, tensor: Any) -> bool:
        """Tell whether ``tensor`` is a lazy one that has no shape yet."""
        return type(tensor).__name__ in ("UninitializedParameter", "UninitializedBuffer")

    def shape(self, tensor: Any) -> tuple[int, ...]:
        """Return the shape, empty for a tensor that has none yet."""
        return () if self.is_uninitialized(tensor) else tuple(tensor.shape)

    def dtype(self, tensor: Any) -> str:
        """Return the name of the dtype without ``torch.``."""
        dtype = tensor.dtype
        name = self._dtypes.get(dtype)
        if name is None:
            name = self._dtypes[dtype] = str(dtype).rpartition(".")[2]
        return name

    def is_floating(self, tensor: Any) -> bool:
        """Tell whether the values are floating-point numbers."""
        return bool(tensor.is_floating_point())

    def storage(self, tensor: Any) -> int:
        """Return the address of the memory, 0 where there is none."""
        if self.is_uninitialized(tensor):
            return 0
        try:
            return int(tensor.untyped_storage().data_ptr())
        except (RuntimeError, NotImplementedError, AttributeError):
            return 0

    def array(self, tensor: Any) -> NDArray[Any] | None:
        """Return the values as NumPy sees them, None where it cannot."""
        if self.is_uninitialized(tensor):
            return None
        array: NDArray[Any] = tensor.detach().numpy()
        return array

    def mute(self) -> None:
        """Have operations go untold until `unmute`."""
        self.is_muted = True

    def unmute(self) -> None:
        """Have operations told again."""
        self.is_muted = False

    def seed(self, number: int) -> None:
        """Seed the engine, NumPy and Python alike."""
        self.torch.manual_seed(number)
        np.random.seed(number % 2**32)
        random.seed(number)

    def random_state(self) -> object:
        """Return the state of every generator that `seed` sets."""
        return self.torch.get_rng_state(), np.random.get_state(), random.getstate()

    def restore_random_state(self, state: Any) -> None:
        """Put back what `random_state` returned."""
        engine, numpy_state, python_state = state
        self.torch.set_rng_state(engine)
        np.random.set_state(numpy_state)
        random.setstate(python_state)

    def no_grad(self) -> AbstractContextManager[Any]:
        """Return the ``with`` block in which nothing is recorded for backward."""
        manager: AbstractContextManager[Any] = self.torch.no_grad()
        return manager

    def copy_into(self, target: Any, source: Any) -> None:
        """Write the values of ``source`` into ``target``, past autograd."""
        with self.no_grad():
            target.copy_(source.detach())

    @contextmanager
    def watch_build(self, listener: BuildListener) -> Iterator[None]:
        """Tell ``listener`` of Modules replaced, states loaded and optimizer groups added."""
        module: Any = self._module
        optimizer: Any = self._optimizer
        set_attribute, load_state = module.__setattr__, module.load_state_dict
        add_child = module.add_module
        add_group = optimizer.add_param_group

        def setattr_(owner: Any, name: str, value: Any) -> None:
            if isinstance(value, module):
                old = (owner.__dict__.get("_modules") or {}).get(name)
                listener.module_assigned(owner, name, old, value)
            set_attribute(owner, name, value)

        def add_module(owner: Any, name: str, value: Any) -> None:
            old = (owner.__dict__.get("_modules") or {}).get(name)
            add_child(owner, name, value)
            listener.module_assigned(owner, name, old, value)

        def load_state_dict(owner: Any, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
            result = load_state(owner, state_dict, *args, **kwargs)
            strict = kwargs.get("strict", args[0] if args else True)
            listener.state_loaded(owner, state_dict, bool(strict))
            return result

        def add_param_group(owner: Any, *args: Any, **kwargs: Any) -> None:
            add_group(owner, *args, **kwargs)
            listener.group_added(owner)

        module.__setattr__, module.load_state_dict = setattr_, load_state_dict
        module.add_module = add_module
        optimizer.add_param_group = add_param_group
        try:
            yield
        finally:
            module.__setattr__, module.load_state_dict = set_attribute, load_state
            module.add_module = add_child
            optimizer.add_param_group = add_group

    def spy_on_backward(self) -> None:
        """Wrap ``Tensor.backward`` once; while nobody listens it costs one test of a list."""
        listeners = self.backward_listeners
        original: Callable[..., Any] = self._tensor.backward  # type: ignore[attr-defined]  # any engine's

        # Wrapped, it counts as the engine's own for whoever asks where it comes from.
        @functools.wraps(original)
        def backward(loss: Any, *args: Any, **kwargs: Any) -> Any:
            if not listeners:
                return original(loss, *args, **kwargs)
            was_muted, self.is_muted = self.is_muted, True
            try:
                for listener in list(listeners):
                    listener.before_backward(loss)
                result = original(loss, *args, **kwargs)
                for listener in list(listeners):
                    listener.after_backward(loss)
            finally:
                self.is_muted = was_muted
            return result

        self._tensor.backward = backward  # type: ignore[attr-defined]  # any engine's
        self._original_backward = original

    def stop_spying(self) -> None:
        """Put the engine's own ``backward`` back."""
        if self._original_backward is not None:
            self._tensor.backward = self._original_backward  # type: ignore[attr-defined]  # as above
            self._original_backward = None


def tensors_in(values: Iterable[Any], tensor_type: type, depth: int = 2) -> Iterator[Any]:
    """Give the tensors among ``values`` and in the lists, tuples and dicts among them."""
    for value in values:
        if isinstance(value, tensor_type):
            yield value
        elif depth and isinstance(value, list | tuple):
            yield from tensors_in(value, tensor_type, depth - 1)
        elif depth and isinstance(value, Mapping):
            yield from tensors_in(value.values(), tensor_type, depth - 1)


def plain_name(name: str) -> str:
    """Turn the name of a method or operator into the operation's: ``__rsub__`` into ``sub``.

    >>> [plain_name(n) for n in ("__add__", "__radd__", "__iadd__", "relu_", "__getitem__")]
    ['add', 'add', 'add_', 'relu_', 'getitem']
    """
    if not (name.startswith("__") and name.endswith("__")):
        return name
    name = name[2:-2]
    if name in _OPERATORS:
        return _OPERATORS[name]
    return name


_BINARY = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
_OPERATORS = {f"r{name}": name for name in _BINARY} | {f"i{name}": f"{name}_" for name in _BINARY}
_OPERATORS |= {"truediv": "div", "rtruediv": "div", "itruediv": "div_", "setitem": "setitem_"}


@contextmanager
def listening(listeners: list[BackwardListener], listener: BackwardListener) -> Iterator[None]:
    """Have ``listener`` told of every backward inside the ``with`` block."""
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)
