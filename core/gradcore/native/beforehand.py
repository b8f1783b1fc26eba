"""Calls of Python that may be done before a program's kernels, and so for many steps at once.

Draws of batches and of masks, and what is picked by them from data that no step changes.
"""

from typing import Any

from gradcore.native.builder import Element, Launch, PythonCall
from gradcore.native.entry import Operand
from gradcore.native.fusing import storages, touched, written
from gradcore.native.layout import Storage


def hoisted(instructions: list[Any], changing: set[int]) -> tuple[list[PythonCall], list[Any]]:
    """Return the calls that need nothing of the kernels, in order, and all other instructions.

    ``changing`` are the ids of arrays that each step writes. The first call that has to stay keeps
    all calls after it: draws must keep their order.
    """
    first: list[PythonCall] = []
    rest: list[Any] = []
    made: set[Storage] = set()
    for number, one in enumerate(instructions):
        if not isinstance(one, PythonCall):
            made |= storages(written(one))
            rest.append(one)
            continue
        needed = storages(touched(one))
        if one.is_draw:
            target: Storage = one.arguments[0].place[0]
            kept = _without(rest, target)
            if kept is not None:
                rest = kept
                needed.discard(target)
        if needed & made or any(_changes(storage, changing) for storage in needed):
            return first, rest + instructions[number:]
        first.append(one)
    return first, rest


def _without(instructions: list[Any], target: Storage) -> list[Any] | None:
    """Return the instructions without those that fill ``target``; None: some do more with it."""
    kept = []
    for one in instructions:
        if target not in storages(touched(one)):
            kept.append(one)
        elif not isinstance(one, Element | Launch) or storages(written(one)) != {target}:
            return None
    return kept


def _changes(storage: Storage, changing: set[int]) -> bool:
    arrays = storage.array if isinstance(storage.array, tuple) else (storage.array,)
    return any(id(array) in changing for array in arrays)


def targets(call: PythonCall) -> list[Operand]:
    """Return what a call writes."""
    made = [x for x in call.results if x is not None]
    return [*made, call.arguments[0]] if call.is_draw else made
