"""What a function gets from outside: every object its code can reach by name, walked once.

A recorded step holds as long as this world is the same. ``Captured`` lists it as facts, each an
object under a key; two walks that find the same facts mean that nothing a step reads has changed.
What cannot be listed this way (a clock, a file, a generator) is refused.
"""

import builtins
import dis
import functools
import sys
import types
from collections.abc import Callable, Collection, Iterable
from dataclasses import MISSING, fields, is_dataclass
from operator import attrgetter, eq
from typing import Any

import numpy as np

from gradcore.graph import TensorBase
from gradcore.nn.module import Module
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.optim.optimizer import Optimizer
from gradcore.replay.foreign import functions_in, is_python, name_of
from gradcore.replay.program import RefusalError
from gradcore.replay.reads import PLAIN, STILL, Reads, is_own, slots_of
from gradcore.replay.slots import END, Place, Slot, only_appends, tensors_in

_SAFE = {
    "abs", "all", "any", "bool", "callable", "classmethod", "complex", "dict", "divmod",
    "enumerate", "filter", "float", "frozenset", "getattr", "hasattr", "hash", "int", "isinstance",
    "issubclass", "len", "list", "map", "max", "min", "object", "pow", "property", "range", "repr",
    "reversed", "round", "set", "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple",
    "type", "zip", "AssertionError", "AttributeError", "Exception", "IndexError", "KeyError",
    "NotImplementedError", "RuntimeError", "StopIteration", "TypeError", "ValueError",
}  # fmt: skip
_OF_SCHEDULES = {
    "state_dict", "last_epoch", "get_lr", "base_lrs", "_step_count", "num_bad_epochs", "best",
}  # fmt: skip
_SETTINGS = {"param_groups", "defaults", "get_last_lr", "_last_lr", *_OF_SCHEDULES}
_WITH_TENSORS = "gradcore.distributions"
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_CELL = attrgetter("cell_contents")
_LIMIT = 20_000


