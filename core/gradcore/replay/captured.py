"""What a function gets from outside: every object its code can reach by name, walked once.

A recorded step holds as long as this world is the same. ``Captured`` lists it as facts, each an
object under a key; two walks that find the same facts mean that nothing a step reads has changed.
What cannot be listed this way (a clock, a file, a generator) is refused.
"""

import dis
import functools
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from operator import attrgetter, call, is_
from typing import Any

import numpy as np

from gradcore.device import device
from gradcore.dtypes import dtype
from gradcore.graph import TensorBase
from gradcore.nn.module import Module, edits
from gradcore.optim.lr_scheduler import LRScheduler
from gradcore.optim.optimizer import Optimizer
from gradcore.replay.program import RefusalError
from gradcore.replay.slots import END, Place, only_appends, tensors_in

_PLAIN = (bool, int, float, complex, str, bytes, type(None), range, slice, np.dtype, dtype, device)
_SAFE = {
    "abs", "all", "any", "bool", "callable", "classmethod", "complex", "dict", "divmod",
    "enumerate", "filter", "float", "frozenset", "getattr", "hasattr", "hash", "int", "isinstance",
    "issubclass", "len", "list", "map", "max", "min", "object", "pow", "property", "range", "repr",
    "reversed", "round", "set", "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple",
    "type", "zip", "AssertionError", "AttributeError", "Exception", "IndexError", "KeyError",
    "NotImplementedError", "RuntimeError", "StopIteration", "TypeError", "ValueError",
}  # fmt: skip
_SETTINGS = {
    "param_groups", "defaults", "state_dict", "get_last_lr", "_last_lr", "last_epoch", "get_lr",
    "base_lrs", "_step_count", "num_bad_epochs", "best",
}  # fmt: skip
_WITH_TENSORS = "gradcore.distributions"
_STILL = {"math", "typing", "collections", "functools", "itertools", "operator", "dataclasses"}
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


def _is_own(thing: Any) -> bool:
    name = getattr(thing, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] == "gradcore"


