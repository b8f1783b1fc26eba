"""From replay to native mode: loaded, lowered, compiled and rehearsed while training goes on.

A step is replayed by NumPy until its native form has shown that it gives the same numbers. What
takes long (loading numba, compiling kernels that are not on disk yet) is done in another thread.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore.graph import TensorBase
from gradcore.native.early import Early
from gradcore.native.loading import is_loaded, load, start, step_module
from gradcore.replay.program import Program, RefusalError

WARM = 20
"""So many steps are replayed before it is worth loading numba for them."""
NOTES = 100
"""So often is it noted how memory looks; where that changes more often, it does not pay."""
_SLOWER = 1.1
TryOut = Callable[[Sequence[Any]], tuple[list[Any], list[Any], list[Any]] | None]


class Upgrade:
    """One recorded step on its way to native mode, and there."""

    def __init__(self, program: Program, inputs: Sequence[Any], waits: bool) -> None:
        self.reason = ""
        self.has_run = False
        self._program = program
        self._early: Early | None = None
        if all(isinstance(inputs[number], TensorBase) for number in program.inputs.values()):
            self._early = Early(program, inputs)
        else:
            self.reason = "native mode takes no number that changes, such as a count of steps"
        self._waits = waits
        self._calls = 0
        self._step: Any = None
        self._next: Any = None
        self._thread: threading.Thread | None = None
        self._error = ""
        self._process = 0
        self._is_measured = False
        self._unchanged: Any = None
        self._is_sure = False
        self._notes = 0
        self._attempts = NOTES
        self._advance: Callable[[Sequence[Any], TryOut], bool] = self._load

    def run(self, inputs: Sequence[Any], replay: TryOut) -> bool:
        """Do a step, which ``finish`` is to hand out; False: it has to be replayed.

        ``replay`` does the step with NumPy, takes it back, and returns gradients and results.
        """
        step = self._step
        if step is None:
            if not self.reason:
                self._go_on(inputs, replay)
            return False
        if not (self._is_sure or step.holds()):
            # Another state has taken the old one's place: begin anew with it.
            self._step = self._unchanged = None
            self._advance = self._lower
            return False
        self.has_run = bool(step.run(inputs))
        return self.has_run

    def finish(self) -> list[Any]:
        """Hand out the gradients of the step that was run; returns the arrays it returns."""
        self.has_run = False
        found: list[Any] = self._step.finish()
        return found

    def run_many(self, batches: Sequence[Sequence[Any]]) -> Any:
        """Do steps natively in one go; returns their losses, fewer than batches where it stops."""
        if self._step is None or not (self._is_sure or self._step.holds()):
            return np.zeros(0)
        return self._step.run_many(batches)

    def is_unchanged(self) -> bool:
        """Tell, at once, whether nothing has changed since ``note``; False: nobody knows."""
        self._is_sure = self._unchanged is not None and self._unchanged.holds()
        return self._is_sure

    def note(self, replay: Any) -> None:
        """Take what is there now for what ``is_unchanged`` asks for: all guards have held."""
        self._is_sure = False
        module = step_module()
        if self._step is None or module is None or self._notes >= NOTES:
            return
        self._notes += 1
        if self._step.holds():
            self._unchanged = module.unchanged(replay, self._step)

    def quick(self, returned: Any, inputs: Sequence[Any]) -> Any:
        """Return what does the step that was just done at once, if that can be."""
        module = step_module()
        if module is None or not self._is_sure or self._unchanged is None or not self._attempts:
            return None
        self._attempts -= 1
        found = module.quick(self._step, self._unchanged, returned, inputs)
        return found

    def measure(self, is_wanted: bool) -> None:
        """Let native steps write statistics of what their optimizers move, or no more."""
        self._is_measured = is_wanted
        if self._step is not None:
            self._step.measure(is_wanted)

    def statistics(self) -> tuple[list[Any], Any] | None:
        """Return tensors and the statistics of each at the last native step, if it wrote any."""
        if self._step is None or not self._is_measured:
            return None
        found: tuple[list[Any], Any] = self._step.statistics()
        return found

    # --- on the way

    def _go_on(self, inputs: Sequence[Any], replay: TryOut) -> None:
        """Do what can be done without waiting, or all, if waiting is wanted."""
        try:
            while not self.reason and self._step is None and self._advance(inputs, replay):
                pass
        except RefusalError as refusal:
            self.reason = f"native mode refuses it: it {refusal}"
        except Exception as error:
            # A fault of ours, or of numba: the step goes on being replayed.
            self.reason = f"native mode failed: {type(error).__name__}: {str(error)[:120]}"

    def _load(self, inputs: Sequence[Any], replay: TryOut) -> bool:
        self._calls += 1
        if self._waits:
            load()
        elif self._calls == WARM:
            start()
        if not is_loaded() or (self._calls < WARM and not self._waits):
            return False
        self.reason = load()
        self._advance = self._lower
        return True

    def _lower(self, inputs: Sequence[Any], replay: TryOut) -> bool:
        module = step_module()
        if module is None:
            self.reason = load()
            return False
        self._next, self._process = module.lower(self._program, inputs), os.getpid()
        self._thread = threading.Thread(
            target=self._compile, args=(self._next,), name="gradcore-native", daemon=True
        )
        self._thread.start()
        self._advance = self._rehearse
        return True

    def _compile(self, step: Any) -> None:
        try:
            step.compile(apart=not self._waits)
        except Exception as error:
            self._error = f"numba failed: {type(error).__name__}: {str(error)[:120]}"

    def _rehearse(self, inputs: Sequence[Any], replay: TryOut) -> bool:
        if self._process != os.getpid():
            # Forked meanwhile: the thread that was to compile it is not here.
            self._thread, self._advance = None, self._lower
            return False
        if self._thread is not None:
            if self._waits:
                self._thread.join()
            elif self._thread.is_alive():
                return False
            self._thread = None
        if self._error:
            self.reason = self._error
            return False
        self._next.place()
        if not self._next.holds():
            self._advance = self._lower
            return False
        early = self._early or Early(self._program, inputs)
        with early.values(inputs) as given:
            self.reason = self._judged(given, replay)
        if not self.reason:
            self._early = None
            self._step, self._next = self._next, None
            self._step.measure(self._is_measured)
        return False

    def _judged(self, inputs: Sequence[Any], replay: TryOut) -> str:
        """Compare the native form with the step; returns what speaks against it."""
        for _ in range(2):
            # The second time, everything is in the cache.
            if fault := self._next.rehearse(inputs):
                return str(fault)
        begun = time.perf_counter()
        results = replay(inputs)
        seconds = time.perf_counter() - begun
        if results is None:
            return "the native form leads another way"
        slow = self._next.python_calls and self._next.seconds > _SLOWER * seconds
        if slow and not self._waits:
            return "the native form is not faster: most of it has no kernels"
        return str(self._next.compare(*results))
