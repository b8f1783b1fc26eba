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


def _all_places() -> tuple[dict[str, int], tuple[int, int], int, int] | None:
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
        )
    except (LookupError, ValueError):
        return None


_PLACES = _all_places()
known = _PLACES is not None
"""Whether this Python keeps objects in a way that is understood."""
_SLOT, _LIST, _CELL, _DICT = _PLACES or ({}, (0, 0), 0, 0)


class Words:
    """Words of memory of living objects: what they are now, and whether they are still that.

    Who makes one keeps the objects alive, those that the words refer to as well.
    """

    def __init__(self) -> None:
        self._addresses: list[int] = []
        self._given: tuple[int, ...] = ()
        self._look: Any = word_reader()

    def slots(self, tensors: Iterable[Any], name: str) -> None:
        """Watch a slot of tensors, or of counters."""
        place = _SLOT[name]
        self._addresses += [id(t) + place for t in tensors]

    def items(self, items: list[Any]) -> None:
        """Watch a list and its items."""
        length, start = (id(items) + place for place in _LIST)
        # The length first: where it has changed, what follows is not looked at.
        self._addresses += [length, start]
        first = int(np.frombuffer(ctypes.string_at(start, _WORD), np.int64)[0])
        self._addresses += [first + i * _WORD for i in range(len(items))]

    def cells(self, cells: Iterable[Any]) -> None:
        """Watch what closures have captured."""
        self._addresses += [id(cell) + _CELL for cell in cells]

    def lengths(self, entries: Iterable[dict[Any, Any]]) -> None:
        """Watch how many entries dictionaries have."""
        self._addresses += [id(one) + _DICT for one in entries]

    def references(self, things: Iterable[Any]) -> None:
        """Watch how many references there are to things."""
        self._addresses += [id(one) + _REFERENCES for one in things]

    def note(self) -> None:
        """Take what is there now for what ought to be."""
        if not self._given:
            self._places = np.array(self._addresses, np.int64)
            self._expected = np.zeros(len(self._addresses), np.int64)
            where = (address_of(self._places), address_of(self._expected))
            self._given = (*where, len(self._addresses))
        self._look(*self._given, True)

    def same(self) -> bool:
        """Tell whether all words are what they were; no, if that was never noted."""
        return bool(self._given) and bool(self._look(*self._given, False))
