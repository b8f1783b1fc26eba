"""Tensors of a Module that are functions of others: `torch.nn.utils.parametrize`.

A Module with a parametrized tensor gets a class of its own, in which the tensor's name is a
property: it is computed from `parametrizations.<name>` each time it is asked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from gradcore.modes import no_grad
from gradcore.nn.containers import ModuleDict, ModuleList
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.tensor import Tensor

_cache: dict[tuple[int, str], Any] = {}
_cached_blocks = [0]


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once within a `with` block."""
    _cached_blocks[0] += 1
    try:
        yield
    finally:
        _cached_blocks[0] -= 1
        if not _cached_blocks[0]:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The functions that a tensor is computed by, in order, and what it is computed from."""

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, kind = original.shape, original.dtype
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    new = module.right_inverse(new)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._hold("original", original, new)
        else:
            for i, part in enumerate(new):
                self._hold(f"original{i}", original, part)
        if not unsafe:
            found = self()
            if not isinstance(found, Tensor) or found.dtype != kind or found.shape != shape:
                raise ValueError(
                    "The parametrization may not change the shape or dtype of the tensor, unless "
                    f"the `unsafe` flag is enabled.\n  It was {tuple(shape)} of {kind}."
                )

    def _hold(self, name: str, original: Tensor, values: Tensor) -> None:
        if isinstance(original, Parameter):
            if values is not original:
                values = Parameter(values.detach(), original.requires_grad)
            self.register_parameter(name, values)
        else:
            self.register_buffer(name, values)

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set what the tensor is computed from, such that it gets these values."""
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = module.right_inverse(new)
            parts = [new] if isinstance(new, Tensor) else list(new)
            for held, part in zip(self._originals(), parts, strict=True):
                held.data = part.data

    def forward(self) -> Any:
        modules = list(self)
        x = modules[0](*self._originals())
        for module in modules[1:]:
            x = module(x)
        return x


def _make_property(kind: type, name: str) -> None:
    def get(self: Any) -> Any:
        held = self.parametrizations[name]
        if not _cached_blocks[0]:
            return held()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = held()
        return _cache[key]

    def put(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(kind, name, property(get, put))


def _own_class(module: Module) -> None:
    """Give a module a class of its own, so that it can have properties."""
    base = type(module)

    def reduce(self: Any, protocol: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict()."
        )

    def copied(self: Any, memo: Any) -> Any:
        made = object.__new__(type(self))
        memo[id(self)] = made
        state = {key: deepcopy(value, memo) for key, value in self.__dict__.items()}
        made.__dict__.update(state)
        return made

    namespace = {
        "__reduce_ex__": reduce,
        "__deepcopy__": copied,
        "__module__": base.__module__,
        "_base_class": base,
    }
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), namespace)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute a tensor of a module from now on by `parametrization` of its present value."""
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        if not unsafe:
            with no_grad():
                value = getattr(module, tensor_name)
                if parametrization(value).shape != value.shape:
                    raise ValueError("Registering a parametrization may not change the shape.")
        held.append(parametrization)
        return module
    table = module._parameters if tensor_name in module._parameters else module._buffers
    if tensor_name not in table:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    original = table[tensor_name]
    if original is None:
        raise ValueError(f"'{tensor_name}' is None, so there is nothing to parametrize")
    held = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _own_class(module)
        module.parametrizations = ModuleDict()
    _make_property(type(module), tensor_name)
    module.parametrizations[tensor_name] = held
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Tell whether a tensor of a module, or any, is computed from others."""
    held = getattr(module, "parametrizations", None)
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a tensor an ordinary one again: with its present values, or those it began from."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    held = module.parametrizations[tensor_name]
    if not leave_parametrized and not held.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    first = held._originals()[0]
    with no_grad():
        value = getattr(module, tensor_name) if leave_parametrized else first
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, Parameter(value.detach(), first.requires_grad))
    else:
        module.register_buffer(tensor_name, value.detach())
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module)._base_class  # type: ignore[attr-defined]  # made with one
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class a module had before any of its tensors was parametrized."""
    kind = type(module)
    return kind._base_class if is_parametrized(module) else kind  # type: ignore[attr-defined]  # has
