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
from operator import attrgetter, call, is_
from typing import Any

import numpy as np

from gradcore.device import device
from gradcore.dtypes import dtype
from gradcore.graph import TensorBase
from gradcore.nn.module import Module, edits
from gradcore.optim.optimizer import Optimizer
from gradcore.replay.program import RefusalError

_PLAIN = (bool, int, float, complex, str, bytes, type(None), range, slice, np.dtype, dtype, device)
_SAFE = {
    "abs", "all", "any", "bool", "callable", "classmethod", "complex", "dict", "divmod",
    "enumerate", "filter", "float", "frozenset", "getattr", "hasattr", "hash", "int", "isinstance",
    "issubclass", "len", "list", "map", "max", "min", "object", "pow", "property", "range", "repr",
    "reversed", "round", "set", "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple",
    "type", "zip", "AssertionError", "AttributeError", "Exception", "IndexError", "KeyError",
    "NotImplementedError", "RuntimeError", "StopIteration", "TypeError", "ValueError",
}  # fmt: skip
_WITH_TENSORS = "gradcore.distributions"
_STILL = {"math", "typing", "collections", "functools", "itertools", "operator", "dataclasses"}
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
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found[instruction.argval] = None
        elif instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
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

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.facts: list[Any] = []
        self.tensors: list[TensorBase] = []
        self.optimizers: list[Optimizer] = []
        self.hooks: list[Any] = []
        self.settings: list[Any] = []
        self._seen: dict[int, Any] = {}
        # What is read before each step: functions and their argument, and what they returned.
        self._reads: tuple[list[Callable[[Any], Any]], list[Any]] = ([], [])
        self._found: list[Any] = []
        self._edit = edits[0]
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._dicts: list[tuple[dict[Any, Any], list[Any], list[Any]]] = []
        self._mentioned: set[str] = {"forward"}
        self._any = False
        self._waiting: dict[str, list[Any]] = {}
        self._visit(function)

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

    def _visit(self, thing: Any) -> None:
        if isinstance(thing, _PLAIN):
            self.facts.append(thing)
            return
        if id(thing) in self._seen:
            return
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

    def _visit_module(self, module: Module) -> None:
        own = module.__dict__
        self.hooks += [
            own[name]
            for name in (
                "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"
            )
        ]  # fmt: skip
        self._visit_methods(type(module))
        for name, value in own.items():
            if "_hooks" in name or name in ("_parameters", "_buffers", "_modules"):
                continue
            self.facts.append(name)
            self._visit(value)
        for table in ("_parameters", "_buffers", "_modules"):
            for name, value in own[table].items():
                self.facts.append(name)
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
            self.settings.append({k: v for k, v in group.items() if k != "params"})

    def _visit_function(self, function: types.FunctionType) -> None:
        if _is_own(function):
            return
        try:
            names, others = _names(function.__code__)
        except RefusalError as refusal:
            raise RefusalError(f"`{function.__name__}` {refusal}") from None
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            self._read(_CELL, cell, value)
            self._visit(value)
        for given in (function.__defaults__, function.__kwdefaults__):
            self._visit(given)
        self._mention(others)
        space = function.__globals__
        for name in names:
            if name in space:
                value = space[name]
                self._read(space.get, name, value)
                if isinstance(value, types.ModuleType):
                    self._visit_namespace(value, others)
                else:
                    self._visit(value)
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
        self._visit_methods(kind)

    def _visit_methods(self, kind: type) -> None:
        for base in kind.__mro__:
            if _is_own(base) or base.__module__ in _STILL | {"builtins", "enum", "abc"}:
                continue
            for name, value in vars(base).items():
                for function in _functions(value):
                    self._await(name, function)
                if not name.startswith("__") and isinstance(value, (*_PLAIN, tuple, list, dict)):
                    self._read(vars(base).get, name, value)
                    self._visit(value)

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
        self.facts.append(len(items))
        for item in items:
            self._visit(item)

    def _visit_dict(self, entries: dict[Any, Any]) -> None:
        if "__builtins__" in entries:
            self._visit_space(entries)
            return
        self._dicts.append((entries, list(entries), list(entries.values())))
        self.facts.append(len(entries))
        for key, value in entries.items():
            self._visit(key)
            self._visit(value)

    def _visit_space(self, space: dict[str, Any]) -> None:
        """Visit the names of a script that are kept in a dictionary, as ``exec`` leaves them."""
        for name, value in list(space.items()):
            if isinstance(value, types.ModuleType):
                self._await(name, value)
            elif not (name.startswith("__") and name.endswith("__")):
                self._read(space.get, name, value)
                self.facts.append(name)
                self._visit(value)

    def _visit_set(self, items: Any) -> None:
        self.facts.append(frozenset(items))
        if not all(isinstance(item, _PLAIN) for item in items):
            raise RefusalError("uses a set of objects, whose order may differ")

    def _visit_partial(self, partial: "functools.partial[Any]") -> None:
        self._visit((partial.func, partial.args, partial.keywords))

    def _visit_object(self, thing: Any) -> None:
        if type(thing).__module__.startswith(_WITH_TENSORS):
            self._visit_dict(vars(thing))
            return
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
        self._visit_dict(vars(thing))


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
        if type(a) is not type(b) or not isinstance(a, (*_PLAIN, frozenset)) or a != b:
            return False
    return True
