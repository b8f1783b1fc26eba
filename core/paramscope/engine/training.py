"""One training step of a document: whole, traced, or phase by phase, always the same numbers.

The default step is zero_grad, loss, backward, step; a document's own ``train_step`` replaces it.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from paramscope.census.walk import Walk
from paramscope.engine.adapters.base import Adapter, Batch, Slice, StepParts, listening
from paramscope.engine.checks import require_loss, require_pair
from paramscope.engine.failures import NonFiniteLossError
from paramscope.engine.program import Program
from paramscope.engine.protocol import OperationRecord, Phase
from paramscope.engine.readings import Reading, readable
from paramscope.engine.tracer import StepTracer


class _Guard:
    """Notes the loss that is sent backwards, and stops before a NaN does harm."""

    def __init__(self) -> None:
        self.step = 0
        self.loss: float | None = None

    def before_backward(self, loss: Any) -> None:
        if getattr(loss, "numel", lambda: 0)() != 1:
            return
        self.loss = float(loss.item())
        if not math.isfinite(self.loss):
            raise NonFiniteLossError(self.loss, self.step)

    def after_backward(self, loss: Any) -> None:
        """Nothing: the gradients are the tracer's business."""


@dataclass(slots=True)
class _Stage:
    """What one phase showed, kept until the user asks for it."""

    phase: Phase
    operations: tuple[OperationRecord, ...]
    apply: Callable[[], None]


