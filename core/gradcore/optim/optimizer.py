"""What all optimizers share: parameter groups, state, saving and loading, hooks.

An optimizer itself only says how one group's arrays move (`_update`); it is given lists of
arrays, so that later they may as well be one flat block.
"""

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

from gradcore import graph
from gradcore.graph import RemovableHandle, written_together
from gradcore.modes import enable_grad
from gradcore.nn.names import typename
from gradcore.optim.blocks import Blocks
from gradcore.optim.gradients import FlatGradients
from gradcore.optim.state import State, States
from gradcore.tensor import Tensor

Group = dict[str, Any]
Hook = Callable[..., Any]


class _Required:
    """Stands for a setting that has no default."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Let a class's `step` run the hooks around itself, and note that it was called."""

    @functools.wraps(step)
    def call(self: "Optimizer", *args: Any, **kwargs: Any) -> Any:
        journal = graph.journal
        if journal is None:
            return run(self, *args, **kwargs)
        # A recording keeps numbers in the settings that note what users do with them.
        journal.settling(self)
        try:
            return run(self, *args, **kwargs)
        finally:
            journal.settled()

    def run(self: "Optimizer", *args: Any, **kwargs: Any) -> Any:
        if self._inside or not (self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks):
            result = step(self, *args, **kwargs)
            self._opt_called = True
            return result
        # A class may call the step of the class it derives from: the hooks run once.
        self._inside = True
        try:
            for hook in list(self._optimizer_step_pre_hooks.values()):
                changed = hook(self, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            result = step(self, *args, **kwargs)
            self._opt_called = True
            for hook in list(self._optimizer_step_post_hooks.values()):
                hook(self, args, kwargs)
        finally:
            self._inside = False
        return result

    return call


class Optimizer:
    """Base class of all optimizers: `params` are tensors, named tensors or groups of them."""

    known_gradients: Sequence[FlatGradients] = ()
    """What a replayed step knows of the gradients: that they stand one after the other."""
    _blocks: Blocks | None = None

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._inside = False
        self._opt_called = False
        self._reset_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts,"
                f" but got {typename(params)}"
            )
        self.state: defaultdict[Any, dict[str, Any]] = States()
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]  # wrapped

    def _reset_hooks(self) -> None:
        self._optimizer_step_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._optimizer_state_dict_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._optimizer_state_dict_post_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: OrderedDict[int, Hook] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_optimizer_step_pre_hooks" not in self.__dict__:
            self._inside = False
            self._opt_called = False
            self._reset_hooks()

    def __repr__(self) -> str:
        lines = []
        for number, group in enumerate(self.param_groups):
            lines.append(f"\nParameter Group {number}\n")
            lines += [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
        return f"{type(self).__name__} ({''.join(lines)})"

    # Groups

    def add_param_group(self, param_group: Group) -> None:
        """Add tensors with settings of their own; settings left out take the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _settle_params(param_group)
        for parameter in param_group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, "
                    f"but one of the params is {typename(parameter)}"
                )
            if not (parameter.is_leaf or parameter.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        members = {id(parameter) for parameter in param_group["params"]}
        if len(members) != len(param_group["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                kind = "with" if "param_names" in param_group else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {kind} names to the optimizer"
                )
            if members & {id(parameter) for parameter in group["params"]}:
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    # Stepping

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradient of every tensor it steps."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter._grad
                if gradient is None:
                    continue
                if set_to_none:
                    parameter._grad = None
                else:
                    gradient.detach_()
                    gradient.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every tensor that has a gradient by one step."""
        raise NotImplementedError

    def _step_groups(self, closure: Callable[[], Any] | None) -> Any:
        """Evaluate the closure, then update each group: the body of most `step`s."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            members = group["params"]
            try:
                grads = [p._grad._a for p in members]
            except AttributeError:
                members = [p for p in members if p._grad is not None]
                grads = [p._grad._a for p in members]
            if not members:
                continue
            self._update(group, members, grads)
            written_together(members, "step")
            if graph.recorder is not None:
                for parameter in members:
                    name = type(self).__name__.lower() + "_step"
                    graph.tell(name, (parameter, parameter._grad), {}, (parameter,))
        return loss

    def _flat(self) -> Blocks:
        """Return the blocks in which values and state of the groups stand."""
        if self._blocks is None:
            self._blocks = Blocks()
        return self._blocks

    def gather(self) -> None:
        """Move the values of each group into one block now, while nobody looks at them.

        The first step would do so, too; a recording of that step would be in its way.
        """
        for group in self.param_groups:
            self._flat().values(group, [p for p in group["params"] if p._rg])

    def _update(self, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        """Move the arrays of `params` by their gradients; every optimizer's own part.

        `grads` is the only list of these arrays, which may be moved to other memory.
        """
        raise NotImplementedError

    # Saving

    def state_dict(self) -> dict[str, Any]:
        """Return state and settings with numbers in place of tensors."""
        for hook in list(self._optimizer_state_dict_pre_hooks.values()):
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            for parameter in group["params"]:
                numbers.setdefault(id(parameter), len(numbers))
            packed["params"] = [numbers[id(parameter)] for parameter in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: (
                dict(value) if type(value) is State else value
            )
            for key, value in self.state.items()
        }
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in list(self._optimizer_state_dict_post_hooks.values()):
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave, for as many tensors in groups of the same sizes."""
        given = dict(state_dict)
        for hook in list(self._optimizer_load_state_dict_pre_hooks.values()):
            changed = hook(self, given)
            if changed is not None:
                given = changed
        saved = deepcopy(given["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for own, other in zip(self.param_groups, saved, strict=True):
            if len(own["params"]) != len(other["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group"
                )
        numbers = chain.from_iterable(group["params"] for group in saved)
        tensors = chain.from_iterable(group["params"] for group in self.param_groups)
        owner = dict(zip(numbers, tensors, strict=True))
        state: defaultdict[Any, dict[str, Any]] = States()
        for key, value in given["state"].items():
            if key in owner:
                state[owner[key]] = State(
                    (name, _as_state(name, item, owner[key])) for name, item in value.items()
                )
            else:
                state[key] = value
        for own, other in zip(self.param_groups, saved, strict=True):
            other["params"] = own["params"]
            if "param_names" in own:
                other.setdefault("param_names", own["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in list(self._optimizer_load_state_dict_post_hooks.values()):
            hook(self)

    # Hooks

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step."""
        return RemovableHandle(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return RemovableHandle(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer)` before saving."""
        return RemovableHandle(self._optimizer_state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after saving."""
        return RemovableHandle(self._optimizer_state_dict_post_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading."""
        return RemovableHandle(self._optimizer_load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return RemovableHandle(self._optimizer_load_state_dict_post_hooks, hook)


def _settle_params(group: Group) -> None:
    """Make a group's `params` a list of tensors, and take names out of (name, tensor) pairs."""
    given = group["params"]
    if isinstance(given, Tensor):
        given = [given]
    elif isinstance(given, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering "
            "of tensors in sets will change between runs. Please use a list instead."
        )
    tensors: list[Any] = []
    names: list[str] = []
    for item in given:
        if isinstance(item, tuple):
            names.append(item[0])
            item = item[1]
        tensors.append(item)
    if names and len(names) != len(tensors):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    group["params"] = tensors
    if names:
        group["param_names"] = names


def _as_state(name: str, value: Any, owner: Tensor) -> Any:
    """Copy a loaded value; tensors (but for step counts) get the dtype of their parameter."""
    if isinstance(value, Tensor):
        copied = value.detach().clone()
        if name != "step" and owner.is_floating_point():
            return copied.to(owner.dtype)
        return copied
    return deepcopy(value)


def check_range(name: str, value: Any, low: float = 0.0, high: float | None = None) -> None:
    """Refuse a setting outside its range, in PyTorch's words."""
    if not low <= value or (high is not None and not value < high):
        raise ValueError(f"Invalid {name}: {value}")
