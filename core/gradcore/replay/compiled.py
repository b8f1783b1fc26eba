"""``compile``: a training step that is recorded once, checked once, and from then on replayed.

The first call of a step with arguments of a shape runs as it is and is recorded. The second runs as
it is too, and the recording beside it: only if both give the same numbers, bit for bit, are later
calls replayed. Each replay is preceded by guards; whatever they do not recognise runs as it is.
"""

import functools
import importlib
from collections.abc import Callable, Sequence
from itertools import repeat, takewhile
from operator import attrgetter, is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcore import dtypes, graph
from gradcore.graph import INFERENCE, TensorBase, state, written
from gradcore.nn.hooks import GLOBAL_HOOKS
from gradcore.nn.module import Module
from gradcore.random import default_generator
from gradcore.replay.captured import Captured
from gradcore.replay.handing import HandOut
from gradcore.replay.inline import inline
from gradcore.replay.program import Program, RefusalError
from gradcore.replay.recording import Recording
from gradcore.replay.returned import gather, rebuilt

MODES = ("eager", "replay", "native")
"""How a step may run; also what ``Compiled.mode`` says of the last one."""
ATTEMPTS = 4
"""So often in a row may the world have changed before a step is left to run as it is."""
OLDER = 2
"""So many recordings that hold no longer are kept for the case that they will again."""
_PLAIN = (bool, int, float, str, type(None))
_ARRAY, _TRAINED = attrgetter("_a"), attrgetter("_rg")
_MORE, _GRAD = attrgetter("_more"), attrgetter("_grad")


def compile(model: Any = None, *, mode: str | None = None, **options: Any) -> Any:
    """Return a function that trains like ``model``, a function of one training step, but faster.

    The step is recorded when it is first called and replayed from the third call on; whatever
    cannot be replayed runs as it is, with the same results. ``report`` of what is returned says
    which, and why. A Module is returned as it is.

    ``mode``: "eager" runs every step as it is; "replay" replays it with NumPy; "native" with
    machine code as soon as there is numba, which it waits for; all else, with machine code as soon
    as that is there. Native results are those of the step up to rounding. The environment's
    GRADCORE_NATIVE=0 keeps numba out unless a mode asks for it. Other ``options`` are PyTorch's,
    which choose between means that do not exist here.
    """
    if model is None:
        return functools.partial(compile, mode=mode, **options)
    if isinstance(model, (Module, Compiled)) or not callable(model):
        return model
    return Compiled(model, mode if mode in MODES else "auto")


