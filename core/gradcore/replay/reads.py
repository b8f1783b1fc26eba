"""What is looked up before each step, to see that what a step runs through is as it was.

Each read is a function, its argument, and what it returned when the step was recorded. They are
few and quick: only what the step's own code names is watched, in functions and classes as in the
modules of this library, any of which somebody may replace. ``captured`` builds upon this.
"""

import functools
import types
from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator
from operator import attrgetter, call, is_
from typing import Any

import numpy as np

from gradcore.device import device
from gradcore.dtypes import dtype
from gradcore.nn.module import Module, edits
from gradcore.replay.program import RefusalError
from gradcore.replay.slots import Slot
from gradcore.tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None), range, slice, np.dtype, dtype, device)
STILL = {"math", "typing", "collections", "functools", "itertools", "operator", "dataclasses"}
_APART = STILL | {"builtins", "enum", "abc"}
_ABSENT = object()
_CODE = attrgetter("__code__")
_DEFAULTS = attrgetter("__defaults__")
_KEYWORDS = attrgetter("__kwdefaults__")
_CREATORS = ("__init__", "__new__", "__post_init__")
_INERT = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    type(vars(namedtuple("_Pair", "first second"))["first"]),
)
_UNWATCHED = {
    "_version", "data_ptr", "initial_seed", "get_rng_state", "get_num_threads", "memory_allocated",
    "is_autocast_enabled", "get_default_device",
}  # fmt: skip
"""What the library tells of itself and of where tensors lie, and may change at any time."""


def is_own(thing: Any) -> bool:
    """Tell whether something is part of this library."""
    name = getattr(thing, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] == "gradcore"


