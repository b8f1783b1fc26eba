"""One walk over a model: every tensor it holds, and every Module it hides, with its path.

Only ``vars()`` and slots are read, so no property and no ``__getattr__`` of the user's runs.
The census and the evidence are both made from what is found here.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

from paramscope.census.engine_view import EngineView

MAX_DEPTH = 5
MAX_ITEMS = 10_000  # of one container
MAX_OBJECTS = 50_000  # containers and foreign objects of one model
MAX_PLAIN_IN_CONTAINERS = 1_000  # tensors without gradient, such as a replay memory
MAX_REVISITS = 2_000  # Modules met again under another name

_ATOMS = (
    str,
    bytes,
    bytearray,
    int,
    float,
    complex,
    bool,
    type(None),
    type,
    range,
    ModuleType,
    FunctionType,
    MethodType,
    BuiltinFunctionType,
)
_Above = tuple[Any, "_Above | None"]  # a Module, and what it is in
_MAX_CLASSES = 4_096
_known_slots: dict[int, tuple[type, tuple[tuple[str, MemberDescriptorType], ...]]] = {}
_SEQUENCES = (list, tuple, set, frozenset, deque)
# Objects of these packages are tools of the training, and point back at the model's tensors.
# "torch._" stands for every private part of it.
_TOOL_PACKAGES = (
    "torch.optim",
    "torch.utils",
    "torch.jit",
    "torch.fx",
    "torch.cuda",
    "torch.amp",
    "torch._",
    "gradcore.optim",
    "gradcore.utils",
    "gradcore.graph",
    "numpy",
    "logging",
    "threading",
    "weakref",
    "_thread",
    "_io",
    "io",
    "re",
)


class Place(StrEnum):
    """How a model holds a tensor or a Module."""

    PARAMETER = "parameter"
    BUFFER = "buffer"
    BUFFER_NOT_SAVED = "buffer not saved"
    ATTRIBUTE = "attribute"
    CLASS_ATTRIBUTE = "class attribute"
    CONTAINER = "container"
    FOREIGN = "foreign object"
    HIDDEN_MODULE = "hidden module"  # a Parameter or buffer of a Module the model does not know


@dataclass(slots=True)
class FoundTensor:
    """One tensor at one path. ``attribute`` is the first part of the path below the owner.

    ``container`` names the list, dict or foreign object's class that holds it, if one does.
    ``registered_as`` tells, inside a hidden Module, what it is there.
    """

    path: str
    tensor: Any
    place: Place
    owner: Any
    owner_path: str
    attribute: str
    container: str = ""
    shadowed: bool = False
    hidden_in: str = ""
    registered_as: Place | None = None


@dataclass(slots=True)
class HiddenModule:
    """A Module that the model holds without knowing: in a list, dict or foreign object."""

    path: str
    module: Any
    place: Place
    owner: Any
    owner_path: str
    attribute: str
    container: str


@dataclass(slots=True)
class Walk:
    """Everything one walk has found, in the order of the model's own names."""

    tensors: list[FoundTensor] = field(default_factory=list)
    hidden: list[HiddenModule] = field(default_factory=list)
    module_paths: dict[int, str] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    repeated: list[tuple[str, str]] = field(default_factory=list)  # (path, path met first)


def walk_model(model: Any, view: EngineView, root: str = "") -> Walk:
    """Find every tensor that ``model`` holds. ``root`` is put before each path."""
    return _Walker(view).run(model, root)


def join_path(path: str, name: str) -> str:
    """Join two parts of a dotted path, either of which may be empty."""
    return f"{path}.{name}" if path and name else path or name


def attributes_of(value: object) -> Iterator[tuple[str, object]]:
    """Give the names and values an object stores, in ``__dict__`` and slots, running no code."""
    try:
        stored = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        stored = {}
    if isinstance(stored, dict):
        yield from list(stored.items())
    for name, member in _slots_of(type(value)):
        try:
            yield name, member.__get__(value)
        except AttributeError:
            continue


