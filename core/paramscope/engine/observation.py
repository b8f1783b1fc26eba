"""What is known of the running model: evidence gathered step by step, and when to look again.

Looking costs time, so the observer measures what a look costs and spaces the looks to keep
the sum of them under a small part of the run.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from paramscope.census.census import optimizer_groups, rows_of
from paramscope.census.evidence import (
    BuildRecord,
    Cut,
    EvalRecord,
    Evidence,
    StepRecord,
    UseSummary,
)
from paramscope.census.rows import TensorRow
from paramscope.census.source import SourceMap, map_source
from paramscope.census.states import STEPS_TO_JUDGE
from paramscope.census.walk import Walk, walk_model
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.build_tracer import BuildTracer
from paramscope.engine.evaluation import changed_between, evaluate, noting_call, states_of
from paramscope.engine.program import Program
from paramscope.rules.catalog import check_all
from paramscope.rules.finding import Finding

FIRST_TRACES = 4  # steps in a row after each load, which the rules judge
MANY_TENSORS = 5_000  # of one model: there, no more steps are traced than the rules need
MIN_INTERVAL = 0.1  # seconds between two looks at most: 10 Hz is what eyes can read
MAX_INTERVAL = 5.0
SHARE_OF_TIME = 0.012  # of the run that may go into looking
MAX_CUTS_KEPT = 8  # of one tensor


@dataclass(slots=True)
class Pacer:
    """Says when something that costs time is due again."""

    clock: Callable[[], float]
    interval: float = MIN_INTERVAL
    share: float = SHARE_OF_TIME
    due: float = 0.0

    def is_due(self) -> bool:
        """Tell whether enough time has gone by."""
        return self.clock() >= self.due

    def note_cost(self, seconds: float) -> None:
        """Put off the next time so that ``seconds`` is no more than its share until then."""
        wait = min(MAX_INTERVAL, max(self.interval, seconds / self.share))
        self.due = self.clock() + wait


@dataclass(slots=True)
class _Root:
    """One model of a program with what its steps have shown."""

    model: Any
    name: str
    walk: Walk
    build: BuildRecord
    summaries: dict[int, UseSummary] = field(default_factory=dict)
    last_step: StepRecord | None = None
    traced_steps: int = 0
    backward_calls: int = 0
    uncleared: dict[int, int] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    first_states: dict[str, NDArray[Any]] | None = None
    changing: frozenset[str] = frozenset()
    evaluation: EvalRecord | None = None
    ever_stepped: set[int] = field(default_factory=set)
    ever_moving: set[tuple[int, int]] = field(default_factory=set)


class Observer:
    """Keeps the evidence of one loaded program and makes rows and findings of it."""

    def __init__(self, adapter: Adapter, program: Program, tracer: BuildTracer) -> None:
        self._adapter = adapter
        self._program = program
        self._source: SourceMap = map_source(program.source)
        self._roots: list[_Root] = []
        for name, model in program.roots.items():
            walk = walk_model(model, adapter, name)
            outside = self._walks_outside() if name == "" else ()
            self._roots.append(_Root(model, name, walk, tracer.finish(walk, outside)))
        if program.model is None:
            self._read_script(tracer)

    def _walks_outside(self) -> list[Walk]:
        """Walk over the Modules among the document's globals that are no model of it."""
        models = [id(model) for model in self._program.roots.values()]
        return [
            walk_model(value, self._adapter, name)
            for name, value in list(vars(self._program.module).items())
            if self._adapter.is_module(value) and id(value) not in models
        ]

    @property
    def walk(self) -> Walk:
        """The walk over the model that is trained, as of the last look."""
        return self._roots[0].walk if self._roots else Walk()

    @property
    def is_fresh(self) -> bool:
        """Tell whether the first traced steps, which the rules need, are still to come."""
        if not self._roots:
            return False
        is_large = len(self._roots[0].walk.tensors) > MANY_TENSORS
        return self._roots[0].traced_steps < (STEPS_TO_JUDGE if is_large else FIRST_TRACES)

    def look_again(self) -> None:
        """Walk the models anew: a step may have put other tensors in their places."""
        for root in self._roots:
            root.walk = walk_model(root.model, self._adapter, root.name)
            strangers = root.last_step.strangers if root.last_step is not None else []
            if strangers:
                paths = {id(found.tensor): found.path for found in root.walk.tensors}
                for stranger in strangers:
                    stranger.path = stranger.path or paths.get(id(stranger.tensor), "")

    def add_step(self, record: StepRecord, is_finished: bool = True) -> None:
        """Add what one traced step of the model has shown (so far, within a split step)."""
        root = self._roots[0]
        root.last_step = record
        present = {id(found.tensor) for found in root.walk.tensors}
        root.summaries = {k: v for k, v in root.summaries.items() if k in present}
        for key, use in record.uses.items():
            if key not in present:
                continue
            seen = root.summaries.setdefault(key, UseSummary())
            seen.is_read = seen.is_read or use.is_read
            seen.is_read_in_forward = seen.is_read_in_forward or use.is_read_in_forward
            seen.is_written = seen.is_written or use.is_written
            seen.had_gradient = seen.had_gradient or use.had_gradient
            if use.gradient is not None and (use.gradient.norm or use.gradient.non_finite):
                seen.gradient_always_zero = False
            seen.has_moved = seen.has_moved or bool(record.update_norms.get(key))
            seen.is_recorded = seen.is_recorded or use.is_recorded
            seen.cuts = _kept(seen.cuts, use.cuts)
            seen.direct |= use.direct
            seen.zero_factors = _kept(seen.zero_factors, use.zero_factors)
            seen.flats = _kept(seen.flats, use.flats)
        if is_finished:
            self._count(root, record)
        elif record.backward_calls:
            root.backward_calls = max(root.backward_calls, 1)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """After the traced step in this block, look once at a copy of the model in eval mode.

        It is done as soon as the rules have steps enough to judge by.
        """
        root = self._roots[0]
        if root.traced_steps != STEPS_TO_JUDGE - 1 or root.first_states is None:
            yield
            return
        with noting_call(root.model) as call:
            yield
        walk = walk_model(root.model, self._adapter)
        root.changing = changed_between(root.first_states, states_of(walk, self._adapter))
        root.first_states = None
        root.evaluation = evaluate(self._adapter, root.model, walk, call, self._program.filename)

    def evidence(self, step: int) -> list[Evidence]:
        """Return the evidence of every model of the program as it stands."""
        held = [frozenset(id(f.tensor) for f in root.walk.tensors) for root in self._roots]
        return [
            Evidence(
                model=root.model,
                walk=root.walk,
                optimizers=self._program.optimizers,
                view=self._adapter,
                build=root.build,
                summaries=root.summaries,
                last_step=root.last_step,
                steps=tuple(root.steps),
                evaluation=root.evaluation,
                changing=root.changing,
                ever_stepped=frozenset(root.ever_stepped),
                ever_moving=frozenset(root.ever_moving),
                outside=self._names_outside(root),
                step=step,
                traced_steps=root.traced_steps,
                backward_calls=root.backward_calls,
                uncleared=root.uncleared,
                elsewhere=frozenset().union(*(ids for n, ids in enumerate(held) if n != number)),
                source=self._source,
            )
            for number, root in enumerate(self._roots)
        ]

    def rows(self, step: int) -> tuple[TensorRow, ...]:
        """Take the census of every model of the program."""
        return tuple(row for evidence in self.evidence(step) for row in rows_of(evidence))

    def findings(self, step: int) -> tuple[Finding, ...]:
        """Ask every rule."""
        return tuple(found for evidence in self.evidence(step) for found in check_all(evidence))

    def _names_outside(self, root: _Root) -> dict[int, str]:
        """Name the tensors beside the model, by the document's globals.

        They are those that a step has met, and those that an optimizer holds.
        """
        met = {id(s.tensor) for record in root.steps for s in record.strangers}
        own = {id(found.tensor) for found in root.walk.tensors}
        for optimizer in self._program.optimizers:
            for group in optimizer_groups(optimizer):
                met.update(id(tensor) for tensor in group.get("params", ()))
        met -= own
        names: dict[int, str] = {}
        if not met:
            return names
        for name, value in list(vars(self._program.module).items()):
            if id(value) in met:
                names[id(value)] = name
            elif self._adapter.is_module(value) and value is not root.model:
                for found in walk_model(value, self._adapter, name).tensors:
                    if id(found.tensor) in met:
                        names.setdefault(id(found.tensor), found.path)
        return names

    def _count(self, root: _Root, record: StepRecord) -> None:
        root.traced_steps += 1
        root.steps = [*root.steps, record][-FIRST_TRACES:]
        root.ever_stepped |= record.stepped
        root.ever_moving |= {group for group, rate in record.rates.items() if rate}
        if root.traced_steps == 1:
            root.first_states = states_of(walk_model(root.model, self._adapter), self._adapter)
        root.backward_calls += record.backward_calls
        for key in record.cleared - record.uncleared:
            root.uncleared.pop(key, None)
        for key in record.uncleared:
            root.uncleared[key] = root.uncleared.get(key, 0) + 1

    def _read_script(self, tracer: BuildTracer) -> None:
        """A script has run already: what it read stands for the steps."""
        for root in self._roots:
            if any(f.tensor.is_leaf and f.tensor.grad is not None for f in root.walk.tensors):
                root.backward_calls = tracer.backward_calls
            root.build.is_complete = False
            for found in root.walk.tensors:
                key = id(found.tensor)
                if key in tracer.read_ids:
                    is_forward = key in tracer.read_in_forward_ids
                    root.summaries[key] = UseSummary(True, is_forward)


def _kept(known: tuple[Cut, ...], new: Sequence[Cut]) -> tuple[Cut, ...]:
    """Add to the cuts of a tensor those not yet known, in order."""
    return tuple(dict.fromkeys((*known, *new)))[:MAX_CUTS_KEPT] if new else known