class Compiled:
    """A training step that is replayed wherever that gives the same results."""

    def __init__(self, function: Callable[..., Any], mode: str = "auto") -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._steps: dict[Any, _Replay | str] = {}
        self._older: dict[Any, list[_Replay]] = {}
        self._failures = 0
        self._busy = False
        self._reason = ""
        self._wanted = mode
        self._native_reason = ""
        self._is_measured = False
        self.mode = "eager"
        self.replayed = 0
        self.native = 0
        self.eager = 0

    @property
    def report(self) -> str:
        """How often the step was replayed and how often it ran as it is, and why the last time."""
        natively = f" ({self.native} of them natively)" if self.native else ""
        counts = f"replayed {self.replayed} times{natively}, run as it is {self.eager} times"
        why = self._reason or (self._native_reason if self.mode != "native" else "")
        return f"{counts}: {why}" if why else counts

    @property
    def reason(self) -> str:
        """Why the last call ran as it is; nothing if it was replayed."""
        return self._reason

    def reset(self) -> None:
        """Forget every recording: the next call records anew."""
        self._steps.clear()
        self._older.clear()
        self._failures = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do one step."""
        if self._wanted == "eager":
            return self._as_it_is("mode is eager", args, kwargs)
        if self._busy or graph.recorder is not None or not state.grad or state.anomaly:
            return self._as_it_is("gradients are off, or something listens", args, kwargs)
        self._busy = True
        try:
            return self._step(args, kwargs)
        finally:
            self._busy = False

    def run(self, batches: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
        """Do as many steps as can be done natively in one go; returns their losses.

        ``batches`` holds the arguments of each step. Nothing of Python runs between the steps, and
        other threads do meanwhile. It ends before the first step that cannot be done so; that one
        is to be called. What the steps return is not made but for the last single number of each.
        """
        key = _signature(batches[0], {}) if batches else None
        found = self._steps.get(key) if key is not None else None
        is_quiet = not self._busy and graph.recorder is None and state.grad and not state.anomaly
        if type(found) is not _Replay or not found.is_checked or found.upgrade is None:
            return np.zeros(0)
        if not is_quiet or not found.holds():
            return np.zeros(0)
        same = takewhile(lambda batch: _signature(batch, {}) == key, batches)
        losses: NDArray[np.float64] = found.upgrade.run_many(list(same))
        self.native += len(losses)
        self.replayed += len(losses)
        if len(losses):
            self.mode, self._reason = "native", ""
        return losses

    def statistics(self, is_wanted: bool = True) -> None:
        """Let native steps write statistics of what their optimizers move, or no more."""
        self._is_measured = is_wanted
        for found in self._steps.values():
            if type(found) is _Replay and found.upgrade is not None:
                found.upgrade.measure(is_wanted)

    def table(self, *args: Any) -> tuple[list[TensorBase], NDArray[np.float64]]:
        """Return tensors and the statistics of each, as the last native step with such ``args``.

        The columns are those of ``gradcore.statistics``. Nothing if there was no such step.
        """
        found = self._steps.get(_signature(args, {}))
        upgrade = found.upgrade if type(found) is _Replay else None
        rows = upgrade.statistics() if upgrade is not None else None
        return ([], np.zeros((0, 0))) if rows is None else rows

    def _step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inputs: Sequence[Any] = (*args, *kwargs.values()) if kwargs else args
        key = _signature(inputs, kwargs)
        found = self._steps.get(key) if key is not None else "an argument is not a plain tensor"
        if type(found) is _Replay:
            if not found.holds() and (found := self._other(key, found)) is None:
                self._failures += 1
                if self._failures > ATTEMPTS:
                    self._steps[key] = "what it uses changes from step to step"
                    return self._as_it_is(self._steps[key], args, kwargs)
                return self._record(key, inputs, args, kwargs)
            if not found.is_checked:
                return self._check(found, key, inputs, args, kwargs)
            if self._replay(found, inputs):
                self._failures = 0
                self.replayed += 1
                self._reason = ""
                return found.finish()
            self._failures += 1
            if self._failures > ATTEMPTS:
                self._steps[key] = "it takes other branches from step to step"
            return self._as_it_is("its values lead another way than when recorded", args, kwargs)
        if isinstance(found, str):
            return self._as_it_is(found, args, kwargs)
        return self._record(key, inputs, args, kwargs)

    def _other(self, key: Any, found: "_Replay") -> "_Replay | None":
        """Return an older recording that holds now, as after `train()` and `eval()` in turns."""
        older = self._older.setdefault(key, [])
        for one in older:
            if one.holds():
                older.remove(one)
                older.append(found)
                self._steps[key] = one
                return one
        if found.is_checked:
            older.append(found)
            del older[:-OLDER]
        return None

    def _replay(self, found: "_Replay", inputs: Sequence[Any]) -> bool:
        """Do a step in the fastest way that is there; ``found.finish`` hands it out."""
        upgrade = found.upgrade
        if upgrade is not None:
            if upgrade.run(inputs, found.try_out):
                self.native += 1
                self.mode = "native"
                return True
            self._native_reason = upgrade.reason
        self.mode = "replay"
        return found.run(inputs)

    def _as_it_is(self, reason: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.eager += 1
        self.mode = "eager"
        self._reason = reason
        return self._function(*args, **kwargs)

    def _record(
        self, key: Any, inputs: Sequence[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            world = Captured(self._function)
        except RefusalError as refusal:
            self._steps[key] = str(refusal)
            return self._as_it_is(str(refusal), args, kwargs)
        for optimizer in world.optimizers:
            optimizer.gather()
        recording = Recording(list(inputs), world.tensors, self._function)
        settings = [dict(one) for one in world.settings]
        graph.journal = recording
        try:
            with graph.set_recorder(recording):
                result = self._as_it_is("it was recorded", args, kwargs)
        finally:
            graph.journal = None
            recording.looks.end()
        try:
            program = recording.finish(result, list(inputs))
            after = Captured(self._function)
            if not world.same(after) or not _same_settings(settings, after, recording.schedules):
                raise RefusalError("changes an attribute, a list or a setting in Python")
            _add_optimizers(program, recording.stepped, after)
            program.late += recording.schedules
            stream = _stream() if program.draws else None
            upgrade = self._upgrade(program.copy(), inputs)
            inline(program, inputs)
            if stream is not None:
                _wind_back(stream)
            self._steps[key] = _Replay(program, after, upgrade)
        except RefusalError as refusal:
            self._reason = str(refusal)
            self._failures += 1
            # A first step may make what later ones find.
            if self._failures > 1:
                self._steps[key] = self._reason
        return result

    def _upgrade(self, program: Program, inputs: Sequence[Any]) -> Any:
        """Return what brings a recorded step to native mode, where that is wanted."""
        if self._wanted not in ("auto", "native"):
            return None
        # Loaded here, so that importing gradcore does not.
        native = importlib.import_module("gradcore.native")
        if self._wanted == "auto" and not native.is_wanted():
            return None
        upgrade = native.Upgrade(program, inputs, self._wanted == "native")
        upgrade.measure(self._is_measured)
        return upgrade

    def _check(
        self,
        replay: "_Replay",
        key: Any,
        inputs: Sequence[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run the recording and the step itself; trust the recording if they agree."""
        fault = replay.rehearse(inputs)
        result = self._as_it_is("its recording was checked", args, kwargs)
        fault = fault or replay.compare(result)
        if fault:
            self._steps[key] = self._reason = fault
        replay.is_checked = True
        return result


