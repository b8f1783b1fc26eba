"""Hooks of Modules: their registration handles, the global ones, and the call path that runs them.

`Module.__call__` comes here only when a hook exists somewhere, so that a model without
hooks pays one test for them.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcore.autograd.function import Function
from gradcore.graph import RemovableHandle
from gradcore.tensor import Tensor

if TYPE_CHECKING:
    from gradcore.nn.module import Module

Hook = Callable[..., Any]


class GlobalHooks:
    """The hooks that see every Module of the process (`torch.nn.modules.module` has them)."""

    def __init__(self) -> None:
        self.forward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.forward: OrderedDict[int, Hook] = OrderedDict()
        self.forward_with_kwargs: dict[int, bool] = {}
        self.forward_always: dict[int, bool] = {}
        self.backward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.backward: OrderedDict[int, Hook] = OrderedDict()


GLOBAL_HOOKS = GlobalHooks()


def register(table: "dict[int, Any]", hook: Hook, *, first: bool = False) -> RemovableHandle:
    """Add a hook to a table and return its handle; `first` puts it before the others."""
    handle = RemovableHandle(table, hook)
    if first and isinstance(table, OrderedDict):
        table.move_to_end(handle.id, last=False)
    return handle


def has_hooks(module: "Module") -> bool:
    """Whether a call of this module has to go through `call_with_hooks`."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or GLOBAL_HOOKS.forward
        or GLOBAL_HOOKS.forward_pre
        or GLOBAL_HOOKS.backward
        or GLOBAL_HOOKS.backward_pre
    )


def call_with_hooks(module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run `forward` with every hook around it, in PyTorch's order."""
    done: set[int] = set()
    result: Any = None
    try:
        args, kwargs = _run_forward_pre_hooks(module, args, kwargs)
        watch = _backward_watch(module)
        if watch is not None:
            args = watch.wrap_inputs(args)
        result = module.forward(*args, **kwargs)
        for identity, hook, with_kwargs in _forward_hooks(module):
            done.add(identity)
            replaced = (
                hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
            )
            if replaced is not None:
                result = replaced
        return result if watch is None else watch.wrap_outputs(result)
    except Exception:
        _run_missed_always_hooks(module, args, kwargs, result, done)
        raise


def _run_forward_pre_hooks(
    module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    table = [*GLOBAL_HOOKS.forward_pre.items(), *module._forward_pre_hooks.items()]
    for identity, hook in table:
        if identity in module._forward_pre_hooks_with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    "forward pre-hook must return None or a tuple "
                    f"of (new_args, new_kwargs), but got {changed}."
                )
            args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    return args, kwargs


def _forward_hooks(module: "Module") -> Iterator[tuple[int, Hook, bool]]:
    for identity, hook in list(GLOBAL_HOOKS.forward.items()):
        yield identity, hook, identity in GLOBAL_HOOKS.forward_with_kwargs
    for identity, hook in list(module._forward_hooks.items()):
        yield identity, hook, identity in module._forward_hooks_with_kwargs


def _run_missed_always_hooks(
    module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, done: set[int]
) -> None:
    always = {**GLOBAL_HOOKS.forward_always, **module._forward_hooks_always_called}
    if not always:
        return
    for identity, hook, with_kwargs in _forward_hooks(module):
        if identity in done or identity not in always:
            continue
        try:
            hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
        except Exception as error:
            warnings.warn(
                "module forward hook with ``always_call=True`` raised an exception "
                f"that was silenced as another error was raised in forward: {error}",
                stacklevel=3,
            )


class _Watch(Function):
    """Hands tensors through unchanged and shows their gradients, all at once, to a callback.

    A hook on each single tensor would see the gradients at different times, and for an input
    that is also used elsewhere it would see the sum of all uses.
    """

    @staticmethod
    def forward(ctx: Any, callback: Callable[..., Any], *tensors: Tensor) -> Any:
        ctx.callback = callback
        ctx.set_materialize_grads(False)
        views = tuple(tensor.detach() for tensor in tensors)
        return views if len(views) != 1 else views[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        return (None, *ctx.callback(gradients))


class _BackwardWatch:
    """Runs one call's full backward hooks when its gradients arrive."""

    def __init__(self, module: "Module", pre: list[Hook], full: list[Hook]) -> None:
        self._module = module
        self._pre = pre
        self._full = full
        self._grad_output: tuple[Tensor | None, ...] = ()
        self._input_places: list[int] = []
        self._input_count = 0
        self._output_places: list[int] = []
        self._output_count = 0

    def wrap_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self._input_count = len(args)
        self._input_places, wrapped = _wrap(args, self._on_input_gradients)
        return wrapped

    def wrap_outputs(self, result: Any) -> Any:
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple"
                f" of Tensors but received {type(result)}",
                stacklevel=4,
            )
            return result
        outputs = (result,) if isinstance(result, Tensor) else result
        self._output_count = len(outputs)
        self._output_places, wrapped = _wrap(outputs, self._on_output_gradients)
        if isinstance(result, Tensor):
            return wrapped[0]
        return type(result)(*wrapped) if hasattr(result, "_fields") else wrapped

    def _on_output_gradients(self, gradients: tuple[Tensor | None, ...]) -> Any:
        spread = _spread(gradients, self._output_places, self._output_count)
        for hook in self._pre:
            changed = hook(self._module, spread)
            if changed is not None:
                spread = changed if isinstance(changed, tuple) else (changed,)
        self._grad_output = spread
        if not self._input_places:
            self._run_full_hooks((None,) * self._input_count)
        return tuple(spread[place] for place in self._output_places)

    def _on_input_gradients(self, gradients: tuple[Tensor | None, ...]) -> Any:
        spread = _spread(gradients, self._input_places, self._input_count)
        spread = self._run_full_hooks(spread)
        return tuple(spread[place] for place in self._input_places)

    def _run_full_hooks(self, grad_input: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for hook in self._full:
            changed = hook(self._module, grad_input, self._grad_output)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(grad_input):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(changed)}, but expected {len(grad_input)}"
                )
            grad_input = changed
        return grad_input


