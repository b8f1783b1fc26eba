"""Calling a Module with other tensors in the place of its own: `torch.nn.utils.stateless`."""

from collections.abc import Mapping, Sequence
from typing import Any

from gradcore.nn.module import Module


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module as if its Parameters and buffers were those given by their paths."""
    given: dict[str, Any] = {}
    single = isinstance(parameters_and_buffers, Mapping)
    parts: Any = [parameters_and_buffers] if single else parameters_and_buffers
    for part in parts:
        given.update(part)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    if strict:
        _check_names(module, given)
    places = _places(module, given, tie_weights)
    before = [(table, name, table[name]) for table, name, _ in places]
    try:
        for table, name, value in places:
            table[name] = value
        return module(*args, **(kwargs or {}))
    finally:
        for table, name, value in before:
            table[name] = value


def _places(module: Module, given: Mapping[str, Any], tied: bool) -> list[tuple[Any, str, Any]]:
    """Return (table, name, new value) of every tensor that is to be replaced."""
    places = []
    replaced: dict[int, Any] = {}
    for path, value in given.items():
        prefix, _, name = path.rpartition(".")
        owner = module.get_submodule(prefix)
        table: Any = owner._parameters if name in owner._parameters else owner._buffers
        if name not in table:
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        places.append((table, name, value))
        replaced[id(table[name])] = value
    if tied:
        taken = {(id(table), name) for table, name, _ in places}
        for owner in module.modules():
            for table in (owner._parameters, owner._buffers):
                for name, old in table.items():
                    if id(old) in replaced and (id(table), name) not in taken:
                        places.append((table, name, replaced[id(old)]))
    return places


def _check_names(module: Module, given: Mapping[str, Any]) -> None:
    own = {*dict(module.named_parameters()), *dict(module.named_buffers())}
    missing, unexpected = own - set(given), set(given) - own
    if missing or unexpected:
        raise RuntimeError(
            f"Missing key(s): {sorted(missing)}. Unexpected key(s): {sorted(unexpected)}."
        )


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """Return a module; its values are to be set by whoever asks for this."""
    kwargs.pop("device", None)
    return module_cls(*args, **kwargs)
