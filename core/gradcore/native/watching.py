"""Whether objects still refer to what they did, looked up in their memory by machine code.

Before each step it has to be certain that no tensor, list or cell that the step relies on has
changed. Asking them one by one in Python takes longer than a small step itself. Where CPython keeps
what is asked for is tried out on objects made for it; where that cannot be found, ``known`` is
False, and the question goes to the objects as before.
"""

import ctypes
import sys
import sysconfig
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from gradcore.graph import Counter, TensorBase
from gradcore.native.layout import address_of
from gradcore.native.machine import word_reader

_WORD = 8
_REFERENCES = 0
"""Where the number of references stands."""


def _words(thing: Any) -> list[int]:
    """Return the memory of an object, without what its type adds behind."""
    size = type(thing).__basicsize__
    return [int(word) for word in np.frombuffer(ctypes.string_at(id(thing), size), np.int64)]


def _place(thing: Any, word: int) -> int:
    """Return how many bytes into an object the only such word of it stands."""
    found = [i for i, one in enumerate(_words(thing)) if one == word]
    if len(found) != 1:
        raise LookupError("this Python lays objects out in another way")
    return found[0] * _WORD


def _slots() -> dict[str, int]:
    """Return where the slots of every tensor are, and those of every counter."""
    places = {}
    for thing in (TensorBase(), Counter()):
        for name in thing.__slots__:
            mark = object()
            setattr(thing, name, mark)
            places[name] = _place(thing, id(mark))
    return places


