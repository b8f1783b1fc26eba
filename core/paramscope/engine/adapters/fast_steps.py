"""Unwatched steps on gradcore: recorded once, then replayed, in whatever mode gradcore has.

Two forms of the same step are offered to ``gradcore.compile``: the whole of it, ``batch()``
included, and, where ``batch()`` cannot be recorded, what follows it. What can be recorded in
neither form runs as it is; the numbers are the same.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import gradcore
from gradcore.graph import TensorBase
from gradcore.random import default_generator
from gradcore.replay.captured import Captured
from gradcore.replay.finite import NotFiniteError, expect_finite
from gradcore.replay.program import RefusalError
from gradcore.replay.trial import taken_back, was_written
from paramscope.engine.adapters.base import BackwardListener, Batch, Slice, StepParts
from paramscope.engine.adapters.measuring import Measurement
from paramscope.engine.checks import require_loss, require_pair
from paramscope.engine.failures import NonFiniteLossError
from paramscope.engine.readings import Reading

PATIENCE = 6
"""So many steps a form may run as it is, from its first on, before it is given up."""
MOMENT = 0.0025
"""Seconds for which steps run in one go, at most: so long nothing else in the process is served."""
MOST = 1024
REST = 64
"""So many steps are done one by one after several in one go could not be."""
_PASSING = ("it was recorded", "its recording was checked")


class _SentBackward:
    """Notes the loss that a document's own step sends backward, and stops it if not finite.

    What a recorded step reaches is walked before and after it: nothing may stay in here.
    """

    def __init__(self) -> None:
        self.loss: Any = None

    def before_backward(self, loss: Any) -> None:
        if loss.numel() == 1:
            self.loss = loss
            expect_finite(loss)

    def after_backward(self, loss: Any) -> None:
        """Nothing: who wants gradients reads them."""

    def take(self) -> Any:
        """Return the loss, once."""
        loss, self.loss = self.loss, None
        return loss


class _Form:
    """One form of the step, with what gradcore has made of it."""

    def __init__(self, function: Callable[..., Any], mode: str) -> None:
        self.function = function
        self.compiled = gradcore.compile(function, mode=mode)
        self._misses = 0  # steps in a row, up to the last, that ran as they are
        self._counted = 0

    def count(self) -> None:
        """Take note of the steps that were done since this was last called."""
        compiled = self.compiled
        since, self._counted = compiled.eager - self._counted, compiled.eager
        self._misses = self._misses + since if compiled.reason else 0

    @property
    def is_hopeless(self) -> bool:
        """Whether it was tried in vain often enough."""
        return self._misses >= PATIENCE

    @property
    def is_replayed(self) -> bool:
        """Whether the last step was replayed, in whatever mode."""
        return bool(self.compiled.replayed) and not self.compiled.reason


class FastSteps:
    """The steps of one program, as fast as gradcore can do them."""

    def __init__(self, parts: StepParts, listeners: list[BackwardListener], mode: str) -> None:
        self._batch = parts.batch
        self._filename = parts.filename
        self._listeners = listeners
        self._sent = _SentBackward() if parts.own_step is not None else None
        inner = _default_step(parts) if self._sent is None else _own_step(parts, self._sent)
        self._whole = _Form(_with_batch(parts, inner), mode)
        self._inner = _Form(inner, mode)
        self._form = self._whole
        self._pace = MOMENT / 16  # seconds that a step takes, as far as is known
        self._rest = 0
        self._refused = 0  # how often several steps of this form could not run in one go
        self._ahead: list[Batch] = []  # drawn already, for steps that are still to come
        self._is_independent: bool | None = None
        self.is_settled = False  # whether it is known how steps are to run from now on

    @property
    def mode(self) -> str:
        """How the last step ran: ``eager``, ``replay`` or ``native``; nothing before the first."""
        compiled = self._form.compiled
        mode: str = compiled.mode if compiled.replayed or compiled.eager else ""
        return mode

    @property
    def reason(self) -> str:
        """Why it was not faster; nothing if it is native, or only just being recorded."""
        compiled = self._form.compiled
        reason = compiled.native_reason if self.mode == "replay" else compiled.reason
        return "" if reason in _PASSING else reason

    @property
    def draws_batch(self) -> bool:
        """Whether the batch is drawn inside of the step."""
        return self._form is self._whole

    def next_batch(self) -> Batch:
        """Return the batch of the next step, which may have been drawn already."""
        return self._ahead.pop(0) if self._ahead else self._draw()

    def step(self, number: int, batch: Batch | None = None) -> float:
        """Run step ``number``, on ``batch`` if the step does not draw its own; return its loss."""
        slice_ = Slice(number - 1, number)
        self.run(slice_, batch)
        return slice_.losses[-1]

    def run(self, slice_: Slice, batch: Batch | None = None) -> None:
        """Run the steps of a slice, and leave their losses in it."""
        if self._sent is not None:
            self._sent.take()
            self._listeners.append(self._sent)
        try:
            self._run(slice_, batch)
        finally:
            if self._sent is not None:
                self._listeners.remove(self._sent)
            self._settle()

    def run_measured(
        self, slice_: Slice, tensors: Sequence[Any], batch: Batch | None = None
    ) -> dict[int, Reading]:
        """Run one step, and return what it has left of tensors, by their ids."""
        if not self.draws_batch and batch is None:
            batch = self.next_batch()
        form = self._form
        measurement = Measurement(form.compiled, tensors, self.mode == "native")
        try:
            self.run(slice_, batch)
            return measurement.read(slice_.done + 1, () if batch is None else batch)
        finally:
            measurement.end()

    def taken_back(self) -> AbstractContextManager[None] | None:
        """Return the ``with`` block whose step will not count; None if none could be taken back.

        What is replayed is known to change nothing but what can be put back.
        """
        return taken_back(self._form.function) if self._form.is_replayed else None

    def _run(self, slice_: Slice, batch: Batch | None) -> None:
        losses, clock, until = slice_.losses, slice_.clock, slice_.until
        left = slice_.count
        try:
            while left > 0:
                many = self._many(slice_, left) if left > 1 and self.mode == "native" else []
                losses += many or [_as_number(self._once(batch))]
                left -= len(many) or 1
                if clock() >= until:
                    return
        except NotFiniteError as error:
            number = slice_.done + len(losses) + 1
            raise NonFiniteLossError(error.value, number) from None

    def _many(self, slice_: Slice, left: int) -> list[float]:
        """Run steps that take a moment together, in one call; return no loss if none could be."""
        self._rest -= 1
        if self._rest > 0 or (self._form is self._inner and not self._may_draw_ahead()):
            return []
        begun = slice_.clock()
        time = min(MOMENT, slice_.until - begun)
        count = min(left, MOST, max(1, int(time / self._pace)))
        batches: Any = [()] * count if self._form is self._whole else self._ahead
        while len(batches) < count:
            batches.append(self._draw())
        losses: list[float] = self._form.compiled.run(batches[:count]).tolist()
        del batches[: len(losses)]
        if losses:
            self._pace = (slice_.clock() - begun) / len(losses) or self._pace
        else:
            self._rest = REST
            self._refused += 1
        return losses

    def _once(self, batch: Batch | None) -> Any:
        if self._form is self._whole and batch is None:
            return self._whole.compiled()
        x, y = self.next_batch() if batch is None else batch
        if self._is_independent is not None or self.mode != "native":
            return self._inner.compiled(x, y)
        before = default_generator.place()
        loss = self._inner.compiled(x, y)
        self._is_independent = before == default_generator.place() and self._is_batch_apart()
        return loss

    def _draw(self) -> Batch:
        x, y = require_pair(self._batch(), self._filename)
        return x, y

    def _may_draw_ahead(self) -> bool:
        """Tell whether batches of later steps are the same if they are drawn now.

        They are if the step draws no random numbers, which the first native one shows, and if
        ``batch()`` can be watched and reaches nothing that a step writes.
        """
        return bool(self._is_independent)

    def _is_batch_apart(self) -> bool:
        try:
            given, own = Captured(self._batch), Captured(self._inner.function)
        except RefusalError:
            return False
        written = {id(t) for t in own.tensors if was_written(t)}
        return not written & {id(t) for t in given.tensors}

    def _settle(self) -> None:
        """Choose the form of the next steps, and see whether the choice stands."""
        form = self._form
        form.count()
        if form is self._whole and (form.is_hopeless or self._refused > 1):
            # With its batch drawn outside it may be replayed, or run many at a time.
            self._form, self._refused = self._inner, 0
        elif form.is_replayed or form.is_hopeless:
            self.is_settled = True


def _default_step(parts: StepParts) -> Callable[[Any, Any], Any]:
    """Return zero_grad, loss, backward, step as one function of the batch."""
    model, optimizers, loss, filename = parts.model, parts.optimizers, parts.loss, parts.filename

    def step(x: Any, y: Any) -> Any:
        for optimizer in optimizers:
            optimizer.zero_grad()
        if not optimizers:
            model.zero_grad()
        value = loss(model, x, y)
        require_loss(value, isinstance(value, TensorBase), filename)
        expect_finite(value)
        value.backward()
        for optimizer in optimizers:
            optimizer.step()
        return value

    return step


def _own_step(parts: StepParts, sent: _SentBackward) -> Callable[[Any, Any], Any]:
    """Return the document's ``train_step`` as a function of the batch that returns a loss."""
    model, argument, own_step = parts.model, parts.optimizer_argument, parts.own_step
    assert own_step is not None

    def step(x: Any, y: Any) -> Any:
        value = own_step(model, argument, x, y)
        loss = sent.take()
        is_number = isinstance(value, (int, float))
        is_loss = is_number or (isinstance(value, TensorBase) and value._a.size == 1)
        return value if is_loss else loss

    return step


def _with_batch(parts: StepParts, step: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    batch, filename = parts.batch, parts.filename

    def whole() -> Any:
        x, y = require_pair(batch(), filename)
        return step(x, y)

    return whole


def _as_number(loss: Any) -> float:
    if isinstance(loss, TensorBase):
        return float(loss._a)
    return math.nan if loss is None else float(loss)