def _slots_of(kind: type) -> tuple[tuple[str, MemberDescriptorType], ...]:
    # By id, since a class need not be hashable; kept with it, so that the id stays its own.
    known = _known_slots.get(id(kind))
    if known is not None:
        return known[1]
    found = []
    for cls in kind.__mro__:
        slots = cls.__dict__.get("__slots__")
        if not slots or cls.__module__ == "builtins":
            continue
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            member = cls.__dict__.get(_mangled(name, cls))
            if isinstance(member, MemberDescriptorType):
                found.append((name, member))
    if len(_known_slots) >= _MAX_CLASSES:
        _known_slots.clear()
    _known_slots[id(kind)] = (kind, tuple(found))
    return tuple(found)


def _mangled(name: str, cls: type) -> str:
    if name.startswith("__") and not name.endswith("__"):
        return f"_{cls.__name__.lstrip('_')}{name}"
    return name


def _is_among(module: Any, above: "_Above | None") -> bool:
    """Tell whether a Module is one of those above it."""
    while above is not None:
        if above[0] is module:
            return True
        above = above[1]
    return False


def _is_tool(module: str) -> bool:
    """Tell whether a class of this module is a tool; ``resnet`` is no part of ``re``."""
    if not module.startswith(_TOOL_PACKAGES):
        return False
    return module.startswith("torch._") or any(
        module == package or module.startswith(f"{package}.") for package in _TOOL_PACKAGES
    )


class _Holder(NamedTuple):
    """The attribute of a Module through which something is held."""

    owner: Any
    owner_path: str
    attribute: str