def _list_places() -> tuple[int, int]:
    """Return where a list keeps its length, and where the address of its items."""
    items: list[Any] = [object() for _ in range(1237)]
    length = _words(items).index(len(items)) * _WORD
    for i, word in enumerate(_words(items)[length // _WORD + 1 :]):
        if word > 1 << 20 and word % _WORD == 0:
            held = np.frombuffer(ctypes.string_at(word, len(items) * _WORD), np.int64)
            if held.tolist() == list(map(id, items)):
                return length, length + (i + 1) * _WORD
    raise LookupError("this Python lays lists out in another way")


def _array_place() -> int:
    """Return where an array keeps the address of its values."""
    array = np.empty(7)
    return _place(array, address_of(array))


def _all_places() -> tuple[dict[str, int], tuple[int, int], int, int, int] | None:
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    mark = object()
    entries = dict.fromkeys(range(1237))
    try:
        return (
            _slots(),
            _list_places(),
            _place(types.CellType(mark), id(mark)),
            _place(entries, len(entries)),
            _array_place(),
        )
    except (LookupError, ValueError):
        return None


_PLACES = _all_places()
known = _PLACES is not None
"""Whether this Python keeps objects in a way that is understood."""
_SLOT, _LIST, _CELL, _DICT, DATA = _PLACES or ({}, (0, 0), 0, 0, 0)
_KEYS, _VALUES = _DICT + 2 * _WORD, _DICT + 3 * _WORD
"""Where a dictionary has the address of its entries, and that of values without keys."""


def _memory(place: int, count: int) -> Any:
    return np.frombuffer(ctypes.string_at(place, count * _WORD), np.int64)


def _entry_places(entries: dict[Any, Any]) -> dict[Any, int] | None:
    """Return for each key where the address of its value stands; None: that was not found."""
    table, values = (int(_memory(id(entries) + place, 1)[0]) for place in (_KEYS, _VALUES))
    if values:
        # Keys are shared with other objects; the values lie side by side in most cases.
        for start in (values, values + _WORD):
            if _memory(start, len(entries)).tolist() == list(map(id, entries.values())):
                return dict(zip(entries, range(start, start + (1 << 20), _WORD), strict=False))
        return None
    found = _memory(table, (dict.__sizeof__(entries) - dict.__basicsize__) // _WORD)
    places = {}
    after = 0
    for key, value in entries.items():
        pairs = np.flatnonzero((found[after:-1] == id(key)) & (found[after + 1 :] == id(value)))
        if not len(pairs):
            return None
        # Entries stand in the order in which they came.
        after += int(pairs[0]) + 1
        places[key] = table + _WORD * after
    return places


def _finds_entries() -> bool:
    """Tell whether entries of dictionaries are found, and their changes seen."""
    many: dict[Any, Any] = {str(i): object() for i in range(70)}
    few: dict[Any, Any] = dict.fromkeys(range(9))
    del many["3"], few[0]
    for entries in (many, few, vars(_Thing())):
        places = _entry_places(entries)
        if places is None:
            return False
        for key in list(entries):
            entries[key] = mark = object()
            if _memory(places[key], 1)[0] != id(mark):
                return False
    return True


class _Thing:
    """Has entries whose keys are shared by all objects of the class."""

    def __init__(self) -> None:
        self.first, self.second = object(), object()


_knows_entries = known and _finds_entries()


class Words:
    """Words of memory of living objects: what they are now, and whether they are still that.

    The objects live as long as this; those that the words refer to are kept by who makes it.
    """

    def __init__(self) -> None:
        self._addresses: list[int] = []
        self._held: list[Any] = []
        self._given: tuple[int, ...] = ()
        self._expected: Any = None
        self._look: Any = word_reader()

    def slots(self, tensors: Iterable[Any], name: str) -> None:
        """Watch a slot of tensors, or of counters."""
        self._watch(tensors, _SLOT[name])

    def _watch(self, things: Iterable[Any], place: int) -> None:
        held = list(things)
        self._held.append(held)
        self._addresses += [id(one) + place for one in held]

    def items(self, items: list[Any]) -> None:
        """Watch a list and its items."""
        self._held.append(items)
        length, start = (id(items) + place for place in _LIST)
        # The length first: where it has changed, what follows is not looked at.
        self._addresses += [length, start]
        first = int(np.frombuffer(ctypes.string_at(start, _WORD), np.int64)[0])
        self._addresses += [first + i * _WORD for i in range(len(items))]

    def cells(self, cells: Iterable[Any]) -> None:
        """Watch what closures have captured."""
        self._watch(cells, _CELL)

    def lengths(self, entries: Iterable[dict[Any, Any]]) -> bool:
        """Watch how many entries dictionaries have."""
        self._watch(entries, _DICT)
        return True

    def entries(self, entries: dict[Any, Any], without: Any = None) -> bool:
        """Watch a dictionary and the values in it, one perhaps left out; tell if that can be."""
        places = _entry_places(entries) if _knows_entries else None
        if places is None:
            return False
        self._held.append(entries)
        # Where its memory is, first: if that has changed, what follows is not looked at.
        self._addresses += [id(entries) + place for place in (_KEYS, _VALUES, _DICT)]
        self._addresses += [place for key, place in places.items() if key != without]
        return True

    def entry(self, entries: dict[Any, Any], key: Any) -> bool:
        """Watch the value that a dictionary has for one key; tell if that can be."""
        places = _entry_places(entries) if _knows_entries else None
        if places is None or key not in places:
            return False
        self._held.append(entries)
        self._addresses += [id(entries) + _KEYS, id(entries) + _VALUES, places[key]]
        return True

    def together(self, others: list["Words"]) -> None:
        """Watch what others watch, and expect what they do; all have been noted."""
        self._held.append(others)
        self._addresses = [place for one in others for place in one._addresses]
        self._expected = np.concatenate([one._expected for one in others])
        self._bind()

    def references(self, things: Iterable[Any]) -> None:
        """Watch how many references there are to things."""
        self._watch(things, _REFERENCES)

    def note(self) -> None:
        """Take what is there now for what ought to be."""
        if not self._given:
            self._expected = np.zeros(len(self._addresses), np.int64)
            self._bind()
        self._look(*self._given, True)

    def _bind(self) -> None:
        self._places = np.array(self._addresses, np.int64)
        where = (address_of(self._places), address_of(self._expected))
        self._given = (*where, len(self._addresses))

    def same(self) -> bool:
        """Tell whether all words are what they were; no, if that was never noted."""
        return bool(self._given) and bool(self._look(*self._given, False))