@functools.cache
def _names(code: types.CodeType, is_inside: bool = False) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the global names that code and the functions in it read, and all other names.

    ``is_inside``: it is code of a function that lives and ends in another one, and may therefore
    be a generator.
    """
    found: dict[str, None] = {}
    for instruction in dis.get_instructions(code):
        if (
            instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
            or instruction.opname == "STORE_GLOBAL"
        ):
            found[instruction.argval] = None
        elif instruction.opname == "DELETE_GLOBAL":
            raise RefusalError(f"writes the global `{instruction.argval}`")
        elif instruction.opname == "IMPORT_NAME":
            raise RefusalError(f"imports `{instruction.argval}`")
        elif instruction.opname in ("YIELD_VALUE", "SEND") and not is_inside:
            raise RefusalError("has a generator in it")
    others = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            more, names = _names(constant, True)
            found.update(dict.fromkeys(more))
            others |= names
    return tuple(found), frozenset(others)


class Captured(Reads):
    """The facts about everything a function reaches, and the tensors and optimizers among them."""

    def __init__(
        self,
        function: Callable[..., Any],
        moving: dict[tuple[int, Any], Place] | None = None,
        given: Iterable[Any] = (),
    ) -> None:
        super().__init__()
        self.function = function
        # Modules and optimizers among its arguments.
        self.given = tuple(given)
        # What the step is known to change in Python, which need not be as it was.
        self.moving = moving or {}
        self.slots: list[Place] = []
        self._growing: dict[int, set[tuple[str, Any, bool]]] = {}
        self._codes: list[types.CodeType] = []
        self._name: Any = None
        self._parent: Any = None
        self._schedules: list[LRScheduler] = []
        self.tensors: list[TensorBase] = []
        self.optimizers: list[Optimizer] = []
        self.hooks: list[Any] = []
        self.settings: list[Any] = []
        self.groups: list[dict[str, Any]] = []
        self.watches_settings = False
        # Functions of Python's own whose calls are to be seen, and what they are called.
        self.followed: list[tuple[Place, str]] = []
        # The schedules whose rates the step looks up.
        self.read_schedules: list[LRScheduler] = []
        self._seen: dict[int, Any] = {}
        for thing in self.given:
            self._visit(thing)
        self._visit(function)
        self._check_growing()
        if self._any or not self.mentioned.isdisjoint(_SETTINGS):
            self._watch_settings()

    def _watch_settings(self) -> None:
        """Watch what optimizers and schedules are set to: the step's own code looks at it."""
        self.watches_settings = True
        owners = [one.optimizer for one in self._schedules]
        scheduled = [group for owner in owners for group in owner.param_groups]
        for group in self.groups:
            for key, value in group.items():
                if type(value) in (int, float):
                    self.places.append(Place(group, key))
                    if any(group is one for one in scheduled):
                        # The step may call the schedule, and look at what that has set.
                        self.moving.setdefault((id(group), key), Place(group, key))
                    if self._moves(group, key, value):
                        continue
                self._watch_setting(group, key, value)
        if not self.mentioned.isdisjoint(("get_last_lr", "_last_lr")):
            self.read_schedules = [one for one in self._schedules if _has_rates(one)]
        if self._any or not self.mentioned.isdisjoint(_OF_SCHEDULES):
            for schedule in self._schedules:
                for key, value in vars(schedule).items():
                    self._watch_setting(vars(schedule), key, value)

    def _watch_setting(self, settings: dict[str, Any], key: str, value: Any) -> None:
        if type(value) in (int, float, bool, str, tuple, type(None)):
            self._read(settings.get, key, value)
            self.facts.append((key, value))
        elif type(value) is list and key not in ("params", "_last_lr"):
            self._lists.append((value, list(value)))
            self.facts.append((key, *value))

    def _check_growing(self) -> None:
        """Refuse lists that grow and that are looked at."""
        for names in self._growing.values():
            for kind, name, is_keyed in names:
                is_known = isinstance(name, str) and all(
                    only_appends(code, kind, name, is_keyed) for code in self._codes
                )
                if not is_known:
                    raise RefusalError("reads a list that it appends to")

    def constants(self) -> set[int]:
        """Return the ids of what stands in the code of the user's functions."""
        return {id(item) for code in self._codes for item in code.co_consts}

    # --- the walk

    def _moves(self, container: Any, key: Any, value: Any) -> bool:
        """Tell whether an entry is one that the step changes, and note it."""
        place = self.moving.get((id(container), key))
        if place is None or not _can_move(value):
            return False
        self.slots.append(place)
        self.facts += ["moves", container]
        return True

    def _visit_named(self, kind: str, name: Any, value: Any) -> None:
        """Visit what is reached by the name of a variable or an attribute, or by a key."""
        self._name = (kind, name)
        self._visit(value)
        self._name = None

    def _visit(self, thing: Any) -> None:
        name, self._name = self._name, None
        if isinstance(thing, PLAIN):
            self.facts.append(thing)
            if hasattr(thing, "__dict__") and not is_own(type(thing)) and self._is_new(thing):
                self._visit_object(thing)
            return
        if isinstance(thing, list) and (id(thing), END) in self.moving:
            self._seen[id(thing)] = thing
            self.places.append(thing)
            names = self._growing.setdefault(id(thing), set())
            names.add((*(name or ("", None)), False))
            if self._parent is not None:
                names.add((*self._parent, True))
            self.facts.append(thing)
            return
        self.facts.append(thing)
        if not self._is_new(thing):
            return
        self._name = name if isinstance(thing, dict) else None
        for kinds, visit in _VISITS:
            if isinstance(thing, kinds):
                visit(self, thing)
                return
        self._visit_object(thing)

    def _is_new(self, thing: Any) -> bool:
        """Tell whether something is met for the first time, and note it."""
        if id(thing) in self._seen:
            return False
        self._seen[id(thing)] = thing
        if len(self._seen) > _LIMIT:
            raise RefusalError("reaches too many objects to watch them all")
        return True

    def _visit_tensor(self, t: TensorBase) -> None:
        self.tensors.append(t)
        attributes = getattr(t, "__dict__", None)
        if attributes:
            self._visit_dict(attributes, True)
        elif attributes is not None:
            self.places.append(attributes)
        more = t._more
        if more is None:
            return
        for name in ("hooks", "after", "retained"):
            self._read(attrgetter(name), more, getattr(more, name))
        self.facts.append(bool(more.after))
        if more.hooks is not None:
            self._visit(more.hooks)

    def _visit_module(self, module: Module) -> None:
        own = module.__dict__
        for name in _HOOKS:
            if own[name]:
                self._visit(own[name])
            else:
                self.hooks.append(own[name])
        self._watch_layers(type(module))
        self._visit_methods(type(module))
        is_users = not is_own(type(module))
        self.places.append(own)
        for name, value in own.items():
            if "_hooks" in name or name in ("_parameters", "_buffers", "_modules"):
                continue
            self.facts.append(name)
            if not self._moves(own, name, value):
                if is_users and name[:1] != "_":
                    self._read(own.get, name, value)
                self._visit_named("attribute", name, value)
        self._visit_slots(module)
        for table in ("_parameters", "_buffers", "_modules"):
            self.places.append(own[table])
            for name, value in own[table].items():
                self.facts.append(name)
                if not self._moves(own[table], name, value):
                    self._visit(value)

    def _visit_optimizer(self, optimizer: Optimizer) -> None:
        self.optimizers.append(optimizer)
        if not is_own(type(optimizer)):
            raise RefusalError(
                f"steps an optimizer of a class of its own, {type(optimizer).__name__}"
            )
        self._watch_methods(optimizer, "step", "zero_grad")
        self._lists.append((optimizer.param_groups, list(optimizer.param_groups)))
        for group in optimizer.param_groups:
            members = group["params"]
            self._read(group.get, "params", members)
            self._lists.append((members, list(members)))
            self.facts.append(len(members))
            for t in members:
                self._visit(t)
            self.groups.append(group)
            self.settings.append({k: v for k, v in group.items() if k != "params"})

    def _visit_function(self, function: types.FunctionType) -> None:
        if is_own(function):
            return
        try:
            names, others = _names(function.__code__)
        except RefusalError as refusal:
            raise RefusalError(f"`{function.__name__}` {refusal}") from None
        self._codes.append(function.__code__)
        self._visit_cells(function)
        self._watch_function(function)
        self._mention(others)
        space = function.__globals__
        for name in names:
            if name in space:
                value = space[name]
                self.places.append(Place(space, name))
                if self._moves(space, name, value):
                    continue
                self._read(space.get, name, value)
                if isinstance(value, types.ModuleType):
                    self._visit_namespace(value, others)
                elif is_python(value):
                    self.followed.append((Place(space, name), name_of(value)))
                else:
                    self._visit_named("variable", name, value)
            elif name == "print":
                self.facts.append(name)
                self._read(space.get, name, None)
                self.followed.append((Place(vars(builtins), name), name))
            elif name in _SAFE:
                # Until somebody calls something of his own so.
                self.facts.append(name)
                self._read(space.get, name, None)
            elif not name.startswith("__"):
                raise RefusalError(f"`{function.__name__}` calls `{name}`, which may do anything")

    def _visit_cells(self, function: types.FunctionType) -> None:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        for name, cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            self.places.append(cell)
            if not self._moves(cell, None, value):
                self._read(_CELL, cell, value)
                self._visit_named("variable", name, value)

    def _visit_namespace(self, module: types.ModuleType, names: Collection[str]) -> None:
        top = module.__name__.partition(".")[0]
        if top == "gradcore":
            self._watch_module(module, names)
        if top == "gradcore" or top in STILL:
            return
        if top == "numpy" and "random" not in names and "load" not in names:
            return
        if top == "numpy" or top in sys.stdlib_module_names:
            self.followed += functions_in(module, names)
            return
        self._spaces[id(module)] = module
        for name in sorted(names):
            if name in vars(module) and (id(module), name) not in self._entries:
                value = vars(module)[name]
                self._read_once(vars(module).get, module, name, value)
                if isinstance(value, types.ModuleType):
                    self._visit_namespace(value, names)
                else:
                    self._visit(value)

    def _visit_library(self, module: types.ModuleType) -> None:
        self._visit_namespace(module, set(self.mentioned))

    def _visit_method(self, method: types.MethodType) -> None:
        self._visit(method.__self__)
        self._visit(method.__func__)

    def _visit_builtin(self, function: types.BuiltinFunctionType) -> None:
        owner = function.__self__
        name = owner.__name__ if isinstance(owner, types.ModuleType) else type(owner).__name__
        if name not in STILL | {"builtins", "_operator", "_functools"}:
            raise RefusalError(f"calls `{function.__qualname__}`, which may give something new")

    def _visit_class(self, kind: type) -> None:
        if is_own(kind) or kind.__module__ in STILL | {"builtins", "enum", "abc"}:
            return
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
            if kind.__module__ != "__main__":
                raise RefusalError(f"uses the class `{kind.__qualname__}`")
        self._mention(("__init__", "__new__", "__post_init__"))
        if is_dataclass(kind):
            for one in fields(kind):
                if one.default_factory is not MISSING:
                    self._visit(one.default_factory)
        self._visit_methods(kind)

    def _visit_sequence(self, items: Any) -> None:
        if isinstance(items, list):
            self._lists.append((items, list(items)))
            self.places.append(items)
        self.facts.append(len(items))
        for item in items:
            self._visit(item)
        self._visit_kind(items)

    def _visit_kind(self, thing: Any) -> None:
        """Visit what a list, tuple or dictionary of a class of the user's has besides."""
        kind = type(thing)
        if kind.__module__.partition(".")[0] not in sys.stdlib_module_names and not is_own(kind):
            self._visit_methods(kind)
            if hasattr(thing, "__dict__"):
                self._visit_dict(vars(thing), True)

    def _visit_dict(self, entries: dict[Any, Any], is_object: bool = False) -> None:
        if "__builtins__" in entries:
            self._visit_space(entries)
            return
        name, self._name = self._name, None
        self.places.append(entries)
        self.facts.append(len(entries))
        is_apart = any((id(entries), key) in self.moving for key in entries)
        if not is_apart:
            self._dicts.append((entries, list(entries), list(entries.values())))
        else:
            self._read(len, entries, len(entries))
        for key, value in entries.items():
            self._visit(key)
            if self._moves(entries, key, value):
                continue
            if is_apart:
                self._read(entries.get, key, value)
            self._parent = name
            self._visit_named("attribute" if is_object else "key", key, value)
            self._parent = None
        if type(entries) is not dict:
            self._visit_kind(entries)

    def _visit_space(self, space: dict[str, Any]) -> None:
        """Visit the names of a script that are kept in a dictionary, as ``exec`` leaves them."""
        for name, value in list(space.items()):
            if isinstance(value, types.ModuleType):
                self._await(name, value)
            elif not (name.startswith("__") and name.endswith("__")):
                self.places.append(Place(space, name))
                self.facts.append(name)
                if not self._moves(space, name, value):
                    self._read(space.get, name, value)
                    self._visit_named("key", name, value)

    def _visit_set(self, items: Any) -> None:
        self.facts.append(frozenset(items))
        if isinstance(items, set):
            self._read(functools.partial(eq, frozenset(items)), items, True)
        if not all(isinstance(item, PLAIN) for item in items):
            raise RefusalError("uses a set of objects, whose order may differ")

    def _visit_partial(self, partial: "functools.partial[Any]") -> None:
        self._visit((partial.func, partial.args, partial.keywords))

    def _visit_object(self, thing: Any) -> None:
        if type(thing).__module__.startswith(_WITH_TENSORS):
            self._visit_dict(vars(thing), True)
            return
        if isinstance(thing, LRScheduler):
            self._schedules.append(thing)
            self._watch_methods(thing, "step")
        if is_own(type(thing)) or isinstance(thing, np.ufunc):
            return
        if isinstance(thing, np.ndarray):
            raise RefusalError("uses a NumPy array, whose values nobody watches")
        kind = type(thing)
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names and (
            kind.__module__ != "__main__"
        ):
            raise RefusalError(f"uses a `{kind.__qualname__}`, which may give something new")
        if not hasattr(thing, "__dict__") and not slots_of(kind):
            raise RefusalError(f"uses a `{kind.__qualname__}`, which cannot be watched")
        self._read(type, thing, kind)
        self.facts.append(kind)
        self._visit_methods(kind)
        self._visit_slots(thing)
        if hasattr(thing, "__dict__"):
            self._visit_dict(vars(thing), True)

    def _visit_slots(self, thing: Any) -> None:
        for name in slots_of(type(thing)):
            if hasattr(thing, name):
                value = getattr(thing, name)
                self.places.append(Slot(thing, name))
                if not self._moves(thing, name, value):
                    self._read(functools.partial(_held, name), thing, value)
                    self._visit_named("attribute", name, value)


def _held(name: str, thing: Any) -> Any:
    return getattr(thing, name, None)


_VISITS: tuple[tuple[Any, Callable[..., None]], ...] = (
    (TensorBase, Captured._visit_tensor),
    (Module, Captured._visit_module),
    (Optimizer, Captured._visit_optimizer),
    (types.FunctionType, Captured._visit_function),
    (types.MethodType, Captured._visit_method),
    (functools.partial, Captured._visit_partial),
    (types.BuiltinFunctionType, Captured._visit_builtin),
    (types.ModuleType, Captured._visit_library),
    (type, Captured._visit_class),
    ((list, tuple), Captured._visit_sequence),
    (dict, Captured._visit_dict),
    ((set, frozenset), Captured._visit_set),
)


def _has_rates(schedule: LRScheduler) -> bool:
    """Tell whether a schedule remembers the rates that it has set."""
    last = getattr(schedule, "_last_lr", None)
    return type(last) is list and all(type(rate) in (int, float) for rate in last)


def _can_move(value: Any) -> bool:
    """Tell whether a value that changes from step to step can be followed."""
    return type(value) in (int, float) or tensors_in(value) not in (None, [])
