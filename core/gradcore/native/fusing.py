"""Makes chains of element-wise steps that follow each other and have equally many values."""

from collections.abc import Iterator
from typing import Any

from gradcore.native import basic, steps
from gradcore.native.builder import (
    BOOL,
    DOUBLE,
    INTEGER,
    Check,
    Element,
    Launch,
    PythonCall,
    Table,
    operands_of,
)
from gradcore.native.chains import chain
from gradcore.native.entry import Operand
from gradcore.native.layout import Storage, repetition, whole

_BLOCK = 4096
"""Bytes of a register: some ten of them fit the nearest cache."""
_LONGEST = 40
_LOADS = {BOOL: steps.LOAD_BYTE, DOUBLE: steps.LOAD_DOUBLE, INTEGER: steps.LOAD_INTEGER}
_STORES = {BOOL: steps.STORE_BYTE, DOUBLE: steps.STORE_DOUBLE, INTEGER: steps.STORE_INTEGER}
_TARGET_FIRST = {
    basic.product, basic.vector_product, basic.sums, basic.extremes, basic.copy,
    basic.copy_bytes, basic.fill, basic.clear, basic.add_integer,
}  # fmt: skip


def touched(instruction: Any) -> list[Operand]:
    """Return every operand that an instruction reads or writes."""
    if isinstance(instruction, Element):
        return [instruction.target, *operands_of(instruction.sources)]
    if isinstance(instruction, Launch):
        return operands_of(instruction.words)
    if isinstance(instruction, Check):
        return [instruction.flag]
    parts = (instruction.arguments, instruction.options, instruction.results)
    return operands_of(parts)


def written(instruction: Any) -> list[Operand]:
    """Return the operands that an instruction may write."""
    if isinstance(instruction, Element):
        return [instruction.target]
    if isinstance(instruction, Launch) and instruction.kernel in _TARGET_FIRST:
        return operands_of(instruction.words[:1])
    if isinstance(instruction, Launch) and instruction.kernel.writes is not None:
        return operands_of([instruction.words[i] for i in instruction.kernel.writes])
    return [] if isinstance(instruction, Check) else touched(instruction)


def storages(operands: list[Operand]) -> set[Storage]:
    """Return the memory of operands."""
    return {x.place[0] for x in operands}


def without_dead(instructions: list[Any], outputs: set[Storage]) -> list[Any]:
    """Leave out what works out values that nobody reads."""
    needed = set(outputs)
    kept = []
    for one in reversed(instructions):
        is_simple = isinstance(one, Element) or (
            isinstance(one, Launch) and one.kernel in _TARGET_FIRST
        )
        if is_simple:
            target: Storage = written(one)[0].place[0]
            if target.is_temporary and target not in needed:
                continue
        needed |= storages(touched(one))
        kept.append(one)
    return kept[::-1]


