"""Watching one training step: what it does with tensors, and which gradients come back.

The tracer only looks. It takes no random numbers, writes to no tensor and changes no
gradient, so that a run that is watched ends in the same weights as one that is not.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import (
    Cut,
    Dead,
    LossCall,
    StepRecord,
    Stranger,
    TensorUse,
)
from paramscope.census.statistics import norm_of
from paramscope.census.walk import Walk
from paramscope.code.graph import Span
from paramscope.engine.adapters.base import Adapter, listening
from paramscope.engine.entrances import entering
from paramscope.engine.frames import Site, find_site
from paramscope.engine.gradient_ledger import GradientLedger, measured_gradient
from paramscope.engine.known_tensors import KnownTensors, is_distribution
from paramscope.engine.leaves import is_leaf, requires_grad
from paramscope.engine.operation_names import LOSSES, SAME_VALUES, SHAPES, SHAPES_OF_OTHERS
from paramscope.engine.protocol import OperationRecord
from paramscope.engine.suspicions import (
    Suspicions,
    is_zero_factor,
    lets_nothing_through,
)
from paramscope.engine.traced_operation import TracedOperation, feeders_of, first_non_finite
from paramscope.engine.trail import Trail

MAX_OPERATIONS = 5_000
MAX_LOSS_CALLS = 200
ON_CLASSES = ("nll_loss", "cross_entropy")
MAX_STRANGERS = 200


class StepTracer:
    """Sees one training step: what is read, what is cut, which gradients come back."""

    def __init__(
        self,
        adapter: Adapter,
        walk: Walk,
        filename: str,
        number: int,
        last: "StepTracer | None" = None,
        source: str = "",
    ) -> None:
        self.record = StepRecord(number)
        self.trail: Trail = Trail(adapter.storage, number, last.trail if last is not None else None)
        self.forward_operations = 0  # how many there were when the model was last at work
        self._strangers: dict[int, Stranger] = {}
        self._made_by: dict[int, TracedOperation] = {}
        self._optimizers: list[Any] = []
        self._adapter = adapter
        self._walk = walk
        self._filename = filename
        self._source = source
        self._operations: list[TracedOperation] = []
        self._held: list[Any] = []
        self._from_data: set[int] = set()
        self._lives: dict[int, int] = {}  # whose values a tensor has with their gradient
        self._producers: dict[int, str] = {}
        self._suspicions = Suspicions()
        self._known = KnownTensors(walk, adapter)
        follows = last is not None and last.record.number == number - 1
        before = last._ledger if last is not None and follows else None
        self._ledger: GradientLedger = GradientLedger(self.record, self._known, adapter, before)
        self._lives.update(self._known.bits)
        self._before = self._known.copies()

    # Listening

    def watching(self, optimizers: Sequence[Any]) -> AbstractContextManager[Any]:
        """Return the ``with`` block in which the step (or a part of it) is to run."""
        self._adapter.unmute()  # a step that was broken off may have left it mute
        stack = ExitStack()
        stack.enter_context(self._adapter.record(self))
        stack.callback(self._adapter.unmute)
        modules = self._walk.modules
        stack.enter_context(entering(self._source, self._filename, modules, self._note_input))
        stack.enter_context(listening(self._adapter.backward_listeners, self))
        self._optimizers = list(optimizers) or self._optimizers
        for optimizer in optimizers:
            if hasattr(optimizer, "register_step_post_hook"):
                before = optimizer.register_step_pre_hook(self._before_optimizer_step)
                after = optimizer.register_step_post_hook(self._after_optimizer_step)
                stack.callback(before.remove)
                stack.callback(after.remove)
        return stack

    def take_batch(self, batch: object) -> None:
        """Learn what the step is given, so that it can be told from what the model makes."""
        for part in _flatten(batch):
            if self._adapter.is_tensor(part):
                self._from_data.add(id(part))
                self._held.append(part)

    def operation(self, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Note an operation: its place, what it reads, what it cuts off, what comes out."""
        site = find_site(self._filename, self._walk.module_paths, self._adapter.is_module, skip=3)
        from_data, lives = self._from_data, self._lives
        is_data = any(id(tensor) in from_data for tensor in inputs)
        if name in SHAPES:
            inputs = ()  # their values are not read
        elif name in SHAPES_OF_OTHERS:
            inputs = inputs[:1]
        if not outputs and name.endswith("_"):
            outputs = inputs[:1]  # as of ``x[i] = y``
        live = self._note_reads(inputs, any(requires_grad(out) for out in outputs), site)
        if name.endswith("_") and inputs:
            self._note_write(name, inputs[0])
        self._suspicions.note_operation(name, inputs, outputs, live, site.span)
        if len(inputs) >= 2 and (name in LOSSES or (name == "sub" and not site.in_forward)):
            self._note_loss(name, inputs[0], inputs[1], site.span)
        producer = name
        if name in SAME_VALUES and inputs:
            producer = self._producers.get(id(inputs[0]), "")
        for tensor in outputs:
            self._producers[id(tensor)] = producer
            if is_data:
                from_data.add(id(tensor))
            if live and requires_grad(tensor):
                lives[id(tensor)] = lives.get(id(tensor), 0) | live
        self._held.extend(outputs)
        arrive = self.trail.operation(name, inputs, outputs, site.span, site.module)
        record = None
        if outputs and site.span is not None and len(self._operations) < MAX_OPERATIONS:
            record = self._note_operation(name, site.span, site.module, outputs[0], inputs)
            if site.in_forward:
                self.forward_operations = len(self._operations)
        if arrive is not None or (record is not None and record.requires_grad):
            self._hook(outputs[0], record, arrive)

    def _note_reads(self, inputs: tuple[Any, ...], is_recorded: bool, site: Site) -> int:
        """Note what an operation reads; return whose values come to it with their gradient."""
        live = 0
        for tensor in inputs:
            key = id(tensor)
            if requires_grad(tensor):
                live |= self._lives.get(key, 0)
            if key not in self._known.by_id:
                if requires_grad(tensor) and is_leaf(tensor):
                    self._note_stranger(tensor, inputs, site)
            else:
                use = self.record.uses.setdefault(key, TensorUse())
                if is_recorded:
                    self._note_upstream(use, inputs)
                use.is_read = True
                use.is_recorded = use.is_recorded or is_recorded
                use.is_read_in_forward = use.is_read_in_forward or site.in_forward
        return live

    def _note_upstream(self, use: TensorUse, inputs: tuple[Any, ...]) -> None:
        """Note whose values a tensor is first used with, and whether it is used again later on."""
        mask = 0
        for tensor in inputs:
            if id(tensor) not in self._known.by_id:
                mask |= self._lives.get(id(tensor), 0)
        if not use.is_recorded:
            use.upstream = mask
        elif mask:
            use.is_reused = True

    def before_backward(self, loss: Any) -> None:
        """Note which gradients are there already."""
        self.trail.backward_begins(self._caller())
        if is_leaf(loss) and requires_grad(loss) and id(loss) not in self._known.by_id:
            self.record.has_leaf_loss = True
        model = next(iter(self._walk.modules.values()), None)
        self.record.was_training = bool(getattr(model, "training", True))
        self._ledger.begin_backward()

    def after_backward(self, loss: Any) -> None:
        """Measure the gradients, and note which were added to."""
        self.trail.backward_ends()
        self.capture_gradients()
        self._ledger.end_backward()
        for stranger in self._strangers.values():
            stranger.had_gradient = stranger.had_gradient or stranger.tensor.grad is not None

    def note_optimizer_step(self, optimizer: Any) -> None:
        """Note that an optimizer has used the gradients of its tensors."""
        self.record.optimizer_steps += 1
        number = self._number_of(optimizer)
        self.record.stepped.add(number)
        for index, group in enumerate(optimizer_groups(optimizer)):
            self.record.rates[number, index] = float(group.get("lr", 1.0))
        self._ledger.spend(optimizer)

    # After the step

    def capture_gradients(self) -> None:
        """Measure the gradient of every leaf that the model holds."""
        with np.errstate(all="ignore"):
            for key, found in self._known.by_id.items():
                gradient = measured_gradient(found.tensor, self._adapter)
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
                    self.record.update_norms[key] = norm_of(now - old)
        self._known.keep_upstream(self.record.uses)
        self.record.bits = self._known.bits
        self._suspicions.assign(self._known.bits, self.record.uses)
        self.record.dead = self._suspicions.dead
        self.record.non_finite_from = first_non_finite(self._operations, self.record.uses)
        self._held.clear()
        self.trail.finish()
        self._before.clear()
        self._made_by.clear()
        self._strangers.clear()
        for operation in self._operations:
            operation.sources = ()
        self._from_data.clear()
        self._lives.clear()
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

    def _before_optimizer_step(self, optimizer: Any, given: Any, named: Any) -> Any:
        values = [v for v in (*given, *named.values()) if v is not optimizer and callable(v)]
        # An optimizer's own arithmetic reads every tensor it steps; the model does not.
        self._adapter.mute()
        if not values:
            if self._ledger.is_wiped(optimizer):
                self.record.wiped.add(self._number_of(optimizer))
            return None

        # A closure calls forward and backward within the step.
        def heard(value: Any) -> Any:
            return self._heard(value) if any(value is closure for closure in values) else value

        return tuple(map(heard, given)), {name: heard(value) for name, value in named.items()}

    def _heard(self, closure: Callable[..., Any]) -> Callable[..., Any]:
        """Return a closure whose operations are told, though the optimizer's own are not."""

        def call(*given: Any, **named: Any) -> Any:
            was_muted = self._adapter.is_muted
            self._adapter.unmute()
            try:
                return closure(*given, **named)
            finally:
                if was_muted:
                    self._adapter.mute()

        return call

    def _after_optimizer_step(self, optimizer: Any, *_: Any) -> None:
        self._adapter.unmute()
        self.record.stepped_at = self._caller()
        self.trail.optimizer_stepped(optimizer, self.record.stepped_at)
        self.note_optimizer_step(optimizer)

    def _caller(self) -> Span | None:
        """Return the place in the document from which the library was called."""
        return find_site(self._filename, {}, self._adapter.is_module, skip=2).span

    def _number_of(self, optimizer: Any) -> int:
        for number, known in enumerate(self._optimizers):
            if known is optimizer:
                return number
        self._optimizers.append(optimizer)
        return len(self._optimizers) - 1

    def _note_stranger(self, tensor: Any, inputs: tuple[Any, ...], site: Site) -> None:
        if id(tensor) in self._strangers or len(self._strangers) >= MAX_STRANGERS:
            return
        is_parameter = self._adapter.is_parameter(tensor)
        is_data = id(tensor) in self._from_data
        if not is_parameter and not is_data:
            # One value for each of the batch's, such as a disturbance of the input.
            shape = self._adapter.shape(tensor)
            batch = (t for t in inputs if id(t) in self._from_data)
            is_data = any(len(shape) > 1 and self._adapter.shape(t) == shape for t in batch)
        stranger = Stranger(
            tensor=tensor,
            is_parameter=is_parameter,
            in_forward=site.in_forward,
            comes_from_data=is_data,
            module=site.module,
            span=site.span,
            version=int(tensor._version),
        )
        self._strangers[id(tensor)] = stranger
        self.record.strangers.append(stranger)

    def _note_write(self, name: str, target: Any) -> None:
        key = self._known.with_memory_of(target)
        if key is not None and name not in ("requires_grad_", "retain_grad"):
            self.record.uses.setdefault(key, TensorUse()).is_written = True
            self._note_step_by_hand(key)

    def _note_step_by_hand(self, key: int) -> None:
        """Without any optimizer, a write to what has a gradient is its step."""
        tensor = self._known.by_id[key].tensor
        if not self._optimizers and is_leaf(tensor) and tensor.grad is not None:
            self._ledger.spend_one(key)

    def _note_loss(self, name: str, prediction: Any, target: Any, span: Span | None) -> None:
        if len(self.record.loss_calls) >= MAX_LOSS_CALLS:
            return
        producer = self._producers.get(id(prediction), "")
        shapes = self._adapter.shape(prediction), self._adapter.shape(target)
        shares = name in ON_CLASSES and is_distribution(self._adapter.array(prediction))
        self.record.loss_calls.append(LossCall(name, producer, *shapes, span, shares))

    def _note_input(self, span: Span, module: str, value: object) -> None:
        """What enters a ``forward`` of the document is noted at its argument."""
        adapter = self._adapter
        if adapter.is_tensor(value) and len(self._operations) < MAX_OPERATIONS:
            was_mute = adapter.is_muted
            adapter.mute()  # the look at it is no operation of the model's
            record = self._note_operation("input", span, module, value)
            if record.requires_grad:
                self._hook(value, record, None)
            if not was_mute:
                adapter.unmute()

    def _note_operation(
        self,
        name: str,
        span: Span,
        module: str | None,
        output: Any,
        inputs: tuple[Any, ...] | None = None,
    ) -> TracedOperation:
        inputs = (output,) if inputs is None else inputs
        adapter = self._adapter
        needs_gradient = requires_grad(output)
        record = TracedOperation(
            name, span, module, adapter.shape(output), adapter.dtype(output), needs_gradient
        )
        self._operations.append(record)
        if needs_gradient:
            made = (self._made_by.get(id(tensor)) for tensor in inputs)
            record.sources = tuple(operation for operation in made if operation is not None)
            record.leaves = tuple(id(t) for t in inputs if id(t) in self._known.by_id)
            self._made_by[id(output)] = record
            if name == "mul" and is_zero_factor(inputs, output, adapter):
                mask = self._lives.get(id(output), 0)
                self._suspicions.zero_factors.append((mask, Cut(name, span)))
            if lets_nothing_through(name, output, adapter):
                self._suspicions.dead.append(Dead(Cut(name, span), feeders_of(record)))
        return record

    def _hook(
        self, output: Any, record: TracedOperation | None, arrive: Callable[[], None] | None
    ) -> None:
        """Have the gradient that comes back to a result measured; it is left as it is."""
        if is_leaf(output):
            return
        adapter = self._adapter

        def note(gradient: Any) -> None:
            if arrive is not None:
                arrive()
            # PyTorch calls hooks with None where a part of a result got no gradient.
            if record is None or gradient is None:
                return
            array = adapter.array(gradient)
            if array is not None:
                record.gradient_norm = norm_of(array)

        output.register_hook(note)


def _flatten(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return [part for item in value for part in _flatten(item)]
    if isinstance(value, Mapping):
        return [part for item in value.values() for part in _flatten(item)]
    return [value]
