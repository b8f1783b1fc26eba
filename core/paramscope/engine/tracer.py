"""Watching the document run: how tensors are built, and what one training step does with them.

The two tracers only look. They take no random numbers, write to no tensor and change no
gradient, so that a run that is watched ends in the same weights as one that is not.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import (
    BuildRecord,
    Cut,
    LossCall,
    Origin,
    StepRecord,
    TensorUse,
)
from paramscope.census.rows import Statistics
from paramscope.census.statistics import statistics_of
from paramscope.census.walk import FoundTensor, Place, Walk
from paramscope.code.graph import Span
from paramscope.engine.adapters.base import Adapter, listening
from paramscope.engine.frames import find_site
from paramscope.engine.operation_names import (
    KEEPS_RANDOM,
    LEADS_OUT,
    LOSSES,
    PLAIN_FILLS,
    RANDOM,
    RANDOM_FILLS,
    SAME_VALUES,
    UNFILLED,
)
from paramscope.engine.protocol import OperationRecord

MAX_HELD_BYTES = 64 * 1024 * 1024
MAX_COPIED_VALUES = 50_000_000
MAX_FIRST_VALUE = 1_000_000
MAX_OPERATIONS = 5_000
MAX_CUTS = 2_000
MAX_LOSS_CALLS = 200


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

    def operation(self, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Note what memory an operation has made or filled, and what it has read."""
        origins = self.record.origins
        storage_of = self._adapter.storage
        site = None
        given = [storage_of(tensor) for tensor in inputs]
        leaves = [id(tensor) for tensor in inputs if _is_leaf(tensor)]
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
            site = site or find_site(self._filename, {}, self._adapter.is_module, skip=3)
            is_random = name in RANDOM or (
                name in KEEPS_RANDOM and any(s in origins and origins[s].is_random for s in given)
            )
            origins[storage] = Origin(
                operation=name,
                line=site.span.line if site.span else None,
                in_init=site.in_init,
                is_random=is_random,
                is_unfilled=name in UNFILLED,
            )
            self._hold(tensor)

    def before_backward(self, loss: Any) -> None:
        """Count: a script may have trained already."""
        self.backward_calls += 1

    def after_backward(self, loss: Any) -> None:
        """Nothing to note: gradients are read when the source is done."""

    def finish(self, walk: Walk) -> BuildRecord:
        """Note what each plain attribute holds now, and let go of everything else."""
        record = self.record
        for found in walk.tensors:
            if found.place is Place.PARAMETER:
                record.first_parameters[id(found.tensor)] = found.tensor
            if found.place in (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE):
                record.first_tensors[found.path] = found.tensor
                if self._adapter.is_floating(found.tensor) and not found.tensor.requires_grad:
                    array = self._adapter.array(found.tensor)
                    if array is not None and array.size <= MAX_FIRST_VALUE:
                        record.first_values[found.path] = array.copy()
        record.unfilled = frozenset(
            id(found.tensor) for found in walk.tensors if self._is_unfilled(found.tensor)
        )
        alive = {self._adapter.storage(found.tensor) for found in walk.tensors}
        record.origins = {key: value for key, value in record.origins.items() if key in alive}
        record.is_complete = True
        self._held.clear()
        return record

    def _is_unfilled(self, tensor: Any) -> bool:
        if self._adapter.is_uninitialized(tensor) or not tensor.numel() or tensor._version:
            return False
        origin = self.record.origins.get(self._adapter.storage(tensor))
        return origin is not None and origin.is_unfilled

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
        origins[storage] = Origin(old.operation, old.line, old.in_init, is_random, False)

    def _hold(self, tensor: Any) -> None:
        """Keep a small tensor alive, so that its memory is not given to the next one."""
        size = 8 * math.prod(self._adapter.shape(tensor))
        if size <= self._bytes_left:
            self._bytes_left -= size
            self._held.append(tensor)


@dataclass(slots=True)
class _Operation:
    """One operation of the traced step, before its gradient is known."""

    name: str
    span: Span | None
    module: str | None
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    gradient_norm: float | None = None


@dataclass(slots=True)
class _Known:
    """The tensors of the model as the tracer looks them up."""

    by_id: dict[int, FoundTensor] = field(default_factory=dict)
    bits: dict[int, int] = field(default_factory=dict)
    storages: dict[int, int] = field(default_factory=dict)