class Trainer:
    """Runs the steps of one program. It has no clock, no snapshots and no window."""

    def __init__(
        self, adapter: Adapter, program: Program, step: int = 0, mode: str = "replay"
    ) -> None:
        program.require_training()
        self.step_number = step
        self.phase = Phase.IDLE
        self.loss = math.nan
        self._adapter = adapter
        self._program = program
        self._model = program.model
        self._optimizers = program.optimizers
        self._batch: Callable[[], Any] = program.function("batch") or _nothing
        self._loss: Callable[..., Any] = program.function("loss") or _nothing
        self._own_step = program.function("train_step")
        self._guard = _Guard()
        self._waiting: list[_Stage] = []
        self.tracer: StepTracer | None = None
        self._fast = adapter.fast_steps(self._parts(), mode) if mode != "eager" else None

    @property
    def mode(self) -> str:
        """How the last unwatched step ran: as it is (``eager``), or as its recording."""
        return self._fast.mode if self._fast is not None else ""

    @property
    def reason(self) -> str:
        """Why not in a faster mode; nothing if it was the fastest, or nobody knows yet."""
        return self._fast.reason if self._fast is not None else ""

    @property
    def is_within_step(self) -> bool:
        """Tell whether some phases of a step are done and others are not."""
        return bool(self._waiting)

    @property
    def is_settled(self) -> bool:
        """Whether it is known how unwatched steps run; before, a look could delay that."""
        return self._fast is None or self._fast.is_settled

    def run(self, slice_: Slice) -> None:
        """Run unwatched steps as fast as the engine goes, and leave their losses in the slice."""
        try:
            if self._fast is not None:
                self._fast.run(slice_)
            else:
                self._run_plain(slice_)
        finally:
            self._take(slice_)

    def _take(self, slice_: Slice) -> None:
        self.step_number = slice_.done + len(slice_.losses)
        if slice_.losses:
            self.loss = slice_.losses[-1]

    @property
    def can_measure(self) -> bool:
        """Whether an unwatched step can tell what it leaves of tensors, at little cost."""
        return self.mode in ("replay", "native") and not self.is_within_step

    def run_measured(self, slice_: Slice, walk: Walk) -> dict[int, Reading]:
        """Run one unwatched step, and return what it has left of tensors, by their ids."""
        assert self._fast is not None
        try:
            return self._fast.run_measured(slice_, readable(walk))
        finally:
            self._take(slice_)

    def run_traced_step(self, walk: Walk) -> StepTracer:
        """Run one step under the tracer; its numbers are those of unwatched steps."""
        fast = self._fast
        trial = fast.taken_back() if fast is not None else None
        if fast is None or trial is None:
            tracer = self._trace_step(walk, None)
            self.step_number += 1
            return tracer
        batch = None if fast.draws_batch else fast.next_batch()
        with trial:
            tracer = self._trace_step(walk, batch)
        # The traced step was only to look at: this one counts, in the mode of all others.
        self.loss = fast.step(self.step_number + 1, batch)
        self.step_number += 1
        return tracer

    def trace_backward(self, walk: Walk) -> StepTracer | None:
        """Run forward and backward of the default step once more, to see where it fails.

        Nothing is stepped. None for a document's own step, which cannot be run in part.
        """
        if self._own_step is not None:
            return None
        tracer = self._start_trace(walk)
        x, y = self._next_batch()
        self._zero_grad()
        try:
            with listening(self._adapter.backward_listeners, tracer):
                with tracer.watching(()):
                    value = self._forward(x, y)
                value.backward()
        except Exception:
            return tracer
        return None

    def run_phase(self, walk: Walk) -> tuple[Phase, tuple[OperationRecord, ...]]:
        """Run the next phase of a step, and tell which it was and which operations it shows."""
        if not self._waiting:
            self._waiting = self._own_stages(walk) if self._own_step else self._stages(walk)
        stage = self._waiting.pop(0)
        try:
            stage.apply()
        except BaseException:
            self.abandon_step()
            raise
        self.phase = stage.phase
        operations = stage.operations
        if self.tracer is not None and stage.phase in (Phase.BACKWARD, Phase.OPTIMIZER):
            operations = self.tracer.operations()
        return self.phase, operations

    def finish_step(self, walk: Walk) -> None:
        """Run what is left of a step that was begun phase by phase."""
        while self._waiting:
            self.run_phase(walk)
        self.phase = Phase.IDLE

    def abandon_step(self) -> None:
        """Forget a step that cannot be finished."""
        self._waiting.clear()
        self.phase = Phase.IDLE

    # The parts of a step

    def _run_plain(self, slice_: Slice) -> None:
        for _ in range(slice_.count):
            x, y = self._next_batch()
            if self._own_step is not None:
                loss = self._run_own_step(x, y)
            else:
                self._zero_grad()
                value = self._forward(x, y)
                value.backward()
                for optimizer in self._optimizers:
                    optimizer.step()
                loss = self.loss
            slice_.losses.append(loss)
            self.step_number += 1
            if slice_.clock() >= slice_.until:
                return

    def _trace_step(self, walk: Walk, batch: Batch | None) -> StepTracer:
        """Run a step line by line under the tracer."""
        tracer = self._start_trace(walk)
        if batch is None:
            batch = self._next_batch()
        tracer.take_batch(batch)
        x, y = batch
        if self._own_step is not None:
            with tracer.watching(self._optimizers):
                self.loss = self._run_own_step(x, y)
        else:
            self._zero_grad()
            with ExitStack() as stack:
                stack.enter_context(listening(self._adapter.backward_listeners, tracer))
                with tracer.watching(()):
                    value = self._forward(x, y)
                value.backward()
            for optimizer in self._optimizers:
                optimizer.step()
                tracer.note_optimizer_step(optimizer)
        tracer.finish(batch)
        return tracer

    def _parts(self) -> StepParts:
        return StepParts(
            model=self._model,
            optimizers=self._optimizers,
            optimizer_argument=self._program.optimizer_argument,
            batch=self._batch,
            loss=self._loss,
            own_step=self._own_step,
            filename=self._program.filename,
        )

    def _next_batch(self) -> tuple[Any, Any]:
        if self._fast is not None:
            return self._fast.next_batch()
        x, y = require_pair(self._batch(), self._program.filename)
        return x, y

    def _zero_grad(self) -> None:
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        if not self._optimizers:
            self._model.zero_grad()

    def _forward(self, x: Any, y: Any) -> Any:
        """Return the loss as a tensor; refuse what is none, and what is not finite."""
        value = self._loss(self._model, x, y)
        require_loss(value, self._adapter.is_tensor(value), self._program.filename)
        self._adapter.mute()
        self.loss = float(value.item())
        self._adapter.unmute()
        if not math.isfinite(self.loss):
            raise NonFiniteLossError(self.loss, self.step_number + 1)
        return value

    def _run_own_step(self, x: Any, y: Any) -> float:
        assert self._own_step is not None
        guard = self._guard
        guard.step = self.step_number + 1
        guard.loss = None
        with listening(self._adapter.backward_listeners, guard):
            value = self._own_step(self._model, self._program.optimizer_argument, x, y)
        self._adapter.mute()
        try:
            number = _as_number(value)
        finally:
            self._adapter.unmute()
        if number is None:
            number = guard.loss if guard.loss is not None else math.nan
        return number

    # Phases

    def _start_trace(self, walk: Walk) -> StepTracer:
        program, number = self._program, self.step_number + 1
        self.tracer = StepTracer(
            self._adapter, walk, program.filename, number, self.tracer, program.source
        )
        return self.tracer

    def _stages(self, walk: Walk) -> list[_Stage]:
        """Run the forward pass, loss included, and return the four phases that show the step."""
        tracer = self._start_trace(walk)
        batch = self._next_batch()
        tracer.take_batch(batch)
        self._zero_grad()
        with tracer.watching(()):
            value = self._forward(*batch)
        operations = tracer.operations()
        inner = tracer.forward_operations

        def backward() -> None:
            with listening(self._adapter.backward_listeners, tracer):
                value.backward()

        def step() -> None:
            for optimizer in self._optimizers:
                optimizer.step()
                tracer.note_optimizer_step(optimizer)
            self.step_number += 1
            tracer.finish(batch)

        return [
            _Stage(Phase.FORWARD, operations[:inner], _nothing),
            _Stage(Phase.LOSS, operations, _nothing),
            _Stage(Phase.BACKWARD, operations, backward),
            _Stage(Phase.OPTIMIZER, operations, step),
        ]

    def _own_stages(self, walk: Walk) -> list[_Stage]:
        """Run the document's ``train_step`` whole; its phases are then shown one by one.

        The user's function cannot be left in its middle, so what is shown phase by phase is
        the record of a step that is done.
        """
        tracer = self._start_trace(walk)
        batch = self._next_batch()
        tracer.take_batch(batch)
        with tracer.watching(self._optimizers):
            self.loss = self._run_own_step(*batch)
        tracer.finish(batch)
        operations = tracer.operations()
        silent = tuple(_without_gradient(op) for op in operations)
        inner = tracer.forward_operations

        def count() -> None:
            self.step_number += 1

        return [
            _Stage(Phase.FORWARD, silent[:inner], _nothing),
            _Stage(Phase.LOSS, silent, _nothing),
            _Stage(Phase.BACKWARD, operations, _nothing),
            _Stage(Phase.OPTIMIZER, operations, count),
        ]


def _nothing(*_: Any) -> None:
    """Do nothing: a phase that only shows what was done already."""


def _without_gradient(op: OperationRecord) -> OperationRecord:
    return OperationRecord(op.span, op.module, op.name, op.shape, op.dtype, op.requires_grad)


def _as_number(value: Any) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    if hasattr(value, "item") and getattr(value, "numel", lambda: 0)() == 1:
        return float(value.item())
    return None