class _Walker:
    """The state of one walk."""

    def __init__(self, view: EngineView) -> None:
        self._view = view
        self._walk = Walk()
        self._registered: set[int] = set()
        self._seen_objects: set[int] = set()
        self._objects_left = MAX_OBJECTS
        self._plain_left = MAX_PLAIN_IN_CONTAINERS
        self._revisits_left = MAX_REVISITS
        self._class_attributes: dict[type, dict[str, object]] = {}

    def run(self, model: Any, root: str) -> Walk:
        order = self._visit_modules(model, root, None, "")
        # Plain attributes come second: only then is it known what is registered elsewhere.
        for module, path in order:
            self._visit_attributes(module, path)
        return self._walk

    def _visit_modules(
        self, model: Any, root: str, hidden: HiddenModule | None, hidden_in: str
    ) -> list[tuple[Any, str]]:
        """Enter all Modules below ``model`` with their Parameters and buffers, by a loop."""
        walk = self._walk
        stack: list[tuple[Any, str, _Above | None]] = [(model, root, None)]
        order = []
        while stack:
            module, path, above = stack.pop()
            first = walk.module_paths.get(id(module))
            if first is not None:
                if self._revisits_left <= 0 or _is_among(module, above):
                    continue  # what is part of itself has no more to show
                walk.repeated.append((path, first))
                self._revisits_left -= 1
            else:
                walk.module_paths[id(module)] = path
                walk.modules[path] = module
                order.append((module, path))
            stored = object.__getattribute__(module, "__dict__")
            self._enter_registered(module, path, stored, hidden, hidden_in)
            children = stored.get("_modules") or {}
            for name, child in reversed(list(children.items())):
                if child is not None and self._view.is_module(child):
                    stack.append((child, join_path(path, str(name)), (module, above)))
        return order

    def _enter_registered(
        self,
        module: Any,
        path: str,
        stored: dict[str, Any],
        hidden: HiddenModule | None,
        hidden_in: str,
    ) -> None:
        unsaved = stored.get("_non_persistent_buffers_set") or ()
        shadows = self._names_of_class(module)
        for table, default in (("_parameters", Place.PARAMETER), ("_buffers", Place.BUFFER)):
            for name, tensor in list((stored.get(table) or {}).items()):
                if tensor is None or not self._view.is_tensor(tensor):
                    continue
                self._registered.add(id(tensor))
                place = default
                if table == "_buffers" and name in unsaved:
                    place = Place.BUFFER_NOT_SAVED
                self._walk.tensors.append(
                    FoundTensor(
                        path=join_path(path, str(name)),
                        tensor=tensor,
                        place=Place.HIDDEN_MODULE if hidden else place,
                        owner=hidden.owner if hidden else module,
                        owner_path=hidden.owner_path if hidden else path,
                        attribute=hidden.attribute if hidden else str(name),
                        container=hidden.container if hidden else "",
                        shadowed=name in stored or name in shadows,
                        hidden_in=hidden_in,
                        registered_as=place,
                    )
                )

    def _visit_attributes(self, module: Any, path: str) -> None:
        internals = self._view.module_internals
        for name, value in attributes_of(module):
            if name not in internals:
                self._visit_value(value, module, path, name)
        for name, value in self._names_of_class(module).items():
            if name not in internals:
                self._visit_value(value, module, path, name, Place.CLASS_ATTRIBUTE)

    def _names_of_class(self, module: Any) -> Mapping[str, object]:
        """Give what the user's own classes store, which every instance sees and none owns."""
        cls = type(module)
        if cls not in self._class_attributes:
            found: dict[str, object] = {}
            for base in cls.__mro__:
                if base.__module__.partition(".")[0] in ("torch", "gradcore", "builtins"):
                    continue
                for name, value in list(vars(base).items()):
                    if not name.startswith("__") and not isinstance(value, _ATOMS):
                        found.setdefault(name, value)
            self._class_attributes[cls] = found
        return self._class_attributes[cls]

    def _visit_value(
        self, value: object, owner: Any, owner_path: str, name: str, place: Place = Place.ATTRIBUTE
    ) -> None:
        """Look at one attribute and at what it holds, to the depth of `MAX_DEPTH`."""
        if isinstance(value, _ATOMS):
            return
        holder = _Holder(owner, owner_path, name)
        stack: list[tuple[object, str, Place, str, int]] = [(value, name, place, "", 0)]
        while stack:
            item, path, place, container, depth = stack.pop()
            if isinstance(item, _ATOMS):
                continue
            if self._view.is_tensor(item):
                self._enter_plain(item, path, place, holder, container)
            elif self._view.is_module(item):
                self._enter_hidden(item, path, place, holder, container)
            elif depth < MAX_DEPTH and self._may_enter(item):
                held, label = self._contents(item)
                inside = Place.FOREIGN if place is Place.FOREIGN or not label else Place.CONTAINER
                label = container or label or type(item).__name__
                stack.extend(
                    (child, join_path(path, key), inside, label, depth + 1)
                    for key, child in reversed(held)
                )

    def _may_enter(self, item: object) -> bool:
        if id(item) in self._seen_objects or self._objects_left <= 0:
            return False
        if self._view.is_optimizer(item):
            return False
        if _is_tool(type(item).__module__):
            return False
        self._seen_objects.add(id(item))
        self._objects_left -= 1
        return True

    @staticmethod
    def _contents(item: object) -> tuple[list[tuple[str, object]], str]:
        """Return what an object holds, and its name if it is a container (else empty)."""
        if isinstance(item, dict):
            pairs = [(str(k), v) for k, v in islice(list(dict.items(item)), MAX_ITEMS)]
            return pairs, "dict"
        if isinstance(item, _SEQUENCES):
            label = next(kind.__name__ for kind in _SEQUENCES if isinstance(item, kind))
            return [(str(i), v) for i, v in enumerate(islice(item, MAX_ITEMS))], label
        return list(islice(attributes_of(item), MAX_ITEMS)), ""

    def _enter_plain(
        self, tensor: Any, path: str, place: Place, holder: _Holder, container: str
    ) -> None:
        if id(tensor) in self._registered:
            return
        if place in (Place.CONTAINER, Place.FOREIGN) and not tensor.requires_grad:
            if self._plain_left <= 0:
                return
            self._plain_left -= 1
        full = join_path(holder.owner_path, path)
        self._walk.tensors.append(FoundTensor(full, tensor, place, *holder, container))

    def _enter_hidden(
        self, module: Any, path: str, place: Place, holder: _Holder, container: str
    ) -> None:
        if id(module) in self._walk.module_paths:
            return
        full = join_path(holder.owner_path, path)
        hidden = HiddenModule(full, module, place, *holder, container)
        self._walk.hidden.append(hidden)
        for inner, inner_path in self._visit_modules(module, full, hidden, full):
            self._visit_attributes(inner, inner_path)
