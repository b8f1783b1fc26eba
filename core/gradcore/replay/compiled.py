"""``compile``: a training step that is recorded once, checked once, and from then on replayed.

The first call of a step with arguments of a shape runs as it is and is recorded. The second runs as
it is too, and the recording beside it: only if both give the same numbers, bit for bit, are later
calls replayed. Each replay is preceded by guards; whatever they do not recognise runs as it is.
"""

import functools
import importlib
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcore import graph
from gradcore.graph import TensorBase, state
from gradcore.nn.module import Module
from gradcore.replay.arguments import Arguments, objects_in
from gradcore.replay.captured import Captured
from gradcore.replay.followed import followed
from gradcore.replay.program import Program, RefusalError
from gradcore.replay.recording import Recording
from gradcore.replay.replayed import Replay
from gradcore.replay.slots import Place, Snapshot, purge

MODES = ("eager", "replay", "native")
"""How a step may run; also what ``Compiled.mode`` says of the last one."""
ATTEMPTS = 4
"""So often in a row may the world have changed before a step is left to run as it is."""
RECORDINGS = 16
"""So many recordings that were made for arguments and never met again are enough."""
BRANCHES = 8
"""So often may a recording be compared with a step that takes other branches."""
DETOURS = 24
"""So often in a row may a recording that is compared with a step lead another way."""
OLDER = 5
"""So many recordings that hold no longer are kept for the case that they will again."""
_ELSEWHERE = "its values lead another way than when recorded"
_CHANGES = "changes an attribute, a list or a setting in Python"


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
        self._steps: dict[Any, Replay | str] = {}
        self._older: dict[Any, list[Replay]] = {}
        self._failures = self._detours = 0
        self._arguments = Arguments(function)
        # What the step changes in Python, by container and key.
        self._moving: dict[tuple[int, Any], Place] = {}
        # Does the last step again where nothing has changed but values; None: nothing does.
        self._quick: Any = None
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

    @property
    def native_reason(self) -> str:
        """Why the last replayed call was no machine code, if that is known for good."""
        return self._native_reason

    def reset(self) -> None:
        """Forget every recording: the next call records anew."""
        self._steps.clear()
        self._older.clear()
        self._moving = {}
        self._failures = 0
        self._quick = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do one step."""
        if self._wanted == "eager":
            return self._as_it_is("mode is eager", args, kwargs)
        if self._busy or graph.recorder is not None or not state.grad or state.anomaly:
            return self._as_it_is("gradients are off, or something listens", args, kwargs)
        self._busy = True
        try:
            if (quick := self._quick) is not None and not kwargs:
                result = quick(args)
                if result is not quick.missed:
                    self.native += 1
                    self.replayed += 1
                    return result
            self._quick = None
            return self._step(args, kwargs)
        finally:
            self._busy = False

    def run(self, batches: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
        """Do as many steps as can be done natively in one go; returns their losses.

        ``batches`` holds the arguments of each step. Nothing of Python runs between the steps, and
        other threads do meanwhile. It ends before the first step that cannot be done so; that one
        is to be called. What the steps return is not made but for the last single number of each.
        """
        key = self._arguments.flat(batches[0], {})[1] if batches else None
        found = self._steps.get(key) if key is not None else None
        is_quiet = not self._busy and graph.recorder is None and state.grad and not state.anomaly
        if type(found) is not Replay or not found.is_checked or found.upgrade is None:
            return np.zeros(0)
        if not is_quiet or not found.holds():
            return np.zeros(0)
        same = self._leaves(batches, key)
        losses: NDArray[np.float64] = found.upgrade.run_many(same)
        self.native += len(losses)
        self.replayed += len(losses)
        if len(losses):
            self.mode, self._reason = "native", ""
        return losses

    def _leaves(self, batches: Sequence[Sequence[Any]], key: Any) -> list[Sequence[Any]]:
        """Return the arguments of as many steps as have the same key."""
        found: list[Sequence[Any]] = []
        last: Any = None
        for batch in batches:
            if batch is not last:
                leaves, other = self._arguments.flat(batch, {})
                if other != key:
                    break
                last = batch
            found.append(leaves)
        return found

    def statistics(self, is_wanted: bool = True) -> None:
        """Let native steps write statistics of what their optimizers move, or no more."""
        self._is_measured = is_wanted
        for found in self._steps.values():
            for upgrade in found.upgrades if type(found) is Replay else ():
                upgrade.measure(is_wanted)

    def table(self, *args: Any) -> tuple[list[TensorBase], NDArray[np.float64]]:
        """Return tensors and the statistics of each, as the last native step with such ``args``.

        The columns are those of ``gradcore.statistics``. Nothing if there was no such step.
        """
        found = self._steps.get(self._arguments.flat(args, {})[1])
        upgrades = found.upgrades if type(found) is Replay else []
        rows = [one for one in (upgrade.statistics() for upgrade in upgrades) if one is not None]
        tensors = [t for one, _ in rows for t in one]
        return tensors, np.concatenate([table for _, table in rows]) if rows else np.zeros((0, 0))

    def _step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inputs, key = self._arguments.flat(args, kwargs)
        found = self._steps.get(key) if key is not None else "an argument is not a plain tensor"
        if isinstance(found, str):
            return self._as_it_is(found, args, kwargs)
        if found is not None and not found.holds():
            found = self._other(key, found)
            self._failures += found is None
            if self._failures > ATTEMPTS:
                self._steps[key] = "what it uses changes from step to step"
                return self._as_it_is(self._steps[key], args, kwargs)
        if found is not None and found.is_checked and self._replay(found, inputs):
            result = self._finish(found)
            self._quick = found.quick(inputs)
            return result
        if (other := self._other_branch(key, found, inputs)) is not None:
            return self._finish(other)
        if found is not None and not found.is_checked:
            return self._check(found, key, inputs, args, kwargs)
        if found is not None:
            return self._branch(key, found, inputs, args, kwargs)
        if len(self._steps) >= RECORDINGS and self._is_crowded():
            return self._as_it_is("its arguments are new ones at nearly every call", args, kwargs)
        return self._record(key, inputs, args, kwargs)

    def _finish(self, found: Replay) -> Any:
        self._failures = 0
        self.replayed += 1
        self._reason = ""
        return found.finish()

    def _branch(
        self,
        key: Any,
        found: Replay,
        inputs: Sequence[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Do a step whose values lead another way than any recording; record that way."""
        self._failures += 1
        if self._failures > ATTEMPTS:
            self._steps[key] = "it takes other branches from step to step"
        if self._failures > 1:
            return self._as_it_is(_ELSEWHERE, args, kwargs)
        older = self._older.setdefault(key, [])
        older.append(found)
        del older[:-OLDER]
        result = self._record(key, inputs, args, kwargs)
        if type(self._steps.get(key)) is not Replay:
            self._steps[key] = older.pop()
            self._reason = _ELSEWHERE
        return result

    def _is_crowded(self) -> bool:
        """Tell whether too many recordings were never met again."""
        single = sum(type(one) is Replay and not one.is_checked for one in self._steps.values())
        return single >= RECORDINGS or len(self._steps) >= 8 * RECORDINGS

    def _other(self, key: Any, found: Replay) -> Replay | None:
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

    def _other_branch(self, key: Any, found: Replay | None, inputs: Sequence[Any]) -> Replay | None:
        """Do the step by an older recording, whose branches it takes; None: there is none."""
        older = self._older.get(key, ())
        for one in older:
            if one.holds() and self._replay(one, inputs):
                if found is not None and found.is_checked:
                    self._older[key].remove(one)
                    self._older[key].append(found)
                    self._steps[key] = one
                return one
        return None

    def _replay(self, found: Replay, inputs: Sequence[Any]) -> bool:
        """Do a step in the fastest way that is there; ``found.finish`` hands it out."""
        if not found.run(inputs):
            return False
        self.mode = "native" if found.was_native else "replay"
        self.native += found.was_native
        self._native_reason = found.native_reason
        return True

    def _as_it_is(self, reason: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        self.eager += 1
        self.mode = "eager"
        self._reason = reason
        return self._function(*args, **kwargs)

    def _record(
        self, key: Any, inputs: Sequence[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            world = Captured(self._function, dict(self._moving), objects_in(key))
        except RefusalError as refusal:
            self._steps[key] = str(refusal)
            return self._as_it_is(str(refusal), args, kwargs)
        for optimizer in world.optimizers:
            optimizer.gather()
        recording = Recording(list(inputs), world.tensors, self._function)
        recording.constants = world.constants()
        settings = [dict(one) for one in world.settings]
        graph.journal = recording
        try:
            recording.enter(world)
            # From here on: what is set to the number that it was before is set all the same.
            snapshot = Snapshot(world.places)
            given, named = self._arguments.with_numbers(args, kwargs, inputs, recording.number)
            following = followed(recording, world.mentioned, world.followed)
            with following, graph.set_recorder(recording):
                result = self._as_it_is("it was recorded", given, named)
            changes = snapshot.changes()
        finally:
            graph.journal = None
            recording.looks.end()
            recording.book.is_open = False
            snapshot.purge()
            purge([args, kwargs])
            purge(world.groups)
            for schedule in world.read_schedules:
                purge(schedule._last_lr)
        try:
            self._keep(key, recording, (result, changes), (inputs, args, kwargs), (world, settings))
        except Exception as error:
            # What a recording does not understand must not stop the training.
            what = f"was not understood: {type(error).__name__}: {error}"
            self._reason = str(error) if isinstance(error, RefusalError) else what
            self._failures += 1
            # A first step may make what later ones find.
            if self._failures > (ATTEMPTS if self._moving else 1):
                self._steps[key] = self._reason
        return purge(result)

    def _keep(
        self,
        key: Any,
        recording: Recording,
        outcome: tuple[Any, Any],
        given: tuple[Sequence[Any], Any, Any],
        before: tuple[Captured, list[Any]],
    ) -> None:
        """Make a replay of a recording; raises ``RefusalError`` where that cannot be."""
        (result, changes), (inputs, args, kwargs), (world, settings) = outcome, given, before
        again, same = self._arguments.flat(args, kwargs)
        if same != key or not all(map(is_, again, inputs)):
            raise RefusalError("changes its arguments")
        if changes is None:
            raise RefusalError(_CHANGES)
        effects = self._known(changes)
        pieced = recording.finish(result, list(inputs), [value for _, value in effects])
        after = Captured(self._function, dict(self._moving), objects_in(key))
        schedules = [one for part in pieced.parts for one in part.schedules]
        if not world.same(after):
            raise RefusalError(_CHANGES)
        if not world.watches_settings and not _same_settings(settings, after, schedules):
            raise RefusalError(_CHANGES)
        for part in pieced.parts:
            _add_optimizers(part.program, part.stepped, after)
            part.program.late += part.schedules
        places = [place for place, _ in effects]
        beside = (recording.sides, recording.questions)
        found = Replay(pieced, after, inputs, self._upgrade, places, beside)
        self._steps[key] = found

    def _known(self, changes: Any) -> list[Any]:
        """Return changes of places that are known to change; note those that are not."""
        effects = list(changes)
        new = [place for place, _ in effects if place.name not in self._moving]
        self._moving.update((place.name, place) for place in new)
        if new:
            raise RefusalError(_CHANGES)
        return effects

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
        replay: Replay,
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
            self._reason = _ELSEWHERE if replay.raised else fault
            self._failures += not replay.raised
            self._detours += replay.raised > 0
            if self._failures > ATTEMPTS or self._detours > DETOURS:
                self._steps[key] = self._reason
            elif not 0 < replay.raised <= BRANCHES:
                # A first step may differ from all later ones: then the second is recorded anew.
                del self._steps[key]
        else:
            replay.is_checked = True
            self._failures = self._detours = 0
        return result


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