class Captured:
    """The facts about everything a function reaches, and the tensors and optimizers among them."""

    def __init__(
        self,
        function: Callable[..., Any],
        moving: dict[tuple[int, Any], Place] | None = None,
        given: Iterable[Any] = (),
    ) -> None:
        self.function = function
        # Modules and optimizers among its arguments.
        self.given = tuple(given)
        # What the step is known to change in Python, which need not be as it was.
        self.moving = moving or {}
        self.slots: list[Place] = []
        self.places: list[Any] = []
        self._growing: dict[int, set[tuple[str, Any, bool]]] = {}
        self._codes: list[types.CodeType] = []
        self._name: Any = None
        self._parent: Any = None
        self._schedules: list[LRScheduler] = []
        self.facts: list[Any] = []
        self.tensors: list[TensorBase] = []
        self.optimizers: list[Optimizer] = []
        self.hooks: list[Any] = []
        self.settings: list[Any] = []
        self.groups: list[dict[str, Any]] = []
        self._seen: dict[int, Any] = {}
        # What is read before each step: functions and their argument, and what they returned.
        self._reads: tuple[list[Callable[[Any], Any]], list[Any]] = ([], [])
        self._found: list[Any] = []
        self._edit = edits[0]
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._dicts: list[tuple[dict[Any, Any], list[Any], list[Any]]] = []
        self._mentioned: set[str] = {"forward", "backward", "setup_context"}
        self._any = False
        self._waiting: dict[str, list[Any]] = {}
        for thing in self.given:
            self._visit(thing)
        self._visit(function)
        self._check_growing()
        if self._any or not self._mentioned.isdisjoint(_SETTINGS):
            self._watch_settings()

    def _watch_settings(self) -> None:
        """Watch what optimizers and schedules are set to: the step's own code looks at it."""
        kept: list[dict[str, Any]] = [one for each in self.optimizers for one in each.param_groups]
        for settings in [*kept, *map(vars, self._schedules)]:
            for key, value in settings.items():
                if type(value) in (int, float, bool, str, tuple, type(None)):
                    self._read(settings.get, key, value)
                    self.facts.append((key, value))
                elif type(value) is list and key != "params":
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

    def mentions(self, names: set[str]) -> bool:
        """Tell whether the user's code names one of these."""
        return not names.isdisjoint(self._mentioned)

    def constants(self) -> set[int]:
        """Return the ids of what stands in the code of the user's functions."""
        return {id(item) for code in self._codes for item in code.co_consts}

    def same(self, other: "Captured") -> bool:
        """Tell whether two walks found the same."""
        return _equal(self.facts, other.facts)

    def is_as_it_was(self) -> bool:
        """Tell, fast, that nothing can have changed; False means: walk again to see."""
        if edits[0] != self._edit:
            return False
        try:
            if not all(map(is_, map(call, *self._reads), self._found)):
                return False
        except ValueError:
            # A cell has been emptied.
            return False
        for items, was in self._lists:
            if len(items) != len(was) or not all(map(is_, items, was)):
                return False
        for entries, keys, values in self._dicts:
            if len(entries) != len(keys) or not all(map(is_, entries, keys)):
                return False
            if not all(map(is_, entries.values(), values)):
                return False
        return True

    def _read(self, read: Callable[[Any], Any], argument: Any, value: Any) -> None:
        self._reads[0].append(read)
        self._reads[1].append(argument)
        self._found.append(value)

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
        if isinstance(thing, _PLAIN):
            self.facts.append(thing)
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
        if id(thing) in self._seen:
            return
        self._name = name if isinstance(thing, dict) else None
        self._seen[id(thing)] = thing
        self.facts.append(thing)
        if len(self._seen) > _LIMIT:
            raise RefusalError("reaches too many objects to watch them all")
        for kinds, visit in _VISITS:
            if isinstance(thing, kinds):
                visit(self, thing)
                return
        self._visit_object(thing)

    def _visit_tensor(self, t: TensorBase) -> None:
        self.tensors.append(t)
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
        self._visit_methods(type(module))
        self.places.append(own)
        for name, value in own.items():
            if "_hooks" in name or name in ("_parameters", "_buffers", "_modules"):
                continue
            self.facts.append(name)
            if not self._moves(own, name, value):
                self._visit_named("attribute", name, value)
        for table in ("_parameters", "_buffers", "_modules"):
            self.places.append(own[table])
            for name, value in own[table].items():
                self.facts.append(name)
                if not self._moves(own[table], name, value):
                    self._visit(value)

    def _visit_optimizer(self, optimizer: Optimizer) -> None:
        self.optimizers.append(optimizer)
        if not _is_own(type(optimizer)):
            raise RefusalError(
                f"steps an optimizer of a class of its own, {type(optimizer).__name__}"
            )
        self._lists.append((optimizer.param_groups, list(optimizer.param_groups)))
        for group in optimizer.param_groups:
            for t in group["params"]:
                self._visit(t)
            self.groups.append(group)
            self.settings.append({k: v for k, v in group.items() if k != "params"})

    def _visit_function(self, function: types.FunctionType) -> None:
        if _is_own(function):
            return
        try:
            names, others = _names(function.__code__)
        except RefusalError as refusal:
            raise RefusalError(f"`{function.__name__}` {refusal}") from None
        self._codes.append(function.__code__)
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
        for given in (function.__defaults__, function.__kwdefaults__):
            self._visit(given)
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
                else:
                    self._visit_named("variable", name, value)
            elif name not in _SAFE and not name.startswith("__"):
                raise RefusalError(f"`{function.__name__}` calls `{name}`, which may do anything")

    def _visit_namespace(self, module: types.ModuleType, names: frozenset[str]) -> None:
        top = module.__name__.partition(".")[0]
        if top == "gradcore" or top in _STILL:
            return
        if top == "numpy" and "random" not in names and "load" not in names:
            return
        if top == "numpy" or top in sys.stdlib_module_names:
            raise RefusalError(f"uses the module `{module.__name__}`, which may give something new")
        for name in sorted(names):
            if name in vars(module):
                value = vars(module)[name]
                self._read(vars(module).get, name, value)
                if isinstance(value, types.ModuleType):
                    self._visit_namespace(value, names)
                else:
                    self._visit(value)

    def _visit_library(self, module: types.ModuleType) -> None:
        self._visit_namespace(module, frozenset(self._mentioned))

    def _visit_method(self, method: types.MethodType) -> None:
        self._visit(method.__self__)
        self._visit(method.__func__)

    def _visit_builtin(self, function: types.BuiltinFunctionType) -> None:
        owner = function.__self__
        name = owner.__name__ if isinstance(owner, types.ModuleType) else type(owner).__name__
        if name not in _STILL | {"builtins", "_operator", "_functools"}:
            raise RefusalError(f"calls `{function.__qualname__}`, which may give something new")

    def _visit_class(self, kind: type) -> None:
        if _is_own(kind) or kind.__module__ in _STILL | {"builtins", "enum", "abc"}:
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

    def _visit_methods(self, kind: type) -> None:
        for base in kind.__mro__:
            if _is_own(base) or base.__module__ in _STILL | {"builtins", "enum", "abc"}:
                continue
            for name, value in vars(base).items():
                for function in _functions(value):
                    if not _is_generated(function):
                        self._await(name, function)
                if not name.startswith("__") and isinstance(value, (*_PLAIN, tuple, list, dict)):
                    self._read(vars(base).get, name, value)
                    self._visit_named("attribute", name, value)

    def _await(self, name: str, function: Any) -> None:
        """Visit a method as soon as some code mentions its name, or Python may call it unseen."""
        unseen = name.startswith("__") and name not in ("__init__", "__new__", "__post_init__")
        if unseen or self._any or name in self._mentioned:
            self._visit(function)
        else:
            self._waiting.setdefault(name, []).append(function)

    def _mention(self, names: Iterable[str]) -> None:
        # By these, code reaches what it does not name.
        self._any = self._any or bool({"getattr", "__dict__", "vars"} & set(names))
        for name in list(self._waiting) if self._any else list(names):
            self._mentioned.add(name)
            for function in self._waiting.pop(name, ()):
                self._visit(function)

    def _visit_sequence(self, items: Any) -> None:
        if isinstance(items, list):
            self._lists.append((items, list(items)))
            self.places.append(items)
        self.facts.append(len(items))
        for item in items:
            self._visit(item)

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
        if not all(isinstance(item, _PLAIN) for item in items):
            raise RefusalError("uses a set of objects, whose order may differ")

    def _visit_partial(self, partial: "functools.partial[Any]") -> None:
        self._visit((partial.func, partial.args, partial.keywords))

    def _visit_object(self, thing: Any) -> None:
        if type(thing).__module__.startswith(_WITH_TENSORS):
            self._visit_dict(vars(thing), True)
            return
        if isinstance(thing, LRScheduler):
            self._schedules.append(thing)
        if _is_own(type(thing)) or isinstance(thing, np.ufunc):
            return
        if isinstance(thing, np.ndarray):
            raise RefusalError("uses a NumPy array, whose values nobody watches")
        kind = type(thing)
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names and (
            kind.__module__ != "__main__"
        ):
            raise RefusalError(f"uses a `{kind.__qualname__}`, which may give something new")
        if not hasattr(thing, "__dict__"):
            raise RefusalError(f"uses a `{kind.__qualname__}`, which cannot be watched")
        self._visit_methods(kind)
        self._visit_dict(vars(thing), True)


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


def _can_move(value: Any) -> bool:
    """Tell whether a value that changes from step to step can be followed."""
    return type(value) in (int, float) or tensors_in(value) not in (None, [])


def _is_generated(function: Any) -> bool:
    """Tell whether Python itself has written a method: of a dataclass, or of a named tuple."""
    code = getattr(function, "__code__", None)
    is_text = isinstance(code, types.CodeType) and code.co_filename.startswith("<string>")
    space = getattr(function, "__globals__", {}).get("__name__")
    return is_text or space in ("collections", "dataclasses", "reprlib")


def _functions(value: Any) -> Iterator[Any]:
    """Yield the functions in an entry of a class."""
    if isinstance(value, types.FunctionType):
        yield value
    elif isinstance(value, (staticmethod, classmethod)):
        yield value.__func__
    elif isinstance(value, property):
        yield from (one for one in (value.fget, value.fset) if one is not None)


def _equal(first: list[Any], second: list[Any]) -> bool:
    """Tell whether two lists of facts agree: plain values by value, all others by identity."""
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        if a is b:
            continue
        if type(a) is not type(b) or not isinstance(a, (*_PLAIN, frozenset, tuple)) or a != b:
            return False
    return True