def _backward_watch(module: "Module") -> _BackwardWatch | None:
    pre = [*GLOBAL_HOOKS.backward_pre.values(), *module._backward_pre_hooks.values()]
    full = [*GLOBAL_HOOKS.backward.values(), *module._backward_hooks.values()]
    return _BackwardWatch(module, pre, full) if pre or full else None


def _wrap(
    values: tuple[Any, ...], callback: Callable[..., Any]
) -> tuple[list[int], tuple[Any, ...]]:
    """Route the tensors that carry a gradient through one `_Watch`; also return their places."""
    places = [
        place
        for place, value in enumerate(values)
        if isinstance(value, Tensor) and value.requires_grad
    ]
    if not places:
        return places, values
    watched = _Watch.apply(callback, *(values[place] for place in places))
    watched = watched if isinstance(watched, tuple) else (watched,)
    wrapped = list(values)
    for place, tensor in zip(places, watched, strict=True):
        wrapped[place] = tensor
    return places, tuple(wrapped)


def _spread(
    gradients: tuple[Tensor | None, ...], places: list[int], count: int
) -> tuple[Tensor | None, ...]:
    spread: list[Tensor | None] = [None] * count
    for place, gradient in zip(places, gradients, strict=True):
        spread[place] = gradient
    return tuple(spread)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after the forward pass of every Module."""
    handle = register(GLOBAL_HOOKS.forward, hook)
    if with_kwargs:
        GLOBAL_HOOKS.forward_with_kwargs[handle.id] = True
    if always_call:
        GLOBAL_HOOKS.forward_always[handle.id] = True
    return handle


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, args)` before the forward pass of every Module."""
    return register(GLOBAL_HOOKS.forward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` in the backward pass of every Module."""
    return register(GLOBAL_HOOKS.backward, hook)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the backward pass of every Module."""
    return register(GLOBAL_HOOKS.backward_pre, hook)
