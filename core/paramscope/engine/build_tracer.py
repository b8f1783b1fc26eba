"""Watching the source run: how tensors are made and filled, and what is put in whose place.

The tracer only looks. It takes no random numbers and writes to no tensor.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.census.evidence import BuildRecord, Origin, Replacement, StateLoad
from paramscope.census.walk import FoundTensor, Place, Walk
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.frames import Site, find_site
from paramscope.engine.leaves import is_leaf
from paramscope.engine.operation_names import (
    KEEPS_RANDOM,
    LEADS_OUT,
    PLAIN_FILLS,
    RANDOM,
    RANDOM_FILLS,
    UNFILLED,
)

MAX_HELD_BYTES = 64 * 1024 * 1024
MAX_FIRST_VALUE = 1_000_000
MIN_ALIKE = 4  # values: fewer may be equal by chance


class BuildTracer:
    """Sees memory being made and filled while the source runs, ``build()`` included."""

    def __init__(self, adapter: Adapter, filename: str) -> None:
        self.record = BuildRecord()
        self.read_ids: set[int] = set()
        self.read_in_forward_ids: set[int] = set()
        self.backward_calls = 0
        self._adapter = adapter
        self._filename = filename
        self._held: list[Any] = []
        self._bytes_left = MAX_HELD_BYTES
        self._serial = 0
        self._starts: dict[tuple[Any, ...], list[tuple[Any, NDArray[Any]]]] = {}
        self._last_group = 0
        # By id and name: the owner (kept, so that its id stays its own), its Module, the line.
        self._assigned: dict[tuple[int, str], tuple[Any, Any, int]] = {}

    def operation(self, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Note what memory an operation has made or filled, and what it has read."""
        origins = self.record.origins
        storage_of = self._adapter.storage
        site = None
        given = [storage_of(tensor) for tensor in inputs]
        leaves = [id(tensor) for tensor in inputs if is_leaf(tensor)]
        if leaves:
            site = find_site(self._filename, {}, self._adapter.is_module, skip=3)
            self.read_ids.update(leaves)
            if site.in_forward:
                self.read_in_forward_ids.update(leaves)
        if name.endswith("_") or name in LEADS_OUT:
            self._write(name, given)
            return
        for tensor in outputs:
            storage = storage_of(tensor)
            if not storage or storage in given:
                continue
            is_random = name in RANDOM or (
                name in KEEPS_RANDOM and any(s in origins and origins[s].is_random for s in given)
            )
            if name == "new" and storage in origins and origins[storage].is_unfilled:
                continue  # of sizes, as the engine has told already
            site = site or find_site(self._filename, {}, self._adapter.is_module, skip=3)
            self._enter(name, storage, tensor, is_random, site)

    def _enter(
        self, name: str, storage: int, tensor: Any, is_random: bool, site: Site | None
    ) -> None:
        site = site or find_site(self._filename, {}, self._adapter.is_module, skip=4)
        self._serial += 1
        self.record.origins[storage] = Origin(
            operation=name,
            line=site.span.line if site.span else None,
            in_init=site.in_init,
            is_random=is_random,
            is_unfilled=name in UNFILLED,
            serial=self._serial,
        )
        self._hold(tensor)

    def before_backward(self, loss: Any) -> None:
        """Count: a script may have trained already."""
        self.backward_calls += 1

    def after_backward(self, loss: Any) -> None:
        """Nothing to note: gradients are read when the source is done."""

    def module_assigned(self, owner: Any, name: str, old: Any, new: Any) -> None:
        """Note that one line of the document, in a loop, puts a Module in its last one's place."""
        frame = sys._getframe(2)  # beyond the spy
        if frame.f_code.co_filename != self._filename:
            return
        line = frame.f_lineno
        last = self._assigned.get((id(owner), name))
        if (
            last is not None
            and old is not None
            and last[1] is old
            and last[2] == line
            and any(True for _ in old.parameters())
        ):
            self.record.replacements.append(Replacement(owner, name, old, line))
        self._assigned[id(owner), name] = (owner, new, line)

    def memory_asked_for(self, tensor: Any) -> None:
        """Note memory that an old constructor has left unfilled: no operation tells of it."""
        storage = self._adapter.storage(tensor)
        if storage:
            self._enter("empty", storage, tensor, is_random=False, site=None)

    def state_loaded(self, module: Any, state: Mapping[str, Any], strict: bool) -> None:
        """Note how many names of a file the Module knew."""
        site = find_site(self._filename, {}, self._adapter.is_module, skip=3)
        own = list(module.state_dict())
        given = [str(key) for key in state]
        load = StateLoad(
            module=module,
            given=len(given),
            matched=len(set(given) & set(own)),
            strict=strict,
            example=(given[0] if given else "", own[0] if own else ""),
            line=site.span.line if site.span else None,
        )
        self.record.loads.append(load)

    def group_added(self, optimizer: Any) -> None:
        """Note that an optimizer knows its Parameters from here on."""
        self._last_group = self._serial

    def finish(self, walk: Walk, outside: Sequence[Walk] = ()) -> BuildRecord:
        """Note what each plain attribute holds now, and let go of everything else.

        ``outside`` are walks over what the program holds beside the model, such as a criterion.
        """
        record = self.record
        everything = [*walk.tensors, *(found for other in outside for found in other.tensors)]
        for found in walk.tensors:
            if found.place is Place.PARAMETER:
                record.first_parameters[id(found.tensor)] = found.tensor
                self._note_alike(found)
            if found.place in (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE):
                record.first_tensors[found.path] = found.tensor
                if self._adapter.is_floating(found.tensor) and not found.tensor.requires_grad:
                    array = self._adapter.array(found.tensor)
                    if array is not None and array.size <= MAX_FIRST_VALUE:
                        record.first_values[found.path] = array.copy()
        record.unfilled = frozenset(
            id(found.tensor) for found in everything if self._is_unfilled(found.tensor)
        )
        record.late = frozenset(
            key for key, tensor in record.first_parameters.items() if self._is_late(tensor)
        )
        record.was_training = bool(getattr(self._model_of(walk), "training", True))
        alive = {self._adapter.storage(found.tensor) for found in everything}
        record.origins = {key: value for key, value in record.origins.items() if key in alive}
        for found in everything:
            origin = record.origins.get(self._adapter.storage(found.tensor))
            if origin is not None:
                record.origins_by_id[id(found.tensor)] = (found.tensor, origin)
        record.is_complete = True
        self._held.clear()
        self._starts.clear()
        self._assigned.clear()
        return record

    def _is_unfilled(self, tensor: Any) -> bool:
        if self._adapter.is_uninitialized(tensor) or not tensor.numel() or tensor._version:
            return False
        origin = self.record.origins.get(self._adapter.storage(tensor))
        return origin is not None and origin.is_unfilled

    @staticmethod
    def _model_of(walk: Walk) -> Any:
        return next(iter(walk.modules.values()), None)

    def _is_late(self, tensor: Any) -> bool:
        origin = self.record.origins.get(self._adapter.storage(tensor))
        return bool(self._last_group and origin and origin.serial > self._last_group)

    def _note_alike(self, found: FoundTensor) -> None:
        """Note Parameters with equal rows, and pairs that began with the same random values."""
        tensor = found.tensor
        array = self._adapter.array(tensor) if tensor.requires_grad else None
        if array is not None and array.ndim == 1:
            self.record.first_biases[id(tensor)] = array.tobytes()
        if array is None or array.ndim < 2 or array.size < MIN_ALIKE:
            return
        if len(array) > 1 and np.array_equal(array[0], array[1]) and (array == array[0]).all():
            self.record.equal_rows[id(tensor)] = array[0].copy()
        key = (array.shape, array.dtype, array.ravel()[:MIN_ALIKE].tobytes())
        same = self._starts.setdefault(key, [])
        for other, values in same:
            if other is tensor:
                return
            if np.array_equal(values, array) and self._is_alike(tensor, other, array):
                self.record.alike.append((other, tensor))
                return
        same.append((tensor, array))

    def _is_alike(self, tensor: Any, other: Any, array: NDArray[Any]) -> bool:
        """Tell whether equal values were copied: they are random, or the same memory."""
        storage = self._adapter.storage(tensor)
        if storage and storage == self._adapter.storage(other):
            return True
        sample = array.ravel()[:1_000]
        if len(np.unique(sample)) * 2 < len(sample):
            return False  # a pattern, such as the identity
        origins = [self.record.origins.get(self._adapter.storage(t)) for t in (tensor, other)]
        return any(origin is not None and origin.is_random for origin in origins)

    def _write(self, name: str, given: list[int]) -> None:
        """An in-place operation: the memory of its first input is filled now."""
        origins = self.record.origins
        storage = given[0] if given else 0
        old = origins.get(storage)
        if old is None or name == "requires_grad_":
            return
        if name in RANDOM_FILLS:
            is_random = True
        elif name in PLAIN_FILLS:
            is_random = False
        elif name in ("copy_", "data_", "setitem_"):
            is_random = any(s in origins and origins[s].is_random for s in given[1:])
            is_random = is_random or (name == "setitem_" and old.is_random)
        else:
            is_random = old.is_random
        origins[storage] = replace(old, is_random=is_random, is_unfilled=False)

    def _hold(self, tensor: Any) -> None:
        """Keep a small tensor alive, so that its memory is not given to the next one."""
        size = 8 * math.prod(self._adapter.shape(tensor))
        if size <= self._bytes_left:
            self._bytes_left -= size
            self._held.append(tensor)