class Reads:
    """Facts about what a step reaches, and how to see quickly that they are still true."""

    def __init__(self) -> None:
        self.facts: list[Any] = []
        # Where the step may leave something.
        self.places: list[Any] = []
        # What this library's own names stand for; some are loaded with their first use.
        self.library: dict[tuple[int, str], Any] = {}
        self._reads: tuple[list[Callable[[Any], Any]], list[Any]] = ([], [])
        self._found: list[Any] = []
        self._edit = edits[0]
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._dicts: list[tuple[dict[Any, Any], list[Any], list[Any]]] = []
        self.mentioned: set[str] = {"forward", "backward", "setup_context"}
        self._any = False
        self._waiting: dict[str, list[Any]] = {}
        self._classes: set[type] = set()
        self._spaces: dict[int, types.ModuleType] = {}
        self._entries: set[tuple[int, str]] = set()

    def same(self, other: "Reads") -> bool:
        """Tell whether two walks found the same."""
        return _equal(self.facts, other.facts)

    def same_library(self, other: "Reads") -> bool:
        """Tell whether no name of this library stands for something else than before."""
        return all(other.library.get(key, was) is was for key, was in self.library.items())

    def is_as_it_was(self) -> bool:
        """Tell, fast, that nothing can have changed; False means: walk again to see."""
        if edits[0] != self._edit:
            return False
        try:
            if not all(map(is_, map(call, *self._reads), self._found)):
                return False
        except (ValueError, AttributeError):
            # A cell has been emptied, or an attribute deleted.
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

    def _visit(self, thing: Any) -> None:
        raise NotImplementedError

    def _visit_named(self, kind: str, name: Any, value: Any) -> None:
        raise NotImplementedError

    def _visit_namespace(self, module: types.ModuleType, names: Collection[str]) -> None:
        raise NotImplementedError

    def _moves(self, container: Any, key: Any, value: Any) -> bool:
        raise NotImplementedError

    # --- functions

    def _watch_function(self, function: types.FunctionType) -> None:
        """Watch what a function runs, and what it takes where it is given nothing."""
        self._read(_CODE, function, function.__code__)
        self.facts.append(function.__code__)
        if function.__defaults__ is not None:
            self._read(_DEFAULTS, function, function.__defaults__)
        if function.__kwdefaults__ is not None:
            self._read(_KEYWORDS, function, function.__kwdefaults__)
        for given in (function.__defaults__, function.__kwdefaults__, vars(function) or None):
            self._visit(given)

    # --- this library

    def _watch_module(self, module: types.ModuleType, names: Iterable[str]) -> None:
        """Watch names of this library."""
        self._spaces[id(module)] = module
        space = vars(module)
        for name in names:
            value = space.get(name, _ABSENT)
            if value is _ABSENT or (id(module), name) in self.library:
                continue
            self.library[id(module), name] = value
            if isinstance(value, types.ModuleType):
                if is_own(value) or value.__name__.partition(".")[0] == "gradcore":
                    self._watch_module(value, self.mentioned | set(names))
            elif callable(value):
                self._read(space.get, name, value)
                self._visit_foreign(value)

    def _watch_own(self, kind: type, name: str) -> None:
        """Watch a method of one of this library's classes."""
        value = getattr(kind, name, _ABSENT)
        if value is _ABSENT or (id(kind), name) in self.library:
            return
        self.library[id(kind), name] = value
        if isinstance(value, types.FunctionType):
            self._read(attrgetter(name), kind, value)
            self._visit_foreign(value)

    def _watch_methods(self, thing: Any, *names: str) -> None:
        """Watch methods of one of this library's objects, which it or its class may change."""
        for name in names:
            own = vars(thing).get(name)
            self._read(vars(thing).get, name, own)
            self.facts.append(own)
            self._watch_own(type(thing), name)

    def _visit_foreign(self, value: Any) -> None:
        """Visit what somebody has put in the place of something of this library's."""
        if isinstance(value, types.FunctionType) and not is_own(value):
            self._visit(value)

    def _watch_layers(self, kind: type[Module]) -> None:
        """Watch what calls this library's layers, and what these do."""
        self._watch_own(Module, "__call__")
        for base in kind.__mro__:
            if is_own(base) and base is not Module and "forward" in vars(base):
                self._watch_own(base, "forward")

    # --- classes and names

    def _visit_methods(self, kind: type) -> None:
        if kind in self._classes:
            return
        self._classes.add(kind)
        if type(kind) is not type and not is_own(type(kind)):
            self._visit_methods(type(kind))
        for base in kind.__mro__:
            if is_own(base) or base.__module__ in _APART:
                continue
            for name in vars(base):
                self._await(name, (kind, base, name))

    def _await(self, name: str, thing: Any) -> None:
        """Visit something as soon as code mentions its name, or Python may call it unseen."""
        unseen = name.startswith("__") and name not in _CREATORS
        if unseen or self._any or name in self.mentioned:
            self._visit_awaited(thing)
        else:
            self._waiting.setdefault(name, []).append(thing)

    def _visit_awaited(self, thing: Any) -> None:
        if isinstance(thing, tuple):
            self._visit_entry(*thing)
        else:
            self._visit(thing)

    def _visit_entry(self, kind: type, base: type, name: str) -> None:
        """Visit an entry of a class."""
        value = vars(base)[name]
        if isinstance(value, _INERT):
            return
        functions = list(functions_of(value))
        if functions and all(map(is_generated, functions)):
            return
        if not functions and name.startswith("__"):
            return
        if type(value).__module__ == "enum":
            value = getattr(kind, name)
            self._read_once(attrgetter(name), kind, name, value)
            self._visit(value)
            return
        if type(value) is types.FunctionType:
            # Found by way of the class itself, where it may be hidden one day.
            found = getattr(kind, name, None)
            self._read_once(attrgetter(name), kind, name, found)
            if found is value:
                self._visit(value)
                return
        if not functions:
            self.places.append(Slot(base, name))
            if self._moves(base, name, value):
                return
        self._read_once(vars(base).get, base, name, value)
        for function in functions:
            self._visit(function)
        if not functions:
            self._visit_named("attribute", name, value)

    def _read_once(self, read: Any, kind: Any, name: str, value: Any) -> None:
        if (id(kind), name) not in self._entries:
            self._entries.add((id(kind), name))
            self._read(read, kind if isinstance(read, attrgetter) else name, value)

    def _mention(self, names: Iterable[str]) -> None:
        unwatched = _UNWATCHED.intersection(names)
        if unwatched:
            raise RefusalError(f"asks for `{min(unwatched)}`, which nobody watches")
        # By these, code reaches what it does not name.
        self._any = self._any or bool({"getattr", "__dict__", "vars"} & set(names))
        new = set(names) - self.mentioned
        self.mentioned |= new
        for name in list(self._waiting) if self._any else list(names):
            self.mentioned.add(name)
            for thing in self._waiting.pop(name, ()):
                self._visit_awaited(thing)
        for name in new:
            if isinstance(vars(Tensor).get(name), types.FunctionType):
                self._watch_own(Tensor, name)
        for module in list(self._spaces.values()) if new else ():
            self._visit_namespace(module, new)


def is_generated(function: Any) -> bool:
    """Tell whether Python itself has written a method: of a dataclass, or of a named tuple."""
    code = getattr(function, "__code__", None)
    is_text = isinstance(code, types.CodeType) and code.co_filename.startswith("<string>")
    space = getattr(function, "__globals__", {}).get("__name__")
    return is_text or space in ("collections", "dataclasses", "enum", "reprlib")


def functions_of(value: Any) -> Iterator[Any]:
    """Yield the functions in an entry of a class."""
    if isinstance(value, types.FunctionType):
        yield value
    elif isinstance(value, (staticmethod, classmethod)):
        yield value.__func__
    elif isinstance(value, functools.cached_property):
        yield value.func
    elif isinstance(value, property):
        yield from (one for one in (value.fget, value.fset) if one is not None)


def slots_of(kind: type) -> list[str]:
    """Return the names of the slots that a class gives its objects."""
    return [
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, types.MemberDescriptorType) and base.__module__ != "builtins"
    ]


def _equal(first: list[Any], second: list[Any]) -> bool:
    """Tell whether two lists of facts agree: plain values by value, all others by identity."""
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        if a is b:
            continue
        if type(a) is not type(b) or not isinstance(a, (*PLAIN, frozenset, tuple)) or a != b:
            return False
    return True
