"""What a step changes in Python from call to call: running sums, counters, lists that grow, states.

Each is a place: an entry of a dictionary (attributes are entries, too), a closure's cell, or the
end of a list. Places that were seen to change are left out of what must stay as it is; a recording
says what stands in them after the step.
"""

import dis
import types
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from gradcore.graph import TensorBase
from gradcore.replay.numbers import TakenFloat, TakenInt, plain

END = object()
"""Stands for the key of a list that is appended to."""
_EMPTY = object()


class Place:
    """One entry of a dictionary, a cell, or the end of a list."""

    __slots__ = ("container", "key")

    def __init__(self, container: Any, key: Any) -> None:
        self.container, self.key = container, key

    @property
    def name(self) -> tuple[int, Any]:
        """What it is known by."""
        return id(self.container), self.key

    def get(self) -> Any:
        """Return what stands there."""
        if isinstance(self.container, types.CellType):
            return self.container.cell_contents
        return self.container[self.key]

    def put(self, value: Any) -> None:
        """Let something stand there."""
        if isinstance(self.container, types.CellType):
            self.container.cell_contents = value
        elif self.key is END:
            self.container.append(value)
        else:
            self.container[self.key] = value


class Slot(Place):
    """An attribute of an object that keeps it in no dictionary, or of a class."""

    __slots__ = ()

    def get(self) -> Any:
        """Return what stands there."""
        return getattr(self.container, self.key)

    def put(self, value: Any) -> None:
        """Let something stand there."""
        change = setattr if isinstance(self.container, type) else object.__setattr__
        change(self.container, self.key, value)


class Snapshot:
    """What containers held at one time."""

    def __init__(self, containers: Iterable[Any]) -> None:
        # Each once, though several names may lead to it.
        apart = {one.name if isinstance(one, Place) else id(one): one for one in containers}
        self._held = [(one, _content(one)) for one in apart.values()]

    def changes(self) -> Iterator[tuple[Place, Any]] | None:
        """Return the places that have changed, and what is new there; None: not understood."""
        found: list[tuple[Place, Any]] = []
        for container, before in self._held:
            now = _content(container)
            if isinstance(container, (types.CellType, Place)):
                place = container if isinstance(container, Place) else Place(container, None)
                if now is not before:
                    found.append((place, now))
            elif isinstance(container, list):
                if len(now) < len(before) or any(
                    a is not b for a, b in zip(before, now, strict=False)
                ):
                    return None
                found += [(Place(container, END), item) for item in now[len(before) :]]
            else:
                if any(key not in now for key in before):
                    return None
                found += [
                    (Place(container, key), value)
                    for key, value in now.items()
                    if key not in before or before[key] is not value
                ]
        return iter(found)

    def restore(self) -> None:
        """Let the containers hold what they held."""
        for container, before in self._held:
            if isinstance(container, types.CellType):
                if before is not _EMPTY:
                    container.cell_contents = before
            elif isinstance(container, Place):
                if before is not _EMPTY:
                    container.put(before)
            elif isinstance(container, list):
                if len(container) != len(before) or any(
                    a is not b for a, b in zip(before, container, strict=True)
                ):
                    container[:] = before
            elif len(container) != len(before) or any(
                container.get(key, _EMPTY) is not value for key, value in before.items()
            ):
                container.clear()
                container.update(before)

    def purge(self) -> None:
        """Let plain numbers stand where there are such that note what is done with them."""
        for container, _ in self._held:
            purge(container)


def _content(container: Any) -> Any:
    if isinstance(container, Slot):
        return getattr(container.container, container.key, _EMPTY)
    if isinstance(container, Place):
        return container.container.get(container.key, _EMPTY)
    if isinstance(container, types.CellType):
        try:
            return container.cell_contents
        except ValueError:
            return _EMPTY
    return list(container) if isinstance(container, list) else dict(container)


def purge(item: Any, depth: int = 0) -> Any:
    """Return something with plain numbers in it; containers stay the ones they are."""
    if isinstance(item, (TakenFloat, TakenInt)):
        return plain(item)
    if depth > 6:
        return item
    if isinstance(item, (types.CellType, Place)):
        found = _content(item)
        clean = purge(found, depth + 1)
        if clean is not found:
            (item if isinstance(item, Place) else Place(item, None)).put(clean)
    elif type(item) is list:
        for number, part in enumerate(item):
            clean = purge(part, depth + 1)
            if clean is not part:
                item[number] = clean
    elif isinstance(item, dict):
        for key, part in list(item.items()):
            clean = purge(part, depth + 1)
            if clean is not part:
                item[key] = clean
    elif isinstance(item, tuple):
        parts = [purge(part, depth + 1) for part in item]
        if any(a is not b for a, b in zip(parts, item, strict=True)):
            return type(item)(parts) if type(item) is tuple else type(item)(*parts)
    elif hasattr(item, "__dataclass_fields__") and not isinstance(item, type):
        for field in fields(item):
            part = getattr(item, field.name, None)
            clean = purge(part, depth + 1)
            if clean is not part:
                object.__setattr__(item, field.name, clean)
    return item


def tensors_in(item: Any) -> list[TensorBase] | None:
    """Return the tensors in a nest of tuples and lists; None where there is something else."""
    if isinstance(item, TensorBase):
        return [item]
    if type(item) in (tuple, list):
        parts = [tensors_in(part) for part in item]
        if any(part is None for part in parts):
            return None
        return [t for part in parts for t in part or ()]
    return None


def only_appends(code: types.CodeType, kind: str, name: str, is_keyed: bool = False) -> bool:
    """Tell whether code does nothing with a list of this name but call its ``append``.

    ``kind``: whether it is the name of a variable or an attribute, or a key. ``is_keyed``: it is
    that of a dictionary of lists, which are looked up by their keys. That the name comes to stand
    for another list is seen elsewhere.
    """
    steps = [one for one in dis.get_instructions(code) if one.opname not in _NOTHING]
    for number, one in enumerate(steps):
        names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
        if name not in [item for item in names if type(item) is str]:
            continue
        if not one.opname.startswith(_LOADS[kind]) or one.opname == "LOAD_CLOSURE":
            continue
        if steps[number + 1].opname == "BUILD_CONST_KEY_MAP":
            # The keys of a new dictionary.
            continue
        if len(names) > 1 or not _is_appended(steps[number + 1 :], kind, is_keyed):
            return False
    return all(
        only_appends(constant, kind, name, is_keyed)
        for constant in code.co_consts
        if isinstance(constant, types.CodeType)
    )


def _is_appended(after: list[dis.Instruction], kind: str, is_keyed: bool) -> bool:
    """Tell whether what is loaded is appended to next, or what a constant key finds in it."""
    if is_keyed:
        return bool(after) and after[0].opname.startswith("LOAD_CONST")
    if kind == "key":
        is_looked_up = bool(after) and after[0].opname.startswith("BINARY")
        after = after[1:] if is_looked_up else []
    return bool(after) and after[0].argval == "append"


_LOADS = {
    "variable": ("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_CLASSDEREF"),
    "attribute": ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER"),
    "key": ("LOAD_CONST",),
}
_NOTHING = {"CACHE", "NOP", "PUSH_NULL", "PRECALL", "RESUME", "COPY_FREE_VARS", "MAKE_CELL"}
