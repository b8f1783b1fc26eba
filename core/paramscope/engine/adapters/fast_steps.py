"""Unwatched steps on gradcore: recorded once, then replayed, in whatever mode gradcore has.

Two forms of the same step are offered to ``gradcore.compile``: the whole of it, ``batch()``
included, and, where ``batch()`` cannot be recorded, what follows it. What can be recorded in
neither form runs as it is; the numbers are the same.
"""

import math
from collections.abc import Callable
from typing import Any

import gradcore
from gradcore.graph import TensorBase
from gradcore.replay.finite import NotFiniteError, expect_finite
from paramscope.engine.adapters.base import BackwardListener, StepParts
from paramscope.engine.checks import require_loss, require_pair
from paramscope.engine.failures import NonFiniteLossError

PATIENCE = 8
"""So many steps a form may run as it is, from its first on, before it is given up."""


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


class FastSteps:
    """The steps of one program, as fast as gradcore can do them."""

    def __init__(self, parts: StepParts, listeners: list[BackwardListener]) -> None:
        self._batch = parts.batch
        self._filename = parts.filename
        self._listeners = listeners
        self._sent = _SentBackward() if parts.own_step is not None else None
        inner = _default_step(parts) if self._sent is None else _own_step(parts, self._sent)
        self._whole = gradcore.compile(_with_batch(parts, inner))
        self._inner = gradcore.compile(inner)
        self._uses_whole = True
        self.mode = "eager"
        self.reason = ""

    def step(self, number: int) -> float:
        """Run step ``number``; return its loss."""
        if self._sent is None:
            return self._run(number)
        self._sent.take()
        self._listeners.append(self._sent)
        try:
            return self._run(number)
        finally:
            self._listeners.remove(self._sent)

    def _run(self, number: int) -> float:
        compiled = self._whole if self._uses_whole else self._inner
        try:
            if self._uses_whole:
                loss = compiled()
            else:
                x, y = require_pair(self._batch(), self._filename)
                loss = compiled(x, y)
        except NotFiniteError as error:
            raise NonFiniteLossError(error.value, number) from None
        self.reason = compiled.reason
        self.mode = "eager" if self.reason else "replay"
        if self.reason and not compiled.replayed and compiled.eager > PATIENCE:
            self._uses_whole = False
        return _as_number(loss)


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