class StepTracer:
    """Sees one training step: what is read, what is cut, which gradients come back."""

    def __init__(
        self,
        adapter: Adapter,
        walk: Walk,
        filename: str,
        number: int,
        last: "StepTracer | None" = None,
    ) -> None:
        self.record = StepRecord(number)
        self.forward_operations = 0  # how many there were when the model was last at work
        # Ids of tensors whose gradient an optimizer has used; known only from the step before.
        follows = last is not None and last.record.number == number - 1
        self._used: set[int] = set(last._used) if last is not None and follows else set()
        # Of those, the ones that a backward has added to since.
        self._reused: set[int] = set(last._reused) if last is not None and follows else set()
        self._dirty: dict[int, Statistics] = {}
        self._adapter = adapter
        self._walk = walk
        self._filename = filename
        self._operations: list[_Operation] = []
        self._held: list[Any] = []
        self._taints: dict[int, int] = {}
        self._producers: dict[int, str] = {}
        self._cuts: list[tuple[int, Cut]] = []
        self._known = _Known()
        for found in walk.tensors:
            key = id(found.tensor)
            if key in self._known.by_id:
                continue
            self._known.by_id[key] = found
            self._known.bits[key] = self._taints[key] = 1 << len(self._known.bits)
            self._known.storages[adapter.storage(found.tensor)] = key
        self._before = self._copies()

    # Listening

    def watching(self, optimizers: Sequence[Any]) -> AbstractContextManager[Any]:
        """Return the ``with`` block in which the step (or a part of it) is to run."""
        self._adapter.unmute()  # a step that was broken off may have left it mute
        stack = ExitStack()
        stack.enter_context(self._adapter.record(self))
        stack.callback(self._adapter.unmute)
        stack.enter_context(listening(self._adapter.backward_listeners, self))
        for optimizer in optimizers:
            if hasattr(optimizer, "register_step_post_hook"):
                before = optimizer.register_step_pre_hook(self._before_optimizer_step)
                after = optimizer.register_step_post_hook(self._after_optimizer_step)
                stack.callback(before.remove)
                stack.callback(after.remove)
        return stack

    def operation(self, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Note an operation: its place, what it reads, what it cuts off, what comes out."""
        site = find_site(self._filename, self._walk.module_paths, self._adapter.is_module, skip=3)
        taint = 0
        taints = self._taints
        uses = self.record.uses
        for tensor in inputs:
            key = id(tensor)
            taint |= taints.get(key, 0)
            if key in self._known.by_id:
                use = uses.setdefault(key, TensorUse())
                use.is_read = True
                use.is_read_in_forward = use.is_read_in_forward or site.in_forward
        if name.endswith("_") and inputs:
            self._note_write(name, inputs[0], taint)
        if taint:
            self._note_cut(name, inputs, outputs, taint, site.span)
        if len(inputs) >= 2 and (name in LOSSES or (name == "sub" and not site.in_forward)):
            self._note_loss(name, inputs[0], inputs[1], site.span)
        producer = name
        if name in SAME_VALUES and inputs:
            producer = self._producers.get(id(inputs[0]), "")
        for tensor in outputs:
            self._producers[id(tensor)] = producer
            taints[id(tensor)] = taints.get(id(tensor), 0) | taint
        self._held.extend(outputs)
        if outputs and site.span is not None and len(self._operations) < MAX_OPERATIONS:
            self._note_operation(name, site.span, site.module, outputs[0])
            if site.in_forward:
                self.forward_operations = len(self._operations)

    def before_backward(self, loss: Any) -> None:
        """Note which gradients are there already."""
        with np.errstate(all="ignore"):
            self._note_used_gradients()

    def _note_used_gradients(self) -> None:
        self.record.backward_calls += 1
        self._dirty.clear()
        if not self._used:
            return  # nothing was stepped yet with a gradient that could still be there
        for key, found in self._known.by_id.items():
            old = self._gradient(found.tensor)
            if old is None or not (old.norm or old.non_finite):
                self._used.discard(key)
                self._reused.discard(key)
                self.record.cleared.add(key)
            elif key in self._used:
                self._dirty[key] = old

    def after_backward(self, loss: Any) -> None:
        """Measure the gradients, and note which were added to."""
        self.capture_gradients()
        for key, old in self._dirty.items():
            # A backward that leaves a gradient alone (the other side's, in a GAN) adds nothing.
            if self.record.uses[key].gradient != old:
                self._reused.add(key)

    def note_optimizer_step(self, optimizer: Any) -> None:
        """Note that an optimizer has used the gradients of its tensors."""
        self.record.optimizer_steps += 1
        for group in optimizer_groups(optimizer):
            keys = {id(t) for t in group.get("params", ()) if t.grad is not None}
            # Adding to a used gradient is harmless until it is stepped with.
            self.record.uncleared |= self._reused & keys
            self._reused -= keys
            self._used |= keys

    # After the step

    def capture_gradients(self) -> None:
        """Measure the gradient of every leaf that the model holds."""
        with np.errstate(all="ignore"):
            for key, found in self._known.by_id.items():
                gradient = self._gradient(found.tensor)
                if gradient is not None:
                    use = self.record.uses.setdefault(key, TensorUse())
                    use.had_gradient = True
                    use.gradient = gradient

    def finish(self, batch: object = ()) -> StepRecord:
        """Close the record: updates, cuts by tensor; and let go of every tensor of the step."""
        if not self.record.backward_calls:
            self.capture_gradients()
        self.record.batch_ids = frozenset(
            id(part) for part in _flatten(batch) if self._adapter.is_tensor(part)
        )
        for key, old in self._before.items():
            now = self._adapter.array(self._known.by_id[key].tensor)
            if now is not None and now.shape == old.shape:
                with np.errstate(all="ignore"):
                    self.record.update_norms[key] = float(np.linalg.norm((now - old).ravel()))
        bits = self._known.bits
        for mask, cut in self._cuts:
            for key, bit in bits.items():
                if mask & bit:
                    self.record.uses.setdefault(key, TensorUse()).cuts.append(cut)
        self._held.clear()
        self._taints.clear()
        self._producers.clear()
        return self.record

    def operations(self) -> tuple[OperationRecord, ...]:
        """Return what was called so far, in order, with the gradients that have come back."""
        return tuple(
            OperationRecord(
                span=op.span or Span(0, 0, 0, 0),
                module=op.module,
                name=op.name,
                shape=op.shape,
                dtype=op.dtype,
                requires_grad=op.requires_grad,
                gradient_norm=op.gradient_norm,
            )
            for op in self._operations
        )

    # Private

    def _copies(self) -> dict[int, NDArray[Any]]:
        """Copy what a step may move, so that the size of the update can be told."""
        left = MAX_COPIED_VALUES
        copies = {}
        for key, found in self._known.by_id.items():
            if not found.tensor.is_leaf or not self._adapter.is_floating(found.tensor):
                continue
            array = self._adapter.array(found.tensor)
            if array is None or array.size > left:
                continue
            left -= array.size
            copies[key] = array.copy()
        return copies

    def _before_optimizer_step(self, *_: Any) -> None:
        # An optimizer's own arithmetic reads every tensor it steps; the model does not.
        self._adapter.mute()

    def _after_optimizer_step(self, optimizer: Any, *_: Any) -> None:
        self._adapter.unmute()
        self.note_optimizer_step(optimizer)

    def _gradient(self, tensor: Any) -> Statistics | None:
        if not tensor.is_leaf or tensor.grad is None:
            return None
        gradient = self._adapter.array(tensor.grad)
        return None if gradient is None else statistics_of(gradient)

    def _note_write(self, name: str, target: Any, taint: int) -> None:
        key = self._known.storages.get(self._adapter.storage(target))
        if key is not None and name not in ("requires_grad_", "retain_grad"):
            self.record.uses.setdefault(key, TensorUse()).is_written = True
        self._taints[id(target)] = self._taints.get(id(target), 0) | taint

    def _note_cut(
        self,
        name: str,
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...],
        taint: int,
        span: Span | None,
    ) -> None:
        """A value that could have a gradient goes on into one that has none."""
        if any(_requires_grad(out) for out in outputs) or len(self._cuts) >= MAX_CUTS:
            return
        if any(_requires_grad(tensor) for tensor in inputs):
            self._cuts.append((taint, Cut(name, span)))

    def _note_loss(self, name: str, prediction: Any, target: Any, span: Span | None) -> None:
        if len(self.record.loss_calls) >= MAX_LOSS_CALLS:
            return
        producer = self._producers.get(id(prediction), "")
        shapes = self._adapter.shape(prediction), self._adapter.shape(target)
        self.record.loss_calls.append(LossCall(name, producer, *shapes, span))

    def _note_operation(self, name: str, span: Span, module: str | None, output: Any) -> None:
        adapter = self._adapter
        requires_grad = _requires_grad(output)
        record = _Operation(
            name, span, module, adapter.shape(output), adapter.dtype(output), requires_grad
        )
        self._operations.append(record)
        if requires_grad and not _is_leaf(output):

            def note(gradient: Any) -> None:
                array = adapter.array(gradient)
                if array is not None:
                    record.gradient_norm = float(np.linalg.norm(array.ravel()))

            output.register_hook(note)


def _is_leaf(tensor: Any) -> bool:
    try:
        return bool(tensor.is_leaf)
    except RuntimeError:
        # PyTorch forbids any look at the history of a view that no_grad made and that was
        # written to since; the user's code does not look, and must not fail because we do.
        return False


def _requires_grad(tensor: Any) -> bool:
    try:
        return bool(tensor.requires_grad)
    except RuntimeError:
        return False  # as above


def _flatten(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return [part for item in value for part in _flatten(item)]
    if isinstance(value, Mapping):
        return [part for item in value.values() for part in _flatten(item)]
    return [value]
