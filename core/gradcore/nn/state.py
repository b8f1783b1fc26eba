"""Saving a Module's state to a dictionary and loading it back; `Module` delegates here."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcore.modes import no_grad
from gradcore.nn.parameter import Parameter, is_lazy
from gradcore.tensor import Tensor

if TYPE_CHECKING:
    from gradcore.nn.module import Module

EXTRA_STATE_KEY = "_extra_state"


class StateDict(OrderedDict[str, Any]):
    """The dictionary `state_dict()` returns; `_metadata` holds each module's version.

    A class of its own only so that it can carry that attribute; it compares, prints and copies
    like the OrderedDict it is.
    """

    _metadata: OrderedDict[str, dict[str, Any]]


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What did not fit when a state was loaded."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


IncompatibleKeys.__name__ = IncompatibleKeys.__qualname__ = "_IncompatibleKeys"


class Loading(NamedTuple):
    """What one `load_state_dict` call carries from module to module."""

    state: Any
    metadata: dict[str, Any]
    strict: bool
    missing: list[str]
    unexpected: list[str]
    errors: list[str]


def with_module(module: "Module", hook: Callable[..., Any]) -> Callable[..., Any]:
    """Give a load hook its module as first argument."""
    return partial(hook, module)


def from_positional(
    args: tuple[Any, ...], destination: Any, prefix: str, keep_vars: bool
) -> tuple[Any, str, bool]:
    """Read the old positional form `state_dict(destination, prefix, keep_vars)`."""
    given = (*args, *(destination, prefix, keep_vars)[len(args) :])
    return given[0], given[1], given[2]


def collect(module: "Module", destination: Any, prefix: str, keep_vars: bool) -> Any:
    """Fill `destination` with the state of a module and all below it."""
    if destination is None:
        destination = StateDict()
        destination._metadata = OrderedDict()
    local_metadata = {"version": module._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = local_metadata
    for hook in module._state_dict_pre_hooks.values():
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
    for hook in module._state_dict_hooks.values():
        replaced = hook(module, destination, prefix, local_metadata)
        if replaced is not None:
            destination = replaced
    return destination


def save_own(module: "Module", destination: Any, prefix: str, keep_vars: bool) -> None:
    """Put the module's own Parameters and persistent buffers into `destination`."""
    for name, tensor in _own_state(module).items():
        destination[prefix + name] = tensor if keep_vars else tensor.detach()
    if _defines(module, "get_extra_state"):
        destination[prefix + EXTRA_STATE_KEY] = module.get_extra_state()


def load(
    module: "Module", state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Copy a state into a module and all below it."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    metadata = getattr(state_dict, "_metadata", None)
    loading = Loading(StateDict(state_dict), metadata or {}, strict, [], [], [])
    if metadata is not None:
        loading.state._metadata = metadata
    _load_below(module, loading, "", assign)
    errors = loading.errors
    if strict:
        for kind, keys in (("Unexpected", loading.unexpected), ("Missing", loading.missing)):
            if keys:
                listed = ", ".join(f'"{key}"' for key in keys)
                errors.insert(0, f"{kind} key(s) in state_dict: {listed}. ")
    if errors:
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t" + "\n\t".join(errors)
        )
    return IncompatibleKeys(loading.missing, loading.unexpected)


def _load_below(module: "Module", loading: Loading, prefix: str, assign: bool) -> None:
    local = dict(loading.metadata.get(prefix[:-1], {}))
    if assign:
        local["assign_to_params_buffers"] = True
    module._load_from_state_dict(
        loading.state, prefix, local, True, loading.missing, loading.unexpected, loading.errors
    )
    for name, child in module._modules.items():
        if child is None:
            continue
        below = f"{prefix}{name}."
        part = StateDict(
            (key, value) for key, value in loading.state.items() if key.startswith(below)
        )
        child_loading = Loading(
            part,
            loading.metadata,
            loading.strict,
            loading.missing,
            loading.unexpected,
            loading.errors,
        )
        _load_below(child, child_loading, below, assign)
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, IncompatibleKeys(loading.missing, loading.unexpected)) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                "return new values, if incompatible_keys need to be modified, it should be done "
                "inplace."
            )


def load_own(module: "Module", loading: Loading, prefix: str) -> None:
    """Copy the module's own tensors from a state and note what did not fit."""
    for hook in module._load_state_dict_pre_hooks.values():
        hook(
            loading.state,
            prefix,
            loading.metadata,
            loading.strict,
            loading.missing,
            loading.unexpected,
            loading.errors,
        )
    own = _own_state(module)
    for name, tensor in own.items():
        key = prefix + name
        if key in loading.state:
            _load_tensor(module, name, tensor, key, loading)
        elif loading.strict:
            loading.missing.append(key)
    extra_key = prefix + EXTRA_STATE_KEY
    takes_extra = _defines(module, "set_extra_state")
    if takes_extra and extra_key in loading.state:
        module.set_extra_state(loading.state[extra_key])
    elif takes_extra and loading.strict:
        loading.missing.append(extra_key)
    if not loading.strict:
        return
    for key in loading.state:
        if not key.startswith(prefix) or (takes_extra and key == extra_key):
            continue
        head, dot, _ = key[len(prefix) :].partition(".")
        if head not in (module._modules if dot else own):
            loading.unexpected.append(key)


def _load_tensor(module: "Module", name: str, tensor: Tensor, key: str, loading: Loading) -> None:
    given = loading.state[key]
    if not isinstance(given, Tensor):
        loading.errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(given)}"
        )
        return
    if not is_lazy(tensor):
        if tensor.dim() == 0 and tuple(given.shape) == (1,):
            given = given[0]
        if given.shape != tensor.shape:
            loading.errors.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from "
                f"checkpoint, the shape in current model is {tensor.shape}."
            )
            return
    try:
        with no_grad():
            if loading.metadata.get("assign_to_params_buffers"):
                setattr(module, name, _as_kind_of(tensor, given))
            else:
                tensor.copy_(given)
    except Exception as error:
        loading.errors.append(
            f'While copying the parameter named "{key}", whose dimensions in the model are '
            f"{tensor.size()} and whose dimensions in the checkpoint are {given.size()}, "
            f"an exception occurred : {error.args}."
        )


def _as_kind_of(tensor: Tensor, given: Tensor) -> Tensor:
    if not isinstance(tensor, Parameter):
        return given
    if isinstance(given, Parameter):
        return given.requires_grad_(tensor.requires_grad)
    return Parameter(given, requires_grad=tensor.requires_grad)


def _own_state(module: "Module") -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {
        name: value for name, value in module._parameters.items() if value is not None
    }
    tensors.update(
        (name, value)
        for name, value in module._buffers.items()
        if value is not None and name not in module._non_persistent_buffers_set
    )
    return tensors


def _defines(module: "Module", method: str) -> bool:
    """Whether the class defines a method that `Module` only declares.

    Asked by the defining function's module, since this file cannot import `Module` itself.
    """
    result: bool = getattr(type(module), method).__module__ != "gradcore.nn.module"
    return result