def _signature(inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return what arguments must have in common for one recording; None: not understood."""
    parts: list[Any] = []
    arrays = [id(item._a) for item in inputs if isinstance(item, TensorBase)]
    if len(set(arrays)) != len(arrays):
        return None
    for item in inputs:
        if isinstance(item, TensorBase):
            a = item._a
            if item._rg or item._node is not None or item._vc is INFERENCE:
                return None
            parts.append((a.shape, a.dtype, a.strides))
        elif type(item) in _PLAIN:
            parts.append((type(item), item))
        else:
            return None
    return (*parts, *kwargs) if kwargs else tuple(parts)


def _same_settings(before: list[Any], after: Captured, schedules: list[Any]) -> bool:
    """Tell whether the step left the optimizers' settings alone, but for what schedules set."""
    scheduled = {"lr", "momentum", "betas"} if schedules else set()
    kept = [[{k: v for k, v in one.items() if k not in scheduled} for one in settings]
            for settings in (before, after.settings)]  # fmt: skip
    return kept[0] == kept[1]


def _add_optimizers(
    program: Program, stepped: list[tuple[str, TensorBase]], world: Captured
) -> None:
    """Let the program end with the steps of the optimizers that moved ``stepped``."""
    moved: dict[int, tuple[Any, list[int]]] = {}
    for name, t in stepped:
        owners = [
            one
            for one in world.optimizers
            if type(one).__name__.lower() == name
            and any(t is p for group in one.param_groups for p in group["params"])
        ]
        if len(owners) != 1:
            raise RefusalError("steps a tensor by an optimizer that was not found")
        moved.setdefault(id(owners[0]), (owners[0], []))[1].append(id(t))
    for optimizer, tensors in moved.values():
        if len(set(tensors)) != len(tensors):
            raise RefusalError("steps an optimizer twice")
        program.late.append((optimizer.step, ()))
    if program.cleared and not all(one.kept for one in program.gradients):
        raise RefusalError("takes some gradients away before, some after the step")


class _Replay:
    """A program with its guards: whether it holds now, and how it is run."""

    def __init__(self, program: Program, world: Captured, upgrade: Any = None) -> None:
        self.program = program
        self.world = world
        self.upgrade = upgrade
        self.is_checked = False
        self._results: tuple[list[Any], list[Any]] = ([], [])
        self._hand_out = HandOut(program)
        self._expected: Any = None
        self._float = dtypes.default_float()
        known = {id(one.leaf): one for one in program.gradients}
        self._arrays = [t._a for t in world.tensors]
        self._trained = [t._rg for t in world.tensors]
        self._empty = []
        for t in world.tensors:
            one = known.get(id(t))
            if one is not None and one.fresh and not one.was_there:
                self._empty.append(t)
        self._added = [one.leaf for one in program.gradients if not one.fresh]
        self._writes = [t for t, _ in program.written]

    def holds(self) -> bool:
        """Tell whether everything the recording relied on is as it was."""
        if self.upgrade is None:
            return self._holds()
        if self.upgrade.is_unchanged():
            return True
        found = self._holds()
        if found:
            self.upgrade.note(self)
        return found

    def _holds(self) -> bool:
        # Loops that run in C: this is done before every step.
        tensors = self.world.tensors
        if not all(map(is_, map(_ARRAY, tensors), self._arrays)) or any(map(_MORE, tensors)):
            return False
        if list(map(_TRAINED, tensors)) != self._trained:
            return False
        if self._empty and not all(map(is_, map(_GRAD, self._empty), repeat(None))):
            return False
        if self._added and any(t._grad is None for t in self._added):
            return False
        if any(self.world.hooks) or _has_global_hooks():
            return False
        if dtypes.default_float() is not self._float:
            return False
        return self.world.is_as_it_was() or self._walk_again()

    def _walk_again(self) -> bool:
        try:
            world = Captured(self.world.function)
        except RefusalError:
            return False
        if not self.world.same(world):
            return False
        self.world = world
        return True

    def run(self, inputs: Sequence[Any]) -> bool:
        """Compute loss and gradients; False, with nothing changed, if that raised an error."""
        kept = [t._a.copy() for t in self._writes]
        stream = _stream() if self.program.draws else None
        try:
            run = self._hand_out.ready()
            self._results = run([x._a if isinstance(x, TensorBase) else x for x in inputs])
        except Exception:
            # Which error it is, and where, the step itself is to say.
            self._restore(kept, stream)
            return False
        return True

    def try_out(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]] | None:
        """Do a step and take it back; None: that raised an error.

        Returns gradients, what is handed out, and the running values that it wrote.
        """
        kept = [t._a.copy() for t in self._writes]
        stream = _stream() if self.program.draws else None
        if not self.run(inputs):
            return None
        gradients, handed = self._results
        self._results = ([], [])
        values = [t._a.copy() for t in self._writes]
        self._restore(kept, stream)
        return [g.copy() for g in gradients], [np.array(item) for item in handed], values

    def _restore(self, kept: list[Any], stream: Any) -> None:
        for t, values in zip(reversed(self._writes), reversed(kept), strict=True):
            np.copyto(t._a, values)
        if stream is not None:
            _wind_back(stream)

    def finish(self) -> Any:
        """Store the gradients, let the optimizers step, and return what the step returns."""
        program = self.program
        if self.upgrade is not None and self.upgrade.has_run:
            return rebuilt(program.returned, iter(self.upgrade.finish()))
        gradients, handed = self._results
        self._results = ([], [])
        for t, name in program.written:
            written(t, name, False)
        program.clear()
        self._hand_out.give(gradients)
        self._hand_out.know(True)
        try:
            for function, args in program.late:
                function(*args)
        finally:
            self._hand_out.know(False)
        for one in program.gradients:
            if not one.kept:
                one.leaf._grad = None
        return rebuilt(program.returned, iter(handed))

    def rehearse(self, inputs: Sequence[Any]) -> str:
        """Run the recording and take back what it wrote; return what went wrong, if anything."""
        kept = [t._a.copy() for t in self._writes]
        stream = _stream() if self.program.draws else None
        if not self.run(inputs):
            return "its recording raises an error"
        gradients, handed = self._results
        end = _stream() if self.program.draws else None
        values = [t._a.copy() for t in self._writes]
        zeroed = set(map(id, self.program.zeroed))
        sums = [
            g.copy() if one.fresh else g + 0 if id(one.leaf) in zeroed else one.leaf._grad._a + g
            for one, g in zip(self.program.gradients, gradients, strict=True)
        ]
        self._expected = (sums, [np.array(item) for item in handed], values, end)
        self._results = ([], [])
        self._restore(kept, stream)
        return ""

    def compare(self, result: Any) -> str:
        """Return how the recording differs from the step that was just done, if it does."""
        sums, handed, values, end = self._expected
        self._expected = None
        tensors: list[Any] = []
        gather(result, self.program.returned, tensors)
        if any(not _same(t, a) for t, a in zip(tensors, handed, strict=True)):
            return "its recording returns other values than the step itself"
        clipped = any(not hasattr(call, "__self__") for call, _ in self.program.late)
        for one, g in zip(self.program.gradients, sums, strict=True):
            held = one.leaf._grad
            if one.kept and not clipped and (held is None or not _same(held._a, g)):
                return "its recording gives other gradients than the step itself"
        if any(not _same(t._a, a) for t, a in zip(self._writes, values, strict=True)):
            return "its recording gives other running values than the step itself"
        if end is not None and end != _stream():
            return "its recording draws other random numbers than the step itself"
        return ""


def _has_global_hooks() -> bool:
    return bool(
        GLOBAL_HOOKS.forward
        or GLOBAL_HOOKS.forward_pre
        or GLOBAL_HOOKS.backward
        or GLOBAL_HOOKS.backward_pre
    )


def _stream() -> Any:
    return default_generator.place()


def _wind_back(stream: Any) -> None:
    default_generator.return_to(stream)


def _same(a: Any, b: Any) -> bool:
    """Tell whether two arrays, or a number and an array, hold the same bits."""
    if type(a) is not np.ndarray:
        a = np.array(a, b.dtype).reshape(b.shape)
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