class _Group:
    """Elements that are to be one chain, and what of memory they touch."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.size = -1
        self.dtype: Any = None
        self.read: set[Storage] = set()
        self.repeated: set[Storage] = set()
        self.wrote: dict[Storage, tuple[int, Any]] = {}

    def takes(self, one: Element) -> bool:
        """Tell whether an element may join."""
        if not self.elements:
            return True
        if one.target.size != self.size or one.dtype != self.dtype:
            return False
        if len(self.elements) >= _LONGEST:
            return False
        storage, offset = one.target.place
        mark = (offset, one.target.dtype)
        if storage in self.repeated or self.wrote.get(storage, mark) != mark:
            return False
        if storage in self.read and storage not in self.wrote:
            # Only where every reader looked at the very value that is written.
            if any(
                x.place[0] is storage and x.place[1] != offset
                for element in self.elements
                for x in operands_of(element.sources)
            ):
                return False
        for x in operands_of(one.sources):
            held = self.wrote.get(x.place[0])
            if held is not None and (held != (x.place[1], x.dtype) or not _is_full(x)):
                return False
        return True

    def add(self, one: Element) -> None:
        """Take an element in."""
        self.elements.append(one)
        self.size, self.dtype = one.target.size, one.dtype
        for x in operands_of(one.sources):
            self.read.add(x.place[0])
            if not _is_full(x):
                self.repeated.add(x.place[0])
        storage, offset = one.target.place
        self.wrote[storage] = (offset, one.target.dtype)

    def lets_pass(self, one: Any) -> bool:
        """Tell whether an instruction may run before the elements that came before it."""
        if isinstance(one, PythonCall | Check):
            return False
        touches, writes = storages(touched(one)), storages(written(one))
        return not touches & set(self.wrote) and not writes & self.read


def _is_full(x: Operand) -> bool:
    pattern = repetition(x)
    return pattern is not None and pattern[0] == x.size


def fused(table: Table, instructions: list[Any], outputs: set[Storage]) -> list[Any]:
    """Return the instructions with chains in the place of elements."""
    readers: dict[Storage, int] = {}
    for one in instructions:
        for storage in storages(touched(one)):
            readers[storage] = readers.get(storage, 0) + 1
    result: list[Any] = []
    for item in _grouped(instructions):
        if isinstance(item, _Group):
            inside: dict[Storage, int] = {}
            for one in item.elements:
                for storage in storages(touched(one)):
                    inside[storage] = inside.get(storage, 0) + 1
            private = {
                storage
                for storage, count in inside.items()
                if storage.is_temporary and storage not in outputs and readers[storage] == count
            }
            result.append(_Writer(table, item, private).launch())
        else:
            result.append(item)
    return result


def _grouped(instructions: list[Any]) -> Iterator[Any]:
    group = _Group()
    for one in instructions:
        if isinstance(one, Element):
            if not group.takes(one):
                yield group
                group = _Group()
            group.add(one)
        elif not group.elements or group.lets_pass(one):
            yield one
        else:
            yield group
            group = _Group()
            yield one
    if group.elements:
        yield group


class _Writer:
    """Writes a group down as the words of ``chains.chain``."""

    def __init__(self, table: Table, group: _Group, private: set[Storage]) -> None:
        self.group = group
        self.private = private
        self.dtype = group.dtype
        self.width = self.dtype.itemsize
        self.count = group.size
        self.block = self._block_size()
        self.operands: list[tuple[Any, int]] = []
        self.once: list[list[int]] = []
        self.body: list[list[int]] = []
        self.reals: list[float] = []
        self._registers: list[int] = []
        self._free: list[int] = []
        self._places: dict[Any, int] = {}
        self._numbers: dict[float, int] = {}
        self._seen: set[Storage] = set()
        self._last = self._last_reads()
        self.table = table

    def _block_size(self) -> int:
        block: int = _BLOCK // self.width
        if self.count <= block * 3 // 2:
            return max(self.count, 1)
        for one in self.group.elements:
            for x in operands_of(one.sources):
                period, each = repetition(x) or (1, 1)
                if 1 < period * each <= block and period != self.count:
                    return block // (period * each) * period * each
        return block

    def _last_reads(self) -> dict[Any, int]:
        last = {}
        for number, one in enumerate(self.group.elements):
            for x in operands_of(one.sources):
                last[x.place] = number
        return last

    def _register(self) -> int:
        """Return a register that nobody uses now."""
        return self._free.pop() if self._free else self._own_register()

    def _own_register(self) -> int:
        """Return a register that nobody has used before: what is written once has to stay."""
        self.operands.append((len(self._registers), 0))
        self._registers.append(len(self.operands) - 1)
        return len(self.operands) - 1

    def _memory(self, x: Operand) -> int:
        self.operands.append((x, x.dtype.itemsize))
        return len(self.operands) - 1

    def _number(self, value: float) -> int:
        # By its bits: zero has two signs, and NaN is not equal to itself.
        key = value.hex()
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._own_register()
            self.reals.append(value)
            self.once.append([steps.FILL, found, 0, 0, 0, len(self.reals) - 1])
        return found

    def _source(self, x: Any) -> int:
        if not isinstance(x, Operand):
            return self._number(float(x))
        period, each = repetition(x) or (1, 1)
        is_full = period == self.count
        key = (x.place, x.dtype) if is_full else (x.place, x.dtype, period, each)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = (
                self._loaded(x) if is_full else self._spread(x, period, each)
            )
        return found

    def _loaded(self, x: Operand) -> int:
        memory = self._memory(x)
        if x.dtype == self.dtype:
            return memory
        register = self._register()
        load = _LOADS.get(x.dtype, steps.LOAD_SINGLE)
        self.body.append([load, register, memory, 0, 0, 0])
        return register

    def _spread(self, x: Operand, period: int, each: int) -> int:
        small = Operand((period,), x.dtype, (x.dtype.itemsize,), x.place)
        self.operands.append((small, 0))
        memory = len(self.operands) - 1
        is_still = period == 1 or self.count <= self.block or self.block % (period * each) == 0
        register = self._own_register() if is_still else self._register()
        each = self.count if period == 1 else each
        step = [steps.SPREAD, register, memory, period, each, 0]
        (self.once if is_still else self.body).append(step)
        return register

    def _element(self, number: int, one: Element) -> None:
        sources = [self._source(x) for x in one.sources]
        storage, _ = one.target.place
        key = (one.target.place, one.target.dtype)
        is_kept = storage not in self.private
        self._seen |= storages(operands_of(one.sources))
        is_direct = is_kept and one.target.dtype == self.dtype and storage not in self._seen
        if is_direct:
            place = self._memory(one.target)
        else:
            place = self._register()
        self.body.append([one.what, place, *sources, *[0] * (4 - len(sources))])
        self._places[key] = place
        if is_kept and not is_direct:
            store = steps.COPY
            if one.target.dtype != self.dtype:
                store = _STORES.get(one.target.dtype, steps.STORE_SINGLE)
            self.body.append([store, self._memory(one.target), place, 0, 0, 0])
        self._release(number)

    def _release(self, number: int) -> None:
        """Give back the registers of private values that have been read for the last time."""
        for key, place in list(self._places.items()):
            if type(key) is not tuple or len(key) != 2 or key[0][0] not in self.private:
                continue
            if self._last.get(key[0], -1) <= number and place in self._registers:
                self._free.append(place)
                del self._places[key]

    def launch(self) -> Launch:
        """Return the chain."""
        for number, one in enumerate(self.group.elements):
            self._element(number, one)
        room = self.table.empty((max(len(self._registers), 1), self.block), self.dtype)
        storage, _ = room.place
        operands: list[Any] = []
        for item, step in self.operands:
            if isinstance(item, int):
                start = item * self.block * self.width
                operands += [whole((self.block,), self.dtype, storage, start), 0]
            else:
                operands += [item, step]
        words = [self.count, self.block, len(self.operands), len(self.once), len(self.body)]
        words += [*operands, *[word for step in self.once + self.body for word in step]]
        return Launch(chain, tuple(words), tuple(self.reals or [0.0]), self.dtype)
